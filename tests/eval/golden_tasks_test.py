#!/usr/bin/env python3
"""The tasks' real data and WikiText-2: every question scored as lm-evaluation-harness scored it (tests/golden/eval, written
by tools/oracle/check_tasks.py and check_perplexity.py with the model that lies there).

usage: golden_tasks_test.py TERN; exit code 77 (skipped) where there is no data (TERN_DATA, or ../shared/data)
"""
import json
import os
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools/oracle"))

from task_files import compare, original_files, tern, tern_samples  # noqa: E402

GOLDEN = ROOT / "tests/golden/eval"


def tasks_are_the_same(program: str, data: Path, out: Path) -> bool:
    original_files(data, out)
    golden = json.loads((GOLDEN / "tasks.json").read_text())
    good = True
    for task, by_shots in golden["tasks"].items():
        for shots, expected in by_shots.items():
            samples = tern_samples(program, GOLDEN / "model", task, out, golden["limit"], int(shots))
            good &= compare(f"{task}, {shots} examples", expected, samples, 1e-3)
    return good


def perplexities_are_the_same(program: str, data: Path, out: Path) -> bool:
    golden = json.loads((GOLDEN / "perplexity.json").read_text())
    text = (data / "text/wikitext2/wiki.test.raw").read_bytes()[:golden["bytes"]].decode("utf-8", "ignore")
    (out / "text.raw").write_text(text)
    good = True
    for flags, expected in golden["values"].items():
        ours = json.loads(tern(program, "eval", "perplexity", "-m", GOLDEN / "model", out / "text.raw", "--json", "-c",
                               golden["context"], "--convention", *flags.split()))
        same = all(abs(ours[key] / value - 1) < 1e-5 for key, value in expected.items())
        print(f"{flags}: {'same' if same else 'DIFFERENT'}")
        good &= same
    return good


def main() -> int:
    program, data = sys.argv[1], Path(os.environ.get("TERN_DATA", ROOT / "../shared/data"))
    if not (data / "eval").exists():
        print(f"skipped: {data}/eval is not there")
        return 77
    with tempfile.TemporaryDirectory() as name:
        out = Path(name)
        good = tasks_are_the_same(program, data, out)
        return 0 if perplexities_are_the_same(program, data, out) and good else 1


if __name__ == "__main__":
    sys.exit(main())
