"""The tasks' data as their publishers distribute it, out of DATA/eval, with training splits to take examples from.

Not all of it lies there in that form, and no training split does: ARC's and OpenBookQA's development files stand for
theirs, of the other tasks the first QUESTIONS rows are the questions and the next ones the training split.
"""
from __future__ import annotations

import bz2
import json
import subprocess
import sys
from pathlib import Path
from typing import Callable, Dict, List, Tuple

QUESTIONS = 300
TRAINING = 700


def tern(program: str, *args: object) -> str:
    done = subprocess.run([program, *map(str, args)], capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"tern {' '.join(map(str, args))}: {done.stderr.strip()}")
    return done.stdout


def rows(path: Path) -> List[dict]:
    return [json.loads(line) for line in path.read_text().split("\n") if line.strip()]


def write_rows(path: Path, items: List[dict]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(item) + "\n" for item in items))


def write_splits(out: Path, questions: str, training: str, items: List[dict]) -> None:
    write_rows(out / questions, items[:QUESTIONS])
    write_rows(out / training, items[QUESTIONS:QUESTIONS + TRAINING])


def boolq_rows(data: Path) -> List[dict]:
    boolq = []
    for row in rows(data / "eval/boolq/boolq.foundry.jsonl"):
        passage, question = row["query"][len("Passage: "):].rsplit("\nQuestion: ", 1)
        boolq.append({"passage": passage, "question": question[:-1], "label": bool(row["gold"])})
    return boolq


def hellaswag_rows(data: Path) -> List[dict]:
    lines = bz2.open(data / "eval/hellaswag/hellaswag_val_full.txt.bz2", "rt").read().split("\n")
    swag = []
    for at in range(0, len(lines) - 5, 6):
        activity, _, text = lines[at].partition(": ")
        before, _, after = text.rpartition(" ")  # ctx_b is not told apart there; its last word will do
        swag.append({"activity_label": activity, "ctx_a": before, "ctx_b": after, "label": int(lines[at + 1]),
                     "endings": lines[at + 2:at + 6]})
    return swag


def original_files(data: Path, out: Path) -> None:
    """The publishers' files below `out`."""
    for folder, names in {"arc": ("ARC-Easy-{}.jsonl", "ARC-Challenge-{}.jsonl"), "openbookqa": ("{}.jsonl",)}.items():
        (out / folder).mkdir(parents=True)
        for name in names:
            for ours, theirs in (("Test", "Test"), ("Train", "Dev")):
                if folder == "openbookqa":
                    ours, theirs = ours.lower(), theirs.lower()
                (out / folder / name.format(ours)).symlink_to((data / "eval" / folder / name.format(theirs)).resolve())
    (out / "lambada").symlink_to((data / "eval/lambada").resolve())
    write_splits(out, "winogrande/dev.jsonl", "winogrande/train_xl.jsonl", rows(data / "eval/winogrande/dev.noqid.jsonl"))
    write_splits(out, "boolq/val.jsonl", "boolq/train.jsonl", boolq_rows(data))
    write_splits(out, "hellaswag/hellaswag_val.jsonl", "hellaswag/hellaswag_train.jsonl", hellaswag_rows(data))
    write_splits(out, "piqa/valid.jsonl", "piqa/train.jsonl", rows(data / "eval/piqa/valid.jsonl"))
    labels = (data / "eval/piqa/valid-labels.lst").read_text().splitlines(keepends=True)
    (out / "piqa/valid-labels.lst").write_text("".join(labels[:QUESTIONS]))
    (out / "piqa/train-labels.lst").write_text("".join(labels[QUESTIONS:QUESTIONS + TRAINING]))


def flat(row: dict) -> dict:
    """ARC and OpenBookQA as the hub has them."""
    choices = row["question"]["choices"]
    return {"question": row["question"]["stem"], "question_stem": row["question"]["stem"], "answerKey": row["answerKey"],
            "choices": {"text": [c["text"] for c in choices], "label": [c["label"] for c in choices]}}


def hub_piqa(path: Path) -> List[dict]:
    labels = path.with_name(path.stem + "-labels.lst").read_text().split()
    return [{**row, "label": int(label)} for row, label in zip(rows(path), labels)]


# Of each task the files with the questions and the examples, and their rows as the hub has them.
TASKS: Dict[str, Tuple[str, str, Callable[[Path], List[dict]]]] = {
    "arc_easy": ("arc/ARC-Easy-Test.jsonl", "arc/ARC-Easy-Train.jsonl", lambda path: [flat(row) for row in rows(path)]),
    "arc_challenge": ("arc/ARC-Challenge-Test.jsonl", "arc/ARC-Challenge-Train.jsonl",
                      lambda path: [flat(row) for row in rows(path)]),
    "openbookqa": ("openbookqa/test.jsonl", "openbookqa/train.jsonl", lambda path: [flat(row) for row in rows(path)]),
    "boolq": ("boolq/val.jsonl", "boolq/train.jsonl", lambda path: [{**row, "label": int(row["label"])} for row in rows(path)]),
    "piqa": ("piqa/valid.jsonl", "piqa/train.jsonl", hub_piqa),
    "winogrande": ("winogrande/dev.jsonl", "winogrande/train_xl.jsonl", rows),
    "lambada_openai": ("lambada/lambada_test_openai.jsonl", "lambada/lambada_test_openai.jsonl", rows),
    "hellaswag": ("hellaswag/hellaswag_val.jsonl", "hellaswag/hellaswag_train.jsonl",
                  lambda path: [{**row, "label": str(row["label"])} for row in rows(path)]),
}


def tern_samples(program: str, model: Path, task: str, out: Path, limit: int, shots: int) -> List[dict]:
    """What tern makes of the first questions."""
    tern(program, "eval", "tasks", "-m", model, "--tasks", task, "--data", out, "--limit", limit, "--fewshot", shots,
         "--samples", out / "samples.jsonl")
    return rows(out / "samples.jsonl")


def compare(name: str, expected: List[dict], samples: List[dict], tolerance: float) -> bool:
    """Whether tern's samples are the expected ones, {"lls": [...], "acc": ...}; prints a line."""
    largest, different = 0.0, {"acc": 0, "acc_norm": 0}
    wrong = len(expected) != len(samples)
    for theirs, ours in zip(expected, samples):
        lls = [pair[0] for pair in ours["resps"]]
        wrong |= len(theirs["lls"]) != len(lls)
        largest = max([largest] + [abs(x - y) for x, y in zip(theirs["lls"], lls)])
        for metric in different:
            if metric in theirs:
                different[metric] += float(theirs[metric]) != float(ours[metric])
    same = ", ".join(f"{metric} {len(samples) - count}/{len(samples)}" for metric, count in different.items()
                     if metric in expected[0])
    print(f"{name}: alike {same}, log-likelihoods within {largest:.2g}", flush=True)
    return not wrong and largest <= tolerance and not any(different.values())
