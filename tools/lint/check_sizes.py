#!/usr/bin/env python3
"""Fails when a source file, a function or a tracked file has grown too big to be read or cloned with pleasure.

  files      600 lines in src/, 800 in tests/ and bench/
  functions  80 lines in src/ and tests/ (found by counting braces, which is rough but enough)
  any file   6 MB that git tracks, or that lies in the tree where there is no git

Usage: check_sizes.py [ROOT] | --self-test
"""

import re
import subprocess
import sys
import tempfile
from pathlib import Path

from cpp_text import code_only, cpp_files, line_of

FILE_LINES = {"src": 600, "tests": 800, "bench": 800}
FUNCTION_LINES = {"src": 80, "tests": 80, "bench": None}
TRACKED_BYTES = 6_000_000
# Read from top to bottom like the formulas they are: the forward pass and its mirror.
LONG_FUNCTIONS_IN = {"src/model/forward.cc", "src/train/backward.cc"}
NOT_OURS = {".git", "build", "out", "demo", "__pycache__", ".cache"}

_TYPE = re.compile(r"\b(namespace|class|struct|union|enum)\b|\bextern\s*\"")
_TEMPLATE = re.compile(r"\btemplate\s*<[^()]*?>\s*(?=\w)")


def functions(text):
    """Yields (first line, last line, header) of every function body outside other functions."""
    code = code_only(text)
    code = re.sub(r"^[ \t]*#(?:[^\n]*\\\n)*[^\n]*", lambda m: re.sub(r"[^\n]", " ", m.group(0)), code, flags=re.MULTILINE)
    depth_inside = 0  # braces open inside the current function, 0 outside of functions
    start = 0  # where the text since the last ; { } begins
    first = 0
    header = ""
    for match in re.finditer(r"[;{}]", code):
        token = match.group(0)
        before = code[start : match.start()]
        if depth_inside > 0:
            depth_inside += {"{": 1, "}": -1, ";": 0}[token]
            if depth_inside == 0:
                yield first, line_of(code, match.start()), header
        elif token == "{":
            head = _TEMPLATE.sub("", before).split("(")[0]
            if "(" in before and not _TYPE.search(head) and not re.search(r"=\s*$", before):
                first = line_of(code, start + len(before) - len(before.lstrip()))
                header = " ".join(before.split())
                depth_inside = 1
        start = match.end()


def check_lines(root):
    for folder, limit in FILE_LINES.items():
        for path in cpp_files(root, folder):
            name = path.relative_to(root).as_posix()
            text = path.read_text(encoding="utf-8")
            lines = text.count("\n")
            if lines > limit:
                yield f"{name}: {lines} lines, at most {limit} are allowed"
            longest = FUNCTION_LINES[folder]
            if longest is None or name in LONG_FUNCTIONS_IN:
                continue
            for first, last, header in functions(text):
                length = last - first + 1
                if length > longest:
                    yield f"{name}:{first}: a function of {length} lines, at most {longest} are allowed: {header[:70]}"


def tracked_files(root):
    try:
        listed = subprocess.run(
            ["git", "-C", str(root), "ls-files", "-z"], capture_output=True, check=True, stdin=subprocess.DEVNULL
        ).stdout.decode()
        names = [root / name for name in listed.split("\0") if name]
    except (OSError, subprocess.CalledProcessError):
        names = []
    if names:
        return [path for path in names if path.is_file()]
    return [p for p in root.rglob("*") if p.is_file() and not NOT_OURS & set(p.relative_to(root).parts)]


def check_bytes(root):
    for path in tracked_files(root):
        size = path.stat().st_size
        if size > TRACKED_BYTES:
            yield f"{path.relative_to(root)}: {size} bytes, at most {TRACKED_BYTES} are allowed"


def check(root):
    return [*check_lines(root), *check_bytes(root)]


def body(lines):
    return "".join(f"  x += {i};\n" for i in range(lines))


LOOP = "  for (int i = 0; i < 3; ++i) {\n    if (i) {\n    }\n  }\n"
SELF_TEST = [
    # (file, content, part of the expected error or None)
    ("src/base/a.cc", "int x;\n" * 600, None),
    ("src/base/a.cc", "int x;\n" * 601, "src/base/a.cc: 601 lines, at most 600"),
    ("tests/base/a.cc", "int x;\n" * 800, None),
    ("tests/base/a.cc", "int x;\n" * 801, "801 lines, at most 800"),
    ("src/base/a.cc", "void f() {\n" + body(78) + "}\n", None),
    ("src/base/a.cc", "void f() {\n" + body(79) + "}\n", "src/base/a.cc:1: a function of 81 lines"),
    ("src/base/a.cc", "namespace tern {\nvoid f() {\n" + body(79) + "}\n}\n", "a.cc:2: a function of 81 lines"),
    ("src/base/a.cc", "struct A {\n  int b = 0;\n  void f(int x) const {\n" + body(79) + "  }\n};\n", "a.cc:3:"),
    ("src/base/a.cc", "template <class T>\nvoid f(struct stat x)\n{\n" + body(76) + LOOP + "}\n", "a.cc:1: a function of 84"),
    ("src/base/a.cc", "struct A {\n" + "  int x;\n" * 100 + "};\n", None),
    ("src/base/a.cc", "const int kTable[] = {\n" + "  1,\n" * 100 + "};\n", None),
    ("src/base/a.cc", "constexpr std::array<X, f(3)> kTable = {\n" + "  1,\n" * 100 + "};\n", None),
    ("src/base/a.cc", ("void f() {\n" + body(40) + "}\n") * 3, None),
    ("src/base/a.cc", 'void f() {\n  s = "}";  // }\n' + body(78) + "}\n", "a function of 81"),
    ("src/model/forward.cc", "void f() {\n" + body(200) + "}\n", None),
    ("data.bin", "x" * TRACKED_BYTES, None),
    ("data.bin", "x" * (TRACKED_BYTES + 1), "data.bin: 6000001 bytes"),
    ("build/data.bin", "x" * (TRACKED_BYTES + 1), None),
]


def self_test():
    failed = 0
    for name, content, expected in SELF_TEST:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content, encoding="utf-8")
            errors = check(Path(folder))
        fine = errors == [] if expected is None else len(errors) == 1 and expected in errors[0]
        if not fine:
            failed += 1
            print(f"self-test: {name} ({len(content)} characters): expected {expected!r}, got {errors}")
    print(f"check_sizes self-test: {len(SELF_TEST) - failed} of {len(SELF_TEST)} cases as expected")
    return failed


def main():
    if sys.argv[1:] == ["--self-test"]:
        return 1 if self_test() else 0
    root = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).resolve().parents[2]
    errors = check(root)
    for error in errors:
        print(error)
    print(f"check_sizes: {len(cpp_files(root, *FILE_LINES))} source files, {len(errors)} errors")
    return 1 if errors else 0


if __name__ == "__main__":
    sys.exit(main())
