#!/usr/bin/env python3
"""Whether `tern eval tasks` and lm-evaluation-harness answer every question alike.

    python3 tools/oracle/check_tasks.py --tern build/release/tern --data DATA [--limit 50] [--shots 0,3] [--tasks arc_easy,...]

Needs lm-eval, torch and transformers. DATA has eval/ and text/ (TERN_DATA). Both programs score the same questions with a
small model (--model, or one that is trained on DATA's text), the harness by its own definitions of the tasks, whose data
sets are replaced by the original files (task_files.py) brought into the columns that it expects. A line for each task and
number of examples says how many questions have the same acc and the same acc_norm, and the largest difference of a
log-likelihood. Exit code 1 when a question differs or a log-likelihood by more than --tolerance. --golden FILE keeps what
the harness said. With --server the harness asks a running `tern serve` (its local-completions) instead of computing itself.
"""
from __future__ import annotations

import argparse
import contextlib
import json
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from typing import List

import lm_eval
import transformers
from lm_eval.models.huggingface import HFLM
from lm_eval.models.openai_completions import LocalCompletionsAPI
from task_files import TASKS, compare, original_files, tern, tern_samples, write_rows

CONTEXT = 512

DEFINITIONS = {
    "arc_easy": "arc/arc_easy.yaml",
    "arc_challenge": "arc/arc_challenge.yaml",
    "openbookqa": "openbookqa/openbookqa.yaml",
    "boolq": "super_glue/boolq/default.yaml",
    "piqa": "piqa/piqa.yaml",
    "winogrande": "winogrande/default.yaml",
    "lambada_openai": "lambada/lambada_openai.yaml",
    "hellaswag": "hellaswag/hellaswag.yaml",
}


def small_model(program: str, data: Path, context: int, out: Path) -> Path:
    """A model that knows a little of DATA's text, for Hugging Face."""
    text = data / "text/tinystories/valid.txt"
    tern(program, "tokenizer", "train", "--vocab", 512, "--out", out / "tokenizer.json", text)
    tern(program, "train", "--data", text, "--tokenizer", out / "tokenizer.json", "--weights", "full", "--dim", 32,
         "--layers", 2, "--heads", 2, "--ffn", 64, "--context", context, "--batch", 4, "--steps", 60, "--valid-every", 0,
         "--out", out / "run")
    tern(program, "convert", out / "run", out / "hf")
    return out / "hf"


def local_definition(task: str, out: Path) -> Path:
    """The harness's definition with our files as its data set."""
    files = {}
    questions, training, hub_rows = TASKS[task]
    for split, name in (("train", training), ("validation", questions), ("test", questions)):
        files[split] = str(out / "hub" / f"{task}-{split}.jsonl")
        write_rows(Path(files[split]), hub_rows(out / name))
    local = out / "hub" / f"{task}.yaml"  # JSON is YAML
    local.write_text(json.dumps({"include": str(Path(lm_eval.__file__).parent / "tasks" / DEFINITIONS[task]), "task": task,
                                 "dataset_path": "json", "dataset_name": None, "dataset_kwargs": {"data_files": files}}))
    return local


def harness_samples(task: str, model: object, out: Path, limit: int, shots: int) -> List[dict]:
    result = lm_eval.simple_evaluate(model=model, tasks=[str(local_definition(task, out))], limit=limit, num_fewshot=shots,
                                     log_samples=True, bootstrap_iters=0)
    samples = []
    for sample in sorted(result["samples"][task], key=lambda sample: sample["doc_id"]):
        pairs = sample["filtered_resps"]
        kept = {"lls": [round(float(pair[0]), 5) for pair in pairs]}
        kept.update({metric: int(sample[metric]) for metric in ("acc", "acc_norm") if metric in sample})
        samples.append(kept)
    return samples


class Server:
    """`tern serve` on a free port while the block lasts."""

    def __init__(self, program: str, model: Path):
        self.command = [program, "serve", "-m", str(model), "--port", "0", "-c", str(CONTEXT)]

    def __enter__(self) -> str:
        self.process = subprocess.Popen(self.command, stderr=subprocess.PIPE, text=True)
        for line in self.process.stderr:
            if "listening on" in line:
                threading.Thread(target=self.process.stderr.read, daemon=True).start()
                return line.split("listening on ")[1].strip()
        raise RuntimeError("the server did not start")

    def __exit__(self, *_: object) -> None:
        self.process.terminate()
        self.process.wait()


def harness_model(path: Path, url: str):
    """The harness's own computation, or what it asks of a server."""
    if not url:
        return HFLM(pretrained=transformers.AutoModelForCausalLM.from_pretrained(path, dtype="float32"),
                    tokenizer=transformers.AutoTokenizer.from_pretrained(path), max_length=CONTEXT, batch_size=8, device="cpu")
    return LocalCompletionsAPI(base_url=url + "/v1/completions", model="tern", tokenizer_backend="huggingface",
                               tokenizer=str(path), max_length=CONTEXT, num_concurrent=8, batch_size=1, add_bos_token=True)


def check(args: argparse.Namespace, path: Path, model: object, out: Path) -> bool:
    good, golden = True, {"limit": args.limit, "tasks": {}}
    for task in args.tasks.split(","):
        for shots in map(int, args.shots.split(",")):
            theirs = harness_samples(task, model, out, args.limit, shots)
            golden["tasks"].setdefault(task, {})[str(shots)] = theirs
            ours = tern_samples(args.tern, path, task, out, args.limit, shots)
            good &= compare(f"{task}, {shots} examples", theirs, ours, args.tolerance)
    if args.golden:
        args.golden.write_text(json.dumps(golden, separators=(",", ":")).replace("[{", "\n[{") + "\n")
    return good


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tern", required=True)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--model", type=Path, help="a Hugging Face directory")
    parser.add_argument("--limit", type=int, default=50)
    parser.add_argument("--shots", default="0,3", help="numbers of examples")
    parser.add_argument("--tasks", default=",".join(TASKS))
    parser.add_argument("--tolerance", type=float, default=5e-3, help="of a log-likelihood, in nats")
    parser.add_argument("--golden", type=Path)
    parser.add_argument("--server", action="store_true")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        out = Path(name)
        original_files(args.data, out)
        path = args.model or small_model(args.tern, args.data, CONTEXT, out)
        with Server(args.tern, path) if args.server else contextlib.nullcontext("") as url:
            return 0 if check(args, path, harness_model(path, url), out) else 1


if __name__ == "__main__":
    sys.exit(main())
