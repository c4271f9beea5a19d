#!/usr/bin/env python3
"""Fails when the object of an instruction set's kernels exports anything but its table.

usage: check_kernel_symbols.py [--nm NM] PATH...

PATH is an object file or a build folder, which is searched for tern_kernels.dir/{kernels,integers,probe}_<isa>.cc.o. A weak symbol (an inline function or
template that was not inlined) could be chosen by the linker for the whole program; compiled with AVX-512, it would end the
program on processors without it. An undefined symbol means that a kernel calls code that was compiled elsewhere.
"""
import argparse
import pathlib
import re
import subprocess
import sys

OBJECT = re.compile(r"(?:kernels|integers|probe)_(\w+)\.cc\.o(bj)?$")
TABLE = re.compile(r"^tern::k[A-Z][A-Za-z0-9]*(?:Kernels|Integers|Probe)$")
ALLOWED_UNDEFINED = {
    "memcpy", "memset", "memmove",                    # what a compiler makes of copies
    "fmaf", "nearbyintf", "rintf", "sqrtf",           # scalar table on processors without FMA or SSE4.1
    "__stack_chk_fail", "_GLOBAL_OFFSET_TABLE_",
}


def objects_under(path):
    if path.is_file():
        return [path] if OBJECT.search(path.name) else []
    return sorted(p for p in path.rglob("tern_kernels.dir/*.o*") if OBJECT.search(p.name))


def problems_of(nm, path):
    listing = subprocess.run([nm, "-C", str(path)], check=True, capture_output=True, text=True).stdout
    tables = 0
    for line in listing.splitlines():
        match = re.match(r"^[0-9a-fA-F]*\s+(\S) (.*)$", line)
        if not match:
            continue
        kind, name = match.groups()
        if kind in "WwVvu":
            yield f"weak symbol {name}"
        elif kind == "U":
            if name not in ALLOWED_UNDEFINED:
                yield f"undefined symbol {name}, not among {', '.join(sorted(ALLOWED_UNDEFINED))}"
        elif kind.isupper():
            if TABLE.match(name):
                tables += 1
            else:
                yield f"exported symbol {name}, expected only the table tern::k<Isa>Kernels, k<Isa>Integers or k<Isa>Probe"
    if tables != 1:
        yield f"{tables} exported tables, expected 1"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--nm", default="nm")
    parser.add_argument("paths", nargs="+", type=pathlib.Path)
    args = parser.parse_args()
    objects = [o for path in args.paths for o in objects_under(path)]
    if not objects:
        sys.exit(f"check_kernel_symbols: no kernels_*.cc.o in {' '.join(map(str, args.paths))}")
    failed = False
    for path in objects:
        for problem in problems_of(args.nm, path):
            print(f"{path}: {problem}")
            failed = True
    if failed:
        sys.exit(1)
    print(f"{len(objects)} kernel objects export their tables alone")


if __name__ == "__main__":
    main()
