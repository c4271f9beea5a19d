#!/usr/bin/env python3
"""Logits of real checkpoints, computed by the reference model in float32 without transformers.

    python3 tools/oracle/hf_logits.py --model DIR|FILE.bin --tokens "1 403 407"      prints one JSON line a position
    python3 tools/oracle/hf_logits.py --model FILE.bin --greedy 200 [--vocab tok512.bin]    greedy ids (and text) from BOS
    python3 tools/oracle/hf_logits.py --fixtures [--data ../shared/data]             writes reference_*.safetensors
"""
from __future__ import annotations

import argparse
import json
import re
import struct
from pathlib import Path
from typing import Dict, List, Optional, Tuple

import numpy as np
import torch

import bitnet
import safetensors_io
from bitnet import Config, Tensors

ROOT = Path(__file__).resolve().parents[2]
HF_NAMES = {
    "input_layernorm": "attn_norm", "self_attn.q_proj": "attn_q", "self_attn.k_proj": "attn_k", "self_attn.v_proj": "attn_v",
    "self_attn.attn_sub_norm": "attn_sub_norm", "self_attn.o_proj": "attn_output", "post_attention_layernorm": "ffn_norm",
    "mlp.gate_proj": "ffn_gate", "mlp.up_proj": "ffn_up", "mlp.ffn_sub_norm": "ffn_sub_norm", "mlp.down_proj": "ffn_down",
}  # fmt: skip
HF_TOP = {"model.embed_tokens.weight": "token_embd", "model.norm.weight": "output_norm", "lm_head.weight": "output"}


def our_name(hf: str) -> str:
    match = re.fullmatch(r"model\.layers\.(\d+)\.(.+)\.weight", hf)
    return f"layers.{match[1]}.{HF_NAMES[match[2]]}" if match else HF_TOP[hf]


def load_hf(directory: Path, weights: str) -> Tuple[Config, Tensors]:
    """config.json and one model.safetensors of a LlamaForCausalLM-like model."""
    h = json.loads((directory / "config.json").read_text())
    arrays, _ = safetensors_io.read(directory / "model.safetensors")
    p = {our_name(name): torch.from_numpy(a).float() for name, a in arrays.items()}
    for key in ("attention_bias", "mlp_bias", "rope_scaling"):
        assert not h.get(key), f"{key} is not supported"
    c = Config(
        dim=h["hidden_size"], layers=h["num_hidden_layers"], heads=h["num_attention_heads"],
        kv_heads=h.get("num_key_value_heads") or h["num_attention_heads"], ffn=h["intermediate_size"],
        vocab=h["vocab_size"], context=h["max_position_embeddings"], activation=h["hidden_act"],
        sub_norms="layers.0.attn_sub_norm" in p, tied=bool(h.get("tie_word_embeddings", False)),
        rope_theta=h.get("rope_theta") or 10000.0, eps=h["rms_norm_eps"], weights=weights, head_dim=h.get("head_dim") or 0,
    )  # fmt: skip
    if c.tied:
        p.pop("output", None)
    check(c, p)
    return c, p


def load_llama2c(path: Path, weights: str) -> Tuple[Config, Tensors]:
    """The legacy (version 0) llama2.c format; a negative vocabulary size means a separate classifier at the end."""
    data = path.read_bytes()
    dim, ffn, layers, heads, kv_heads, vocab, context = struct.unpack_from("<7i", data)
    c = Config(dim, layers, heads, kv_heads, ffn, abs(vocab), context, sub_norms=False, tied=vocab > 0, weights=weights, rope="interleaved")
    values, offset = np.frombuffer(data, "<f4", offset=28), 0

    def take(*shape: int) -> torch.Tensor:
        nonlocal offset
        count = int(np.prod(shape))
        offset += count
        return torch.from_numpy(values[offset - count : offset].reshape(shape).copy())

    shapes = bitnet.weight_shapes(c)
    p = {"token_embd": take(*shapes["token_embd"])}
    order = ("attn_norm", "attn_q", "attn_k", "attn_v", "attn_output", "ffn_norm", "ffn_gate", "ffn_down", "ffn_up")
    for name in order:
        stacked = take(layers, *shapes[f"layers.0.{name}"])
        p.update({f"layers.{i}.{name}": stacked[i] for i in range(layers)})
    p["output_norm"] = take(dim)
    take(2, context, c.head_dim // 2)  # the cosine and sine tables, unused
    if not c.tied:
        p["output"] = take(*shapes["output"])
    assert offset == len(values), f"{path}: {len(values)} floats, expected {offset}"
    check(c, p)
    return c, p


def check(c: Config, p: Tensors) -> None:
    expected = bitnet.weight_shapes(c)
    actual = {name: tuple(w.shape) for name, w in p.items()}
    assert actual == expected, sorted(set(actual.items()) ^ set(expected.items()))


def load(path: Path, weights: str) -> Tuple[Config, Tensors]:
    return load_hf(path, weights) if path.is_dir() else load_llama2c(path, weights)


@torch.no_grad()
def logits_of(c: Config, p: Tensors, ids: List[int]) -> torch.Tensor:
    return bitnet.forward(c, p, torch.tensor([ids]))


def greedy(c: Config, p: Tensors, steps: int, bos: int = 1) -> List[int]:
    """BOS and up to `steps` more ids at temperature 0; stops before a second BOS, as llama2.c does."""
    ids = [bos]
    while len(ids) <= steps:
        best = int(logits_of(c, p, ids)[-1].argmax())
        if best == bos:
            break
        ids.append(best)
    return ids


def llama2c_text(vocab_file: Path, ids: List[int]) -> bytes:
    """Decodes as llama2.c: no space right after BOS, <0xXX> pieces are single bytes."""
    data, offset, pieces = vocab_file.read_bytes(), 4, []
    while offset < len(data):
        _, length = struct.unpack_from("<fi", data, offset)
        pieces.append(data[offset + 8 : offset + 8 + length])
        offset += 8 + length
    text = b""
    for before, token in zip(ids, ids[1:]):
        piece = pieces[token].lstrip(b" ") if before == 1 and pieces[token][:1] == b" " else pieces[token]
        raw = re.fullmatch(rb"<0x([0-9A-Fa-f]{2})>", piece)
        text += bytes([int(raw[1], 16)]) if raw else piece
    return text


def write_fixtures(data: Path, out: Path) -> None:
    """Tokens, logits and the error of float32 against float64 for both small public checkpoints."""
    stories = data / "ckpt" / "stories260K"
    c, p = load(stories / "stories260K.bin", "plain")
    ids = greedy(c, p, 200)
    expected = (stories / "expected_greedy_200_steps.txt").read_bytes().rstrip(b"\n")
    text = llama2c_text(stories / "tok512.bin", ids)
    assert text.rstrip(b"\n") == expected, f"greedy text differs: {text!r}"
    print(f"stories260K: {len(ids) - 1} greedy ids reproduce expected_greedy_200_steps.txt")
    cases: Dict[str, Tuple[Config, Tensors, List[int]]] = {"stories260K": (c, p, ids[:32])}
    c, p = load(data / "ckpt" / "verl-tiny-llama", "plain")
    tokens = torch.randint(0, c.vocab, (24,), generator=torch.Generator().manual_seed(3)).tolist()
    cases["verl_tiny_llama"] = (c, p, tokens)
    for name, (c, p, tokens) in cases.items():
        low, high = logits_of(c, p, tokens), logits_of(c, bitnet.to_double(p), tokens)
        error = float((low.double() - high).abs().max())
        top2 = low.topk(2).values
        lead = float((top2[:, 0] - top2[:, 1]).min())
        print(f"{name}: max |logit| {float(low.abs().max()):.2f}, float32 error {error:.1e}, smallest lead {lead:.2e}")
        path = out / f"reference_{name}.safetensors"
        metadata = {"torch": torch.__version__, "config": json.dumps(vars(c)), "tolerance": json.dumps({"logits": error})}
        safetensors_io.write(path, {"tokens": np.array(tokens, np.int32), "logits": low.numpy()}, metadata)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path)
    parser.add_argument("--weights", choices=("plain", "full", "ternary", "binary"), default="plain")
    parser.add_argument("--tokens", help="ids with spaces between")
    parser.add_argument("--greedy", type=int, metavar="STEPS")
    parser.add_argument("--vocab", type=Path, help="llama2.c tokenizer, to print greedy text")
    parser.add_argument("--write", type=Path, help="write tokens and logits to this safetensors file instead")
    parser.add_argument("--fixtures", action="store_true")
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared" / "data")
    parser.add_argument("--out", type=Path, default=ROOT / "tests" / "fixtures")
    args = parser.parse_args()
    bitnet.deterministic()
    if args.fixtures:
        return write_fixtures(args.data, args.out)
    if args.model is None or (args.tokens is None) == (args.greedy is None):
        parser.error("give --fixtures, or --model with either --tokens or --greedy")
    c, p = load(args.model, args.weights)
    ids: Optional[List[int]] = [int(i) for i in args.tokens.split()] if args.tokens else greedy(c, p, args.greedy)
    if args.greedy is not None:
        print(" ".join(map(str, ids)))
        if args.vocab:
            print(llama2c_text(args.vocab, ids).decode(errors="replace"))
        return None
    logits = logits_of(c, p, ids)
    if args.write:
        safetensors_io.write(args.write, {"tokens": np.array(ids, np.int32), "logits": logits.numpy()}, {"config": json.dumps(vars(c))})
    else:
        for token, row in zip(ids, logits.tolist()):
            print(json.dumps({"token": token, "logits": row}))
    return None


if __name__ == "__main__":
    main()
