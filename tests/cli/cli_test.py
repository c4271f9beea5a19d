#!/usr/bin/env python3
"""The program as its users meet it: subcommands, exit codes, JSON, errors of one line, kill -9, a full disk.

usage: cli_test.py TERN [unittest arguments]
"""
import json
import os
import resource
import signal
import subprocess
import sys
import tempfile
import time
import unittest
from pathlib import Path

TERN = os.path.abspath(sys.argv.pop(1))
TEXT = "the quick brown fox jumps over the lazy dog and the dog does not mind at all\n" * 400


def tern(*args, stdin=b"", expect=0, **kwargs):
    """Runs tern; checks its exit code and returns (stdout, stderr) as text."""
    done = subprocess.run([TERN, *map(str, args)], input=stdin, capture_output=True, timeout=300, **kwargs)
    out, err = done.stdout.decode("utf-8", "replace"), done.stderr.decode("utf-8", "replace")
    assert done.returncode == expect, f"tern {args}: exit {done.returncode}, expected {expect}\n{out}{err}"
    return out, err


def error(*args, code=1, **kwargs):
    """The message of a run that must fail: one line."""
    _, err = tern(*args, expect=code, **kwargs)
    lines = [line for line in err.splitlines() if line.startswith("tern: ")]
    assert len(lines) == 1 and lines[0] == err.splitlines()[-1], f"expected one line that begins 'tern: ', got:\n{err}"
    return lines[0]


class Case(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory(prefix="tern-cli-")
        cls.dir = Path(cls.folder.name)
        (cls.dir / "text.txt").write_text(TEXT)
        cls.shape = ["--data", cls.dir / "text.txt", "--tokenizer", "byte", "--dim", 256, "--layers", 1, "--heads", 4,
                     "--ffn", 256, "--context", 32, "--batch", 2, "-t", 1, "--valid-every", 0]
        tern("train", *cls.shape, "--steps", 8, "--out", cls.dir / "run")

    @classmethod
    def tearDownClass(cls):
        cls.folder.cleanup()

    def test_help_and_usage(self):
        for command in ([], ["train"], ["run"], ["eval", "perplexity"], ["convert"], ["info"], ["tokenizer", "train"]):
            out, _ = tern(*command, "--help")
            self.assertIn("--help", out)
        self.assertIn("tern", tern("--version")[0])
        for wrong in ([], ["nonsense"], ["run"], ["train", "--steps", "many", "--out", "x"], ["convert", "only-one"]):
            tern(*wrong, expect=2)

    def test_train_reports_json(self):
        out, _ = tern("train", *self.shape, "--steps", 3, "--out", self.dir / "json", "--json", "--weights", "binary")
        report = json.loads(out)
        self.assertEqual(report["steps"], 3)
        self.assertFalse(report["interrupted"])
        lines = [json.loads(line) for line in (self.dir / "json/metrics.jsonl").read_text().splitlines()]
        self.assertEqual([line["step"] for line in lines if "step" in line], [0, 1, 2])
        self.assertEqual(lines[-1]["valid_loss"], report["valid_loss"])
        self.assertEqual(json.loads((self.dir / "json/run.json").read_text())["model"]["weights"], "binary")

    def test_config_file_and_flags(self):
        config = json.loads((self.dir / "run/run.json").read_text())
        config["steps"] = 2
        (self.dir / "config.json").write_text(json.dumps(config))
        tern("train", "--config", self.dir / "config.json", "--batch", 1, "--out", self.dir / "from-config")
        written = json.loads((self.dir / "from-config/run.json").read_text())
        self.assertEqual((written["steps"], written["batch"], written["context"]), (2, 1, 32))
        (self.dir / "bad.json").write_text('{"stepz": 3}')
        message = error("train", "--config", self.dir / "bad.json", "--out", self.dir / "never")
        self.assertIn('unknown key "stepz"', message)

    def test_eval_convert_run_agree(self):
        losses, texts = set(), set()
        for target in ("model.gguf", "hf"):
            tern("convert", self.dir / "run", self.dir / target, "-t", 2)
        for model in ("run", "model.gguf", "hf"):
            out, _ = tern("eval", "perplexity", "-m", self.dir / model, self.dir / "text.txt", "--json", "-t", 1)
            result = json.loads(out)
            losses.add(result["loss"])
            for key in ("perplexity", "bits_per_byte", "tokens", "convention"):
                self.assertIn(key, result)
            out, _ = tern("run", "-m", self.dir / model, "-p", "the quick", "-n", 12, "--temp", 0, "--json")
            texts.add(json.loads(out)["text"])
        self.assertEqual(len(losses), 1, losses)
        self.assertEqual(len(texts), 1, texts)
        self.assertIn("perplexity", tern("eval", "perplexity", "-m", self.dir / "run", self.dir / "text.txt")[0])
        info = json.loads(tern("info", self.dir / "model.gguf", "--json")[0])
        self.assertEqual(info["config"]["dim"], 256)
        self.assertGreater(info["ternary_share"], 0.8)

    def test_heads(self):
        perplexity = ["eval", "perplexity", "-m", self.dir / "run", self.dir / "text.txt", "--json"]
        results = {head: json.loads(tern(*perplexity, "--head", head)[0]) for head in ("exact", "int8")}
        self.assertEqual(json.loads(tern(*perplexity)[0])["loss"], results["exact"]["loss"])
        self.assertEqual(results["int8"]["head"], "int8")
        self.assertAlmostEqual(results["int8"]["loss"], results["exact"]["loss"], delta=0.05)
        run = ["run", "-m", self.dir / "run", "-p", "the ", "-n", 4, "--temp", 0, "--json"]
        self.assertEqual(json.loads(tern(*run)[0])["head"], "exact")
        self.assertEqual(json.loads(tern(*run, "--head", "int8")[0])["head"], "int8")
        self.assertEqual(json.loads(tern("info", self.dir / "run", "--json")[0])["default_head"], "exact")

    def test_run_streams_text(self):
        out, err = tern("run", "-m", self.dir / "run", "-p", "the ", "-n", 8, "-s", 3)
        self.assertTrue(out.startswith("the "))
        self.assertIn("tokens", err)
        again, _ = tern("run", "-m", self.dir / "run", "-p", "the ", "-n", 8, "-s", 3)
        self.assertEqual(out, again)
        bare, _ = tern("run", "-m", self.dir / "run", "-p", "the ", "-n", 8, "-s", 3, "--no-echo")
        self.assertEqual("the " + bare, out)
        # Without a prompt the text begins after the end-of-text token.
        tern("run", "-m", self.dir / "run", "-n", 2)

    def test_tokenizer_round_trip(self):
        tern("tokenizer", "train", "--vocab", 300, "--out", self.dir / "tok.json", self.dir / "text.txt")
        raw = bytes(range(256)) + "the fox, naïve 狐\n".encode()
        ids, _ = tern("tokenizer", "encode", "--tokenizer", self.dir / "tok.json", stdin=raw)
        self.assertEqual(len(ids.splitlines()), 1)
        self.assertTrue(all(0 <= int(token) < 300 for token in ids.split()))
        done = subprocess.run([TERN, "tokenizer", "decode", "--tokenizer", str(self.dir / "tok.json")], input=ids.encode(),
                              capture_output=True, timeout=60, check=True)
        self.assertEqual(done.stdout, raw)
        self.assertIn("expected", error("tokenizer", "decode", "--tokenizer", self.dir / "tok.json", stdin=b"1 300 2"))

    def test_errors_are_one_line(self):
        d = self.dir
        (d / "empty.txt").write_text("")
        (d / "broken.gguf").write_bytes(b"GGUF\x03\x00\x00")
        cases = [
            (["run", "-m", d / "missing.gguf", "-p", "x"], "missing.gguf: no such file"),
            (["run", "-m", d / "broken.gguf", "-p", "x"], "broken.gguf"),
            (["run", "-m", d / "text.txt", "-p", "x"], "text.txt"),
            (["run", "-m", d / "run", "-p", "x", "--temp", "-1"], "temperature is -1"),
            (["run", "-m", d / "run", "-p", "x" * 100], "the context holds 32"),
            (["run", "-m", d / "run", "-p", "x", "--head", "int4"], "unknown head 'int4'"),
            (["run", "-m", d / "run", "-p", "x", "--head", "screened"], "a vocabulary of at least 512 tokens"),
            (["eval", "perplexity", "-m", d / "run", d / "empty.txt"], "empty.txt"),
            (["eval", "perplexity", "-m", d / "run", d / "text.txt", "-c", 64], "context of 32"),
            (["convert", d / "run", d / "x.gguf", "--type", "q9"], "unknown tensor type 'q9'"),
            (["convert", d / "run", d / "no/x.gguf"], "no/x.gguf"),
            (["convert", d / "run", d / "x.gguf", "--ternarize"], "expected a full-precision model"),
            (["train", *self.shape, "--out", d / "run"], "--resume"),
            (["train", *self.shape, "--out", d / "a", "--kv-heads", 3], "not a multiple"),
            (["train", *self.shape, "--out", d / "a", "--steps", 0], "steps is 0"),
            (["train", *self.shape, "--out", d / "a", "--weights", "quaternary"], "unknown weight kind"),
            (["train", "--out", d / "text.txt/a", *self.shape], "text.txt/a"),
            (["train", "--data", d / "empty.txt", "--tokenizer", "byte", "--out", d / "a"], "empty.txt"),
            (["train", "--resume", "--out", d / "run", "--lr", 1], "leave --lr out"),
            (["info", d / "run", "-t", -1], "--threads is -1"),
            (["tokenizer", "train", "--out", d / "t.json", d / "empty.txt"], "empty"),
            (["tokenizer", "encode", "--tokenizer", d / "missing.json"], "missing.json"),
        ]
        for args, part in cases:
            with self.subTest(part=part):
                self.assertIn(part, error(*args))
        self.assertIn("TERN_ISA=mmx", error("info", d / "run", env={**os.environ, "TERN_ISA": "mmx"}))

    def test_full_disk_leaves_earlier_files(self):
        def limited():
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            resource.setrlimit(resource.RLIMIT_FSIZE, (20000, 20000))

        tern("convert", self.dir / "run", self.dir / "kept.gguf")
        before = (self.dir / "kept.gguf").read_bytes()
        message = error("convert", self.dir / "run", self.dir / "kept.gguf", preexec_fn=limited)
        self.assertIn("write failed", message)
        self.assertEqual((self.dir / "kept.gguf").read_bytes(), before)
        self.assertEqual([p.name for p in self.dir.iterdir() if "tmp-" in p.name], [])

    def test_kill_9_loses_only_the_steps_since_the_checkpoint(self):
        steps = ["--steps", 60, "--checkpoint-every", 5]
        tern("train", *self.shape, *steps, "--out", self.dir / "whole")
        process = subprocess.Popen([TERN, "train", *map(str, self.shape), *map(str, steps), "--out", str(self.dir / "killed")],
                                   stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        metrics = self.dir / "killed/metrics.jsonl"
        deadline = time.time() + 120
        while time.time() < deadline and process.poll() is None:
            if metrics.exists() and metrics.read_text().count("\n") >= 13:
                break
            time.sleep(0.005)
        process.kill()
        process.wait()
        tern("train", "--resume", "--out", self.dir / "killed", "-t", 1)
        self.assertEqual((self.dir / "killed/checkpoint.safetensors").read_bytes(),
                         (self.dir / "whole/checkpoint.safetensors").read_bytes())
        steps_seen = [json.loads(line)["step"] for line in metrics.read_text().splitlines() if '"step"' in line]
        self.assertEqual(steps_seen, list(range(60)))

    def test_interrupt_saves_a_checkpoint(self):
        process = subprocess.Popen([TERN, "train", *map(str, self.shape), "--steps", "100000", "--json", "--out",
                                    str(self.dir / "interrupted")], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        metrics = self.dir / "interrupted/metrics.jsonl"
        deadline = time.time() + 120
        while time.time() < deadline and not (metrics.exists() and metrics.stat().st_size > 0):
            time.sleep(0.01)
        process.send_signal(signal.SIGINT)
        out, _ = process.communicate(timeout=120)
        self.assertEqual(process.returncode, 130)
        report = json.loads(out)
        self.assertTrue(report["interrupted"])
        self.assertGreater(report["steps"], 0)


if __name__ == "__main__":
    unittest.main(verbosity=1)
