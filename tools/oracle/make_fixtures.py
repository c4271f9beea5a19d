#!/usr/bin/env python3
"""Writes the golden fixtures: BitLinear, single operations, whole models with ten optimizer steps.

    python3 tools/oracle/make_fixtures.py [--out tests/fixtures] [--only bitlinear|ops|recipe|model]
"""
from __future__ import annotations

import argparse
import dataclasses
import json
from pathlib import Path
from typing import Any, Callable, Dict, List, Mapping, Sequence, Tuple

import numpy as np
import torch

import bitnet
import safetensors_io
from bitnet import Config, Numerics, Tensors

ROOT = Path(__file__).resolve().parents[2]
NOISE = 1e-6  # relative; several times the rounding error of a float32 sum of this length
CANDIDATES = 32  # seeds whose ten steps are tried, with few perturbed runs each
FEW_RUNS, MANY_RUNS = 8, 64
STEPS = 10
SHARE = 0.4  # of model_share
RATES: List[Tuple[float, float]] = [(1e-3, 0.1)] * 5 + [(1e-3, 0.0)] * 5


def generator(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def difference(a: torch.Tensor, b: torch.Tensor) -> float:
    return float((a.double() - b.double()).abs().max())


def differences(low: Tensors, high: Tensors) -> Dict[str, float]:
    return {name: difference(low[name], high[name]) for name in sorted(high)}


def save(path: Path, tensors: Mapping[str, torch.Tensor], **metadata: object) -> None:
    arrays = {name: np.asarray(t.detach().reshape(t.shape or (1,)).numpy()) for name, t in tensors.items()}
    texts = {k: v if isinstance(v, str) else json.dumps(v) for k, v in metadata.items()}
    safetensors_io.write(path, arrays, {"torch": torch.__version__, **texts})
    print(f"{path.name}: {path.stat().st_size} bytes, {len(arrays)} tensors")


# ---- BitLinear ---------------------------------------------------------------------------------------------------


def bitlinear_case(kind: str, seed: int, dtype: torch.dtype) -> Tuple[Tensors, float]:
    """W (24, 40), X (5, 40) with a row of zeros and a row below the absmax clamp, dY (5, 24)."""
    rng, numerics = generator(seed), Numerics()
    w = (torch.randn(24, 40, generator=rng) * 0.3 + 0.02).to(dtype)
    x = torch.randn(5, 40, generator=rng) * torch.tensor([1.0, 0.05, 30.0, 0.0, 2e-6])[:, None]
    x, dy = x.to(dtype), torch.randn(5, 24, generator=rng).to(dtype)
    w_leaf, x_leaf = w.clone().requires_grad_(), x.clone().requires_grad_()
    y = bitnet.bitlinear(x_leaf, w_leaf, kind, numerics)
    dx, dw = torch.autograd.grad(y, (x_leaf, w_leaf), dy)
    out = {"W": w, "X": x, "dY": dy, "Y": y.detach(), "dX": dx, "dW": dw}
    if kind == "full":
        out["W_bf16"] = bitnet.bf16_round(w)
        return out, numerics.margin
    trits, gamma, g = bitnet.quantize_weight(w, kind)
    q, s, _ = bitnet.quantize_activation(x)
    out.update(trits=trits.int(), gamma=gamma, g=g, q=q.int(), x_scale=s.squeeze(1))
    return out, numerics.margin


def write_bitlinear(out: Path) -> None:
    for kind in ("ternary", "binary", "full"):
        seed = next(s for s in range(1000) if bitlinear_case(kind, s, torch.float32)[1] > 2e-3)
        (low, margin), (high, _) = (bitlinear_case(kind, seed, t) for t in (torch.float32, torch.float64))
        tolerance = differences(low, high)
        assert all(tolerance.get(name, 0.0) == 0 for name in ("q", "trits", "gamma", "g"))
        save(out / f"bitlinear_{kind}.safetensors", low, kind=kind, seed=str(seed), margin=str(margin), tolerance=tolerance)


# ---- single operations -------------------------------------------------------------------------------------------

Operation = Callable[..., torch.Tensor]


def operation(name: str, f: Operation, inputs: Tensors, wrt: Sequence[str], rng: torch.Generator) -> Tuple[Tensors, Dict[str, float]]:
    """Inputs, y, dy and the derivative of sum(y * dy) by each of wrt, all under `name.`; and their rounding errors."""
    shape = f(**inputs).shape
    dy = torch.randn(shape, generator=rng) if shape else torch.ones(())
    results: List[Tensors] = []
    for dtype in (torch.float32, torch.float64):
        args = {k: v.to(dtype) if v.is_floating_point() else v for k, v in inputs.items()}
        leaves = {k: args[k].clone().requires_grad_() for k in wrt}
        y = f(**{**args, **leaves})
        gradients = torch.autograd.grad(y, list(leaves.values()), dy.to(dtype))
        results.append({"y": y.detach(), **{f"d{k}": g for k, g in zip(leaves, gradients)}})
    low = {f"{name}.{k}": v for k, v in {**inputs, **results[0], "dy": dy}.items()}
    return low, {f"{name}.{k}": v for k, v in differences(*results).items()}


def optimizer_case(rng: torch.Generator) -> Tuple[Tensors, Dict[str, float]]:
    """Three AdamW steps on one decayed and one free tensor; the second step's gradients are below the clip."""
    start = {"layers.0.attn_q": torch.randn(3, 7, generator=rng), "output_norm": torch.randn(5, generator=rng)}
    scales, rates = (2.0, 0.05, 1.0), ((1e-2, 0.1), (2e-2, 0.1), (3e-2, 0.0))
    gradients = [{k: torch.randn(v.shape, generator=rng) * s for k, v in start.items()} for s in scales]
    results: List[Tensors] = []
    for dtype in (torch.float32, torch.float64):
        p = {k: v.to(dtype) for k, v in bitnet.clone(start).items()}
        optimizer, out = bitnet.AdamW(p), {}
        for i, (g, (lr, decay)) in enumerate(zip(gradients, rates)):
            out[f"norm{i}"] = torch.tensor([optimizer.step(p, {k: v.to(dtype) for k, v in g.items()}, lr, decay)])
            for key, short in (("layers.0.attn_q", "decayed"), ("output_norm", "free")):
                out.update({f"{short}.p{i}": p[key].clone(), f"{short}.m{i}": optimizer.m[key].clone(), f"{short}.v{i}": optimizer.v[key].clone()})
        results.append(out)
    low = {f"adamw.{k}": v for k, v in results[0].items()}
    for key, short in (("layers.0.attn_q", "decayed"), ("output_norm", "free")):
        low[f"adamw.{short}.p"] = start[key]
        low.update({f"adamw.{short}.g{i}": g[key] for i, g in enumerate(gradients)})
    low.update({"adamw.lr": torch.tensor([r[0] for r in rates]), "adamw.weight_decay": torch.tensor([r[1] for r in rates])})
    return low, {f"adamw.{k}": v for k, v in differences(*results).items()}


def write_ops(out: Path) -> None:
    rng = generator(7)

    def normal(*shape: int) -> torch.Tensor:
        return torch.randn(*shape, generator=rng)

    b, t, h, g, e = 2, 7, 6, 2, 5
    targets = torch.tensor([0, 12, 5, 5, 7]).int()
    positions = torch.tensor([0, 1, 5, 300, 4095]).int()

    def attend(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor) -> torch.Tensor:
        split = lambda x: x.reshape(b, t, -1, e)  # noqa: E731
        return bitnet.attention(split(q), split(k), split(v)).reshape(b * t, -1)

    def rotate(style: str) -> Operation:
        return lambda x: bitnet.rope(x.reshape(5, 3, 6), positions, 10000.0, style).reshape(5, 18)

    attention = {"q": normal(b * t, h * e), "k": normal(b * t, g * e), "v": normal(b * t, g * e)}
    cases = [
        ("rmsnorm", lambda x, gain: bitnet.rmsnorm(x, gain, 1e-5), {"x": normal(5, 19), "gain": 1 + 0.2 * normal(19)}, ("x", "gain")),
        ("rope_neox", rotate("neox"), {"x": normal(5, 18)}, ("x",)),
        ("rope_interleaved", rotate("interleaved"), {"x": normal(5, 18)}, ("x",)),
        ("cross_entropy", lambda logits: bitnet.cross_entropy(logits, targets.long()).mean(), {"logits": 4 * normal(5, 13)}, ("logits",)),
        ("swiglu", lambda gate, up: bitnet.glu(gate, up, "silu"), {"gate": 3 * normal(3, 21), "up": normal(3, 21)}, ("gate", "up")),
        ("relu2", lambda gate, up: bitnet.glu(gate, up, "relu2"), {"gate": normal(3, 21), "up": normal(3, 21)}, ("gate", "up")),
        ("attention", attend, attention, ("q", "k", "v")),
    ]
    tensors, tolerance = optimizer_case(rng)
    for name, f, inputs, wrt in cases:
        low, error = operation(name, f, inputs, wrt, rng)
        tensors.update(low)
        tolerance.update(error)
    tensors.update({"cross_entropy.targets": targets, "rope.positions": positions})
    rows = tensors["cross_entropy.logits"]
    tensors["cross_entropy.row_loss"] = bitnet.cross_entropy(rows, targets.long())
    tolerance["cross_entropy.row_loss"] = difference(
        tensors["cross_entropy.row_loss"], bitnet.cross_entropy(rows.double(), targets.long())
    )
    shapes = {
        "rmsnorm": {"eps": 1e-5},
        "rope": {"theta": 10000.0, "heads": 3, "head_dim": 6},
        "attention": {"sequences": b, "tokens": t, "heads": h, "kv_heads": g, "head_dim": e},
        "adamw": {"beta1": 0.9, "beta2": 0.95, "eps": 1e-8, "clip": 1.0, "steps": 3},
    }
    save(out / "ops.safetensors", tensors, config=shapes, tolerance=tolerance)


# ---- what a recipe may have besides --------------------------------------------------------------------------------


def against_torch(w: torch.Tensor, gradients: Sequence[torch.Tensor], lr: float, decay: float, mine: torch.Tensor) -> None:
    """PyTorch's own Muon iterates in bfloat16, so it is near and not equal: its way from the start is within 3%."""
    other = torch.nn.Parameter(w.clone())
    optimizer = torch.optim.Muon([other], lr=lr, weight_decay=decay, momentum=0.95, adjust_lr_fn="match_rms_adamw")
    for g in gradients:
        other.grad = g.clone()
        optimizer.step()
    apart = float(torch.linalg.norm(other.detach() - mine) / torch.linalg.norm(mine - w))
    print(f"  torch.optim.Muon is {100 * apart:.2f}% of the way apart")
    assert apart < 0.03


def muon_case(name: str, rows: int, cols: int, rng: torch.Generator) -> Tuple[Tensors, Dict[str, float]]:
    """Three updates of one matrix."""
    start = torch.randn(rows, cols, generator=rng)
    gradients = [torch.randn(rows, cols, generator=rng) * s for s in (2.0, 0.05, 1.0)]
    lr, decay = 1e-2, 0.1
    results: List[Tensors] = []
    for dtype in (torch.float32, torch.float64):
        w = start.to(dtype).clone()
        optimizer, out = bitnet.Muon(w), {}
        for i, g in enumerate(gradients):
            out[f"u{i}"] = optimizer.step(w, g.to(dtype), lr, decay)
            out.update({f"p{i}": w.clone(), f"m{i}": optimizer.m.clone()})
        results.append(out)
    against_torch(start, gradients, lr, decay, results[0]["p2"])
    low = {f"muon.{name}.{k}": v for k, v in {**results[0], "p": start}.items()}
    low.update({f"muon.{name}.g{i}": g for i, g in enumerate(gradients)})
    return low, {f"muon.{name}.{k}": v for k, v in differences(*results).items()}


def write_recipe(out: Path) -> None:
    rng = generator(11)
    tensors: Tensors = {}
    tolerance: Dict[str, float] = {}
    for name, rows, cols in (("wide", 6, 19), ("tall", 21, 5), ("square", 17, 17)):
        low, error = muon_case(name, rows, cols, rng)
        tensors.update(low)
        tolerance.update(error)
    targets, weight = torch.tensor([0, 12, 5, 5, 7]), 0.03
    z_losses = lambda logits: weight * torch.logsumexp(logits, -1) ** 2  # noqa: E731
    mean = lambda logits: (bitnet.cross_entropy(logits, targets) + z_losses(logits)).mean()  # noqa: E731
    low, error = operation("z_loss", mean, {"logits": 4 * torch.randn(5, 13, generator=rng)}, ("logits",), rng)
    tensors.update({**low, "z_loss.targets": targets.int(), "z_loss.rows": z_losses(low["z_loss.logits"])})
    tolerance.update({**error, "z_loss.rows": difference(tensors["z_loss.rows"], z_losses(low["z_loss.logits"].double()))})
    config = {"muon": {"lr": 1e-2, "weight_decay": 0.1, "momentum": 0.95, "steps": 5}, "z_loss": {"weight": weight}}
    save(out / "recipe.safetensors", tensors, config=config, tolerance=tolerance)


# ---- distillation ----------------------------------------------------------------------------------------------------


def write_distillation(out: Path) -> None:
    """(1 - a) CE + a T^2 KL(teacher || student), means over the rows with a target; -1: none (PyTorch's functions)."""
    rng = generator(77)
    student, teacher = torch.randn(6, 13, generator=rng) * 2, torch.randn(6, 13, generator=rng) * 2
    targets = torch.tensor([3, -1, 0, 12, -1, 7])
    counted = targets >= 0
    tensors: Tensors = {"student": student, "teacher": teacher, "targets": targets.int()}
    tolerance: Dict[str, float] = {}
    for name, weight, temperature in (("masked", 0.0, 1.0), ("mixed", 0.3, 2.0), ("pure", 1.0, 5.0)):
        results: List[Tensors] = []
        for dtype in (torch.float32, torch.float64):
            z, t = student.to(dtype).requires_grad_(), teacher.to(dtype)
            ce = torch.nn.functional.cross_entropy(z, targets, ignore_index=-1)
            log_student = torch.log_softmax(z[counted] / temperature, -1)
            log_teacher = torch.log_softmax(t[counted] / temperature, -1)
            kl = torch.nn.functional.kl_div(log_student, log_teacher, log_target=True, reduction="batchmean")
            loss = (1 - weight) * ce + weight * temperature**2 * kl
            (gradient,) = torch.autograd.grad(loss, z)
            results.append({"ce": ce.detach(), "kl": kl.detach(), "loss": loss.detach(), "gradient": gradient})
        low, high = results
        tensors.update({f"{name}.{k}": v for k, v in low.items()})
        tensors[f"{name}.settings"] = torch.tensor([weight, temperature])
        tolerance.update({f"{name}.{k}": v for k, v in differences(low, high).items()})
    save(out / "distillation.safetensors", tensors, tolerance=tolerance)


# ---- whole models ------------------------------------------------------------------------------------------------


def model_case(c: Config, seed: int) -> Tuple[Tensors, torch.Tensor]:
    """Initial masters and batches (STEPS, 2, 7+1): two batches in turn, so that the loss falls."""
    rng, p = generator(seed), {}
    for name, shape in bitnet.weight_shapes(c).items():
        if len(shape) == 1:
            p[name] = 1 + 0.2 * torch.randn(shape, generator=rng)
        else:
            p[name] = torch.randn(shape, generator=rng) * (0.3 if not bitnet.is_linear(name) else shape[1] ** -0.5)
    return p, torch.randint(0, c.vocab, (2, 2, 8), generator=rng).repeat(STEPS // 2, 1, 1)


def margin_of(c: Config, seed: int) -> float:
    numerics = Numerics()
    p, batches = model_case(c, seed)
    with torch.no_grad():
        bitnet.forward(c, p, batches[0, :, :-1], numerics)
    return numerics.margin


@dataclasses.dataclass
class TenSteps:
    final: Tensors
    loss: List[float]
    norm: List[float]
    tolerance: Dict[str, Any]  # largest differences of the float64 and the perturbed runs to this one


def ten_steps(c: Config, seed: int, noise_runs: int) -> TenSteps:
    start, batches = model_case(c, seed)
    final = bitnet.clone(start)
    loss, norm = bitnet.run_steps(c, final, batches, RATES)
    biggest = {"loss": [0.0] * STEPS, "grad_norm": [0.0] * STEPS}
    final_max, final_rms = dict.fromkeys(final, 0.0), dict.fromkeys(final, 0.0)
    for run in range(noise_runs + 1):
        p = bitnet.to_double(start) if run == 0 else bitnet.clone(start)
        numerics = Numerics(noise=NOISE if run > 0 else 0.0, generator=generator(1000 + run))
        other_loss, other_norm = bitnet.run_steps(c, p, batches, RATES, numerics)
        for key, mine, other in (("loss", loss, other_loss), ("grad_norm", norm, other_norm)):
            biggest[key] = [max(x, abs(a - b)) for x, a, b in zip(biggest[key], mine, other)]
        for name in final:
            d = p[name].double() - final[name].double()
            final_max[name] = max(final_max[name], float(d.abs().max()))
            final_rms[name] = max(final_rms[name], float(d.pow(2).mean().sqrt()))
    return TenSteps(final, loss, norm, {**biggest, "final": final_max, "final_rms": final_rms})


def write_model(out: Path, name: str, c: Config, seeds: int) -> None:
    # Of the seeds with the widest margin to a rounding boundary, the one whose ten steps are least chaotic.
    best = sorted(((margin_of(c, s), -s) for s in range(seeds)), reverse=True)[:CANDIDATES]
    margin, seed = min(((m, -s) for m, s in best), key=lambda r: max(ten_steps(c, r[1], FEW_RUNS).tolerance["loss"]))
    steps = ten_steps(c, seed, MANY_RUNS)
    p, batches = model_case(c, seed)
    tokens, targets = batches[0, :, :-1], batches[0, :, 1:]
    results: List[Tensors] = []
    for start in (p, bitnet.to_double(p)):
        logits, loss, gradients = bitnet.loss_and_gradients(c, start, tokens, targets)
        results.append({"logits": logits, "loss": loss, **{f"grad.{k}": g for k, g in gradients.items()}})
    low, high = results
    fake = bitnet.loss_and_gradients(c, p, tokens, targets, Numerics(fake=True))  # the authors' formulation
    assert difference(fake[0], low["logits"]) < 1e-4 and max(difference(fake[2][k], low[f"grad.{k}"]) for k in p) < 1e-4
    tensors = {**p, **low, "tokens": tokens.int(), "targets": targets.int()}
    tensors.update({f"final.{k}": w for k, w in steps.final.items()})
    tensors.update({"steps.tokens": batches[:, :, :-1].int(), "steps.targets": batches[:, :, 1:].int()})
    tensors.update({"steps.loss": torch.tensor(steps.loss), "steps.grad_norm": torch.tensor(steps.norm)})
    tensors.update({"steps.lr": torch.tensor([r[0] for r in RATES]), "steps.weight_decay": torch.tensor([r[1] for r in RATES])})
    tolerance = {**differences(low, high), "steps": steps.tolerance}
    optimizer = {"beta1": 0.9, "beta2": 0.95, "eps": 1e-8, "clip": 1.0}
    save(out / f"{name}.safetensors", tensors, config=dataclasses.asdict(c), optimizer=optimizer, seed=str(seed),
         margin=str(margin), tolerance=tolerance)  # fmt: skip
    print(f"  seed {seed}, margin {margin:.1e}, rounding error of the logits {tolerance['logits']:.1e}; ten steps: loss "
          f"{steps.loss[0]:.3f} -> {steps.loss[-1]:.3f}, norm {min(steps.norm):.1f}..{max(steps.norm):.1f}, spread of the "
          f"loss {max(steps.tolerance['loss']):.1e}, of the weights {max(steps.tolerance['final'].values()):.1e}")  # fmt: skip


def write_models(out: Path, seeds: int) -> None:
    base = Config(dim=32, layers=2, heads=4, kv_heads=2, ffn=72, vocab=40, context=16)
    for kind in ("ternary", "binary", "full"):
        write_model(out, f"model_{kind}", dataclasses.replace(base, weights=kind), seeds)
    small = dataclasses.replace(base, dim=16, layers=1, heads=2, kv_heads=1, ffn=40, vocab=24)
    write_model(out, "model_share", dataclasses.replace(small, share=SHARE), seeds)
    write_model(out, "model_ternary_relu2", dataclasses.replace(base, activation="relu2", tied=False, sub_norms=False), seeds)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=ROOT / "tests" / "fixtures")
    parser.add_argument("--only", choices=("bitlinear", "ops", "recipe", "distillation", "model"))
    parser.add_argument("--seeds", type=int, default=1000, help="seeds searched for a model's margin")
    args = parser.parse_args()
    bitnet.deterministic()
    if args.only in (None, "bitlinear"):
        write_bitlinear(args.out)
    if args.only in (None, "ops"):
        write_ops(args.out)
    if args.only in (None, "recipe"):
        write_recipe(args.out)
    if args.only in (None, "distillation"):
        write_distillation(args.out)
    if args.only in (None, "model"):
        write_models(args.out, args.seeds)


if __name__ == "__main__":
    main()
