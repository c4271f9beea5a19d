#!/usr/bin/env python3
"""Fails when a file under src/ reaches sideways or up the floors, or uses what its floor may not.

  1. An #include "folder/file.h" names the file's own folder or a folder on a lower floor, never a sibling.
  2. The tern_* libraries named in src/FOLDER/CMakeLists.txt obey the same order.
  3. Heavy headers stay out of headers; printing, exiting and aborting stay in cli; no std::regex, raw new, shared_ptr,
     macros or conditional compilation.

Usage: check_floors.py [ROOT] | --self-test
"""

import re
import sys
import tempfile
from pathlib import Path

from cpp_text import code_only, cpp_files, line_of

FLOORS = {
    "base": 0,
    "tensor": 1,
    "quant": 2,
    "formats": 2,
    "tokenizer": 2,
    "template": 2,
    "kernels": 3,
    "ops": 4,
    "model": 5,
    "infer": 6,
    "train": 6,
    "eval": 7,
    "dist": 7,
    "server": 7,
    "cuda": 7,
    "report": 8,
    "cli": 9,
    "python": 9,
}
TOP = 9

# (what is forbidden, pattern, where it is forbidden, files or folders that may and why)
EVERYWHERE, IN_HEADERS, BELOW_CLI = "anywhere", "in headers", "below cli"
FORBIDDEN = [
    ("<nlohmann/json.hpp> (use json_fwd.hpp)", r"#\s*include\s*<nlohmann/json\.hpp>", IN_HEADERS,
     {"server/openai.h": "is about JSON, and for three files"}),
    ("<CLI/CLI.hpp>", r"#\s*include\s*<CLI/", IN_HEADERS, {}),
    ("<iostream>", r"#\s*include\s*<iostream>", BELOW_CLI, {}),
    (
        "printing",
        r"(?<![\w.])(?<!->)(?:v?printf|puts|putchar|perror)\s*\(|\bstd(?:out|err)\b"
        r"|\bstd::(?:cout|cerr|clog)\b|\bfmt::print\b|\bSTD(?:OUT|ERR)_FILENO\b|\bspdlog::",
        BELOW_CLI,
        {"base/log.cc": "is the log", "base/progress.cc": "redraws a bar in place, which the log cannot"},
    ),
    (
        "ending the process",
        r"(?<![\w.])(?<!->)(?:_?exit|_Exit|quick_exit|abort|terminate)\s*\(",
        BELOW_CLI,
        {},
    ),
    ("std::regex (PCRE2 instead)", r"\bstd::(?:basic_)?regex\b|#\s*include\s*<regex>", EVERYWHERE, {}),
    (
        "shared_ptr",
        r"\bstd::(?:shared_ptr|make_shared)\b",
        BELOW_CLI,  # in cli it carries the options into CLI11's callbacks
        {"base/log.cc": "spdlog takes its sinks that way", "server": "a connection lives as long as its last callback"},
    ),
    ("raw new or delete", r"\bnew\s+[\w:(]|\bdelete\s*\[|\bdelete\s+\w", EVERYWHERE, {}),
    ("conditional compilation (a file for each platform)", r"^[ \t]*#\s*(?:if|ifdef|ifndef)\b", EVERYWHERE, {}),
    (
        "a macro",
        r"^[ \t]*#\s*define\b",
        EVERYWHERE,
        {"tokenizer/regex_split.cc": "PCRE2 is told its code unit width by a macro"},
    ),
]


def floor_error(folder, other):
    """Why a file of `folder` may not use `other`, or None."""
    if other not in FLOORS:
        return f"'{other}' is no folder of src (a new one needs a floor in tools/lint/check_floors.py)"
    if other == folder or FLOORS[other] < FLOORS[folder]:
        return None
    where = "a sibling on" if FLOORS[other] == FLOORS[folder] else "above it, on"
    return f"{folder} (floor {FLOORS[folder]}) may not use {other}, {where} floor {FLOORS[other]}"


def check_includes(folder, name, code):
    for match in re.finditer(r'^[ \t]*#\s*include\s*"([^"]*)"', code, re.MULTILINE):
        parts = match.group(1).split("/")
        if len(parts) < 2 or ".." in parts:
            error = f'#include "{match.group(1)}": expected "folder/file.h", as seen from src'
        else:
            error = floor_error(folder, parts[0])
        if error:
            yield f"src/{name}:{line_of(code, match.start())}: {error}"


def check_forbidden(folder, name, code):
    for what, pattern, where, excused in FORBIDDEN:
        if name in excused or folder in excused or (where == BELOW_CLI and FLOORS[folder] >= TOP):
            continue
        if where == IN_HEADERS and not name.endswith(".h"):
            continue
        for match in re.finditer(pattern, code, re.MULTILINE):
            yield f"src/{name}:{line_of(code, match.start())}: {what} is not allowed {where}"


def check_libraries(folder, path, root):
    text = re.sub(r"#[^\n]*", "", path.read_text(encoding="utf-8"))
    for match in re.finditer(r"\btern_([a-z]+)\b", text):
        error = floor_error(folder, match.group(1)) if match.group(1) in FLOORS else None
        if error:
            yield f"{path.relative_to(root)}:{line_of(text, match.start())}: {error}"


def check(root):
    errors = []
    source = root / "src"
    for path in cpp_files(root, "src"):
        name = path.relative_to(source).as_posix()
        folder = name.split("/")[0]
        if folder not in FLOORS:
            errors.append(f"src/{name}: {floor_error(folder, folder)}")
            continue
        text = path.read_text(encoding="utf-8")
        errors += check_includes(folder, name, code_only(text, keep_strings=True))
        errors += check_forbidden(folder, name, code_only(text))
        # A header without a namespace is a fragment for the inside of one (kernels/lanes_*.h), included where it says.
        is_fragment = not re.search(r"^namespace\b", text, re.MULTILINE)
        if path.suffix == ".h" and not is_fragment and not re.search(r"^#pragma once$", text, re.MULTILINE):
            errors.append(f"src/{name}: expected #pragma once")
    for path in sorted(source.glob("*/CMakeLists.txt")):
        if path.parent.name in FLOORS:
            errors += check_libraries(path.parent.name, path, root)
    return errors


SELF_TEST = [
    # (file under src, content, part of the expected error or None)
    ("ops/a.cc", '#include "ops/a.h"\n#include "base/error.h"\n#include "kernels/kernels.h"\n', None),
    ("ops/a.cc", '#include "model/config.h"\n', "src/ops/a.cc:1: ops (floor 4) may not use model, above it"),
    ("quant/a.cc", '\n#include "formats/gguf.h"\n', "src/quant/a.cc:2: quant (floor 2) may not use formats, a sibling"),
    ("infer/a.h", '#pragma once\n#include "train/step.h"\n', "may not use train"),
    ("base/a.cc", '#include "error.h"\n', "as seen from src"),
    ("base/a.cc", '#include "../base/error.h"\n', "as seen from src"),
    ("base/a.cc", '#include "attic/error.h"\n', "'attic' is no folder"),
    ("attic/a.cc", "", "'attic' is no folder"),
    ("base/a.cc", '// #include "cli/main.h"\n', None),
    ("base/a.h", "namespace tern {}\n", "expected #pragma once"),
    ("kernels/lanes.h", "struct Lanes {};\n", None),
    ("base/a.h", "#pragma once\n#include <nlohmann/json.hpp>\n", "not allowed in headers"),
    ("base/a.h", "#pragma once\n#include <nlohmann/json_fwd.hpp>\n", None),
    ("cli/a.h", "#pragma once\n#include <CLI/CLI.hpp>\n", "not allowed in headers"),
    ("cli/a.cc", "#include <CLI/CLI.hpp>\n#include <iostream>\nvoid f() { std::cout << 1; exit(1); }\n", None),
    ("eval/a.cc", "#include <iostream>\n", "<iostream> is not allowed below cli"),
    ("report/a.cc", '#include "eval/a.h"\nvoid f() { std::cout << 1; }\n', "printing"),
    ("eval/a.cc", "void f() { std::cout << 1; }\n", "printing"),
    ("eval/a.cc", 'void f() { printf("x"); }\n', "printing"),
    ("eval/a.cc", 'void f() { std::fprintf(stderr, "x"); }\n', "printing"),
    ("eval/a.cc", 'void f() { std::fputs("x", file); }\n', None),
    ("eval/a.cc", 'void f() { std::snprintf(b, 3, "x"); printf_like(1); x.puts(1); }\n', None),
    ("eval/a.cc", 'const char* s = "std::cout << exit(1)";  // abort()\n', None),
    ("base/log.cc", "void f() { spdlog::info(1); }\n", None),
    ("base/text.cc", "void f() { spdlog::info(1); }\n", "printing"),
    ("train/a.cc", "void f() { std::exit(1); }\n", "ending the process"),
    ("train/a.cc", "void f() { ::abort(); }\n", "ending the process"),
    ("train/a.cc", "void f() { pool.abort(); on_exit(2); }\n", None),
    ("cli/a.cc", "std::regex pattern;\n", "std::regex"),
    ("cli/a.cc", "auto x = new int;\n", "raw new"),
    ("eval/a.cc", "auto x = std::make_shared<int>(1);\n", "shared_ptr"),
    ("cli/a.cc", "auto x = std::make_shared<int>(1);\n", None),
    ("server/a.cc", "auto x = std::make_shared<int>(1);\n", None),
    ("cli/a.cc", "X(const X&) = delete;\nint new_size = 1;\n", None),
    ("kernels/a.cc", "#ifdef __AVX2__\n#endif\n", "conditional compilation"),
    ("kernels/a.cc", "#define X 1\n", "a macro"),
    ("kernels/CMakeLists.txt", "tern_library(tern_kernels SOURCES a.cc DEPS tern_quant)\n", None),
    ("kernels/CMakeLists.txt", "tern_library(tern_kernels SOURCES a.cc\n  DEPS tern_ops)\n", "CMakeLists.txt:2: kernels"),
    ("quant/CMakeLists.txt", "tern_library(tern_quant DEPS tern_formats)\n", "a sibling"),
    ("quant/CMakeLists.txt", "# not tern_formats\n", None),
]


def self_test():
    failed = 0
    for name, content, expected in SELF_TEST:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "src" / name
            path.parent.mkdir(parents=True)
            path.write_text(content, encoding="utf-8")
            errors = check(Path(folder))
        fine = errors == [] if expected is None else len(errors) == 1 and expected in errors[0]
        if not fine:
            failed += 1
            print(f"self-test: {name} {content!r}: expected {expected!r}, got {errors}")
    print(f"check_floors self-test: {len(SELF_TEST) - failed} of {len(SELF_TEST)} cases as expected")
    return failed


def main():
    if sys.argv[1:] == ["--self-test"]:
        return 1 if self_test() else 0
    root = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).resolve().parents[2]
    errors = check(root)
    for error in errors:
        print(error)
    print(f"check_floors: {len(cpp_files(root, 'src'))} files, {len(errors)} errors")
    return 1 if errors else 0


if __name__ == "__main__":
    sys.exit(main())
