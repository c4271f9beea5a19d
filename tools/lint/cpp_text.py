"""What the lints share: finding the project's C++ files and looking at their code without comments and strings."""

import re
from pathlib import Path

# A comment, a raw string, a string or a character; whichever begins first wins.
_TOKENS = re.compile(
    r'//[^\n]*|/\*.*?\*/|R"([^(\s]*)\(.*?\)\1"|"(?:\\.|[^"\\\n])*"|(?<![0-9A-Fa-f])\'(?:\\.|[^\'\\\n])+\'',
    re.DOTALL,
)


def cpp_files(root, *folders):
    """All .h and .cc files below the given folders of root, sorted."""
    files = []
    for folder in folders:
        files += [p for p in (Path(root) / folder).rglob("*") if p.suffix in (".h", ".cc")]
    return sorted(files)


def code_only(text, keep_strings=False):
    """The text with comments (and the contents of strings) replaced by blanks; line numbers stay as they are."""

    def blank(match):
        token = match.group(0)
        is_comment = token.startswith(("//", "/*"))
        if keep_strings and not is_comment:
            return token
        edge = "" if is_comment else '"'
        return edge + "".join("\n" if c == "\n" else " " for c in token[len(edge) :])

    return _TOKENS.sub(blank, text)


def line_of(text, offset):
    """The 1-based line number of an offset."""
    return text.count("\n", 0, offset) + 1
