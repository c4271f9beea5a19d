"""The reference model in PyTorch: BitNet b1.58, its binary and full-precision relatives, AdamW and the schedule.

Written for clarity and for any torch >= 1.13. Every function works in the dtype of its inputs, so that the same
text runs in float32 (the reference) and in float64 (what the rounding error of the reference is measured with).
Letters: N tokens, B sequences, T tokens a sequence, D dim, H heads, G kv heads, E head dim, F ffn, V vocab.
"""
from __future__ import annotations

import dataclasses
import math
from typing import Dict, List, Mapping, Optional, Tuple

import torch

Tensors = Dict[str, torch.Tensor]


@dataclasses.dataclass
class Config:
    dim: int
    layers: int
    heads: int
    kv_heads: int
    ffn: int
    vocab: int
    context: int
    activation: str = "silu"  # silu | relu2
    sub_norms: bool = True  # norms before the o and down projections
    tied: bool = True  # the head is the token embedding
    rope_theta: float = 10000.0
    eps: float = 1e-5
    weights: str = "ternary"  # ternary | binary | full (bf16 weights) | plain (weights as they are)
    rope: str = "neox"  # neox: pairs (i, i+E/2) | interleaved: pairs (2i, 2i+1)
    head_dim: int = 0  # 0: dim / heads
    share: float = 1.0  # of quantization in weights and activations (lambda); 1: the integer products

    def __post_init__(self) -> None:
        self.head_dim = self.head_dim or self.dim // self.heads

    @staticmethod
    def from_mapping(values: Mapping[str, object]) -> "Config":
        """Takes the fields it knows; others (training options) are left to the caller."""
        names = {f.name for f in dataclasses.fields(Config)}
        return Config(**{k: v for k, v in values.items() if k in names})  # type: ignore[arg-type]


@dataclasses.dataclass
class Numerics:
    """How the quantized products are computed, and what is observed while they are."""

    fake: bool = False  # True: the authors' float formulation; False: integer accumulator, then one multiplier
    noise: float = 0.0  # relative perturbation of the input of every linear layer, for tolerances
    generator: Optional[torch.Generator] = None
    margin: float = math.inf  # smallest distance of an x*s to a rounding boundary (n + 1/2) seen so far


def weight_shapes(c: Config) -> Dict[str, Tuple[int, ...]]:
    """Every parameter of the model: matrices (out, in), norms (width,)."""
    q, kv = c.heads * c.head_dim, c.kv_heads * c.head_dim
    shapes: Dict[str, Tuple[int, ...]] = {"token_embd": (c.vocab, c.dim), "output_norm": (c.dim,)}
    if not c.tied:
        shapes["output"] = (c.vocab, c.dim)
    for i in range(c.layers):
        layer: Dict[str, Tuple[int, ...]] = {
            "attn_norm": (c.dim,), "attn_q": (q, c.dim), "attn_k": (kv, c.dim), "attn_v": (kv, c.dim),
            "attn_output": (c.dim, q), "ffn_norm": (c.dim,), "ffn_gate": (c.ffn, c.dim),
            "ffn_up": (c.ffn, c.dim), "ffn_down": (c.dim, c.ffn),
        }  # fmt: skip
        if c.sub_norms:
            layer.update(attn_sub_norm=(q,), ffn_sub_norm=(c.ffn,))
        shapes.update({f"layers.{i}.{name}": shape for name, shape in layer.items()})
    return shapes


def is_linear(name: str) -> bool:
    """True for the matrices that are quantized and decayed (not norms, embedding, head)."""
    return name.startswith("layers.") and not name.endswith("_norm")


# ---- quantizers --------------------------------------------------------------------------------------------------


def bf16_round(x: torch.Tensor) -> torch.Tensor:
    """Nearest bfloat16, ties to even; decided on the float32 value whatever the dtype of x."""
    return x.float().bfloat16().to(x.dtype)


def straight_through(x: torch.Tensor, value: torch.Tensor) -> torch.Tensor:
    """value forwards, the identity of x backwards."""
    return x + (value - x).detach()


def quantize_weight(w: torch.Tensor, kind: str) -> Tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """(R, K) masters -> T in {-1,0,+1} (R, K), gamma and g = bf16(gamma); always decided in float32."""
    w32 = w.detach().float()
    gamma = w32.double().abs().mean().float().clamp(min=1e-5)
    if kind == "ternary":
        trits = torch.round(w32 * (1.0 / gamma)).clamp(-1, 1) + 0.0  # + 0.0: no negative zeros
    else:
        mean = w32.double().mean().float()
        trits = torch.where(w32 - mean >= 0, torch.ones_like(w32), -torch.ones_like(w32))
    return trits.to(w.dtype), gamma, bf16_round(gamma).to(w.dtype)


def quantize_activation(x: torch.Tensor) -> Tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """(N, K) -> q in -128..127 (N, K), s = 127/absmax (N, 1) and absmax/127 (N, 1)."""
    absmax = x.detach().abs().amax(-1, keepdim=True).clamp(min=1e-5)
    s = 127.0 / absmax
    return torch.round(x.detach() * s).clamp(-128, 127) + 0.0, s, absmax / 127.0


def rounding_margin(x: torch.Tensor) -> float:
    """Smallest distance of an x*s to n + 1/2."""
    scaled = x.detach() * quantize_activation(x)[1]
    return float(((scaled - torch.floor(scaled)) - 0.5).abs().min())


# ---- operations --------------------------------------------------------------------------------------------------


class _BitLinear(torch.autograd.Function):
    """y = (q T^T) * (g * step);  dX = dY (T g),  dW = dY^T (q step): the identity through both quantizers."""

    @staticmethod
    def forward(ctx, x, w, q, step, trits, g):  # type: ignore[override]
        ctx.save_for_backward(q * step, trits * g)
        return (q @ trits.t()) * (g * step)

    @staticmethod
    def backward(ctx, dy):  # type: ignore[override]
        x_hat, w_hat = ctx.saved_tensors
        return dy @ w_hat, dy.t() @ x_hat, None, None, None, None


def bitlinear(x: torch.Tensor, w: torch.Tensor, kind: str, numerics: Numerics, share: float = 1.0) -> torch.Tensor:
    """(N, K), (R, K) -> (N, R). With a share below 1 real numbers on their way from full precision to quantized."""
    if kind == "plain":
        return x @ w.t()
    if numerics.noise > 0:
        noise = torch.rand(x.shape, generator=numerics.generator, dtype=x.dtype) * 2 - 1
        x = x * (1 + numerics.noise * noise)
    if kind == "full":
        return x @ straight_through(w, bf16_round(w)).t()
    numerics.margin = min(numerics.margin, rounding_margin(x))
    q, _, step = quantize_activation(x)
    trits, _, g = quantize_weight(w, kind)
    if share < 1:
        real = bf16_round(w.detach())
        return straight_through(x, x + share * (q * step - x)) @ straight_through(w, real + share * (trits * g - real)).t()
    if numerics.fake:
        return straight_through(x, q * step) @ straight_through(w, trits * g).t()
    return _BitLinear.apply(x, w, q, step, trits, g)


def rmsnorm(x: torch.Tensor, gain: torch.Tensor, eps: float) -> torch.Tensor:
    return x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + eps) * gain


def rope(x: torch.Tensor, positions: torch.Tensor, theta: float, style: str) -> torch.Tensor:
    """(N, H, E) rotated by the angles position * theta^(-2i/E); angles, sine and cosine in float64."""
    e = x.shape[-1]
    frequency = theta ** (-torch.arange(0, e, 2, dtype=torch.float64) / e)
    angle = positions.double()[:, None, None] * frequency
    c, s = angle.cos().to(x.dtype), angle.sin().to(x.dtype)
    if style == "neox":
        a, b = x.chunk(2, dim=-1)
        return torch.cat([a * c - b * s, b * c + a * s], dim=-1)
    a, b = x[..., 0::2], x[..., 1::2]
    return torch.stack([a * c - b * s, b * c + a * s], dim=-1).flatten(-2)


def attention(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor) -> torch.Tensor:
    """Causal; q (B, T, H, E), k and v (B, T, G, E); head h reads kv head h / (H/G)."""
    t, groups = q.shape[1], q.shape[2] // k.shape[2]
    k, v = k.repeat_interleave(groups, 2), v.repeat_interleave(groups, 2)
    scores = torch.einsum("bihe,bjhe->bhij", q, k) * (1.0 / math.sqrt(q.shape[-1]))
    future = torch.ones(t, t, dtype=torch.bool).triu(1)
    weights = torch.softmax(scores.masked_fill(future, -math.inf), dim=-1)
    return torch.einsum("bhij,bjhe->bihe", weights, v)


def glu(gate: torch.Tensor, up: torch.Tensor, activation: str) -> torch.Tensor:
    """silu(gate) * up, or relu(gate)^2 * up."""
    act = torch.relu(gate).pow(2) if activation == "relu2" else gate * torch.sigmoid(gate)
    return act * up


def cross_entropy(logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """Nats per row: (N, V), (N,) -> (N,)."""
    return torch.logsumexp(logits, -1) - logits.gather(1, targets[:, None]).squeeze(1)


def forward(c: Config, p: Tensors, tokens: torch.Tensor, numerics: Optional[Numerics] = None) -> torch.Tensor:
    """Token ids (B, T) -> logits (B*T, V)."""
    numerics = numerics or Numerics()
    b, t = tokens.shape
    positions = torch.arange(t).repeat(b)

    def table(w: torch.Tensor) -> torch.Tensor:  # embedding and head enter in bf16, masters stay f32
        return w if c.weights == "plain" else straight_through(w, bf16_round(w))

    def linear(x: torch.Tensor, name: str) -> torch.Tensor:
        return bitlinear(x, p[name], c.weights, numerics, c.share)

    def heads(x: torch.Tensor, rotate: bool) -> torch.Tensor:
        x = x.reshape(b * t, -1, c.head_dim)
        return (rope(x, positions, c.rope_theta, c.rope) if rotate else x).reshape(b, t, -1, c.head_dim)

    embedding = table(p["token_embd"])
    x = embedding[tokens.reshape(-1)]
    for i in range(c.layers):
        n = f"layers.{i}."
        h = rmsnorm(x, p[n + "attn_norm"], c.eps)
        q, k, v = (linear(h, n + name) for name in ("attn_q", "attn_k", "attn_v"))
        a = attention(heads(q, True), heads(k, True), heads(v, False)).reshape(b * t, -1)
        if c.sub_norms:
            a = rmsnorm(a, p[n + "attn_sub_norm"], c.eps)
        x = x + linear(a, n + "attn_output")
        h = rmsnorm(x, p[n + "ffn_norm"], c.eps)
        u = glu(linear(h, n + "ffn_gate"), linear(h, n + "ffn_up"), c.activation)
        if c.sub_norms:
            u = rmsnorm(u, p[n + "ffn_sub_norm"], c.eps)
        x = x + linear(u, n + "ffn_down")
    return rmsnorm(x, p["output_norm"], c.eps) @ (embedding if c.tied else table(p["output"])).t()


def loss_and_gradients(
    c: Config, p: Tensors, tokens: torch.Tensor, targets: torch.Tensor, numerics: Optional[Numerics] = None
) -> Tuple[torch.Tensor, torch.Tensor, Tensors]:
    """Logits (B*T, V), mean loss in nats, the gradient of every parameter."""
    leaves = {name: w.detach().requires_grad_() for name, w in p.items()}
    logits = forward(c, leaves, tokens, numerics)
    loss = cross_entropy(logits, targets.reshape(-1)).mean()
    gradients = torch.autograd.grad(loss, list(leaves.values()))
    return logits.detach(), loss.detach(), dict(zip(leaves, gradients))


# ---- optimizer ---------------------------------------------------------------------------------------------------


def gradient_norm(gradients: Tensors) -> float:
    return math.sqrt(sum(float(g.double().pow(2).sum()) for g in gradients.values()))


class AdamW:
    """Decoupled weight decay on linear matrices only; the global gradient norm is clipped first."""

    def __init__(self, p: Tensors, clip: float = 1.0, beta1: float = 0.9, beta2: float = 0.95, eps: float = 1e-8):
        self.clip, self.beta1, self.beta2, self.eps, self.t = clip, beta1, beta2, eps, 0
        self.m = {name: torch.zeros_like(w) for name, w in p.items()}
        self.v = {name: torch.zeros_like(w) for name, w in p.items()}

    def step(self, p: Tensors, gradients: Tensors, lr: float, weight_decay: float) -> float:
        """Updates p in place; returns the gradient norm before clipping."""
        self.t += 1
        norm = gradient_norm(gradients)
        factor = self.clip / norm if norm > self.clip else 1.0
        correction1, correction2 = 1 - self.beta1**self.t, 1 - self.beta2**self.t
        for name, w in p.items():
            g, m, v = gradients[name] * factor, self.m[name], self.v[name]
            m.mul_(self.beta1).add_(g, alpha=1 - self.beta1)
            v.mul_(self.beta2).add_(g * g, alpha=1 - self.beta2)
            update = (m / correction1) / ((v / correction2).sqrt() + self.eps)
            if is_linear(name):
                update = update + weight_decay * w
            w.sub_(lr * update)
        return norm


class Muon:
    """One matrix. Momentum (Nesterov's), five Newton-Schulz steps, 0.2 sqrt(max(rows, cols)); decoupled weight decay."""

    def __init__(self, w: torch.Tensor, momentum: float = 0.95, steps: int = 5):
        self.momentum, self.steps, self.m = momentum, steps, torch.zeros_like(w)

    def orthogonal(self, g: torch.Tensor) -> torch.Tensor:
        x = g / (torch.linalg.norm(g) + 1e-7)
        tall = x.shape[0] > x.shape[1]
        x = x.T if tall else x
        for _ in range(self.steps):
            gram = x @ x.T
            x = 3.4445 * x + (-4.7750 * gram + 2.0315 * gram @ gram) @ x
        return x.T if tall else x

    def step(self, w: torch.Tensor, gradient: torch.Tensor, lr: float, weight_decay: float) -> torch.Tensor:
        """Updates w in place; returns what the rate multiplied, without decay."""
        self.m.mul_(self.momentum).add_(gradient)
        update = 0.2 * math.sqrt(max(w.shape)) * self.orthogonal(gradient + self.momentum * self.m)
        w.sub_(lr * (update + weight_decay * w))
        return update


@dataclasses.dataclass
class Schedule:
    """Two linear schedules over the same total; the run jumps from the first to the second at half."""

    steps: int
    warmup: int
    lr: float = 1.5e-3  # peak of the first
    lr2: float = 1e-3  # peak of the second
    lr_end: float = 3e-5
    weight_decay: float = 0.1  # until half, then 0

    def at(self, step: int) -> Tuple[float, float]:
        """Learning rate and weight decay of step 0..steps-1."""
        second = step >= self.steps // 2
        peak = self.lr2 if second else self.lr
        if step < self.warmup:
            lr = peak * (step + 1) / self.warmup
        else:
            lr = self.lr_end + (peak - self.lr_end) * (self.steps - step) / (self.steps - self.warmup)
        return lr, 0.0 if second else self.weight_decay


def deterministic() -> None:
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    torch.set_flush_denormal(False)


def to_double(p: Tensors) -> Tensors:
    return {name: w.double() for name, w in p.items()}


def clone(p: Tensors) -> Tensors:
    return {name: w.clone() for name, w in p.items()}


def run_steps(
    c: Config, p: Tensors, batches: torch.Tensor, rates: List[Tuple[float, float]], numerics: Optional[Numerics] = None
) -> Tuple[List[float], List[float]]:
    """Trains p in place on batches (steps, B, T+1); losses and gradient norms of every step."""
    optimizer, losses, norms = AdamW(p), [], []
    for batch, (lr, weight_decay) in zip(batches.long(), rates):
        _, loss, gradients = loss_and_gradients(c, p, batch[:, :-1], batch[:, 1:], numerics)
        losses.append(float(loss))
        norms.append(optimizer.step(p, gradients, lr, weight_decay))
    return losses, norms
