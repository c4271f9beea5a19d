#!/usr/bin/env python3
"""Whether `tern eval perplexity` says what transformers and lm-evaluation-harness say.

    python3 tools/oracle/check_perplexity.py --tern build/release/tern --data DATA [--bytes 60000]

Needs lm-eval, torch and transformers. DATA has text/ (TERN_DATA). With a small model (--model, or one that is trained on
DATA's text) the beginning of WikiText-2's test file is scored in each convention:

- gptq: GPTQ's loop (rows joined by two line ends, tokenized once, windows of the context, mean of their losses) in a few
  lines of torch;
- lm-eval: the harness's own task wikitext over the articles of the file, and its rolling log-likelihood of the text as
  one document;
- llama.cpp: its loop in a few lines of torch (second halves of windows).

A line for each; exit code 1 when one differs by more than --tolerance (relative). --golden FILE keeps the oracles' values.
"""
from __future__ import annotations

import argparse
import json
import math
import re
import sys
import tempfile
from pathlib import Path
from typing import Dict, List

import lm_eval
import torch
import transformers
from check_tasks import small_model
from lm_eval.api.instance import Instance
from lm_eval.models.huggingface import HFLM
from task_files import tern, write_rows

CONTEXT = 128


def window_losses(model: torch.nn.Module, ids: List[int], predicted: int) -> List[float]:
    """The mean loss of the last `predicted` tokens of each whole window."""
    losses = []
    for begin in range(0, len(ids) // CONTEXT * CONTEXT, CONTEXT):
        window = torch.tensor(ids[begin:begin + CONTEXT])
        with torch.no_grad():
            logits = model(window[None]).logits[0, :-1].double()
        each = torch.nn.functional.cross_entropy(logits, window[1:], reduction="none")
        losses.append(float(each[-predicted:].mean()))
    return losses


def hub_rows(text: str) -> List[str]:
    """The rows of wikitext-2-raw-v1."""
    return [line + "\n" if line.strip() else "" for line in text.splitlines()]


def hub_pages(text: str) -> List[str]:
    """The rows of EleutherAI/wikitext_document_level."""
    pages, lines = [], []
    for line in text.split("\n"):
        title = line.replace("= = =", "===").replace("= =", "==").strip()
        if title.startswith("= ") and title.endswith(" ="):
            if "\n".join(lines).strip():
                pages.append("\n".join(lines))
            lines = []
        lines.append(line)
    return pages + ["\n".join(lines)]


def harness_wikitext(model: HFLM, text: str, folder: Path) -> Dict[str, float]:
    write_rows(folder / "pages.jsonl", [{"page": page} for page in hub_pages(text)])
    definition = Path(lm_eval.__file__).parent / "tasks/wikitext/wikitext.yaml"
    files = {split: str(folder / "pages.jsonl") for split in ("train", "validation", "test")}
    local = folder / "wikitext.yaml"
    local.write_text(json.dumps({"include": str(definition), "task": "wikitext", "dataset_path": "json",
                                 "dataset_name": None, "dataset_kwargs": {"data_files": files}}))
    results = lm_eval.simple_evaluate(model=model, tasks=[str(local)], bootstrap_iters=0)["results"]["wikitext"]
    return {name: results[name + ",none"] for name in ("word_perplexity", "byte_perplexity", "bits_per_byte")}


def harness_document(model: HFLM, text: str) -> Dict[str, float]:
    request = Instance(request_type="loglikelihood_rolling", doc={}, arguments=(text,), idx=0)
    nats = -model.loglikelihood_rolling([request])[0]
    size = len(text.encode())
    return {"word_perplexity": math.exp(nats / len(re.split(r"\s+", text))), "byte_perplexity": math.exp(nats / size),
            "bits_per_byte": nats / size / math.log(2)}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tern", required=True)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--model", type=Path, help="a Hugging Face directory")
    parser.add_argument("--golden", type=Path)
    parser.add_argument("--bytes", type=int, default=60000, help="of the text")
    parser.add_argument("--tolerance", type=float, default=1e-4)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        path = args.model or small_model(args.tern, args.data, CONTEXT, folder)
        text = (args.data / "text/wikitext2/wiki.test.raw").read_bytes()[:args.bytes].decode("utf-8", "ignore")
        (folder / "text.raw").write_text(text)
        model = transformers.AutoModelForCausalLM.from_pretrained(path, dtype=torch.float32)
        tokenizer = transformers.AutoTokenizer.from_pretrained(path)
        harness = HFLM(pretrained=model, tokenizer=tokenizer, max_length=CONTEXT, batch_size=8, device="cpu")

        def mean(losses: List[float]) -> Dict[str, float]:
            loss = sum(losses) / len(losses)
            return {"loss": loss, "perplexity": math.exp(loss)}

        checks = [
            (["gptq", "--wikitext"], mean(window_losses(model, tokenizer("\n\n".join(hub_rows(text)))["input_ids"], CONTEXT - 1))),
            (["gptq"], mean(window_losses(model, tokenizer(text)["input_ids"], CONTEXT - 1))),
            (["llama.cpp"], mean(window_losses(model, tokenizer(text)["input_ids"], CONTEXT // 2 - 1))),
            (["lm-eval", "--wikitext"], harness_wikitext(harness, text, folder)),
            (["lm-eval"], harness_document(harness, text)),
        ]
        good = True
        for flags, expected in checks:
            ours = json.loads(tern(args.tern, "eval", "perplexity", "-m", path, folder / "text.raw", "--json", "-c", CONTEXT,
                                   "--convention", *flags))
            same = all(abs(ours[key] / value - 1) <= args.tolerance for key, value in expected.items())
            good &= same
            values = ", ".join(f"{key} {ours[key]:.6g} / {value:.6g}" for key, value in expected.items())
            print(f"{' '.join(flags)}: {'same' if same else 'DIFFERENT'}: {values} (tern / oracle)", flush=True)
        if args.golden:
            values = {" ".join(flags): expected for flags, expected in checks}
            args.golden.write_text(json.dumps({"bytes": args.bytes, "context": CONTEXT, "values": values}, indent=1) + "\n")
        return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
