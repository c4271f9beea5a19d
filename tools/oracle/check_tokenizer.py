#!/usr/bin/env python3
"""Compares tern's token ids with those of Hugging Face `tokenizers` (pip install tokenizers) for the same tokenizer.json.

Usage: check_tokenizer.py --tern build/release/src/cli/tern --tokenizer TOKENIZER.json [--random N] [--seed S] TEXT...

Each TEXT is encoded whole by both, and N random Unicode strings (apostrophes, white space of every kind, digits, line
ends, many scripts), which go through tern in one call with a special token between them. The ids must be equal, and
decoding them must give the text back. Exits with 1 at the first difference. Not needed to build or test tern.
"""
import argparse
import pathlib
import random
import subprocess
import sys
import unicodedata

import tokenizers

PIECES = ["a", "b", "Z", "word", "THE", "é", "ß", "Ж", "中", "ក", "λ", "א", "0", "1", "42", "1234567", "½", "٣", "Ⅳ", " ", " ",
          "  ", "    ", "\t", "\n", "\n\n", "\r", "\r\n", "\x0b", "\x0c", "\x85", "\xa0", "\u2003", "\u2028", "\u3000", "\u180e",
          "\u200b", "'", "'s", "'S", "'re", "'RE", "'vE", "'ll", "'lL", "'l", "'d", "'m", "'T", "'ſ", "'x", "''", ".", ",",
          "!?", "...", "-", "_", "#", "€", "🦙", "👨\u200d👩", "e\u0301", "𝔸", "\ufffd", "\x00", "\x7f", "\x1c", "\x1f"]
# Only what Python's version of Unicode knows is used: newer characters would compare tables, not tokenizers.
PLANES = [(0x20, 0xFFFD), (0x10000, 0x10FFF), (0x1D400, 0x1D7FF),
          (0x1F300, 0x1F64F)]


def random_string(source):
    parts = []
    for _ in range(source.randint(1, 30)):
        if source.random() < 0.8:
            parts.append(source.choice(PIECES))
        else:
            char = chr(source.randint(*source.choice(PLANES)))
            if unicodedata.category(char) not in ("Cn", "Co", "Cs"):
                parts.append(char)
    return "".join(parts)


class Tern:
    def __init__(self, binary, tokenizer):
        self.command = [binary, "tokenizer"]
        self.tokenizer = ["--tokenizer", tokenizer]

    def run(self, verb, data, *options):
        command = self.command + [verb] + self.tokenizer + list(options)
        return subprocess.run(command, input=data, stdout=subprocess.PIPE, check=True).stdout

    def encode(self, data):
        return [int(word) for word in self.run("encode", data, "--no-bos").split()]

    def decode(self, ids):
        return self.run("decode", " ".join(map(str, ids)).encode(), "--no-bos")


def compare(name, ours, theirs, text, hf):
    if ours == theirs:
        return
    at = next((i for i, (a, b) in enumerate(zip(ours, theirs)) if a != b), min(len(ours), len(theirs)))
    before = hf.decode(theirs[max(0, at - 10):at], skip_special_tokens=False)
    sys.exit(f"{name}: token {at} differs: tern {ours[at:at + 5]}, HF {theirs[at:at + 5]}, after {before!r}, text {text[:300]!r}")


def check_text(tern, hf, path):
    data = path.read_bytes()
    text = data.decode("utf-8")
    theirs = hf.encode(text, add_special_tokens=False).ids
    ours = tern.encode(data)
    compare(path, ours, theirs, "", hf)
    if tern.decode(ours) != data:
        sys.exit(f"{path}: decoding does not give the text back")
    print(f"{path}: {len(data)} bytes, {len(ours)} tokens, equal")


def check_random(tern, hf, count, seed):
    source = random.Random(seed)
    separators = [token.content for token in hf.get_added_tokens_decoder().values() if token.special]
    if not separators:
        sys.exit("the random strings need a special token to stand between them")
    separator_id = hf.token_to_id(separators[0])
    strings = [random_string(source) for _ in range(count)]
    ids = tern.encode(separators[0].join(strings).encode())
    lists = [[]]
    for token in ids:
        if token == separator_id:
            lists.append([])
        else:
            lists[-1].append(token)
    if len(lists) != count:
        sys.exit(f"random strings: expected {count}, tern has {len(lists)}")
    for string, ours, encoding in zip(strings, lists, hf.encode_batch(strings, add_special_tokens=False)):
        compare("random strings", ours, encoding.ids, string, hf)
    print(f"{count} random strings, {len(ids)} tokens, equal")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tern", required=True)
    parser.add_argument("--tokenizer", required=True)
    parser.add_argument("--random", type=int, default=10000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("texts", nargs="*", type=pathlib.Path)
    options = parser.parse_args()
    hf = tokenizers.Tokenizer.from_file(options.tokenizer)
    tern = Tern(options.tern, options.tokenizer)
    for path in options.texts:
        check_text(tern, hf, path)
    check_random(tern, hf, options.random, options.seed)


if __name__ == "__main__":
    main()
