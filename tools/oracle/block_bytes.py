#!/usr/bin/env python3
"""Writes tests/fixtures/block_bytes.safetensors: the bytes that others write for given trits and numbers.

TQ1_0, TQ2_0, Q8_0 and Q4_0 come from llama.cpp's own Python package (`pip install gguf`), and so do the values of the K
types, which it decodes only: their bytes are random with scales of a fitting size. I2_S and the packed form of Hugging
Face come from NumPy, written here from their layouts (src/quant/ternary_codecs.h). Neither is needed to build or test.

With --check nothing is written: the I2_S bytes are compared with those of bitnet.cpp's converter (CONVERTER is its
utils/convert-hf-to-gguf-bitnet.py, of which one function is run), the packed ones with transformers' own, over the trits
of the fixture and a thousand other matrices.

usage: python3 tools/oracle/block_bytes.py [--out FILE | --check CONVERTER]
"""
from __future__ import annotations

import argparse
import ast
from pathlib import Path
from typing import Sequence

import numpy as np

import safetensors_io

ROWS, WIDTH = 4, 512
SCALE = np.float32(0.0123291015625)  # a bfloat16, so that f16 holds it too

# Name here and in gguf, bytes of a block, where its f16 scales are.
K_TYPES = [("q4_k", "Q4_K", 144, (0, 2)), ("q5_k", "Q5_K", 176, (0, 2)), ("q6_k", "Q6_K", 210, (208,))]


def i2_s(trits: np.ndarray, scale: np.float32) -> np.ndarray:
    """Axes (block, plane, byte): plane l of a block of 128 is shifted left by 6 - 2l; then the scale and 28 zeros."""
    planes = (trits.reshape(-1, 4, 32) + 1).astype(np.uint8)
    codes = np.bitwise_or.reduce(planes << np.array([6, 4, 2, 0], np.uint8)[None, :, None], axis=1)
    tail = np.concatenate([np.frombuffer(scale.tobytes(), np.uint8), np.zeros(28, np.uint8)])
    return np.concatenate([codes.ravel(), tail])


def hf_packed(trits: np.ndarray) -> np.ndarray:
    bands = (trits.reshape(4, len(trits) // 4, -1) + 1).astype(np.uint8)
    return np.bitwise_or.reduce(bands << np.array([0, 2, 4, 6], np.uint8)[:, None, None], axis=0)


def k_blocks(rng: np.random.Generator, size: int, scales: Sequence[int]) -> np.ndarray:
    """Random blocks of `size` bytes, in rows of two, with an f16 at each of the offsets `scales`."""
    blocks = rng.integers(0, 256, (ROWS, 2, size)).astype(np.uint8)
    for offset in scales:
        halves = rng.normal(0, 0.01, (ROWS, 2, 1)).astype(np.float16)
        blocks[:, :, offset:offset + 2] = halves.view(np.uint8)
    return blocks.reshape(ROWS, 2 * size)


def check(converter: Path) -> None:
    import torch
    from transformers.integrations.bitnet import pack_weights

    name = "quantize_to_i2_s"
    functions = [part for part in ast.parse(converter.read_text()).body
                 if isinstance(part, ast.FunctionDef) and part.name == name]
    scope = {"np": np}
    exec(compile(ast.Module(functions, []), str(converter), "exec"), scope)  # noqa: S102
    rng = np.random.default_rng(158)
    matrices = [(rng.integers(-1, 2, (ROWS, WIDTH)).astype(np.int32), SCALE)]
    for _ in range(1000):
        shape = (4 * int(rng.integers(1, 9)), 128 * int(rng.integers(1, 5)))
        matrices.append((rng.integers(-1, 2, shape).astype(np.int32), np.float32(rng.uniform(1e-4, 10))))
    for trits, scale in matrices:
        ours, theirs = i2_s(trits, scale), scope[name](trits.astype(np.float32), override_scale=scale)
        assert np.array_equal(ours, theirs), trits.shape
        packed = pack_weights(torch.from_numpy(trits).float()).numpy()
        assert np.array_equal(hf_packed(trits), packed), trits.shape
    print(f"{len(matrices)} matrices: I2_S as bitnet.cpp's converter writes it, packed as transformers does")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    default = Path(__file__).resolve().parents[2] / "tests/fixtures/block_bytes.safetensors"
    parser.add_argument("--out", type=Path, default=default)
    parser.add_argument("--check", type=Path, metavar="CONVERTER")
    args = parser.parse_args()
    if args.check:
        return check(args.check)
    from gguf import GGMLQuantizationType as Type
    from gguf import dequantize, quantize

    rng = np.random.default_rng(158)
    trits = rng.integers(-1, 2, (ROWS, WIDTH)).astype(np.int32)
    reals = (trits * SCALE).astype(np.float32)
    numbers = rng.normal(0, 0.05, (6, 96)).astype(np.float32)
    numbers[0, :32] = 0                                   # a block of zeros
    numbers[1, 32:64] = np.arange(-16, 16) * 0.5          # halves: which way they round
    numbers[2, :32] *= np.float32(1e-7)                   # a scale below f16's normal numbers
    numbers[3, :32] *= np.float32(1e5)
    q8, q4 = quantize(numbers, Type.Q8_0), quantize(numbers, Type.Q4_0)
    tensors = {
        "trits": trits,
        "scale": np.array([SCALE]),
        "tq1_0": quantize(reals, Type.TQ1_0).astype(np.int32),
        "tq2_0": quantize(reals, Type.TQ2_0).astype(np.int32),
        "i2_s": i2_s(trits, SCALE).astype(np.int32),
        "hf_packed": hf_packed(trits).astype(np.int32),
        "numbers": numbers,
        "q8_0": q8.astype(np.int32),
        "q8_0.values": dequantize(q8, Type.Q8_0),
        "q4_0": q4.astype(np.int32),
        "q4_0.values": dequantize(q4, Type.Q4_0),
    }
    for name, kind, size, scales in K_TYPES:
        blocks = k_blocks(rng, size, scales)
        tensors[name] = blocks.astype(np.int32)
        tensors[f"{name}.values"] = dequantize(blocks, Type[kind])
    safetensors_io.write(args.out, tensors, {"script": "tools/oracle/block_bytes.py"})
    print(f"{args.out}: {args.out.stat().st_size} bytes")


if __name__ == "__main__":
    main()
