#!/usr/bin/env python3
"""Writes the seeds of fuzz_gguf and fuzz_gguf_metadata: small GGUF files with every tensor type that tern reads, and the
metadata of a model with a byte-level and one with an SPM vocabulary. Needs nothing but Python.

usage: python3 tools/oracle/gguf_seeds.py
"""
from __future__ import annotations

import struct
from pathlib import Path
from typing import List, Sequence, Tuple, Union

SEEDS = Path(__file__).resolve().parents[2] / "tests/fuzz/seeds"
# Number and bytes of a row: of 32 (Q4_0, Q8_0), 128 (I2_S, with its tail), 256 (K, TQ) or 16 elements.
TYPES = [("f32", 0, 16, 64), ("f16", 1, 16, 32), ("q4_0", 2, 32, 18), ("q8_0", 8, 32, 34), ("q4_k", 12, 256, 144),
         ("q5_k", 13, 256, 176), ("q6_k", 14, 256, 210), ("bf16", 30, 16, 32), ("tq1_0", 34, 256, 54),
         ("tq2_0", 35, 256, 66), ("i2_s", 36, 128, 64)]


def text(value: str) -> bytes:
    data = value.encode()
    return struct.pack("<Q", len(data)) + data


def entry(key: str, value: Union[int, float, bool, str, Sequence]) -> bytes:
    def scalar(item) -> Tuple[int, bytes]:
        if isinstance(item, bool):
            return 7, struct.pack("<B", item)
        if isinstance(item, int):
            return 4, struct.pack("<I", item)
        if isinstance(item, float):
            return 6, struct.pack("<f", item)
        return 8, text(item)

    if isinstance(value, (list, tuple)):
        items = [scalar(item) for item in value]
        return text(key) + struct.pack("<IIQ", 9, items[0][0], len(items)) + b"".join(data for _, data in items)
    kind, data = scalar(value)
    return text(key) + struct.pack("<I", kind) + data


def gguf(entries: List[bytes], tensors: List[Tuple[str, int, Sequence[int], bytes]]) -> bytes:
    head = b"GGUF" + struct.pack("<IQQ", 3, len(tensors), len(entries)) + b"".join(entries)
    body = b""
    for name, kind, dims, data in tensors:
        head += text(name) + struct.pack(f"<I{len(dims)}QIQ", len(dims), *dims, kind, len(body))
        body += data + b"\0" * (-len(data) % 32)
    return head + b"\0" * (-len(head) % 32) + body


def model(architecture: str, weights: str) -> List[bytes]:
    sizes = {"vocab_size": 5, "context_length": 8, "embedding_length": 16, "block_count": 1, "feed_forward_length": 16,
             "rope.dimension_count": 8, "attention.head_count": 2, "attention.head_count_kv": 1,
             "attention.layer_norm_rms_epsilon": 1e-5, "rope.freq_base": 10000.0}
    entries = [entry("general.architecture", architecture), entry("tern.weights", weights)]
    return entries + [entry(f"{architecture}.{key}", value) for key, value in sizes.items()]


def main() -> None:
    embedding = [("token_embd.weight", 0, (16, 5), b"\0" * 320)]
    bpe = [entry("tokenizer.ggml.model", "gpt2"), entry("tokenizer.ggml.pre", "llama-bpe"),
           entry("tokenizer.ggml.tokens", ["a", "b", "ab", "Ġ", "<|end|>"]),
           entry("tokenizer.ggml.token_type", [1, 1, 1, 1, 3]), entry("tokenizer.ggml.merges", ["a b"]),
           entry("tokenizer.ggml.bos_token_id", 4), entry("tokenizer.ggml.eos_token_id", 4)]
    spm = [entry("tokenizer.ggml.model", "llama"), entry("tokenizer.ggml.tokens", ["<unk>", "<s>", "<0x41>", "▁", "a"]),
           entry("tokenizer.ggml.token_type", [2, 3, 6, 1, 1]), entry("tokenizer.ggml.scores", [0.0, 0.0, 0.0, -1.0, -2.0]),
           entry("tokenizer.ggml.bos_token_id", 1), entry("tokenizer.ggml.unknown_token_id", 0),
           entry("tokenizer.ggml.add_bos_token", True)]
    every = [(name, kind, (width, 1), b"\1" * row) for name, kind, width, row in TYPES]
    files = {"gguf/types.gguf": gguf([entry("general.alignment", 32)], every),
             "gguf_metadata/bpe.gguf": gguf(model("bitnet-b1.58", "ternary") + bpe, embedding),
             "gguf_metadata/spm.gguf": gguf(model("llama", "full") + spm, embedding)}
    for name, data in files.items():
        path = SEEDS / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        print(f"{path}: {len(data)} bytes")


if __name__ == "__main__":
    main()
