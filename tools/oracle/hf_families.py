#!/usr/bin/env python3
"""Tiny models of the published BitNet families as Hugging Face directories, with the logits that transformers gives.

    TORCHDYNAMO_DISABLE=1 python3 tools/oracle/hf_families.py [--out tests/golden/hf] [FAMILY ...]

Needs torch, transformers and accelerate (docs/formats.md names the versions). Each directory holds config.json with the
keys of the published model, its weights, and expected.safetensors: tokens, logits and a tolerance. The logits are
transformers' on a CPU in float32; 1bitLLM's models, whose code is not part of transformers, get those of the reference
below. The reference computes every family in float64: its distance from transformers' float32 is the tolerance.

Two choices make the numbers comparable to the last bits. Master weights lie on a grid on which the mean magnitude of a
matrix is exactly a bfloat16, so that nobody rounds its scale. And models are drawn until no activation lies so close to
a tie between two int8 values that float32 could fall on the other side.
"""
from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Dict, List, Optional, Tuple

import numpy as np
import safetensors_io
import torch
from safetensors.torch import load_file, save_file
from transformers.integrations.bitnet import pack_weights

ROOT = Path(__file__).resolve().parents[2]
TOKENS = 6
TIE_DISTANCE = 3e-4  # of int8 steps: float32's error in x * 127 / max|x| is about 1e-4 of them
LINEARS = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")
Weights = Dict[str, torch.Tensor]


@dataclass
class Family:
    config: Dict[str, Any]
    form: str  # "real", "masters", "multiplies" (packed), "divides" (packed)
    dtype: torch.dtype = torch.bfloat16
    norms: Tuple[str, str] = ("", "")  # the names of the sub-norms before o and down; empty without
    shards: int = 1
    reference_only: bool = False  # transformers has no class for it
    quantization: Optional[Dict[str, Any]] = field(default=None)
    free: bool = False  # masters whose gamma no bf16 holds
    bare: bool = False  # BitNet's embedding models: no head, no "model.", a norm in each linear layer

    @property
    def gemma(self) -> bool:
        return self.config["model_type"] == "gemma3_text"

    @property
    def qk_norms(self) -> bool:
        return self.gemma or self.config["model_type"] == "qwen3"


def shape(dim: int, ffn: int, heads: int, kv_heads: int, vocab: int, **more: Any) -> Dict[str, Any]:
    return {
        "vocab_size": vocab, "hidden_size": dim, "intermediate_size": ffn, "num_hidden_layers": 2, "num_attention_heads": heads,
        "num_key_value_heads": kv_heads, "max_position_embeddings": 64, "bos_token_id": 1, "eos_token_id": 2, **more,
    }  # fmt: skip


def families() -> Dict[str, Family]:
    bitnet = {"architectures": ["BitNetForCausalLM"], "model_type": "bitnet", "hidden_act": "relu2", "rms_norm_eps": 1e-5,
              "rope_theta": 500000.0, "tie_word_embeddings": True, "torch_dtype": "bfloat16"}  # fmt: skip
    llama = {"architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_act": "silu", "attention_bias": False,
             "mlp_bias": False, "rope_scaling": None, "tie_word_embeddings": False}  # fmt: skip
    auto = {"quant_method": "bitnet", "linear_class": "autobitlinear"}
    sub_norms = ("self_attn.attn_sub_norm", "mlp.ffn_sub_norm")
    qwen = {"model_type": "qwen3", "hidden_act": "silu", "attention_bias": False, "rms_norm_eps": 1e-6, "rope_theta": 1e6,
            "rope_scaling": None, "use_sliding_window": False, "tie_word_embeddings": True, "torch_dtype": "bfloat16"}  # fmt: skip
    gemma = {"model_type": "gemma3_text", "hidden_activation": "gelu_pytorch_tanh", "attention_bias": False, "rms_norm_eps": 1e-6,
             "rope_theta": 1e6, "rope_local_base_freq": 1e4, "rope_scaling": None, "query_pre_attn_scalar": 16, "sliding_window": 4,
             "attn_logit_softcapping": None, "final_logit_softcapping": None, "torch_dtype": "bfloat16"}  # fmt: skip
    windows = {"num_hidden_layers": 3, "layer_types": ["sliding_attention", "sliding_attention", "full_attention"]}
    return {
        "qwen3_embedding": Family({**shape(24, 40, 4, 2, 64, head_dim=16), **qwen, "architectures": ["Qwen3Model"]}, "masters", bare=True),
        "gemma3_embedding": Family({**shape(24, 40, 2, 1, 64, head_dim=16), **gemma, **windows, "architectures": ["Gemma3TextModel"]}, "masters", bare=True),
        "qwen3_f32": Family({**shape(24, 40, 4, 2, 64, head_dim=16), **qwen, "architectures": ["Qwen3ForCausalLM"], "tie_word_embeddings": False, "torch_dtype": "float32"}, "real", torch.float32),
        "gemma3_f32": Family({**shape(24, 40, 2, 1, 64, head_dim=16), **gemma, **windows, "architectures": ["Gemma3ForCausalLM"], "torch_dtype": "float32"}, "real", torch.float32),
        "2b4t_packed": Family({**shape(32, 48, 4, 2, 64), **bitnet, "quantization_config": {**auto, "quantization_mode": "offline"}}, "multiplies", norms=sub_norms),
        "2b4t_early": Family({**shape(32, 48, 4, 2, 64), **bitnet, "quantization_config": {"quant_method": "bitnet", "offline_quantization": True}}, "multiplies", norms=sub_norms, quantization={**auto, "quantization_mode": "offline"}),
        "2b4t_masters": Family({**shape(32, 48, 4, 2, 64), **bitnet, "quantization_config": {**auto, "quantization_mode": "online"}}, "masters", norms=sub_norms),
        "2b4t_masters_f32": Family({**shape(32, 48, 4, 2, 64), **bitnet, "torch_dtype": "float32", "quantization_config": {**auto, "quantization_mode": "online"}}, "masters", torch.float32, norms=sub_norms, free=True),
        "1bitllm": Family({**shape(40, 52, 4, 4, 66), **llama, "architectures": ["BitnetForCausalLM"], "rms_norm_eps": 1e-5, "rope_theta": 10000.0, "tie_word_embeddings": True, "torch_dtype": "float16", "weight_bits": 1, "input_bits": 8, "pad_token_id": 3}, "masters", torch.float16, ("self_attn.inner_attn_ln", "mlp.ffn_layernorm"), reference_only=True),
        "llama3_158": Family({**shape(32, 48, 4, 1, 64), **llama, "rms_norm_eps": 1e-5, "rope_theta": 500000.0, "is_bitnet_config": True, "quantization_config": {"quant_method": "bitnet", "modules_to_not_convert": None}, "torch_dtype": "bfloat16"}, "divides", shards=2),
        "falcon3_158": Family({**shape(32, 48, 2, 1, 64, head_dim=16), **llama, "rms_norm_eps": 1e-6, "rope_theta": 1000042.0, "is_bitnet_config": True, "quantization_config": {"quant_method": "bitnet", "modules_to_not_convert": ["lm_head"]}, "torch_dtype": "bfloat16"}, "divides"),
        "llama_f32": Family({**shape(24, 40, 4, 2, 64), **llama, "rms_norm_eps": 1e-6, "rope_theta": 10000.0, "torch_dtype": "float32"}, "real", torch.float32),
        "llama_f16": Family({**shape(24, 40, 4, 2, 64), **llama, "rms_norm_eps": 1e-6, "rope_theta": 10000.0, "torch_dtype": "float16"}, "real", torch.float16),
        "llama_bf16_sharded": Family({**shape(24, 40, 4, 2, 64), **llama, "rms_norm_eps": 1e-6, "rope_theta": 10000.0, "torch_dtype": "bfloat16"}, "real", shards=3),
    }  # fmt: skip


def grid_matrix(rng: np.random.Generator, rows: int, cols: int) -> Tuple[torch.Tensor, float]:
    """k * 2^-10 with whole |k| < 256 whose mean magnitude is m * 2^-10, m odd and whole: exact in bf16 and in f16."""
    mean = int(rng.integers(15, 30)) * 2 + 1
    k = np.clip(np.rint(rng.normal(0, mean * 1.25, rows * cols)), -255, 255).astype(np.int64)
    while (gap := int(np.abs(k).sum()) - mean * k.size) != 0:
        i = int(rng.integers(k.size))
        step = -1 if gap > 0 else 1
        if 0 < abs(k[i]) + step < 256:
            k[i] += step if k[i] >= 0 else -step
    return torch.from_numpy(k.reshape(rows, cols) / 1024.0).float(), mean / 1024.0


def free_matrix(rng: np.random.Generator, rows: int, cols: int) -> Tuple[torch.Tensor, float]:
    """Normal numbers none of which is near a tie, with the gamma that transformers computes, between two bf16."""
    while True:
        master = torch.from_numpy(rng.normal(0, 0.05, (rows, cols))).float()
        gamma = master.abs().mean()
        ratio = master.abs() / gamma
        if abs(float(gamma.bfloat16()) / float(gamma) - 1) > 1e-3 and float((ratio - 0.5).abs().min()) > 1e-5:
            return master, float(gamma)


def pack(trits: torch.Tensor) -> torch.Tensor:
    """transformers' own: four trits a byte from the four quarters of the rows, the first in the lowest bits."""
    return pack_weights(trits.float()).to(torch.uint8)


def draw(family: Family, rng: np.random.Generator) -> Tuple[Weights, Weights]:
    """The file's tensors, and the same as real float32 matrices (trits times scale) for the reference."""
    c = family.config
    dim, ffn, vocab = c["hidden_size"], c["intermediate_size"], c["vocab_size"]
    head = c.get("head_dim", dim // c["num_attention_heads"])
    q, kv = c["num_attention_heads"] * head, c["num_key_value_heads"] * head
    shapes = {"self_attn.q_proj": (q, dim), "self_attn.k_proj": (kv, dim), "self_attn.v_proj": (kv, dim), "self_attn.o_proj": (dim, q),
              "mlp.gate_proj": (ffn, dim), "mlp.up_proj": (ffn, dim), "mlp.down_proj": (dim, ffn)}  # fmt: skip
    stored: Weights = {}
    real: Weights = {}

    def put(name: str, values: np.ndarray) -> None:
        stored[name] = torch.from_numpy(values).to(family.dtype)
        real[name] = stored[name].float()

    put("model.embed_tokens.weight", rng.normal(0, 1, (vocab, dim)))
    if not c.get("tie_word_embeddings", family.gemma):
        put("lm_head.weight", rng.normal(0, 0.3, (vocab, dim)))
    center = 0 if family.gemma else 1  # Gemma's norms hold gains less 1
    put("model.norm.weight", rng.normal(center, 0.2, dim))
    for layer in range(c["num_hidden_layers"]):
        prefix = f"model.layers.{layer}."
        gains = [("input_layernorm", dim), ("post_attention_layernorm", dim)]
        gains += [(family.norms[0], q), (family.norms[1], ffn)] if family.norms[0] else []
        gains += [("self_attn.q_norm", head), ("self_attn.k_norm", head)] if family.qk_norms else []
        gains += [("pre_feedforward_layernorm", dim), ("post_feedforward_layernorm", dim)] if family.gemma else []
        for name, width in gains:
            put(f"{prefix}{name}.weight", rng.normal(center, 0.2, width))
        for name, (rows, cols) in shapes.items() if family.bare else ():
            put(f"{prefix}{name}.norm.weight", rng.normal(1, 0.2, cols))
        for name, (rows, cols) in shapes.items():
            name = f"{prefix}{name}.weight"
            if family.form == "real":
                put(name, rng.normal(0, cols**-0.5, (rows, cols)))
                continue
            master, gamma = free_matrix(rng, rows, cols) if family.free else grid_matrix(rng, rows, cols)
            trits = (master / gamma).round().clamp(-1, 1)
            if family.form == "masters":
                stored[name], real[name] = master.to(family.dtype), trits * gamma
                continue
            scale = torch.tensor([gamma if family.form == "multiplies" else 1 / gamma], dtype=torch.bfloat16)
            stored[name], stored[name + "_scale"] = pack(trits), scale
            real[name] = trits.double() * scale.double() if family.form == "multiplies" else trits.double() / scale.double()
    return stored, real


class Reference:
    """The graph in float64 and numpy, of any of these families; `ties` is the least distance to an int8 tie met."""

    def __init__(self, family: Family, real: Weights) -> None:
        self.c, self.family, self.ties = family.config, family, 1.0
        self.w = {name: tensor.double().numpy() for name, tensor in real.items()}

    def norm(self, x: np.ndarray, name: str) -> np.ndarray:
        gain = self.w[name + ".weight"] + (1 if self.family.gemma and not name.endswith("_proj.norm") else 0)
        return x / np.sqrt(np.mean(x * x, -1, keepdims=True) + self.c["rms_norm_eps"]) * gain

    def quantize(self, x: np.ndarray) -> np.ndarray:
        if self.family.form == "real":
            return x
        scale = 127 / np.maximum(np.abs(x).max(-1, keepdims=True), 1e-5)
        q = x * scale
        self.ties = min(self.ties, float(np.abs(q - np.floor(q) - 0.5).min()))
        return np.clip(np.rint(q), -128, 127) / scale

    def linear(self, x: np.ndarray, name: str) -> np.ndarray:
        x = self.norm(x, name + ".norm") if self.family.bare else x
        return self.quantize(x) @ self.w[name + ".weight"].T

    def act(self, x: np.ndarray) -> np.ndarray:
        if self.family.gemma:
            return x / 2 * (1 + np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3)))
        return x / (1 + np.exp(-x)) if self.c["hidden_act"] == "silu" else np.maximum(x, 0) ** 2

    def windowed(self, layer: int) -> bool:
        return self.family.gemma and self.c["layer_types"][layer] == "sliding_attention"

    def rotate(self, x: np.ndarray, head: int, theta: float) -> np.ndarray:  # (T, heads, head): pairs half a head apart
        angle = np.arange(len(x))[:, None] * theta ** (-np.arange(0, head, 2) / head)
        cos, sin = np.cos(angle)[:, None], np.sin(angle)[:, None]
        a, b = x[..., : head // 2], x[..., head // 2 :]
        return np.concatenate([a * cos - b * sin, b * cos + a * sin], -1)

    def attention(self, x: np.ndarray, layer: int) -> np.ndarray:
        prefix, local = f"model.layers.{layer}.self_attn.", self.windowed(layer)
        heads, groups = self.c["num_attention_heads"], self.c["num_key_value_heads"]
        head = self.c.get("head_dim", self.c["hidden_size"] // heads)
        q, k, v = (self.linear(x, f"{prefix}{n}_proj") for n in "qkv")
        q, k = q.reshape(-1, heads, head), k.reshape(-1, groups, head)
        if self.family.qk_norms:
            q, k = self.norm(q, prefix + "q_norm"), self.norm(k, prefix + "k_norm")
        theta = self.c["rope_local_base_freq" if local else "rope_theta"]
        q, k = self.rotate(q, head, theta), self.rotate(k, head, theta)
        k, v = np.repeat(k, heads // groups, 1), np.repeat(v.reshape(-1, groups, head), heads // groups, 1)
        scores = np.einsum("thd,shd->hts", q, k) / np.sqrt(head)
        seen = np.tri(len(x), dtype=bool)
        seen &= ~np.tri(len(x), k=-self.c["sliding_window"], dtype=bool) if local else True
        scores = np.where(seen, scores, -np.inf)
        p = np.exp(scores - scores.max(-1, keepdims=True))
        return np.einsum("hts,shd->thd", p / p.sum(-1, keepdims=True), v).reshape(len(x), -1)

    def logits(self, tokens: List[int]) -> np.ndarray:
        x = self.w["model.embed_tokens.weight"][tokens]
        x = x * np.sqrt(x.shape[1]) if self.family.gemma else x
        for layer in range(self.c["num_hidden_layers"]):
            prefix, sub = f"model.layers.{layer}.", self.family.norms
            y = self.attention(self.norm(x, prefix + "input_layernorm"), layer)
            y = self.norm(y, prefix + sub[0]) if sub[0] else y
            y = self.linear(y, f"{prefix}self_attn.o_proj")
            x = x + (self.norm(y, prefix + "post_attention_layernorm") if self.family.gemma else y)
            y = self.norm(x, prefix + ("pre_feedforward_layernorm" if self.family.gemma else "post_attention_layernorm"))
            y = self.act(self.linear(y, f"{prefix}mlp.gate_proj")) * self.linear(y, f"{prefix}mlp.up_proj")
            y = self.norm(y, prefix + sub[1]) if sub[1] else y
            y = self.linear(y, f"{prefix}mlp.down_proj")
            x = x + (self.norm(y, prefix + "post_feedforward_layernorm") if self.family.gemma else y)
        head = self.w["model.embed_tokens.weight" if self.c.get("tie_word_embeddings", self.family.gemma) else "lm_head.weight"]
        return self.norm(x, "model.norm") @ head.T


def write(directory: Path, family: Family, stored: Weights) -> None:
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir(parents=True)
    (directory / "config.json").write_text(json.dumps(family.config, indent=2) + "\n")
    stored = {name.removeprefix("model.") if family.bare else name: tensor.contiguous() for name, tensor in stored.items()}
    if family.shards == 1:
        return save_file(stored, directory / "model.safetensors", {"format": "pt"})
    names = sorted(stored)
    weight_map = {name: f"model-{i * family.shards // len(names) + 1:05}-of-{family.shards:05}.safetensors" for i, name in enumerate(names)}
    for file in sorted(set(weight_map.values())):
        save_file({name: stored[name] for name in names if weight_map[name] == file}, directory / file, {"format": "pt"})
    total = sum(tensor.numel() * tensor.element_size() for tensor in stored.values())
    index = {"metadata": {"total_size": total}, "weight_map": weight_map}
    (directory / "model.safetensors.index.json").write_text(json.dumps(index, indent=1) + "\n")
    return None


def causal_copy(directory: Path, family: Family, copy: Path) -> None:
    """An embedding model as transformers knows norms in linear layers: the same numbers by other names, with a head."""
    quantization = {"quant_method": "bitnet", "linear_class": "autobitlinear", "quantization_mode": "online",
                    "use_rms_norm": True, "rms_norm_eps": family.config["rms_norm_eps"]}  # fmt: skip
    architecture = "Gemma3ForCausalLM" if family.gemma else "Qwen3ForCausalLM"
    config = {**family.config, "architectures": [architecture], "quantization_config": quantization, "torch_dtype": "float32"}
    (copy / "config.json").write_text(json.dumps(config))
    stored = {"model." + name.replace("_proj.norm.", "_proj.rms_norm."): tensor.float() for name, tensor in load_file(directory / "model.safetensors").items()}
    save_file(stored, copy / "model.safetensors", {"format": "pt"})


def transformers_logits(directory: Path, family: Family, tokens: List[int]) -> np.ndarray:
    from transformers import AutoModelForCausalLM

    if family.quantization is not None:  # what the early keys mean in releases that no longer know them
        config = {**family.config, "quantization_config": family.quantization}
        (directory / "config.json").write_text(json.dumps(config))
    with tempfile.TemporaryDirectory() as copy:
        if family.bare:
            causal_copy(directory, family, Path(copy))
        # Asking for float32 while loading leaves packed layers in the file's type; everything is exact in float32 afterwards.
        model = AutoModelForCausalLM.from_pretrained(copy if family.bare else directory, attn_implementation="eager").eval()
    torch.nn.Module.float(model)  # its own float() refuses quantized models
    for module in model.modules():
        if type(module).__name__ == "BitLinear":
            module.dtype = torch.float32
        if hasattr(module, "embed_scale"):  # rounded to the type it was loaded in
            module.embed_scale = torch.tensor(family.config["hidden_size"] ** 0.5, dtype=torch.float32)
    (directory / "config.json").write_text(json.dumps(family.config, indent=2) + "\n")
    with torch.no_grad():
        return model(torch.tensor([tokens])).logits[0].float().numpy()


def make(name: str, family: Family, directory: Path) -> None:
    for seed in range(1000):
        rng = np.random.default_rng([sum(name.encode()), seed])
        stored, real = draw(family, rng)
        tokens = [1] + rng.integers(4, family.config["vocab_size"], TOKENS - 1).tolist()
        reference = Reference(family, real)
        exact = reference.logits(tokens)
        if reference.ties >= TIE_DISTANCE:
            break
    else:
        sys.exit(f"{name}: no draw is far enough from ties")
    write(directory, family, stored)
    logits = exact.astype(np.float32) if family.reference_only else transformers_logits(directory, family, tokens)
    error = float(np.abs(logits - exact).max())
    # Without transformers the float32 error is that of a sum of `ffn` terms a layer (see the other families).
    largest = float(np.abs(exact).max())
    tolerance = 8 * max(error, 1e-6 * largest) + 8 * 2.0**-23 * largest
    import transformers

    versions = {"torch": torch.__version__, "transformers": transformers.__version__}
    safetensors_io.write(directory / "expected.safetensors", {"tokens": np.array(tokens, np.int32), "logits": logits},
                         {**versions, "tolerance": json.dumps({"logits": tolerance})})  # fmt: skip
    size = sum(file.stat().st_size for file in directory.iterdir())
    print(f"{name}: seed {seed}, {size} bytes, max |logit| {largest:.3f}, transformers - reference {error:.1e}, tolerance {tolerance:.1e}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="FAMILY")
    parser.add_argument("--out", type=Path, default=ROOT / "tests" / "golden" / "hf")
    args = parser.parse_args()
    torch.set_num_threads(1)
    known = families()
    for name in args.names or known:
        make(name, known[name], args.out / name)


if __name__ == "__main__":
    main()
