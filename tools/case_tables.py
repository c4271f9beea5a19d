#!/usr/bin/env python3
"""Writes src/template/letter_tables.cc: Unicode's case mappings, one to one as runs of equal distance.

usage: tools/case_tables.py
"""
import unicodedata
from pathlib import Path


def runs_of(mapping):
    runs = []
    for code, delta in sorted(mapping.items()):
        if runs and runs[-1][3] == delta:
            first, last, step, _ = runs[-1]
            distance = code - last
            if distance in (1, 2) and (first == last or distance == step):
                runs[-1] = (first, code, distance, delta)
                continue
        runs.append((code, code, 1, delta))
    return runs


def mapping_of(change):
    result = {}
    for code in range(0x110000):
        if 0xD800 <= code < 0xE000:
            continue
        changed = change(chr(code))
        if len(changed) == 1 and ord(changed) != code:
            result[code] = ord(changed) - code
    return result


def longer_of(change):
    """What becomes more than one character."""
    pairs = [(code, change(chr(code))) for code in range(0x110000) if not 0xD800 <= code < 0xE000]
    return [(code, text) for code, text in pairs if len(text) > 1]


def longer_table(name, pairs):
    lines, line = [], "   "
    for code, text in pairs:
        item = ' {0x%X, "%s"},' % (code, "".join("\\u%04X" % ord(c) if ord(c) > 127 else c for c in text))
        if len(line) + len(item) > 118:
            lines.append(line)
            line = "   "
        line += item
    lines.append(line)
    return f"constexpr std::array<LongerCase, {len(pairs)}> {name}{{{{\n" + "\n".join(lines) + "\n}};\n"


def table(name, runs):
    lines, line = [], "   "
    for run in runs:
        item = " {0x%X, 0x%X, %d, %d}," % run
        if len(line) + len(item) > 118:
            lines.append(line)
            line = "   "
        line += item
    lines.append(line)
    return f"constexpr std::array<CaseRun, {len(runs)}> {name}{{{{\n" + "\n".join(lines) + "\n}};\n"


def main():
    upper, lower = runs_of(mapping_of(str.upper)), runs_of(mapping_of(str.lower))
    text = (
        f"// Made by tools/case_tables.py from Unicode {unicodedata.unidata_version}; not to be edited.\n"
        '#include "template/letter_tables.h"\n\n#include <array>\n\nnamespace tern::jinja {\nnamespace {\n\n'
        "// clang-format off\n" + table("kUpper", upper) + "\n" + table("kLower", lower) + "\n"
        + longer_table("kLongerUpper", longer_of(str.upper)) + "\n" + longer_table("kLongerLower", longer_of(str.lower)) + "// clang-format on\n\n"
        "}  // namespace\n\n"
        "std::span<const CaseRun> upper_runs() { return kUpper; }\n"
        "std::span<const CaseRun> lower_runs() { return kLower; }\n"
        "std::span<const LongerCase> longer_uppers() { return kLongerUpper; }\n"
        "std::span<const LongerCase> longer_lowers() { return kLongerLower; }\n\n}  // namespace tern::jinja\n"
    )
    path = Path(__file__).resolve().parents[1] / "src/template/letter_tables.cc"
    path.write_text(text, encoding="utf-8")
    print(f"{path}: {len(upper)} and {len(lower)} runs")


if __name__ == "__main__":
    main()
