#!/usr/bin/env python3
"""Writes tests/golden/tokenizer: small tokenizers trained by Hugging Face `tokenizers` (pip install tokenizers) on the text
of tern's documentation, random texts, and the ids that library gives them. Not needed to build or test tern.

Usage: make_tokenizer_golden.py [DIRECTORY [NAME]]

With NAME only that tokenizer is made and the others stay as they are, whatever the documentation says today.
"""
import json
import pathlib
import random
import sys

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

ROOT = pathlib.Path(__file__).resolve().parents[2]
MARK = "▁"
LLAMA3 = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|"
          r"\s+(?!\S)|\s+")
CL100K = (r"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]++[\r\n]*|\s*[\r\n]|\s+(?!\S)|\s+")
O200K = (r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|"
         r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?|"
         r"\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+")
QWEN2 = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|"
         r"\s+")
# Added tokens with every flag. They are found in what random_text makes.
ADDED = [AddedToken("<|end|>", special=True, normalized=False), AddedToken("<both>", lstrip=True, rstrip=True, normalized=False),
         AddedToken("word", single_word=True, normalized=False), AddedToken("<", normalized=False),
         AddedToken("THE", normalized=True)]
PIECES = ["a", "b", "Z", "word", "words", "THE", "the ", "tern ", "layer", "é", "ß", "Ж", "中", "ក", "λ", "א", "0", "1", "42",
          "1234567", "½", "²", "٣", "Ⅳ", " ", " ", "  ", "    ", "\t", "\n", "\n\n", "\r", "\r\n", "\x0b", "\x0c", "\x85",
          "\xa0", "\u2003", "\u2028", "\u3000", "\u180e", "\u200b", "'", "'s", "'S", "'re", "'RE", "'vE", "'ll", "'lL", "'l",
          "'d", "'m", "'T", "'ſ", "'x", "''", ".", ",", "!?", "...", "-", "_", "#", "/", "€", "🦙", "👨\u200d👩", "e\u0301", "𝔸",
          "ǅ", "ʰ", "\ufffd", "\x7f", "\x1c", "\x1f", "▁", "<|end|>", "<both>", "<|", "camelCase", "HTTPServer", "don't"]


def random_text(source, pieces=20, planes=((0x20, 0x2FF), (0x370, 0x4FF))):
    parts = []
    for _ in range(source.randint(1, pieces)):
        if source.random() < 0.9:
            parts.append(source.choice(PIECES))
        else:
            parts.append(chr(source.randint(*source.choice(planes))))
    return "".join(parts)


def byte_level(step, add_prefix_space=False, use_regex=False):
    last = pre_tokenizers.ByteLevel(add_prefix_space=add_prefix_space, use_regex=use_regex)
    return pre_tokenizers.Sequence([step, last]) if step is not None else last


def split(pattern):
    return pre_tokenizers.Split(Regex(pattern), "isolated")


def falcon(individual_digits, *more):
    """Punctuation, GPT-2's pattern, then digits of what are bytes by now."""
    digits = pre_tokenizers.Digits(individual_digits=individual_digits)
    return pre_tokenizers.Sequence([pre_tokenizers.Punctuation("contiguous"), byte_level(None, use_regex=True), digits,
                                    *more])


def byte_tokenizer(pre_tokenizer, normalizer=None, **model):
    tokenizer = Tokenizer(models.BPE(**model))
    if normalizer is not None:
        tokenizer.normalizer = normalizer
    tokenizer.pre_tokenizer = pre_tokenizer
    tokenizer.decoder = decoders.ByteLevel()
    return tokenizer, trainers.BpeTrainer(vocab_size=420, show_progress=False,
                                          initial_alphabet=pre_tokenizers.ByteLevel.alphabet())


def char_tokenizer(normalizer, pre_tokenizer, has_bytes=True):
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>", fuse_unk=True, byte_fallback=has_bytes))
    if normalizer is not None:
        tokenizer.normalizer = normalizer
    if pre_tokenizer is not None:
        tokenizer.pre_tokenizer = pre_tokenizer
    tokenizer.decoder = decoders.Sequence([decoders.Replace(MARK, " "), decoders.ByteFallback(), decoders.Fuse(),
                                           decoders.Strip(" ", 1, 0)])
    tokens = ["<unk>", "<s>", "</s>"] + [f"<0x{byte:02X}>" for byte in range(256 if has_bytes else 0)]
    return tokenizer, trainers.BpeTrainer(vocab_size=len(tokens) + 160, show_progress=False, special_tokens=tokens,
                                          limit_alphabet=60)


def metaspace(scheme, is_split):
    return pre_tokenizers.Metaspace(replacement=MARK, prepend_scheme=scheme, split=is_split)


def small_tokenizers():
    """Name to (untrained tokenizer, its trainer): every kind that BitNet models have, and some of their relatives."""
    legacy = normalizers.Sequence([normalizers.Prepend(MARK), normalizers.Replace(" ", MARK)])
    return {
        "gpt2": byte_tokenizer(byte_level(None, use_regex=True)),
        "gpt2-prefix": byte_tokenizer(byte_level(None, add_prefix_space=True, use_regex=True)),
        "llama3": byte_tokenizer(byte_level(split(LLAMA3)), ignore_merges=True),
        "cl100k": byte_tokenizer(byte_level(split(CL100K))),
        "o200k": byte_tokenizer(byte_level(split(O200K))),
        "digits": byte_tokenizer(byte_level(pre_tokenizers.Digits(individual_digits=True), use_regex=True)),
        "falcon": byte_tokenizer(falcon(False, split("[0-9][0-9][0-9]"))),
        "falcon-digits": byte_tokenizer(falcon(True)),
        "qwen2": byte_tokenizer(byte_level(split(QWEN2)), normalizers.NFC()),
        "nfc-llama2": char_tokenizer(normalizers.Sequence([normalizers.NFC(), legacy]), None),
        "llama2": char_tokenizer(legacy, None),
        "llama2-first": char_tokenizer(None, metaspace("first", False)),
        "metaspace": char_tokenizer(None, metaspace("always", True)),
        "gemma": char_tokenizer(normalizers.Replace(" ", MARK), pre_tokenizers.Split(" ", "merged_with_previous")),
        "no-bytes": char_tokenizer(normalizers.Replace(" ", MARK), None, has_bytes=False),
    }


def corpus():
    return [path.read_text(encoding="utf-8") for path in sorted((ROOT / "docs").glob("*.md"))]


def train(name, texts):
    tokenizer, trainer = small_tokenizers()[name]
    if "llama2" in name or name in ("gemma", "no-bytes"):  # a text is one word there: train on words
        texts = [" " + word for text in texts for word in text.split()]
    tokenizer.train_from_iterator(texts, trainer)
    if tokenizer.token_to_id("<0x41>") is not None:  # bytes are tokens of the model, not added ones
        whole = json.loads(tokenizer.to_str())
        whole["added_tokens"] = [token for token in whole["added_tokens"] if not token["content"].startswith("<0x")]
        tokenizer = Tokenizer.from_str(json.dumps(whole))
    tokenizer.add_tokens(ADDED)
    if name == "llama3":
        tokenizer.post_processor = processors.Sequence([
            processors.ByteLevel(trim_offsets=False),
            processors.TemplateProcessing(single="<|end|> $A", special_tokens=[("<|end|>", tokenizer.token_to_id("<|end|>"))])])
    return tokenizer


def ids_of(tokenizer, texts):
    return [encoding.ids for encoding in tokenizer.encode_batch(texts, add_special_tokens=False)]


def main():
    directory = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "tests/golden/tokenizer"
    source = random.Random(1)
    texts = ["", " ", "word", " word", "<|end|>", "<|end|> a", "THE words THE"] + [random_text(source) for _ in range(120)]
    ids = {}
    names = list(small_tokenizers())
    if len(sys.argv) > 2:
        names = sys.argv[2:]
        texts = json.loads((directory / "texts.json").read_text(encoding="utf-8"))
        ids = json.loads((directory / "ids.json").read_text(encoding="utf-8"))
    documents = corpus()
    for name in names:
        tokenizer = train(name, documents)
        (directory / f"{name}.json").write_text(tokenizer.to_str(pretty=False), encoding="utf-8")
        ids[name] = ids_of(tokenizer, texts)
    (directory / "texts.json").write_text(json.dumps(texts) + "\n", encoding="utf-8")
    (directory / "ids.json").write_text(json.dumps(ids, separators=(",", ":")) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
