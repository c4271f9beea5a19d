#!/usr/bin/env python3
"""Whether transformers opens what `tern convert` writes, and computes the same logits.

    TORCHDYNAMO_DISABLE=1 python3 tools/oracle/check_transformers.py --tern build/release/tern RUN...

Needs torch, transformers and accelerate. RUN is a training directory. Of each, every Hugging Face form is written
(ternary: packed, f32 and bf16 masters; full: f32, bf16, f16; packed in shards too), opened by AutoModelForCausalLM and
AutoTokenizer, and compared with `tern eval logits` of the same directory for tokens of a text; the tokenizer with
`tern tokenizer encode`. A line says the largest difference of any logit and how often the best token is the same; for
masters also the difference when transformers' scales are rounded to bf16 as tern's are. Another line says how far
transformers in float64 is from tern, and from transformers in float32: so much is rounding.
Without TORCHDYNAMO_DISABLE=1 transformers compiles its quantizers, which needs a C++ compiler and gives the same.
"""
from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import List
from unittest import mock

import numpy as np
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer
from transformers.integrations import bitnet

TEXT = "the cat sat by the sea and said that it was late. "


def tern(program: str, *args: object) -> str:
    done = subprocess.run([program, *map(str, args)], capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"tern {' '.join(map(str, args))}: {done.stderr.strip()}")
    return done.stdout


def in_float32(directory: Path) -> torch.nn.Module:
    """A quantized model keeps some parts in the file's type whatever `dtype` says, and refuses its own float()."""
    model = AutoModelForCausalLM.from_pretrained(directory, dtype=torch.float32, attn_implementation="eager").eval()
    return torch.nn.Module.float(model)


def forward(model: torch.nn.Module, ids: List[int]) -> np.ndarray:
    with torch.no_grad():
        return model(torch.tensor([ids])).logits[0].numpy().astype(np.float64)


def rounded_scale(ctx: object, weight: torch.Tensor) -> torch.Tensor:
    """Absmean with the scale that tern stores: rounded to bf16, after the trits are made."""
    gamma = weight.abs().mean().clamp(min=1e-5)
    return (weight / gamma).round().clamp(-1, 1) * gamma.bfloat16().float()


def as_opened(directory: Path, ids: List[int], **options: object) -> str:
    try:
        model = AutoModelForCausalLM.from_pretrained(directory, **options).eval()
        with torch.no_grad():
            logits = model(torch.tensor([ids])).logits
        return f"runs, {str(logits.dtype).removeprefix('torch.')} logits"
    except Exception as error:  # reported, whatever it is: that is the question
        return f"{type(error).__name__}: {str(error).splitlines()[0][:110]}"


def compare(program: str, directory: Path, label: str) -> None:
    tokenizer = AutoTokenizer.from_pretrained(directory)
    theirs = tokenizer(TEXT, add_special_tokens=False)["input_ids"]
    done = subprocess.run([program, "tokenizer", "encode", "--tokenizer", directory / "tokenizer.json"], input=TEXT, capture_output=True, text=True)
    ours = [int(i) for i in done.stdout.split()]
    same_ids = "same ids" if ours == theirs else f"OTHER IDS {ours[:5]} {theirs[:5]}"
    ids = theirs[:48]
    lines = tern(program, "eval", "logits", "-m", directory, *ids, "-t", 1).splitlines()
    logits = np.array([json.loads(line)["logits"] for line in lines])
    model = in_float32(directory)
    other = forward(model, ids)
    best = (logits.argmax(1) == other.argmax(1)).mean()
    close = (np.abs(logits - other).max(1) < 1e-4).mean()
    note = ""
    if label.endswith("f32") or label.endswith("bf16"):
        if any(type(module).__name__ == "AutoBitLinear" for module in model.modules()):
            with mock.patch.object(bitnet.WeightQuant, "forward", staticmethod(rounded_scale)):
                note = f" ({np.abs(logits - forward(model, ids)).max():.1e} with scales rounded to bf16)"
    print(f"{label:30} {type(model).__name__}: largest difference {np.abs(logits - other).max():.1e}{note} of logits up to "
          f"{np.abs(other).max():.1f}, {close:.0%} of the tokens within 1e-4, best token {best:.0%}, {same_ids}")  # fmt: skip
    exact = forward(torch.nn.Module.double(model), ids)
    print(f"{'':30} in float64: from tern {np.abs(logits - exact).max():.1e}, from its own float32 {np.abs(other - exact).max():.1e}")
    print(f"{'':30} as opened: {as_opened(directory, ids)}; dtype=float32: {as_opened(directory, ids, dtype=torch.float32)}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tern", default="build/release/tern")
    parser.add_argument("runs", nargs="+", type=Path)
    args = parser.parse_args()
    torch.set_num_threads(1)
    for run in args.runs:
        ternary = json.loads((run / "run.json").read_text())["model"]["weights"] == "ternary"
        forms = {"masters f32": ["--type", "f32"], "masters bf16": ["--type", "bf16"]} if ternary else {}
        forms.update({"packed": [], "packed, shards": ["--shard-size", "20KB"]} if ternary else {t: ["--type", t] for t in ("f32", "bf16", "f16")})
        for form, options in forms.items():
            with tempfile.TemporaryDirectory(prefix="tern-transformers-") as folder:
                tern(args.tern, "convert", run, Path(folder) / "hf", *options, "-t", 1)
                compare(args.tern, Path(folder) / "hf", f"{run.name}, {form}")


if __name__ == "__main__":
    main()
