#!/usr/bin/env python3
"""Runs that several processes share, under mpirun: the same bits as one process, checkpoints that any number goes on
from, and a clear end on every process when one cannot go on. Exit code 77 (ctest: skipped) with the reason where there is
no mpirun, or this tern was built without MPI.

usage: processes_test.py TERN [unittest arguments]
"""
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest
from pathlib import Path

from program import SHAPE, TERN, TEXT, error, start, tern

SKIPPED = 77
CHECKPOINT = "checkpoint.safetensors"
LIMIT_S = 30  # within which all processes end when one cannot go on
# Nothing leaves this machine; more processes than processors; the test may run as root.
MPIRUN = ["mpirun", "--oversubscribe", "--allow-run-as-root", "--bind-to", "none", "--mca", "btl", "self,vader",
          "--mca", "btl_vader_single_copy_mechanism", "none"]
ENVIRONMENT = {k: v for k, v in os.environ.items() if not k.startswith(("OMPI_", "PMI_", "SLURM_"))}
RECIPE = ["--accumulation", 4, "--z-loss", 1e-4]


def words(*args):
    return [str(arg) for arg in args]


def shared(processes, *args):
    """The command of a run that so many processes share."""
    return [*MPIRUN, "-np", str(processes), TERN, *words(*args)]


def different(*commands):
    """The command of processes that are told different things: lists of a program and its arguments."""
    line = [*MPIRUN]
    for i, command in enumerate(commands):
        line += [":"] if i > 0 else []
        line += ["-np", "1", *words(*command)]
    return line


def run(command, expect=0, **kwargs):
    done = subprocess.run(command, capture_output=True, text=True, timeout=600, env=ENVIRONMENT, **kwargs)
    assert (done.returncode == 0) == (expect == 0), f"{command}: exit {done.returncode}\n{done.stdout}{done.stderr}"
    return done.stdout, done.stderr


def messages(err):
    return [line for line in err.splitlines() if line.startswith("tern: ")]


def losses(folder):
    lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    return [{k: v for k, v in line.items() if k not in ("tokens_per_second", "peak_share")} for line in lines]


def steps_of(folder):
    """Without the validations, which an interrupted run makes as well."""
    return [line for line in losses(folder) if "step" in line]


def living(folder):
    """Processes that still work on this directory."""
    found = subprocess.run(["pgrep", "-f", f"train.*{folder}"], capture_output=True, text=True).stdout.split()
    return [pid for pid in found if int(pid) != os.getpid()]


class Processes(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory(prefix="tern-processes-")
        cls.dir = Path(cls.folder.name)
        (cls.dir / "text.txt").write_text(TEXT)
        (cls.dir / "other.txt").write_text(TEXT.replace("fox", "cat"))
        cls.endless = ["train", "--data", cls.dir / "text.txt", *SHAPE, *RECIPE]
        cls.train = [*cls.endless, "--steps", 12, "--checkpoint-every", 4]

    @classmethod
    def tearDownClass(cls):
        cls.folder.cleanup()

    def test_the_bits_of_one_process(self):
        for optimizer in ("adamw", "muon"):
            recipe = [*self.train, "--optimizer", optimizer, "--sum-parts", 4]
            alone = self.dir / f"{optimizer}-1"
            tern(*recipe, "--out", alone, env=ENVIRONMENT)
            for processes in (2, 4):
                out = self.dir / f"{optimizer}-{processes}"
                run(shared(processes, *recipe, "--out", out))
                self.assertEqual(losses(out), losses(alone))
                self.assertEqual((out / CHECKPOINT).read_bytes(), (alone / CHECKPOINT).read_bytes())
                self.assertEqual((out / "run.json").read_bytes(), (alone / "run.json").read_bytes())

    def test_the_loss_of_one_process_without_being_asked_for_its_bits(self):
        alone, out = self.dir / "plain-1", self.dir / "plain-2"
        tern(*self.train, "--out", alone, env=ENVIRONMENT)
        run(shared(2, *self.train, "--out", out))
        pairs = [(a["loss"], b["loss"]) for a, b in zip(losses(alone), losses(out)) if "loss" in a]
        self.assertEqual(len(pairs), 12)
        self.assertAlmostEqual(pairs[0][0], pairs[0][1], delta=1e-12)  # of the same weights
        for one, two in pairs:  # sums in another order change some trits
            self.assertAlmostEqual(one, two, delta=0.02)

    def test_any_number_goes_on_from_a_checkpoint(self):
        recipe = [*self.endless, "--steps", 200, "--checkpoint-every", 4, "--sum-parts", 4]
        whole, out = self.dir / "whole", self.dir / "moved"
        tern(*recipe, "--out", whole, env=ENVIRONMENT)
        # Stopped after a step by a signal, and gone on with by another number of processes each time.
        for i, processes in enumerate((1, 2, 4, 1)):
            args = ["train", "--resume", "--out", out, "-t", 1] if i > 0 else [*recipe, "--out", out]
            if i < 3:
                process = subprocess.Popen(shared(processes, *args), stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                           env=ENVIRONMENT)
                self.wait_for_steps(out, 20 * (i + 1), process)
                process.send_signal(signal.SIGUSR1)  # mpirun hands it on
                process.communicate(timeout=LIMIT_S)
                self.assertLess(len(steps_of(out)), 200)
                tern("info", out, env=ENVIRONMENT)
            else:
                tern(*args, env=ENVIRONMENT)
        self.assertEqual((out / CHECKPOINT).read_bytes(), (whole / CHECKPOINT).read_bytes())
        self.assertEqual(steps_of(out), steps_of(whole))

    def wait_for_steps(self, out, steps, process):
        deadline = time.time() + 120
        path = out / "metrics.jsonl"
        while time.time() < deadline and process.poll() is None:
            if path.exists() and path.read_text().count('"step"') >= steps:
                return
            time.sleep(0.01)

    def end_of(self, command, folder):
        """How a run that cannot go on ends: in time, with no process left; its standard error."""
        begin = time.time()
        _, err = run(command, expect=1)
        self.assertLess(time.time() - begin, LIMIT_S)
        self.assertEqual(living(folder), [])
        return err

    def test_a_killed_process_ends_all_and_nothing_is_lost(self):
        recipe = [*self.endless, "--steps", 20000, "--checkpoint-every", 5, "--sum-parts", 2]
        out = self.dir / "killed"
        process = subprocess.Popen(shared(2, *recipe, "--out", out), stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                   text=True, env=ENVIRONMENT)
        self.wait_for_steps(out, 12, process)
        victims = subprocess.run(["pgrep", "-P", str(process.pid)], capture_output=True, text=True).stdout.split()
        self.assertEqual(len(victims), 2)
        os.kill(int(victims[1]), signal.SIGKILL)
        _, err = process.communicate(timeout=LIMIT_S)
        self.assertNotEqual(process.returncode, 0)
        self.assertIn("signal 9", err)
        self.assertEqual(living(out), [])
        # What is there is a whole checkpoint.
        tern("info", out, env=ENVIRONMENT)

    def test_different_data(self):
        one = [TERN, *self.train, "--out", self.dir / "different"]
        two = [str(arg).replace("text.txt", "other.txt") for arg in one]
        err = self.end_of(different(one, two), self.dir / "different")
        self.assertIn("what is asked of process 1 on", messages(err)[0])
        self.assertIn("start all processes with the same arguments", messages(err)[0])
        self.assertFalse((self.dir / "different" / CHECKPOINT).exists())

    def test_directories_that_are_not_one(self):
        for name, data in (("here", "text.txt"), ("there", "other.txt")):
            recipe = [str(arg).replace("text.txt", data) for arg in self.train]
            tern(*recipe, "--out", self.dir / name, env=ENVIRONMENT)
        commands = [[TERN, "train", "--resume", "--out", self.dir / name, "-t", 1] for name in ("here", "there")]
        err = self.end_of(different(*commands), self.dir / "here")
        self.assertIn("expected one training directory that all processes see", messages(err)[0])

    def test_different_programs(self):
        other = self.dir / "tern"
        shutil.copy(TERN, other)
        with open(other, "ab") as file:
            file.write(b"another build")
        arguments = [*self.train, "--out", self.dir / "programs"]
        err = self.end_of(different([TERN, *arguments], [other, *arguments]), self.dir / "programs")
        self.assertIn("the program of process 1 on", messages(err)[0])

    def test_an_error_on_one_process_ends_all(self):
        out = self.dir / "corrupt"
        tern(*self.train, "--out", out, env=ENVIRONMENT)
        shutil.copytree(out, self.dir / "damaged")
        with open(self.dir / "damaged" / "train-1.tok", "r+b") as file:
            file.truncate(100)
        commands = [[TERN, "train", "--resume", "--out", folder, "-t", 1] for folder in (out, self.dir / "damaged")]
        err = self.end_of(different(*commands), out)
        self.assertIn("process 1 of 2 on", messages(err)[0])
        self.assertIn("train-1.tok", messages(err)[0])

    def test_a_step_that_cannot_be_shared(self):
        err = self.end_of(shared(3, *self.train, "--out", self.dir / "three"), self.dir / "three")
        self.assertIn("a step has 8 samples (batch 2 x accumulation 4), which 3 processes cannot share evenly",
                      messages(err)[0])

    def test_tasks_that_do_not_see_each_other(self):
        # What srun without a PMI plugin starts: each is told of four tasks, and MPI sees one.
        for names in ({"SLURM_STEP_NUM_TASKS": "4"}, {"SLURM_NTASKS": "4", "SLURM_PROCID": "2"}):
            message = error(*self.train, "--out", self.dir / "srun", env={**ENVIRONMENT, **names})
            self.assertIn("started 4 processes, but MPI sees 1, so each would train alone", message)
        self.assertFalse((self.dir / "srun").exists())

    def test_a_full_disk_ends_all(self):
        if not self.mount_full_disk():
            self.skipTest("no small file system can be mounted here")
        try:
            err = self.end_of(shared(2, *self.train, "--out", self.disk / "run"), self.disk / "run")
            self.assertTrue(any("No space left on device" in line for line in messages(err)), err)
            self.assertEqual([path for path in self.disk.rglob("*.tmp-*")], [])
        finally:
            # mpirun can return before the last of its processes has let go of its files.
            subprocess.run(["umount", "--lazy", self.disk], check=True)

    def mount_full_disk(self):
        self.disk = self.dir / "disk"
        self.disk.mkdir()
        mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=12m", "tern-full-disk", self.disk],
                                 capture_output=True)
        return mounted.returncode == 0


def reason_to_skip():
    if shutil.which("mpirun") is None:
        return "there is no mpirun"
    with tempfile.TemporaryDirectory(prefix="tern-processes-") as folder:
        probe = start("train", "--mpi", "--data", "none", "--tokenizer", "byte", "--out", folder, env=ENVIRONMENT)
        err = probe.communicate(timeout=120)[1].decode()
        return "this tern was built without MPI" if "without MPI" in err else ""


if __name__ == "__main__":
    if reason := reason_to_skip():
        print(f"skipped: {reason}")
        sys.exit(SKIPPED)
    unittest.main(verbosity=1)
