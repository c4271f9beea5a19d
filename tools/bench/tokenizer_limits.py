#!/usr/bin/env python3
"""What the worst texts cost: seconds of processor time and peak memory of `tern tokenizer encode` on long runs of one thing.

Usage: tokenizer_limits.py --tern build/release/tern [--megabytes N] [--texts NAME,...] TOKENIZER...

A table line for each tokenizer and text. Time should grow as the size does, memory by a small factor of it.
"""
import argparse
import os
import random
import subprocess
import sys
import tempfile

TEXTS = {
    "letters": b"a", "spaces": b" ", "newlines": b"\n", "digits": b"7", "upper case": b"A", "apostrophes": b"'",
    "emoji": "🦙".encode(), "CJK": "中".encode(), "invalid": b"\xff", "spaces and letters": b"  a", "marks": "▁".encode(),
    "pairs": b"ab",
}


def text_of(name, size):
    if name == "random bytes":
        return random.Random(1).randbytes(size)
    unit = TEXTS[name]
    return unit * (size // len(unit))


def measure(binary, tokenizer, text):
    with tempfile.TemporaryFile() as file:
        file.write(text)
        file.seek(0)
        process = subprocess.Popen([binary, "tokenizer", "encode", "--tokenizer", tokenizer, "--no-bos"], stdin=file,
                                   stdout=subprocess.DEVNULL)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    return process.returncode, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tern", required=True)
    parser.add_argument("--megabytes", type=int, default=100)
    parser.add_argument("--texts", type=lambda names: names.split(","), default=[*TEXTS, "random bytes"])
    parser.add_argument("tokenizers", nargs="+")
    options = parser.parse_args()
    print(f"| tokenizer | text of {options.megabytes} MB | s | MB |\n|---|---|---|---|")
    failed = 0
    for tokenizer in options.tokenizers:
        for name in options.texts:
            code, seconds, memory = measure(options.tern, tokenizer, text_of(name, options.megabytes * 1000000))
            failed += code != 0
            print(f"| {os.path.basename(tokenizer)} | {name} | {seconds:.1f} | {memory:.0f} |{'' if code == 0 else ' failed'}",
                  flush=True)
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
