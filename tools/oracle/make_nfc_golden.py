#!/usr/bin/env python3
"""Writes tests/golden/nfc.json: random texts and what Python's unicodedata makes of them in normalization form C, and a hash of
what it makes of every code point. Not needed to build or test tern.

Usage: make_nfc_golden.py [FILE]
"""
import json
import pathlib
import random
import sys
import unicodedata

ROOT = pathlib.Path(__file__).resolve().parents[2]
SURROGATES = range(0xD800, 0xE000)


def fnv1a(hash_value, data):
    for byte in data:
        hash_value = (hash_value ^ byte) * 0x100000001B3 & 0xFFFFFFFFFFFFFFFF
    return hash_value


def nfc(text):
    return unicodedata.normalize("NFC", text)


def hash_of_all():
    """Each code point alone, and between a letter and marks of three classes, which it may compose with or hold apart."""
    value = 0xCBF29CE484222325
    for code in range(sys.maxunicode + 1):
        if code not in SURROGATES:
            value = fnv1a(value, (nfc(chr(code)) + nfc("a" + chr(code) + "\u0301\u0327\u0345") + "\n").encode())
    return value


def interesting():
    """What decomposes, composes or has a class, and Hangul in parts."""
    codes = [code for code in range(sys.maxunicode + 1) if code not in SURROGATES and
             (unicodedata.combining(chr(code)) or nfc(chr(code)) != chr(code) or
              unicodedata.normalize("NFD", chr(code)) != chr(code))]
    return codes, [*range(0x1100, 0x1113), *range(0x1161, 0x1176), *range(0x11A7, 0x11C3), 0xAC00, 0xAC01, 0xD788]


def main():
    path = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "tests/golden/nfc.json"
    source = random.Random(1)
    codes, jamo = interesting()
    marks = [code for code in codes if unicodedata.combining(chr(code))]
    cases = []
    for _ in range(600):
        text = ""
        for _ in range(source.randint(1, 10)):
            pool = source.choice([codes, marks, marks, jamo, range(0x20, 0x250), range(0x20, 0x7F)])
            text += chr(source.choice(pool))
            if source.random() < 0.2:
                text = unicodedata.normalize("NFD", text)
        cases.append([text, nfc(text)])
    golden = {"unicode": unicodedata.unidata_version, "fnv1a_of_all": str(hash_of_all()), "cases": cases}
    path.write_text(json.dumps(golden, separators=(",", ":")) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
