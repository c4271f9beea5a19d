#!/usr/bin/env python3
"""Trains the float fake-quantization oracle from tern's initial masters on tern's batches, and compares the losses.

    python3 tools/oracle/loss_curve.py --init INIT.safetensors --batches BATCHES.bin --config CONFIG.json \\
        [--compare METRICS.jsonl] [--exact] [--noise 1e-6] [--steps N] > ORACLE.jsonl

One line {"step": i, "loss": x, ...} a step (i from 0), and with --compare a last line with the differences. CONFIG.json
has the model (fields of bitnet.Config) and the training (batch, steps, warmup, lr, lr2, lr_end, weight_decay, clip).
BATCHES.bin is int32 little-endian (steps, batch, context + 1): inputs are [:-1], targets are [1:].
"""
from __future__ import annotations

import argparse
import dataclasses
import json
from pathlib import Path
from typing import Dict, List

import numpy as np
import torch

import bitnet
import safetensors_io
from bitnet import Config, Numerics, Schedule, Tensors


def read_masters(path: Path, c: Config) -> Tensors:
    arrays, _ = safetensors_io.read(path)
    p = {}
    for name, shape in bitnet.weight_shapes(c).items():
        if name not in arrays or arrays[name].shape != shape:
            raise SystemExit(f"{path}: {name}: expected shape {shape}, found {arrays[name].shape if name in arrays else 'nothing'}")
        p[name] = torch.from_numpy(arrays[name]).float()
    return p


def read_batches(path: Path, batch: int, context: int) -> torch.Tensor:
    ids = np.fromfile(path, "<i4")
    if ids.size == 0 or ids.size % (batch * (context + 1)):
        raise SystemExit(f"{path}: {ids.size} ids, expected a multiple of batch {batch} x (context {context} + 1)")
    return torch.from_numpy(ids.reshape(-1, batch, context + 1).astype(np.int64))


def read_metrics(path: Path) -> Dict[int, Dict[str, float]]:
    """The lines that have a step and a training loss."""
    rows = (json.loads(line) for line in path.read_text().splitlines() if line.strip())
    return {int(row["step"]): row for row in rows if "step" in row and "loss" in row}


def compare(mine: List[Dict[str, float]], theirs: Dict[int, Dict[str, float]]) -> Dict[str, float]:
    pairs = [(row, theirs[int(row["step"])]) for row in mine if int(row["step"]) in theirs]
    if not pairs:
        raise SystemExit("--compare: no step in common")
    loss = np.array([(a["loss"], b["loss"]) for a, b in pairs])
    apart = np.abs(loss[:, 0] - loss[:, 1])
    tail = loss[-min(100, len(loss)) :].mean(0)
    rates = [abs(a["lr"] - b["lr"]) for a, b in pairs if "lr" in b]
    return {
        "steps": len(pairs), "mean_abs_difference": float(apart.mean()), "max_abs_difference": float(apart.max()),
        "mean_difference": float((loss[:, 0] - loss[:, 1]).mean()), "first_difference": float(apart[0]),
        "oracle_loss_last_100": float(tail[0]), "loss_last_100": float(tail[1]),
        "max_lr_difference": max(rates, default=float("nan")),
    }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--init", type=Path, required=True)
    parser.add_argument("--batches", type=Path, required=True)
    parser.add_argument("--config", type=Path, required=True)
    parser.add_argument("--compare", type=Path)
    parser.add_argument("--exact", action="store_true", help="integer products and one multiplier instead of float fake-quantization")
    parser.add_argument("--noise", type=float, default=0.0, help="relative perturbation of activations: how far two roundings drift apart")
    parser.add_argument("--steps", type=int, help="stop after this many steps (the schedule is unchanged)")
    args = parser.parse_args()
    bitnet.deterministic()

    options = json.loads(args.config.read_text())
    c = Config.from_mapping(options)
    batches = read_batches(args.batches, options["batch"], c.context)
    options.setdefault("steps", len(batches))
    known = {f.name for f in dataclasses.fields(Schedule)}
    schedule = Schedule(**{k: v for k, v in options.items() if k in known})
    p = read_masters(args.init, c)
    optimizer = bitnet.AdamW(p, clip=options.get("clip", 1.0))
    numerics = Numerics(fake=not args.exact, noise=args.noise, generator=torch.Generator().manual_seed(1))

    mine: List[Dict[str, float]] = []
    for step, batch in enumerate(batches[: args.steps]):
        lr, weight_decay = schedule.at(step)
        _, loss, gradients = bitnet.loss_and_gradients(c, p, batch[:, :-1], batch[:, 1:], numerics)
        norm = optimizer.step(p, gradients, lr, weight_decay)
        mine.append({"step": step, "loss": float(loss), "grad_norm": norm, "lr": lr, "weight_decay": weight_decay})
        print(json.dumps(mine[-1]), flush=True)
    if args.compare:
        print(json.dumps(compare(mine, read_metrics(args.compare))))


if __name__ == "__main__":
    main()
