#!/usr/bin/env python3
"""A disk that is really full: a small file system in memory, mounted in a namespace of this test's own, so that nothing
is left behind. Exit code 77 (ctest: skipped) with the reason where such a thing cannot be mounted.

usage: full_disk_test.py TERN [unittest arguments]
"""
import os
import shutil
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

SKIPPED = 77
MOUNT = 'mount -t tmpfs -o size=12m tern-full-disk "$0" && exec "$@"'


def enter_namespace():
    """Runs this test again where a full disk can be mounted, as the root of a user namespace if need be."""
    unshare = ["unshare", "--mount"] if os.geteuid() == 0 else ["unshare", "--map-root-user", "--mount"]
    with tempfile.TemporaryDirectory(prefix="tern-full-disk-") as folder:
        inside = [*unshare, "sh", "-c", MOUNT, folder]
        try:
            probe = subprocess.run([*inside, "true"], capture_output=True, text=True)
            reason = probe.stderr.strip() if probe.returncode != 0 else ""
        except FileNotFoundError as error:
            reason = str(error)
        if reason:
            print(f"skipped: no small file system can be mounted here: {reason}")
            return SKIPPED
        test = [sys.executable, *sys.argv]
        return subprocess.run([*inside, *test], env={**os.environ, "TERN_FULL_DISK": folder}).returncode


if "TERN_FULL_DISK" not in os.environ:
    sys.exit(enter_namespace())

from program import SHAPE, TEXT, error, tern  # noqa: E402: takes the program's name from the arguments

DISK = Path(os.environ["TERN_FULL_DISK"])


def content(folder):
    return {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def fill(leave):
    """Takes all of the disk but `leave` bytes."""
    with open(DISK / "filler", "wb") as file:
        os.posix_fallocate(file.fileno(), 0, shutil.disk_usage(DISK).free - leave)


class FullDisk(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory(prefix="tern-cli-")
        cls.dir = Path(cls.folder.name)
        (cls.dir / "text.txt").write_text(TEXT)
        cls.shape = ["--data", cls.dir / "text.txt", *SHAPE]
        for name, seed in (("run", 1), ("other", 2)):
            tern("train", *cls.shape, "--steps", 2, "--seed", seed, "--out", cls.dir / name)

    @classmethod
    def tearDownClass(cls):
        cls.folder.cleanup()

    def tearDown(self):
        for path in DISK.iterdir():
            shutil.rmtree(path) if path.is_dir() else path.unlink()

    def refuses(self, *args):
        """The command fails for want of space and leaves the disk as it was."""
        before = content(DISK)
        message = error(*args)
        self.assertIn("No space left on device", message)
        after = content(DISK)
        self.assertEqual(sorted(after), sorted(before))
        self.assertEqual([path for path in before if after[path] != before[path]], [])

    def test_convert_to_gguf(self):
        tern("convert", self.dir / "run", DISK / "kept.gguf")
        fill(leave=20000)
        self.refuses("convert", self.dir / "other", DISK / "kept.gguf")

    def test_convert_to_a_hugging_face_directory(self):
        tern("convert", self.dir / "run", DISK / "kept")
        fill(leave=20000)
        self.refuses("convert", self.dir / "other", DISK / "kept")

    def test_tokenizer_train(self):
        tern("tokenizer", "train", "--vocab", 260, "--out", DISK / "kept.json", self.dir / "text.txt")
        fill(leave=0)
        self.refuses("tokenizer", "train", "--vocab", 300, "--out", DISK / "kept.json", self.dir / "text.txt")

    def test_train_goes_on_from_the_checkpoint_once_there_is_space(self):
        steps = ["--steps", 8, "--checkpoint-every", 3]
        tern("train", *self.shape, *steps, "--out", self.dir / "whole")
        # One checkpoint fits, the next one beside it does not.
        message = error("train", *self.shape, *steps, "--out", DISK / "run")
        self.assertIn("No space left on device", message)
        self.assertEqual([path for path in DISK.rglob("*.tmp-*")], [])
        shutil.copytree(DISK / "run", self.dir / "moved")
        tern("train", "--resume", "--out", self.dir / "moved", "-t", 1)
        self.assertEqual((self.dir / "moved/checkpoint.safetensors").read_bytes(),
                         (self.dir / "whole/checkpoint.safetensors").read_bytes())


if __name__ == "__main__":
    unittest.main(verbosity=1)
