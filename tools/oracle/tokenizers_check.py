#!/usr/bin/env python3
"""Compares tern's token ids with those of Hugging Face `tokenizers` on random texts, for the small tokenizers of
make_tokenizer_golden.py and, where the data folder is there, for the vocabularies of GPT-2, Llama 3 and Llama 2 (also with
`sentencepiece` where that is installed). With --files they also encode every text of the data folder, whole, GPT-2's by
its vocabulary too.

Usage: tokenizers_check.py --tern build/release/tern [--data DIRECTORY] [--random N] [--seed S] [--files]

Ends with 77 (skipped) when `tokenizers` is not installed, with 1 when something differs. Not needed to build tern.
"""
import argparse
import base64
import json
import pathlib
import random
import subprocess
import sys
import tempfile
import unicodedata

try:
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
except ImportError:
    print("skipped: the Python package 'tokenizers' is not installed")
    sys.exit(77)

import make_tokenizer_golden as golden

# Only what Python's version of Unicode knows is used: newer characters would compare tables, not tokenizers.
PLANES = [(0x20, 0xFFFD), (0x10000, 0x10FFF), (0x1D400, 0x1D7FF), (0x1F300, 0x1F64F)]


def random_strings(count, seed):
    source = random.Random(seed)
    strings = []
    for _ in range(count):
        text = golden.random_text(source, 30, PLANES)
        strings.append("".join(c for c in text if unicodedata.category(c) not in ("Cn", "Co", "Cs") and c != "\0"))
    return strings


def without_new_punctuation(strings):
    """What the library takes for punctuation comes from an older Unicode than its regular expressions."""
    cut = pre_tokenizers.Punctuation("isolated")
    marks = [chr(c) for c in range(0x110000) if unicodedata.category(chr(c)).startswith("P")]
    unknown = {mark for mark in marks if len(cut.pre_tokenize_str(f"a{mark}a")) == 1}
    return [string for string in strings if unknown.isdisjoint(string)]


def tern_ids(binary, path, strings):
    command = [binary, "tokenizer", "encode", "--tokenizer", str(path), "--no-bos", "--null"]
    data = "".join(string + "\0" for string in strings).encode()
    result = subprocess.run(command, input=data, stdout=subprocess.PIPE, check=True)
    return [[int(word) for word in line.split()] for line in result.stdout.decode().split("\n")[:-1]]


def compare(name, strings, ours, theirs):
    if len(ours) != len(strings):
        sys.exit(f"{name}: expected {len(strings)} lines, tern has {len(ours)}")
    differing = [i for i in range(len(strings)) if ours[i] != theirs[i]]
    if differing:
        i = differing[0]
        sys.exit(f"{name}: {len(differing)} of {len(strings)} texts differ, the first is {strings[i]!r}:\n"
                 f"  tern   {ours[i]}\n  theirs {theirs[i]}")
    print(f"{name}: {len(strings)} texts, {sum(map(len, ours))} tokens, equal", flush=True)


def check(binary, name, tokenizer, directory, strings):
    path = directory / f"{name}.json"
    path.write_text(tokenizer.to_str(), encoding="utf-8")
    compare(name, strings, tern_ids(binary, path, strings), golden.ids_of(tokenizer, strings))


def text_files(data):
    """Documents of all texts: HF takes much longer for one text of megabytes."""
    documents = []
    for path in sorted([*(data / "text").rglob("*"), *(data / "tok/gpt2").glob("*.txt"), data / "tok/gpt2/corpus.en"]):
        if path.is_file() and path.suffix in (".txt", ".raw", ".en") and "merges" not in path.name:
            documents += [part for part in path.read_text(encoding="utf-8").split("<|endoftext|>") if "\0" not in part]
    return documents


def gpt2(data):
    vocab = json.loads((data / "tok/gpt2/vocab.json").read_text(encoding="utf-8"))
    lines = (data / "tok/gpt2/merges_noheader.txt").read_text(encoding="utf-8").split("\n")
    merges = [tuple(line.split(" ")) for line in lines if line]
    tokenizer = Tokenizer(models.BPE(vocab=vocab, merges=merges))
    tokenizer.pre_tokenizer = golden.byte_level(None, use_regex=True)
    tokenizer.decoder = decoders.ByteLevel()
    return tokenizer


def merges_of(vocab):
    """Every way to cut a token into two, by the token's rank, then by the parts' ranks: how HF converts tiktoken files."""
    merges = []
    for token in sorted(vocab, key=vocab.get):
        cuts = [(token[:i], token[i:]) for i in range(1, len(token)) if token[:i] in vocab and token[i:] in vocab]
        merges += sorted(cuts, key=lambda cut: (vocab[cut[0]], vocab[cut[1]]))
    return merges


def llama3_model(data):
    lines = (data / "tok/llama3/tokenizer.model").read_bytes().split(b"\n")
    ranks = {base64.b64decode(line.split()[0]): int(line.split()[1]) for line in lines if line}
    # The library's own alphabet, told by what it makes of single bytes.
    alphabet = {}
    printable = list(range(33, 127)) + list(range(161, 173)) + list(range(174, 256))
    others = [byte for byte in range(256) if byte not in printable]
    alphabet = {byte: chr(byte) for byte in printable} | {byte: chr(256 + i) for i, byte in enumerate(others)}
    assert set(alphabet.values()) == set(pre_tokenizers.ByteLevel.alphabet())
    text = {token: "".join(alphabet[byte] for byte in token) for token in ranks}
    merges = [(text[left], text[right]) for left, right in merges_of(ranks)]
    return {"vocab": {text[token]: rank for token, rank in ranks.items()}, "merges": merges, "ignore_merges": True}


def byte_model_tokenizer(model, pattern):
    tokenizer = Tokenizer(models.BPE(**model))
    tokenizer.pre_tokenizer = golden.byte_level(golden.split(pattern))
    tokenizer.decoder = decoders.ByteLevel()
    return tokenizer


def check_llama2(binary, data, strings):
    try:
        import sentencepiece
    except ImportError:
        print("llama2: not compared, the Python package 'sentencepiece' is not installed")
        return
    path = data / "tok/llama2/tokenizer.model"
    theirs = sentencepiece.SentencePieceProcessor(model_file=str(path)).encode(strings)
    compare("llama2 (sentencepiece)", strings, tern_ids(binary, path, strings), theirs)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tern", required=True)
    parser.add_argument("--data", type=pathlib.Path)
    parser.add_argument("--random", type=int, default=10000)
    parser.add_argument("--seed", type=int, default=2)
    parser.add_argument("--files", action="store_true", help="all texts of the data folder too, which takes minutes")
    options = parser.parse_args()
    strings = random_strings(options.random, options.seed)
    documents = golden.corpus()
    with tempfile.TemporaryDirectory() as name:
        directory = pathlib.Path(name)
        for kind in golden.small_tokenizers():
            chosen = without_new_punctuation(strings) if "falcon" in kind else strings
            check(options.tern, kind, golden.train(kind, documents), directory, chosen)
        if options.data is None or not (options.data / "tok").is_dir():
            print("the vocabularies of GPT-2, Llama 3 and Llama 2 are not compared: no data folder")
            return
        if options.files:
            strings = strings + text_files(options.data)
        check(options.tern, "gpt2 (real)", gpt2(options.data), directory, strings)
        model = llama3_model(options.data)
        for kind, pattern in (("llama3", golden.LLAMA3), ("cl100k", golden.CL100K), ("o200k", golden.O200K)):
            check(options.tern, f"{kind} (real ranks)", byte_model_tokenizer(model, pattern), directory, strings)
        check_llama2(options.tern, options.data, [s for s in strings if "<s>" not in s and "</s>" not in s])


if __name__ == "__main__":
    main()
