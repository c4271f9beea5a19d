#!/usr/bin/env python3
"""microsoft/bitnet-b1.58-2B-4T in full shape with random weights, in its three forms: loads, and gives the same logits.

    python3 tools/oracle/full_2b4t.py --tern build/release/src/cli/tern --config DIR/config.json --work DIR

Needs numpy, 8 GB of disk at WORK (its files are removed afterwards) and as much memory. Packed and master weights are
written here, after the published config.json; the GGUF file (I2_S, F16 embedding) is what `tern convert` makes of the
packed form, whose bytes other tests compare with other programs'. Of every five master weights three are +-1.5 g and two
+-0.25 g: their mean magnitude is g, a power of two, so that rounding by absmean gives exactly the packed form.
"""
from __future__ import annotations

import argparse
import json
import resource
import shutil
import struct
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Callable, Dict, Iterator, List, Tuple

import numpy as np

TOKENS = ["128000", "791", "6864", "315", "9822", "374", "12366", "11", "127999", "0", "1", "64000"]
MASTERS = {"quant_method": "bitnet", "linear_class": "autobitlinear", "quantization_mode": "online"}
PACKED = {**MASTERS, "quantization_mode": "offline"}
POOL = 1 << 22  # random numbers that all tensors are cut from, at places of their own


class Weights:
    def __init__(self, config: Dict[str, Any], seed: int) -> None:
        self.c = config
        rng = np.random.default_rng(seed)
        groups = rng.permuted(np.tile(np.array([1, 1, 1, 0, 0], np.int8), (POOL // 5, 1)), axis=1)
        signs = rng.integers(0, 2, groups.shape, dtype=np.int8) * 2 - 1
        self.trits = (groups * signs).ravel()
        self.masters = np.where(groups == 1, 1.5, 0.25).ravel() * signs.ravel()
        self.reals = rng.integers(-255, 256, POOL) / 256.0  # exact in bfloat16 and in float16

    def tensors(self) -> Iterator[Tuple[str, Tuple[int, ...]]]:
        c = self.c
        d, f = c["hidden_size"], c["intermediate_size"]
        kv = d // c["num_attention_heads"] * c["num_key_value_heads"]
        yield "model.embed_tokens.weight", (c["vocab_size"], d)
        for layer in range(c["num_hidden_layers"]):
            p = f"model.layers.{layer}."
            for name, shape in (("input_layernorm", (d,)), ("post_attention_layernorm", (d,)), ("self_attn.attn_sub_norm", (d,)), ("mlp.ffn_sub_norm", (f,)),
                                ("self_attn.q_proj", (d, d)), ("self_attn.k_proj", (kv, d)), ("self_attn.v_proj", (kv, d)), ("self_attn.o_proj", (d, d)),
                                ("mlp.gate_proj", (f, d)), ("mlp.up_proj", (f, d)), ("mlp.down_proj", (d, f))):  # fmt: skip
                yield f"{p}{name}.weight", shape
        yield "model.norm.weight", (d,)

    def cut(self, pool: np.ndarray, index: int, count: int) -> np.ndarray:
        start = index * 7919 * 5 % len(pool) // 5 * 5  # at the beginning of a group of five
        return np.resize(np.roll(pool, -start), count)


def bf16(x: np.ndarray) -> bytes:
    return (np.ascontiguousarray(x, np.float32).view(np.uint32) >> 16).astype(np.uint16).tobytes()


def write(directory: Path, weights: Weights, quantization: Dict[str, Any]) -> int:
    packed = quantization["quantization_mode"] == "offline"
    directory.mkdir(parents=True)
    (directory / "config.json").write_text(json.dumps({**weights.c, "quantization_config": quantization}))
    entries: List[Tuple[str, str, List[int], Callable[[], bytes]]] = []
    for i, (name, shape) in enumerate(weights.tensors()):
        count = int(np.prod(shape))
        if "_proj" not in name:
            gain = len(shape) == 1
            entries.append((name, "BF16", list(shape), lambda i=i, n=count, g=gain: bf16(weights.cut(weights.reals, i, n) * (0.25 if g else 1) + g)))
            continue
        scale = 2.0 ** -(5 + i % 3)
        if not packed:
            entries.append((name, "BF16", list(shape), lambda i=i, n=count, s=scale: bf16(weights.cut(weights.masters, i, n) * s)))
            continue

        def codes(i: int = i, n: int = count) -> bytes:
            quarters = (weights.cut(weights.trits, i, n) + 1).astype(np.uint8).reshape(4, -1)
            return (quarters[0] | quarters[1] << 2 | quarters[2] << 4 | quarters[3] << 6).tobytes()

        entries.append((name, "U8", [shape[0] // 4, shape[1]], codes))
        entries.append((name + "_scale", "BF16", [1], lambda s=scale: bf16(np.array([s]))))
    header: Dict[str, Any] = {}
    at = 0
    for name, kind, shape_, _ in entries:
        size = int(np.prod(shape_)) * (1 if kind == "U8" else 2)
        header[name] = {"dtype": kind, "shape": shape_, "data_offsets": [at, at + size]}
        at += size
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(directory / "model.safetensors", "wb") as out:
        out.write(struct.pack("<Q", len(text)) + text)
        for name, _, _, produce in entries:
            data = produce()
            assert len(data) == header[name]["data_offsets"][1] - header[name]["data_offsets"][0], name
            out.write(data)
    return at


def logits(tern: Path, model: Path) -> Tuple[np.ndarray, float]:
    begin = time.monotonic()
    text = subprocess.run([tern, "eval", "logits", "-m", model, *TOKENS], check=True, capture_output=True, text=True).stdout
    return np.array([json.loads(line)["logits"] for line in text.splitlines()], np.float32), time.monotonic() - begin


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tern", type=Path, required=True)
    parser.add_argument("--config", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    weights = Weights(json.loads(args.config.read_text()), args.seed)
    work = args.work / "full_2b4t"
    shutil.rmtree(work, ignore_errors=True)
    try:
        results = {}
        for form in ("packed", "gguf", "masters"):
            path = work / (form + ".gguf" if form == "gguf" else form)
            if form == "gguf":
                subprocess.run([args.tern, "convert", work / "packed", path, "--type", "i2_s", "--embedding", "f16"], check=True)
                size = path.stat().st_size
                shutil.rmtree(work / "packed")
            else:
                size = write(path, weights, PACKED if form == "packed" else MASTERS)
            values, seconds = logits(args.tern, path)
            results[form] = values
            print(f"{form}: {size} bytes, {len(values)} x {values.shape[1]} logits in {seconds:.0f} s, from {values.min():.3f} to {values.max():.3f}", flush=True)
        peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
        same = all(np.array_equal(values, results["packed"]) for values in results.values())
        spread = float(results["packed"].std())
        print(f"logits {'the same bits' if same else 'DIFFER'}, deviation {spread:.3f}, at most {peak / 1e6:.1f} GB of memory")
        if not same or not np.isfinite(spread) or spread == 0:
            sys.exit(1)
    finally:
        shutil.rmtree(work, ignore_errors=True)


if __name__ == "__main__":
    main()
