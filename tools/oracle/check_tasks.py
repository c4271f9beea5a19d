#!/usr/bin/env python3
"""Whether `tern eval tasks` and lm-evaluation-harness answer every question alike.

    python3 tools/oracle/check_tasks.py --tern build/release/tern --data DATA [--limit 50] [--tasks arc_easy,...]

Needs lm-eval, torch and transformers. DATA has eval/ and text/ (TERN_DATA). A small model is trained on DATA's text, and
written for Hugging Face; both programs score the same questions with it, the harness with its own definitions of the
tasks, whose data sets are replaced by the original files brought into the columns that it expects. HellaSwag and BoolQ
are brought into their publishers' form first. A line for each task says how many questions have the same acc and the
same acc_norm, and the largest difference of a log-likelihood. Exit code 1 when a question differs whose decision is not
within --tolerance.
"""
from __future__ import annotations

import argparse
import bz2
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Callable, Dict, List

import lm_eval
import transformers
from lm_eval.models.huggingface import HFLM

CONTEXT = 512


def tern(program: str, *args: object) -> str:
    done = subprocess.run([program, *map(str, args)], capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"tern {' '.join(map(str, args))}: {done.stderr.strip()}")
    return done.stdout


def rows(path: Path) -> List[dict]:
    return [json.loads(line) for line in path.read_text().splitlines() if line.strip()]


def write_rows(path: Path, items: List[dict]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(item) + "\n" for item in items))


def original_files(data: Path, out: Path) -> None:
    """The publishers' files below `out`."""
    for name in ("arc", "openbookqa", "piqa", "lambada"):
        (out / name).symlink_to((data / "eval" / name).resolve())
    write_rows(out / "winogrande/dev.jsonl", rows(data / "eval/winogrande/dev.noqid.jsonl"))
    boolq = []
    for row in rows(data / "eval/boolq/boolq.foundry.jsonl"):
        passage, question = row["query"][len("Passage: "):].rsplit("\nQuestion: ", 1)
        boolq.append({"passage": passage, "question": question[:-1], "label": bool(row["gold"])})
    write_rows(out / "boolq/val.jsonl", boolq)
    lines = bz2.open(data / "eval/hellaswag/hellaswag_val_full.txt.bz2", "rt").read().split("\n")
    swag = []
    for at in range(0, len(lines) - 5, 6):
        activity, _, text = lines[at].partition(": ")
        before, _, after = text.rpartition(" ")  # ctx_b is not told apart there; its last word will do
        swag.append({"activity_label": activity, "ctx_a": before, "ctx_b": after, "label": int(lines[at + 1]),
                     "endings": lines[at + 2:at + 6]})
    write_rows(out / "hellaswag/hellaswag_val.jsonl", swag)


def flat(row: dict) -> dict:
    """ARC and OpenBookQA as the hub has them."""
    choices = row["question"]["choices"]
    return {"question": row["question"]["stem"], "question_stem": row["question"]["stem"], "answerKey": row["answerKey"],
            "choices": {"text": [c["text"] for c in choices], "label": [c["label"] for c in choices]}}


def piqa_rows(out: Path) -> List[dict]:
    labels = (out / "piqa/valid-labels.lst").read_text().split()
    return [{**row, "label": int(label)} for row, label in zip(rows(out / "piqa/valid.jsonl"), labels)]


# The harness's rows of each task, from the original files.
ROWS: Dict[str, Callable[[Path], List[dict]]] = {
    "arc_easy": lambda out: [flat(row) for row in rows(out / "arc/ARC-Easy-Test.jsonl")],
    "arc_challenge": lambda out: [flat(row) for row in rows(out / "arc/ARC-Challenge-Test.jsonl")],
    "openbookqa": lambda out: [flat(row) for row in rows(out / "openbookqa/test.jsonl")],
    "boolq": lambda out: [{**row, "label": int(row["label"])} for row in rows(out / "boolq/val.jsonl")],
    "piqa": piqa_rows,
    "winogrande": lambda out: rows(out / "winogrande/dev.jsonl"),
    "lambada_openai": lambda out: rows(out / "lambada/lambada_test_openai.jsonl"),
    "hellaswag": lambda out: [{**row, "label": str(row["label"])} for row in rows(out / "hellaswag/hellaswag_val.jsonl")],
}

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


def harness_samples(task: str, model: HFLM, out: Path, limit: int) -> List[dict]:
    path = out / "hub" / f"{task}.jsonl"
    write_rows(path, ROWS[task](out)[:limit])
    files = {split: str(path) for split in ("train", "validation", "test")}
    definition = Path(lm_eval.__file__).parent / "tasks" / DEFINITIONS[task]
    local = out / "hub" / f"{task}.yaml"  # JSON is YAML; the harness's definition with other data
    local.write_text(json.dumps({"include": str(definition), "task": task, "dataset_path": "json", "dataset_name": None,
                                 "dataset_kwargs": {"data_files": files}}))
    result = lm_eval.simple_evaluate(model=model, tasks=[str(local)], limit=limit, log_samples=True, bootstrap_iters=0)
    return sorted(result["samples"][task], key=lambda sample: sample["doc_id"])


def compare(task: str, theirs: List[dict], ours: List[dict], tolerance: float) -> bool:
    largest, different = 0.0, {"acc": 0, "acc_norm": 0}
    wrong = len(theirs) != len(ours)
    for a, b in zip(theirs, ours):
        expected = [float(pair[0]) for pair in a["filtered_resps"]] if task != "lambada_openai" else [
            float(a["filtered_resps"][0][0])]
        actual = [float(pair[0]) for pair in b["resps"]]
        wrong |= len(expected) != len(actual)
        largest = max([largest] + [abs(x - y) for x, y in zip(expected, actual)])
        for metric in different:
            if metric in a and metric in b:
                different[metric] += float(a[metric]) != float(b[metric])
    same = ", ".join(f"{metric} {len(ours) - count}/{len(ours)}" for metric, count in different.items()
                     if metric in theirs[0])
    print(f"{task}: alike {same}, log-likelihoods within {largest:.2g}", flush=True)
    return not wrong and largest <= tolerance and not any(different.values())


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tern", required=True)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--limit", type=int, default=50)
    parser.add_argument("--tasks", default=",".join(ROWS))
    parser.add_argument("--tolerance", type=float, default=5e-3, help="of a log-likelihood, in nats")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        out = Path(name)
        original_files(args.data, out)
        text = args.data / "text/tinystories/valid.txt"
        tern(args.tern, "tokenizer", "train", "--vocab", 1024, "--out", out / "tokenizer.json", text)
        tern(args.tern, "train", "--data", text, "--tokenizer", out / "tokenizer.json", "--weights", "full", "--dim", 64,
             "--layers", 2, "--heads", 4, "--ffn", 128, "--context", CONTEXT, "--batch", 2, "--steps", 30,
             "--valid-every", 0, "--out", out / "run")
        tern(args.tern, "convert", out / "run", out / "hf", "--type", "f32")
        model = HFLM(pretrained=transformers.AutoModelForCausalLM.from_pretrained(out / "hf", dtype="float32"),
                     tokenizer=transformers.AutoTokenizer.from_pretrained(out / "hf"), max_length=CONTEXT, batch_size=8,
                     device="cpu")
        good = True
        for task in args.tasks.split(","):
            tern(args.tern, "eval", "tasks", "-m", out / "hf", "--tasks", task, "--data", out, "--limit", args.limit,
                 "--samples", out / "samples.jsonl")
            theirs = harness_samples(task, model, out, args.limit)
            good &= compare(task, theirs, rows(out / "samples.jsonl"), args.tolerance)
        return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
