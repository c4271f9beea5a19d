#!/usr/bin/env python3
"""kill -9 at random moments of a run, and runs with 1 and 2 threads: the same bits every time.

usage: kill_test.py TERN [unittest arguments]      TERN_KILLS=20
"""
import json
import os
import random
import tempfile
import time
import unittest
from pathlib import Path

from program import SHAPE, TEXT, start, tern

KILLS = int(os.environ.get("TERN_KILLS", 20))
CHECKPOINT = "checkpoint.safetensors"
# All that a run remembers from step to step is switched on.
RECIPE = ["--steps", 80, "--checkpoint-every", 5, "--z-loss", 1e-4, "--skip-loss", 6, "--skip-norm", 1]
SHAPE = SHAPE[:SHAPE.index("-t")] + SHAPE[SHAPE.index("-t") + 2:]


def curve(folder):
    """What the steps of a run have in common however fast they were, and the skipped ones' numbers."""
    lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    return [{k: v for k, v in line.items() if k not in ("tokens_per_second", "peak_share")} for line in lines]


class Kill(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory(prefix="tern-kill-")
        cls.dir = Path(cls.folder.name)
        (cls.dir / "text.txt").write_text(TEXT)
        cls.recipe = ["train", "--data", cls.dir / "text.txt", *SHAPE, *RECIPE]
        cls.start = [*cls.recipe, "--optimizer", "muon", "-t", 1]
        begin = time.time()
        tern(*cls.start, "--out", cls.dir / "whole")
        cls.seconds = time.time() - begin
        cls.whole = (cls.dir / "whole" / CHECKPOINT).read_bytes()

    @classmethod
    def tearDownClass(cls):
        cls.folder.cleanup()

    def check(self, folder):
        self.assertEqual((folder / CHECKPOINT).read_bytes(), self.whole)
        self.assertEqual(curve(folder), curve(self.dir / "whole"))

    def test_updates_are_skipped(self):
        # Else the others would not show that a resumed run skips the same ones.
        self.assertTrue(any(line.get("skipped") for line in curve(self.dir / "whole")))

    def test_killed_at_random_moments(self):
        moments = random.Random(1)
        resumed, finished = 0, 0
        for i in range(KILLS):
            out = self.dir / f"killed-{i}"
            process = start(*self.start, "--out", out)
            time.sleep(moments.uniform(0, self.seconds))
            process.kill()
            process.communicate()
            if (out / CHECKPOINT).exists():
                resumed += 1
                finished += process.returncode == 0
                tern("train", "--resume", "--out", out, "-t", 1)
            else:  # before the first checkpoint there is nothing to resume: the same command begins anew
                tern(*self.start, "--out", out)
            self.check(out)
        print(f"{KILLS} kills within {self.seconds:.2f} s: {resumed} resumed, {KILLS - resumed} begun anew, "
              f"{finished} had ended already")
        self.assertGreater(resumed - finished, KILLS // 4)

    def test_one_run_killed_again_and_again(self):
        moments = random.Random(2)
        out = self.dir / "again"
        kills = 0
        while kills < KILLS:
            resume = (out / CHECKPOINT).exists()
            process = start(*(["train", "--resume", "--out", out, "-t", 1] if resume else [*self.start, "--out", out]))
            time.sleep(moments.uniform(0, self.seconds / 2))
            process.kill()
            process.communicate()
            kills += 1
        tern(*(["train", "--resume", "--out", out, "-t", 1] if (out / CHECKPOINT).exists() else [*self.start, "--out", out]))
        self.check(out)

    def test_threads_change_nothing(self):
        for optimizer in ("muon", "adamw"):
            folders = [self.dir / f"{optimizer}-{threads}" for threads in (1, 2)]
            for threads, folder in zip((1, 2), folders):
                tern(*self.recipe, "--optimizer", optimizer, "-t", threads, "--out", folder)
            self.assertEqual(curve(folders[0]), curve(folders[1]))
            self.assertEqual(*((folder / CHECKPOINT).read_bytes() for folder in folders))


if __name__ == "__main__":
    unittest.main(verbosity=1)
