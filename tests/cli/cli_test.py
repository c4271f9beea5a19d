#!/usr/bin/env python3
"""The program as its users meet it: subcommands, exit codes, JSON, errors of one line, kill -9, a full disk.

usage: cli_test.py TERN [unittest arguments]
"""
import csv
import gzip
import json
import math
import os
import re
import resource
import shutil
import signal
import subprocess
import tempfile
import time
import unittest
import xml.etree.ElementTree
from pathlib import Path

import program
from program import SHAPE, TEXT, error, error_line, slow, start, tern


class Case(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory(prefix="tern-cli-")
        cls.dir = Path(cls.folder.name)
        (cls.dir / "text.txt").write_text(TEXT)
        cls.shape = ["--data", cls.dir / "text.txt", *SHAPE]
        tern("train", *cls.shape, "--steps", 8, "--out", cls.dir / "run")

    @classmethod
    def tearDownClass(cls):
        cls.folder.cleanup()

    def commands(self, *path):
        """All commands that the help names."""
        out, _ = tern(*path, "--help")
        if "Subcommands:\n" not in out:
            return [path]
        names = [line.split()[0] for line in out.split("Subcommands:\n")[1].split("\n\n")[0].splitlines()]
        return [command for name in names for command in self.commands(*path, name)]

    def test_help(self):
        self.assertRegex(tern("--version")[0], r"^tern \d+\.\d+\.\d+, build \S+$")
        commands = self.commands()
        self.assertIn(("eval", "perplexity"), commands)
        for command in commands:
            out, _ = tern(*command, "--help")
            with self.subTest(command=command):
                self.assertIn("-t,--threads", out)
                if command not in (("serve",), ("tokenizer", "decode")):  # these report nothing
                    self.assertIn("--json", out)

    def test_usage(self):
        for wrong, part in (
            ([], "A subcommand is required"),
            (["nonsense"], "Unknown: nonsense\nA subcommand is required"),
            (["eval", "nonsense"], "Unknown: nonsense\nA subcommand is required"),
            (["run", "--tokens"], "--tokens"),
            (["run", "--bogus"], "The following argument was not expected: --bogus"),
            (["train", "--steps", "many", "--out", "x"], "--steps"),
            (["train", "--out", self.dir / "x"], "--data is required"),
            (["train", "--data", "x", "--out", self.dir / "x"], "--tokenizer (a file, 'byte' or 'char') is required"),
            (["convert", "only-one"], "out is required"),
            (["tokenizer", "train", "--out", "x"], "TEXT is required"),
            (["tokenizer", "train", "--out", "x", "--vocab", -5, "y"], "--vocab: expected 0 or more, got -5"),
            (["convert", "x", "y", "--shard-size", "-5MB"], "--shard-size: expected 0 or more, got -5MB"),
            (["run", "-p", "x", "-n", -5], "--tokens: expected 0 or more, got -5"),
            (["eval", "perplexity", "-m", "x", "y", "-c", -1], "--context: expected 0 or more, got -1"),
        ):
            with self.subTest(wrong=wrong):
                out, err = tern(*wrong, expect=2)
                self.assertEqual(out, "")
                self.assertIn(part, err)

    def test_train_reports_json(self):
        out, _ = tern("train", *self.shape, "--steps", 3, "--out", self.dir / "json", "--json", "--weights", "binary")
        report = json.loads(out)
        self.assertEqual(report["steps"], 3)
        self.assertFalse(report["interrupted"])
        lines = [json.loads(line) for line in (self.dir / "json/metrics.jsonl").read_text().splitlines()]
        self.assertEqual([line["step"] for line in lines if "step" in line], [0, 1, 2])
        self.assertEqual(lines[-1]["valid_loss"], report["valid_loss"])
        self.assertEqual(json.loads((self.dir / "json/run.json").read_text())["model"]["weights"], "binary")

    def test_ways_in(self):
        data = ["--data", self.dir / "text.txt"]
        tern("train", *data, "--from", self.dir / "run", "--context", 8, "--steps", 4, "--ternary-from", 1, "--lambda-steps", 2,
             "--out", self.dir / "from-run")  # fmt: skip
        written = json.loads((self.dir / "from-run/run.json").read_text())
        self.assertEqual((written["from"], written["ternary_from"], written["lambda_steps"]), (str(self.dir / "run"), 1, 2))
        wrong = ["train", *data, "--steps", 4, "--out", self.dir / "no"]
        for flags, message in (
            (["--from", self.dir / "run", "--dim", 8], "leave --dim out"),
            (["--tokenizer", "byte", "--chat-template", "chatml"], "--chat-template belongs to --sft"),
            (["--tokenizer", "byte", "--distill-weight", 1], "--distill-weight belongs to --teacher"),
            (["--tokenizer", "byte", "--relations", 1], "--relations belongs to --teacher"),
            (["--tokenizer", "byte", "--teacher", self.dir / "run", "--relation-layer", 1], "--relation-layer belongs to --relations"),
            (["--tokenizer", "byte", "--sft", "--text-key", "x"], "--text-key does not fit --sft"),
        ):
            self.assertIn(message, error(*wrong, *flags))

    def test_conversations_and_a_teacher(self):
        chat, plain = self.dir / "chat.jsonl", self.dir / "plain.jinja"
        plain.write_text("{% for m in messages %}{{ m.content }};{% endfor %}")
        lines = [{"messages": [{"role": "user", "content": f"{n}"}, {"role": "assistant", "content": "the dog"}]} for n in range(30)]
        chat.write_text("".join(json.dumps(line) + "\n" for line in lines))
        shape = ["--from", self.dir / "run", "--data", chat, "--sft", "--steps", 4, "--context", 32]
        self.assertIn("conversations to train on: expected one with an answer within the context of 32 tokens, none of",
                      error("train", *shape, "--chat-template", "chatml", "--out", self.dir / "no"))  # fmt: skip
        shape += ["--chat-template", plain]
        report = json.loads(tern("train", *shape, "--out", self.dir / "sft", "--json")[0])
        self.assertGreater(report["train_loss"], 0)
        chat.write_text(json.dumps(lines[0]) + "\n" + json.dumps({"messages": [{"role": "user"}]}) + "\n")
        self.assertIn("chat.jsonl: line 2", error("train", *shape, "--out", self.dir / "no"))
        taught = ["train", *self.shape, "--steps", 4, "--teacher", self.dir / "run"]
        first = json.loads(tern(*taught, "--out", self.dir / "taught", "--json")[0])
        alone = json.loads(tern("train", *self.shape, "--steps", 4, "--out", self.dir / "alone", "--json")[0])
        self.assertNotEqual(first["valid_loss"], alone["valid_loss"])
        related = json.loads(tern(*taught, "--relations", 10, "--relation-layer", 1, "--out", self.dir / "related", "--json")[0])
        self.assertNotEqual(related["valid_loss"], first["valid_loss"])
        self.assertGreater(json.loads((self.dir / "related/metrics.jsonl").read_text().splitlines()[0])["relations"], 0)
        other = self.dir / "other"
        tokenizer = self.dir / "other.json"
        tern("tokenizer", "train", "--vocab", 300, "--out", tokenizer, self.dir / "text.txt")
        tern("train", "--data", self.dir / "text.txt", "--tokenizer", tokenizer, *SHAPE[2:], "--steps", 1, "--out", other)
        self.assertIn("vocabular", error("train", *self.shape, "--steps", 4, "--teacher", other, "--out", self.dir / "no"))

    def test_tasks_as_a_table_and_as_json(self):
        data = self.dir / "tasks"
        (data / "piqa").mkdir(parents=True)
        goals = [{"goal": f"goal {n}", "sol1": "the dog", "sol2": "a fox jumps over it"} for n in range(4)]
        (data / "piqa/valid.jsonl").write_text("".join(json.dumps(goal) + "\n" for goal in goals))
        (data / "piqa/valid-labels.lst").write_text("0\n1\n0\n1\n")
        mine = {"task": "mine", "files": "mine.csv", "context": "the {{a}}", "continuation": "{{b}}"}
        (data / "mine.json").write_text(json.dumps(mine))
        (data / "mine.csv").write_text("a,b\nquick,brown\nlazy,dog\n")
        arguments = ["eval", "tasks", "-m", self.dir / "run", "--data", data]
        out, _ = tern(*arguments, "--tasks", f"piqa,{data}/mine.json", "--samples", data / "samples.jsonl", "--json")
        report = json.loads(out)
        piqa = report["results"]["piqa"]
        lines = [json.loads(line) for line in (data / "samples.jsonl").read_text().splitlines()]
        self.assertEqual([(line["task"], line["doc_id"]) for line in lines], [("piqa", n) for n in range(4)] + [("mine", 0), ("mine", 1)])
        for metric in ("acc", "acc_norm"):
            self.assertEqual(piqa[metric + ",none"], sum(line[metric] for line in lines[:4]) / 4)
            self.assertGreaterEqual(piqa[metric + "_stderr,none"], 0)
        mean = sum(line["resps"][0][0] for line in lines[4:]) / 2
        self.assertAlmostEqual(report["results"]["mine"]["perplexity,none"], math.exp(-mean), delta=1e-9 * math.exp(-mean))
        self.assertEqual(report["n-samples"]["piqa"], {"original": 4, "effective": 4})
        self.assertEqual(report["n-shot"], {"piqa": 0, "mine": 0})
        self.assertEqual(report["versions"], {"piqa": 1.0, "mine": "N/A"})
        self.assertGreater(report["truncated_choices"]["piqa"], 0)
        self.assertEqual(report["truncated_choices"]["mine"], 0)
        limited, err = tern(*arguments, "--tasks", "piqa", "--limit", 2, "-t", 2)
        self.assertRegex(limited, r"(?m)^piqa +2 +0  acc +[01]\.\d{4} +[01]\.\d{4}$")
        self.assertIn("2/2", err)
        (data / "piqa/train.jsonl").write_text("".join(json.dumps(goal) + "\n" for goal in goals[:2]))
        (data / "piqa/train-labels.lst").write_text("0\n1\n")
        shown = json.loads(tern(*arguments, "--tasks", "piqa", "--fewshot", 1, "--fewshot-seed", 3, "--json")[0])
        self.assertEqual((shown["n-shot"], shown["config"]["fewshot_seed"]), ({"piqa": 1}, 3))
        self.assertIn("train.jsonl: expected at least 3 rows to take 2 examples from, there are 2",
                      error(*arguments, "--tasks", "piqa", "--fewshot", 2))
        (data / "piqa/train.jsonl").unlink()
        self.assertIn("expected the examples of piqa there (piqa/train.jsonl,", error(*arguments, "--tasks", "piqa", "--fewshot", 1))
        (data / "mine.yaml").write_text("task: mine\nfiles: mine.csv\ncontext: the {{a}}\ncontinuation: '{{b}}'\n")
        self.assertEqual(json.loads(tern(*arguments, "--tasks", f"{data}/mine.yaml", "--json")[0])["results"]["mine"], report["results"]["mine"])
        (data / "mine.yaml").write_text("task: mine\nfiles: [a\ncontext: b\n")
        self.assertIn("mine.yaml: line 3: not valid YAML", error(*arguments, "--tasks", f"{data}/mine.yaml"))
        (data / "piqa/valid-labels.lst").write_text("0\n1\n2\n1\n")
        self.assertIn("valid.jsonl: line 3: the answer is '2'", error(*arguments, "--tasks", "piqa"))
        self.assertIn("unknown task 'mmlu', expected arc_easy,", error(*arguments, "--tasks", "mmlu"))
        self.assertIn("--tasks: mine is there twice", error(*arguments, "--tasks", f"{data}/mine.json,{data}/mine.json"))

    def test_a_killed_evaluation_goes_on_from_its_cache(self):
        data = self.dir / "killed"
        data.mkdir()
        (data / "mine.json").write_text(json.dumps({"task": "mine", "files": "mine.csv", "context": "the quick {{a}} of them", "continuation": "{{b}}"}))
        (data / "mine.csv").write_text("a,b\n" + "".join(f"{n * 7919} brown {n},fox {n}\n" for n in range(3000)))
        arguments = ["eval", "tasks", "-m", self.dir / "run", "--data", data, "--tasks", data / "mine.json", "--json", "-t", "1"]
        cache = data / "scores"
        killed = start(*arguments, "--cache", cache)
        while killed.poll() is None and (not cache.exists() or cache.stat().st_size < 1000):
            time.sleep(0.001)
        killed.kill()
        killed.communicate()
        self.assertEqual(killed.returncode, -signal.SIGKILL)
        with cache.open("ab") as torn:
            torn.write(b"0123456789abcdef 0123")
        whole = json.loads(tern(*arguments)[0])
        resumed = json.loads(tern(*arguments, "--cache", cache)[0])
        self.assertEqual(resumed["results"], whole["results"])
        self.assertGreater(resumed["cached_choices"], 15)
        self.assertLess(resumed["cached_choices"], 3000)
        self.assertEqual(json.loads(tern(*arguments, "--cache", cache)[0])["cached_choices"], 3000)
        self.assertEqual(json.loads(tern(*arguments, "--cache", cache, "--kv-type", "bf16")[0])["cached_choices"], 0)
        (data / "notes").write_text("notes")
        self.assertIn("expected a file of evaluation scores", error(*arguments, "--cache", data / "notes"))

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

    def test_mixtures_streams_and_the_cache(self):
        lines = "".join(json.dumps({"id": n, "body": f"line {n} of them"}) + "\n" for n in range(400))
        (self.dir / "lines.jsonl.gz").write_bytes(gzip.compress(lines.encode()))
        shape = [*SHAPE, "--text-key", "body", "--steps", 3, "--json", "--cache", self.dir / "shards"]
        sources = ["--data", f"{self.dir}/text.txt:0.7", f"{self.dir}/lines.jsonl.gz:0.3"]
        reports = []
        for name in ("mixed-1", "mixed-2"):
            out, err = tern("train", *sources, *shape, "--out", self.dir / name)
            reports.append(json.loads(out)["valid_loss"])
            self.assertEqual(err.count("from the cache"), 0 if name == "mixed-1" else 2, err)
        self.assertEqual(reports[0], reports[1])
        self.assertEqual(len(list((self.dir / "shards").glob("*.tok"))), 4)
        data = json.loads((self.dir / "mixed-1/data.json").read_text())
        self.assertEqual([source["weight"] for source in data["train"]], [0.7, 0.3])
        config = json.loads((self.dir / "mixed-1/run.json").read_text())
        self.assertEqual((config["text_key"], config["data"]), ("body", sources[1:]))
        tern("train", "--resume", "--out", self.dir / "mixed-1")

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
            for layout in ("codes", "triples"):
                out, _ = tern("run", "-m", self.dir / model, "-p", "the quick", "-n", 12, "--temp", 0, "--layout", layout,
                              "--json")
                self.assertEqual(json.loads(out)["layout"], layout)
                texts.add(json.loads(out)["text"])
        self.assertEqual(len(losses), 1, losses)
        self.assertEqual(len(texts), 1, texts)

        self.assertIn("perplexity", tern("eval", "perplexity", "-m", self.dir / "run", self.dir / "text.txt")[0])
        for kv_type in ("f32", "bf16", "int8"):
            out, _ = tern("eval", "perplexity", "-m", self.dir / "hf", self.dir / "text.txt", "--json", "--kv-type", kv_type)
            self.assertEqual(json.loads(out)["kv_type"], kv_type)
            self.assertAlmostEqual(json.loads(out)["loss"], min(losses), delta=0.01)
            tern("run", "-m", self.dir / "hf", "-p", "the quick", "-n", 12, "--kv-type", kv_type)
        info = json.loads(tern("info", self.dir / "model.gguf", "--json")[0])
        self.assertEqual(info["config"]["dim"], 256)
        self.assertGreater(info["ternary_share"], 0.8)
        self.assertEqual(info["bits_per_weight"], 2)
        self.assertEqual(info["memory"]["weights"], info["weight_bytes"])
        self.assertEqual(info["memory"]["kv_cache"], 32 * info["kv_bytes_per_token"])
        self.assertGreater(info["memory"]["all"], info["memory"]["weights"] + info["memory"]["kv_cache"])

    @slow
    def test_eval_compare(self):
        text = self.dir / "text.txt"
        tern("convert", self.dir / "run", self.dir / "compared.gguf")
        same = json.loads(tern("eval", "compare", self.dir / "run", self.dir / "compared.gguf", text, "--json")[0])
        self.assertEqual((same["kl_divergence_largest"], same["same_top"]["mean"]), (0, 1))
        tern("train", *self.shape, "--steps", 8, "--seed", 2, "--out", self.dir / "compared")
        args = ["eval", "compare", self.dir / "run", self.dir / "compared", text]
        other = json.loads(tern(*args, "--json")[0])
        loss = json.loads(tern("eval", "perplexity", "-m", self.dir / "compared", text, "--json")[0])["loss"]
        self.assertAlmostEqual(other["loss_second"]["mean"], loss, places=5)
        self.assertGreater(other["kl_divergence"]["mean"], 0)
        self.assertGreater(other["loss_difference"]["error"], 0)
        difference = other["perplexity_difference"]
        self.assertAlmostEqual(difference["mean"], other["perplexity_second"] - other["perplexity_first"], places=9)
        self.assertGreater(difference["error"], 0)
        shown = tern(*args)[0]
        for word in ("KL divergence", "same top token", "perplexities", "standard error"):
            self.assertIn(word, shown)
        self.assertRegex(shown, r"(?m)^  their difference +-?\d")
        convention = json.loads(tern("eval", "perplexity", "-m", self.dir / "run", text, "--json")[0])["convention"]
        self.assertEqual(other["convention"], convention)
        self.assertIn(convention, shown)
        self.assertIn("none.gguf", error("eval", "compare", self.dir / "run", self.dir / "none.gguf", text))
        tokenizer = self.dir / "compared.json"
        tern("tokenizer", "train", "--vocab", 300, "--out", tokenizer, text)
        tern("train", "--data", text, "--tokenizer", tokenizer, *SHAPE[2:], "--steps", 1, "--out", self.dir / "pieces")
        self.assertIn("tokenizers cut", error("eval", "compare", self.dir / "run", self.dir / "pieces", text))
        (self.dir / "empty.txt").write_text("")
        self.assertIn("at least 2 tokens", error("eval", "compare", self.dir / "run", self.dir / "run", self.dir / "empty.txt"))

    def test_file_types(self):
        types, embeddings = {}, {}
        for kind in ("tq1_0", "i2_s"):
            for embedding in (None, "q8_0", "f32"):
                file = self.dir / "types.gguf"
                tern("convert", self.dir / "run", file, "--type", kind, *(["--embedding", embedding] if embedding else []))
                info = json.loads(tern("info", file, "--json")[0])
                self.assertEqual(info["tensor_types"][kind], 7)
                embeddings[embedding] = info["tensor_types"]
                perplexity = ["eval", "perplexity", "-m", file, self.dir / "text.txt", "--json"]
                types.setdefault(embedding, set()).add(json.loads(tern(*perplexity)[0])["loss"])
        self.assertEqual([len(losses) for losses in types.values()], [1, 1, 1], types)
        self.assertEqual(types[None], types["f32"])  # bf16 is exact in f32
        self.assertAlmostEqual(min(types[None]), min(types["q8_0"]), delta=0.05)
        self.assertIn("q8_0", embeddings["q8_0"])

    def test_conventions(self):
        perplexity = ["eval", "perplexity", "-m", self.dir / "run", self.dir / "text.txt", "-c", 16, "--json"]
        ours, theirs = (json.loads(tern(*perplexity, "--convention", name)[0]) for name in ("tern", "llama.cpp"))
        self.assertEqual(ours["tokens"], len(TEXT))
        self.assertEqual(theirs["tokens"], len(TEXT) // 16 * 7)
        self.assertTrue(theirs["convention"].startswith("llama.cpp: windows of 16 tokens"), theirs["convention"])
        self.assertNotIn("word_perplexity", theirs)
        papers, harness = (json.loads(tern(*perplexity, "--convention", name, "--wikitext")[0]) for name in ("gptq", "lm-eval"))
        self.assertTrue(papers["convention"].startswith("gptq: windows of 16 tokens"), papers["convention"])
        self.assertEqual(harness["tokens"], len(TEXT))
        self.assertAlmostEqual(math.log2(harness["byte_perplexity"]), harness["bits_per_byte"], delta=1e-9)
        self.assertGreater(harness["word_perplexity"], harness["byte_perplexity"])
        shorter = json.loads(tern(*perplexity[:5], "--json", "--convention", "gptq")[0])
        self.assertTrue(shorter["convention"].startswith("gptq: windows of 32 tokens (the model's context is shorter)"))
        self.assertIn("word perplexity", tern(*perplexity[:5], "--convention", "lm-eval")[0])
        self.assertIn("expected tern, llama.cpp, gptq or lm-eval", error(*perplexity, "--convention", "paper"))
        self.assertIn("expected the convention gptq or lm-eval", error(*perplexity, "--wikitext"))

    def test_info_lists_and_checks(self):
        tern("convert", self.dir / "run", self.dir / "info.gguf")
        tern("convert", self.dir / "run", self.dir / "info-hf")
        counts = {}
        for model in ("run", "info.gguf", "info-hf"):
            tensors = json.loads(tern("info", self.dir / model, "--tensors", "--json")[0])["tensors"]
            counts[model] = len(tensors)
            self.assertEqual(set(tensors[0]), {"name", "type", "shape", "bytes"})
            lines = tern("info", self.dir / model, "--tensors")[0].splitlines()
            self.assertEqual([line.split()[0] for line in lines], [tensor["name"] for tensor in tensors])
            self.assertEqual(tern("info", self.dir / model, "--check"), ("", ""))
            self.assertEqual(json.loads(tern("info", self.dir / model, "--check", "--json")[0])["problems"], [])
            info = json.loads(tern("info", self.dir / model, "--json")[0])
            self.assertEqual((info["architecture"], info["chat_template"]), ("bitnet", "none"))
            # What a model is, whatever it is stored as.
            self.assertEqual(info["parameters"], 256 * 256 * 7 + 256 * 257 + 256 * 5)
            self.assertAlmostEqual(info["ternary_share"], 256 * 256 * 7 / info["parameters"])
            self.assertEqual((info["bits_per_weight"], info["tokenizer"]["vocab"]), (2, 257))
            self.assertEqual(set(info["memory"]), {"weights", "kv_cache", "all"})
            self.assertTrue(0 < info["zero_share"] < 1)
            self.assertIn("zero_share", tern("info", self.dir / model)[0])
        # Embedding, output norm, seven matrices and four norms; a scale a matrix; two moments and counters.
        self.assertEqual(counts["info.gguf"], 13)
        self.assertEqual(counts["info-hf"], 20)
        tern("info", self.dir / "run", "--check", "--tensors", expect=2)
        config = json.loads((self.dir / "info-hf/config.json").read_text())
        config["eos_token_id"] = config["vocab_size"]
        (self.dir / "info-hf/config.json").write_text(json.dumps(config))
        out, err = tern("info", self.dir / "info-hf", "--check", expect=1)
        self.assertEqual(len(out.splitlines()), 1)
        self.assertIn("eos_token_id", out)
        self.assertIn("info-hf: 1 problem", error_line(err))
        self.assertIn("no such file", tern("info", self.dir / "nowhere", "--check", expect=1)[0])

    def expect_all_conversions(self, source, forms):
        """Every form of the model into every other: the same logits to the last digit, the same tokenizer and template."""
        folder = self.dir / "forms"
        folder.mkdir()

        def state(model):
            info = json.loads(tern("info", model, "--json", "-t", 1)[0])
            logits = tern("eval", "logits", "-m", model, 104, 101, 32, 99, 97, 116, "-t", 1)[0]
            return logits, info["tokenizer"]["hash"], info["chat_template"]

        expected = state(source)
        made = {"source": source}
        for name, options in forms.items():
            made[name] = folder / name
            tern("convert", source, made[name], *options, "-t", 1)
            self.assertEqual(state(made[name]), expected, name)
        for source_name in made:
            for name, options in forms.items():
                if name.startswith("masters") and source_name not in ("source", "masters"):
                    continue  # only a training directory has them, and what was made of it
                target = folder / f"again-{name}"
                tern("convert", made[source_name], target, *options, "-t", 1)
                self.assertEqual(state(target), expected, f"{source_name} -> {name}")
        shutil.rmtree(folder)

    @slow
    def test_every_form_becomes_every_other(self):
        files = {f"{kind}.gguf": ["--type", kind] for kind in ("tq1_0", "tq2_0", "i2_s", "f16", "bf16", "f32")}
        folders = {"packed": [], "shards": ["--shard-size", "50KB"], "masters": ["--type", "f32"],
                   "masters-bf16": ["--type", "bf16"]}
        self.expect_all_conversions(self.dir / "run", {**files, **folders})

    @slow
    def test_every_form_of_full_models_becomes_every_other(self):
        tern("train", *self.shape, "--weights", "full", "--sub-norms", "false", "--steps", 4, "--out", self.dir / "full")
        real = {f"{kind}.gguf": ["--type", kind] for kind in ("bf16", "f32")}
        real.update({kind: ["--type", kind] for kind in ("bf16", "f32")})
        self.expect_all_conversions(self.dir / "full", real)
        # What rounds: the rounded model then goes everywhere where its numbers are held.
        for kind, forms in (("f16", ["f16", "f32"]), ("q8_0", ["f32"])):
            tern("convert", self.dir / "full", self.dir / "rounded.gguf", "--type", kind)
            options = {f"{form}.gguf": ["--type", form] for form in forms}
            options.update({form: ["--type", form] for form in forms})
            self.expect_all_conversions(self.dir / "rounded.gguf", options)

    def test_shards(self):
        tern("convert", self.dir / "run", self.dir / "unsharded")
        tern("convert", self.dir / "run", self.dir / "shards", "--shard-size", "50KB")
        index = json.loads((self.dir / "shards/model.safetensors.index.json").read_text())
        files = sorted(set(index["weight_map"].values()))
        self.assertGreater(len(files), 2)
        self.assertEqual(files[0], f"model-00001-of-{len(files):05}.safetensors")
        self.assertFalse((self.dir / "shards/model.safetensors").exists())
        logits = {tern("eval", "logits", "-m", self.dir / model, 5, 6, 7)[0] for model in ("unsharded", "shards", "run")}
        self.assertEqual(len(logits), 1)
        self.assertEqual(len(logits.pop().splitlines()), 3)
        before = sorted(path.name for path in (self.dir / "run").iterdir())
        self.assertIn("run: expected a place for a Hugging Face directory, it is a training directory",
                      error("convert", self.dir / "run", self.dir / "run"))
        self.assertEqual(sorted(path.name for path in (self.dir / "run").iterdir()), before)
        (self.dir / "shards" / files[1]).unlink()
        self.assertIn(f"{files[1]}: cannot open", error("info", self.dir / "shards"))
        tern("convert", self.dir / "run", self.dir / "never", "--shard-size", "much", expect=2)

    def test_heads(self):
        perplexity = ["eval", "perplexity", "-m", self.dir / "run", self.dir / "text.txt", "--json"]
        results = {head: json.loads(tern(*perplexity, "--head", head)[0]) for head in ("exact", "int8")}
        self.assertEqual(json.loads(tern(*perplexity)[0])["loss"], results["exact"]["loss"])
        self.assertEqual(results["int8"]["head"], "int8")
        self.assertAlmostEqual(results["int8"]["loss"], results["exact"]["loss"], delta=0.05)
        run = ["run", "-m", self.dir / "run", "-p", "the ", "-n", 4, "--temp", 0, "--json"]
        self.assertEqual(json.loads(tern(*run)[0])["head"], "exact")
        self.assertEqual(json.loads(tern(*run, "--head", "int8")[0])["head"], "int8")
        info = json.loads(tern("info", self.dir / "run", "--json")[0])
        self.assertEqual((info["default_head"], info["default_layout"]), ("exact", "codes"))

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

    def test_without_a_model_the_one_in_the_box(self):
        # A program alone, and then with the folder of models above it.
        home = self.dir / "home"
        (home / "build/bin").mkdir(parents=True)
        alone = shutil.copy(program.TERN, home / "build/bin/tern")
        question = ["-p", "Once upon a time", "-n", 24, "-s", 1, "--json"]

        def told(*args, cwd=self.dir, **kwargs):
            return subprocess.run([alone, *map(str, args)], capture_output=True, text=True, timeout=300, cwd=cwd, **kwargs)

        for command in (["run", *question], ["chat", "--json"], ["serve", "--port", 0]):
            refused = told(*command, input="")
            self.assertEqual(refused.returncode, 1)
            self.assertIn("no model: expected -m MODEL, or models/tern-stories.gguf in the working directory", error_line(refused.stderr))
        box = Path(__file__).resolve().parents[2] / "models"
        named = json.loads(tern("run", "-m", box / "tern-stories.gguf", *question)[0])
        self.assertEqual(len(named["tokens"]), 24)
        self.assertEqual(json.loads(told("run", *question, cwd=box.parent).stdout)["tokens"], named["tokens"])
        (home / "models").symlink_to(box)
        self.assertEqual(json.loads(told("run", *question).stdout)["tokens"], named["tokens"])
        talk = json.loads(told("chat", "--json", "-s", 1, "-n", 24, input="Once upon a time\nThe dog\n").stdout)
        self.assertEqual([message["role"] for message in talk["messages"]], ["user", "assistant"] * 2)
        self.assertEqual(talk["messages"][1]["content"], named["text"])  # the template adds nothing

    def test_tokenizer_round_trip(self):
        tern("tokenizer", "train", "--vocab", 300, "--out", self.dir / "tok.json", self.dir / "text.txt")
        raw = bytes(range(256)) + "the fox, naïve 狐\n".encode()
        ids, _ = tern("tokenizer", "encode", "--tokenizer", self.dir / "tok.json", stdin=raw)
        self.assertEqual(len(ids.splitlines()), 1)
        self.assertTrue(all(0 <= int(token) < 300 for token in ids.split()))
        encode = ["tokenizer", "encode", "--tokenizer", self.dir / "tok.json", "-t", 1]
        lines, _ = tern(*encode, "--null", stdin=b"the fox\0dog")
        objects = [json.loads(line) for line in tern(*encode, "--null", "--json", stdin=b"the fox\0dog")[0].splitlines()]
        self.assertEqual([" ".join(map(str, o["ids"])) for o in objects], lines.splitlines())
        self.assertEqual([(o["bytes"], o["tokens"]) for o in objects], [(7, len(objects[0]["ids"])), (3, len(objects[1]["ids"]))])
        decode = start("tokenizer", "decode", "--tokenizer", self.dir / "tok.json", stdin=subprocess.PIPE)
        self.assertEqual(decode.communicate(ids.encode(), timeout=60), (raw, b""))
        self.assertIn("expected", error("tokenizer", "decode", "--tokenizer", self.dir / "tok.json", stdin=b"1 300 2"))

    def test_a_refused_training_leaves_no_directory(self):
        out, cache = self.dir / "refused/run", self.dir / "refused-cache"
        (self.dir / "short.txt").write_text("short\n")
        before = sorted(self.dir.iterdir())
        for wrong, message in ((["--data", self.dir / "short.txt"], "a context of 32 needs"),
                               (["--data", self.dir / "none.txt"], "none.txt"),
                               (["--data", self.dir / "text.txt", "--valid", self.dir / "none.txt"], "none.txt")):
            for more in ([], ["--cache", cache]):
                self.assertIn(message, error("train", *SHAPE, *wrong, "--steps", 1, "--out", out, *more))
                left = {path for path in self.dir.iterdir() if path not in before}
                self.assertLessEqual(left, {cache})  # whole shards of good data serve others
        shutil.rmtree(cache, ignore_errors=True)

    def test_errors_are_one_line(self):
        d = self.dir
        (d / "empty.txt").write_text("")
        (d / "bad.jsonl").write_text('{"text": "a"}\n{"text"\n')
        (d / "broken.gguf").write_bytes(b"GGUF\x03\x00\x00")
        cases = [
            (["run", "-m", d / "missing.gguf", "-p", "x"], "missing.gguf: no such file"),
            (["run", "-m", d / "broken.gguf", "-p", "x"], "broken.gguf"),
            (["run", "-m", d / "text.txt", "-p", "x"], "text.txt"),
            (["run", "-m", d / "run", "-p", "x", "--temp", "-1"], "temperature is -1"),
            (["run", "-m", d / "run", "-p", "x", "--kv-type", "fp8"], "--kv-type: unknown type 'fp8'"),
            (["eval", "perplexity", "-m", d / "run", d / "text.txt", "--kv-type", ""], "expected f32, bf16 or int8"),
            (["run", "-m", d / "run", "-p", "x" * 100], "the context holds 32"),
            (["run", "-m", d / "run", "-p", "x", "--head", "int4"], "unknown head 'int4'"),
            (["run", "-m", d / "run", "-p", "x", "--layout", "bits"], "--layout: unknown layout 'bits', expected codes or"),
            (["run", "-m", d / "run", "-p", "x", "--head", "screened"], "a vocabulary of at least 512 tokens"),
            (["eval", "perplexity", "-m", d / "run", d / "empty.txt"], "empty.txt"),
            (["eval", "perplexity", "-m", d / "run", d / "text.txt", "-c", 64], "context of 32"),
            (["convert", d / "run", d / "x.gguf", "--type", "q9"], "unknown tensor type 'q9'"),
            (["convert", d / "run", d / "x.gguf", "--type", "q8_0"], "--type q8_0: does not hold trits exactly"),
            (["convert", d / "run", d / "x.gguf", "--type", "q4_0"], "--type q4_0: expected tq1_0, tq2_0, i2_s"),
            (["convert", d / "run", d / "x.gguf", "--embedding", "tq2_0"], "--embedding tq2_0: expected bf16"),
            (["convert", d / "run", d / "x", "--embedding", "bf16"], "--embedding bf16: only for GGUF files"),
            (["eval", "perplexity", "-m", d / "run", d / "text.txt", "--convention", "x"], "unknown convention 'x'"),
            (["convert", d / "run", d / "nowhere/x.gguf"], f"tern: {d}/nowhere/x.gguf: cannot open for writing: No such file"),
            (["convert", d / "run", d / "text.txt"], f"tern: {d}/text.txt: cannot create the directory: Not a directory"),
            (["convert", d / "run", d / "x.gguf", "--ternarize"], "expected a full-precision model"),
            (["train", *self.shape, "--out", d / "run"], "--resume"),
            (["train", *self.shape, "--out", d / "a", "--kv-heads", 3], "not a multiple"),
            (["train", *self.shape, "--out", d / "a", "--steps", 0], "steps is 0"),
            (["train", *self.shape, "--out", d / "a", "--weights", "quaternary"], "unknown weight kind"),
            (["train", "--out", d / "text.txt/a", *self.shape], "text.txt/a"),
            (["train", "--data", d / "empty.txt", "--tokenizer", "byte", "--out", d / "a"], "empty.txt"),
            (["train", "--data", d / "bad.jsonl", "--tokenizer", "byte", "--out", d / "a"], "bad.jsonl: line 2: not valid JSON"),
            (["train", "--data", f"{d}/text.txt:0", "--tokenizer", "byte", "--out", d / "a"], "'0' is not a number above 0"),
            (["train", "--resume", "--out", d / "run", "--lr", 1], "leave --lr out"),
            (["info", d / "run", "-t", -1], "--threads is -1"),
            (["tokenizer", "train", "--out", d / "t.json", d / "empty.txt"], "empty"),
            (["tokenizer", "encode", "--tokenizer", d / "missing.json"], "missing.json"),
        ]
        for args, part in cases:
            with self.subTest(part=part):
                self.assertIn(part, error(*args))
        self.assertIn("tern: TERN_ISA=mmx: no such instruction set", error("info", d / "run", env={**os.environ, "TERN_ISA": "mmx"}))

    @slow
    def test_report(self):
        folder, results = self.dir / "report", self.dir / "results.md"
        tiny = ["report", "--quick", "--sizes", "tiny", "--throughput-size", "tiny", "--memory-budget", 0.1, "--seconds", 0.01,
                "-r", 1, "-t", 1, "--out", folder]  # fmt: skip
        out, err = tern(*tiny, "-m", self.dir / "run", "--text", self.dir / "text.txt", "--results", results)
        self.assertEqual(out.split(), [str(folder / name) for name in ("report.html", "report.md", "report.json")])
        self.assertIn("report", err)
        self.assertEqual(results.read_text(), (folder / "report.md").read_text())
        report = json.loads((folder / "report.json").read_text())
        self.assertTrue(report["complete"])
        speed = report["measurements"]["speed/tiny/ternary/2"]["numbers"]
        self.assertGreater(speed["decode_s"], 0)
        measured = report["measurements"][f"perplexity/tern/{self.dir / 'run'}"]["numbers"]
        alone = json.loads(tern("eval", "perplexity", "-m", self.dir / "run", self.dir / "text.txt", "--json")[0])
        self.assertEqual((measured["loss"], measured["perplexity"]), (alone["loss"], alone["perplexity"]))
        for convention, usual in (("gptq", 2048), ("llama.cpp", 512), ("lm-eval", 0)):
            measured = report["measurements"][f"perplexity/{convention}/{self.dir / 'run'}"]["numbers"]
            alone = json.loads(tern("eval", "perplexity", "-m", self.dir / "run", self.dir / "text.txt", "--json", "--convention", convention)[0])
            self.assertEqual([measured[key] for key in ("perplexity", "context")], [alone[key] for key in ("perplexity", "context")])
            self.assertLess(alone["context"], 512)
            self.assertEqual(f"the convention's windows have {usual} tokens" in results.read_text(), usual > 0)
        self.assertEqual(measured["word_perplexity"], alone["word_perplexity"])

        again = self.dir / "again"
        out, _ = tern("report", "--from", folder / "report.json", "--out", again, "--json")
        self.assertEqual(out, (folder / "report.json").read_text())
        for name in ("report.html", "report.md", "report.json"):
            self.assertEqual((again / name).read_bytes(), (folder / name).read_bytes())
        html = (folder / "report.html").read_text()
        self.assertNotIn("<script", html)
        xml.etree.ElementTree.fromstring(html[html.index("<svg"):html.index("</svg>")] + "</svg>")

    @slow
    def test_report_goes_on_after_an_interrupt(self):
        folder = self.dir / "cut"
        command = ["report", "--quick", "--sizes", "tiny", "--throughput-size", "tiny", "--memory-budget", 0.1, "--seconds", 1, "-r", 9,
                   "-t", 1, "--out", folder]  # fmt: skip
        process = start(*command)
        for _ in range(600):
            if (folder / "report.json").exists() and "speed/tiny/ternary/2" in (folder / "report.json").read_text():
                break
            time.sleep(0.1)
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=120)
        self.assertEqual(process.returncode, 130)
        before = json.loads((folder / "report.json").read_text())
        self.assertFalse(before["complete"])
        self.assertIn("interrupted", (folder / "report.html").read_text())
        _, err = tern(*command)
        self.assertIn("going on", err)
        after = json.loads((folder / "report.json").read_text())
        self.assertTrue(after["complete"])
        self.assertEqual(after["measurements"]["speed/tiny/ternary/2"], before["measurements"]["speed/tiny/ternary/2"])

    def test_report_refuses_in_one_line(self):
        for arguments, message in (
            (["--sizes", "8b"], "unknown shape '8b', expected tiny, 125m, 350m, 700m"),
            (["--memory-budget", 1], "--memory-budget: 1.07 GB, expected more than the"),
            (["--memory-budget", "-1"], "--memory-budget is -1 GiB"),
            (["-m", self.dir / "missing"], "missing: no such file"),
            (["--data", self.dir], "--data: expected a --model"),
            (["--from", self.dir / "text.txt"], "text.txt: "),
        ):
            self.assertIn(message, error("report", "--quick", "--out", self.dir / "no-report", *arguments))
        self.assertIn("text.txt", error("report", "--quick", "--out", self.dir / "text.txt/x"))
        self.assertFalse((self.dir / "no-report").exists())

    def test_bench_reports_every_field(self):
        tests = json.loads(tern("bench", "--shape", "tiny", "-p", "20,600", "-n", 4, "-b", "1,3", "-r", 2, "-t", 2,
                                "--json")[0])
        self.assertEqual([test["test"] for test in tests], ["pp20", "pp600", "tg4", "tg4 b3"])
        for test in tests:
            for key in ("build_commit", "cpu_info", "model_type", "kernel", "test_time"):
                self.assertRegex(test[key], r".", key)
            for key in ("avg_ns", "median_ns", "avg_ts", "median_ts", "read_bandwidth", "integer_peak", "float_peak",
                        "peak_memory_bytes"):
                self.assertGreater(test[key], 0, key)
            for key in ("stddev_ns", "stddev_ts"):
                self.assertGreaterEqual(test[key], 0, key)
            self.assertEqual((test["model_filename"], test["n_threads"], test["weights"]), ("", 2, "ternary"))
            self.assertEqual((test["type_k"], test["type_v"], test["head"]), (test["kv_type"],) * 2 + ("exact",))
            # 2 layers of 256 x (256 + 128 + 128 + 256) and 3 x 688 x 256, and 512 rows of embedding.
            self.assertEqual(test["model_n_params"], 2 * (256 * 768 + 3 * 688 * 256 + 3 * 256 + 688) + 512 * 256 + 256)
            self.assertGreater(test["model_size"], test["model_n_params"] / 4)
            self.assertEqual((len(test["samples_ns"]), len(test["samples_ts"])), (2, 2))
            self.assertEqual((test["load_ns"], test["file_read_ns"]), (None, None))  # nothing was read
            tokens = (test["n_prompt"] + test["n_gen"]) * test["n_sequences"]
            for ns, speed in zip(test["samples_ns"], test["samples_ts"]):
                self.assertAlmostEqual(speed, tokens * 1e9 / ns, delta=speed * 1e-3)
            self.assertAlmostEqual(test["avg_ts"], sum(test["samples_ts"]) / 2, delta=test["avg_ts"] * 1e-9)
            if test["n_gen"] == 0:
                self.assertGreater(test["peak_share"], 0)
                self.assertIsNone(test["bytes_per_token"])
                self.assertIsNone(test["bandwidth_share"])
            else:
                self.assertGreater(test["bandwidth_share"], 0)
                self.assertIsNone(test["peak_share"])
        self.assertEqual([test["n_batch"] for test in tests], [20, 512, 1, 3])
        one, three = (test["bytes_per_token"] for test in tests[2:])
        weights = tests[2]["model_size"]
        self.assertGreater(one, weights)
        self.assertEqual(one - weights, three - weights // 3)  # keys and values are read for every sequence

    @slow
    def test_bench_measures_files_and_kinds(self):
        test, = json.loads(tern("bench", "-m", self.dir / "run", "-p", 0, "-n", 3, "-r", 1, "-o", "json")[0])
        self.assertEqual(test["model_filename"], str(self.dir / "run"))
        self.assertEqual(test["stddev_ts"], 0)
        self.assertGreater(test["load_ns"], 0)
        self.assertGreater(test["file_read_ns"], 0)
        info = json.loads(tern("info", self.dir / "run", "--json")[0])
        self.assertEqual((test["model_size"], test["model_n_params"]), (info["memory"]["weights"], info["parameters"]))
        decoded = {}
        for head, kv_type in (("exact", "f32"), ("int8", "f32"), ("screened", "f32"), ("exact", "bf16"), ("exact", "int8")):
            test, = json.loads(tern("bench", "--shape", "tiny", "--head", head, "--kv-type", kv_type, "-p", 0, "-n", 1, "-r",
                                    1, "--json")[0])
            self.assertEqual((test["head"], test["kv_type"], test["type_k"], test["type_v"]), (head,) + (kv_type,) * 3)
            decoded[head, kv_type] = test["bytes_per_token"]
        # 512 rows of 256 numbers in two bytes, or in one with a float a row.
        self.assertEqual(decoded["exact", "f32"] - decoded["int8", "f32"], 512 * (256 - 4))
        self.assertLess(decoded["screened", "f32"], decoded["int8", "f32"])
        # Keys and values of 2 layers and 2 heads of 64.
        self.assertEqual(decoded["exact", "f32"] - decoded["exact", "bf16"], 2 * 2 * 2 * 64 * 2)
        self.assertLess(decoded["exact", "int8"], decoded["exact", "bf16"])
        layouts = {}
        for layout in ("auto", "codes", "triples"):
            test, = json.loads(tern("bench", "--shape", "tiny", "--layout", layout, "-p", 0, "-n", 1, "-r", 1, "--json")[0])
            layouts[layout] = (test["layout"], test["bytes_per_token"])
        self.assertEqual(layouts["auto"], layouts["codes"])  # it fits into a cache
        self.assertEqual(layouts["triples"][0], "triples")
        self.assertLess(layouts["triples"][1], layouts["codes"][1])
        sizes = {}
        for kind in ("ternary", "binary", "full"):
            test, = json.loads(tern("bench", "--shape", "tiny", "--weights", kind, "--layers", 1, "-p", 8, "-n", 0, "-r",
                                    1, "--json")[0])
            self.assertEqual((test["weights"], test["model_type"]), (kind, f"tiny {kind}"))
            sizes[kind] = test["model_size"]
        self.assertEqual(sizes["ternary"], sizes["binary"])
        self.assertGreater(sizes["full"], 3 * sizes["ternary"])

    def test_bench_tables(self):
        arguments = ["bench", "--shape", "tiny", "-p", 8, "-n", 2, "-r", 1]
        rows = list(csv.DictReader(tern(*arguments, "-o", "csv")[0].splitlines()))
        self.assertEqual([row["test"] for row in rows], ["pp8", "tg2"])
        scored = tern(*arguments, "-o", "csv", "--logits")[0]
        self.assertEqual([row["test"] for row in csv.DictReader(scored.splitlines())], ["pp8 logits", "tg2"])
        for row in rows:
            self.assertGreater(float(row["avg_ts"]), 0)
            self.assertNotIn(None, row)  # as many cells as columns
            self.assertNotIn(None, row.values())
        self.assertEqual((rows[0]["bytes_per_token"], rows[1]["peak_share"]), ("", ""))
        table = [line for line in tern(*arguments)[0].splitlines() if line.startswith("|")]
        self.assertEqual([cell.strip() for cell in table[0].split("|")[1:-1]],
                         ["model", "size", "params", "kernel", "threads", "test", "t/s", "of the limit"])
        self.assertEqual(len(table), 4)
        self.assertEqual(len({line.count("|") for line in table}), 1)

    def test_bench_refuses_in_one_line(self):
        d = self.dir
        tiny = ["bench", "--shape", "tiny"]
        cases = [
            (["bench", "--shape", "8b"], "unknown shape '8b', expected tiny, 125m, 350m, 700m, 1b, 1.3b"),
            (["bench"], "there is neither"),
            ([*tiny, "-m", d / "run"], "there are both"),
            (["bench", "-m", d / "missing.gguf"], "missing.gguf: no such file"),
            (["bench", "-m", d / "run", "-p", 33, "-n", 0], "pp33: 33 tokens, the context holds 32"),
            ([*tiny, "-n", 1025], "tg1025: 1025 tokens, the context holds 1024"),
            ([*tiny, "-r", 0], "--repetitions is 0"),
            ([*tiny, "-b", 0], "--batch is 0"),
            ([*tiny, "-p", 0, "-n", 0], "nothing to measure"),
            ([*tiny, "-p", 0, "-n", 4, "--logits"], "--logits: expected with a --prompt above 0, there is none"),
            ([*tiny, "--layers", 3], "--layers is 3, the model has 2"),
            ([*tiny, "--weights", "quaternary"], "unknown weight kind"),
            (["bench", "-m", d / "run", "--weights", "full"], "a model has its own"),
            ([*tiny, "--head", "round"], "unknown head 'round'"),
            ([*tiny, "--weights", "full", "--layout", "codes"], "--layout codes: the model has no ternary weights"),
            ([*tiny, "--kv-type", "fp8"], "unknown type 'fp8'"),
            ([*tiny, "-o", "xml"], "unknown output 'xml', expected md, csv or json"),
            # 10^16 bytes of keys and values.
            (["bench", "--shape", "100b", "-n", 2048, "-b", 65536], "GB of memory needed"),
        ]
        for args, part in cases:
            with self.subTest(part=part):
                self.assertIn(part, error(*args))
        for wrong in (["-p", "many"], ["-n", "-1"], ["-r", -1], ["-r", "x"]):
            tern(*tiny, *wrong, expect=2)

    def test_embed_gives_a_vector_a_text(self):
        model = ["-m", self.dir / "run"]
        out, _ = tern("embed", *model, "the fox", "the lazy dog", "--json")
        report = json.loads(out)
        self.assertEqual((report["pooling"], report["normalized"], report["dimensions"]), ("last", True, 256))
        first, second = (text["embedding"] for text in report["data"])
        self.assertEqual((len(first), len(second)), (256, 256))
        self.assertNotEqual(first, second)
        self.assertAlmostEqual(sum(x * x for x in first), 1, places=5)
        lines = tern("embed", *model, "--file", "-", "-t", 2, stdin=b"the fox\nthe lazy dog\n")[0].splitlines()
        self.assertEqual(len(lines), 2)
        for x, y in zip(map(float, lines[0].split()), first, strict=True):
            self.assertAlmostEqual(x, y, places=7)
        raw = json.loads(tern("embed", *model, "the fox", "--raw", "--pooling", "mean", "--json")[0])["data"][0]["embedding"]
        self.assertNotAlmostEqual(sum(x * x for x in raw), 1, places=2)
        (self.dir / "empty").write_text("")
        for args, part in [
            (["x", "--pooling", "max"], "unknown pooling 'max', expected last, mean or first"),
            ([], "expected texts or --file, there is neither"),
            (["x", "--file", self.dir / "text.txt"], "there are both"),
            (["--file", self.dir / "empty"], "the file is empty"),
            (["x" * 33], "text 1: 33 tokens to embed, the context holds 32"),
        ]:
            with self.subTest(part=part):
                self.assertIn(part, error("embed", *model, *args))

    def test_embed_flags_say_what_is_read_and_taken(self):
        def embed(model, *flags):
            report = json.loads(tern("embed", "-m", model, "the fox", "--json", *flags)[0])
            return report["data"][0]["tokens"], report["pooling"], report["data"][0]["embedding"], report

        run = self.dir / "run"
        vectors = {pooling: embed(run, "--pooling", pooling)[2] for pooling in ("last", "mean", "first")}
        self.assertEqual(embed(run)[2], vectors["last"])
        self.assertEqual(len({tuple(vector) for vector in vectors.values()}), 3)
        self.assertEqual(embed(run, "-c", 7), embed(run))
        self.assertIn("text 1: 7 tokens to embed, the context holds 6", error("embed", "-m", run, "the fox", "-c", 6))
        raw, unit = embed(run, "--raw"), embed(run)
        length = math.sqrt(sum(x * x for x in raw[2]))
        self.assertEqual((raw[3]["normalized"], unit[3]["normalized"]), (False, True))
        for x, y in zip(raw[2], unit[2], strict=True):
            self.assertAlmostEqual(x / length, y, places=6)

        # The end of a text: on request, or where the file says so and nothing else is asked for.
        self.assertEqual((embed(run)[0], embed(run, "--no-eos")[0], embed(run, "--eos")[0]), (7, 7, 8))
        self.assertNotEqual(embed(run, "--eos")[2], unit[2])
        tern("embed", "-m", run, "x", "--eos", "--no-eos", expect=2)
        plain, ends = self.dir / "plain.gguf", self.dir / "ends.gguf"
        tern("convert", run, plain)
        key = b"tokenizer.ggml.add_%s_token" + (7).to_bytes(4, "little")  # a boolean
        self.assertEqual(plain.read_bytes().count(key % b"bos" + b"\0"), 1)
        ends.write_bytes(plain.read_bytes().replace(key % b"bos" + b"\0", key % b"eos" + b"\1"))
        self.assertEqual((embed(plain)[0], embed(ends)[0], embed(ends, "--no-eos")[0]), (7, 8, 7))
        self.assertEqual(embed(ends)[2], embed(plain, "--eos")[2])
        self.assertEqual(embed(ends, "--no-eos")[2], embed(plain)[2])

        # The pooling and the beginning of a text as a Hugging Face directory says.
        hf = self.dir / "embed-hf"
        tern("convert", run, hf)
        tokenizer = json.loads((hf / "tokenizer.json").read_text())
        first = [{"SpecialToken": {"id": "<|endoftext|>", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}]
        tokenizer["post_processor"] = {"type": "TemplateProcessing", "single": first}
        (hf / "tokenizer.json").write_text(json.dumps(tokenizer))
        config = json.loads((hf / "tokenizer_config.json").read_text())
        (hf / "tokenizer_config.json").write_text(json.dumps({**config, "add_bos_token": True}))
        (hf / "1_Pooling").mkdir()
        (hf / "1_Pooling/config.json").write_text(json.dumps({"pooling_mode_mean_tokens": True}))
        self.assertEqual(embed(hf)[:2], (8, "mean"))
        self.assertEqual(embed(hf, "--no-bos")[:2], (7, "mean"))
        self.assertEqual(embed(hf, "--no-bos")[2], vectors["mean"])
        self.assertEqual(embed(hf, "--no-bos", "--pooling", "first")[2], vectors["first"])

    def test_names_out_of_files_do_not_reach_the_terminal(self):
        tern("convert", self.dir / "run", self.dir / "names.gguf")
        data = (self.dir / "names.gguf").read_bytes()
        name, hostile = b"blk.0.attn_norm.weight", b"blk.0.ff\x1b[2J\n\xffn.weight"
        self.assertEqual(len(name), len(hostile))
        (self.dir / "names.gguf").write_bytes(data.replace(name, hostile))
        shown = "blk.0.ff\\x1B[2J\\x0A\\xFFn.weight"
        self.assertIn(f"'{name.decode()}', there is none", error("eval", "perplexity", "-m", self.dir / "names.gguf", self.dir / "text.txt"))
        self.assertIn(shown, tern("info", self.dir / "names.gguf", "--tensors")[0])
        self.assertIn(f"'{shown}' has no place", tern("info", self.dir / "names.gguf", "--check", expect=1)[0])
        listed = json.loads(tern("info", self.dir / "names.gguf", "--tensors", "--json")[0])["tensors"]
        self.assertIn("blk.0.ff\x1b[2J\n\ufffdn.weight", [tensor["name"] for tensor in listed])
        # A path is what its user typed, but one line all the same.
        self.assertIn("no\\x1B[1m\\x0Awhere", error("info", self.dir / "no\x1b[1m\nwhere"))
        # Messages that are no errors: what was written, and a warning about a template.
        folder = self.dir / "to\x1b[1m\nhere"
        self.assertIn("to\\x1B[1m\\x0Ahere: ", tern("convert", self.dir / "run", folder)[1])
        config = json.loads((folder / "tokenizer_config.json").read_text())
        config["chat_template"] = [{"name": "tools\x1b[2J\n", "template": "x"}]
        (folder / "tokenizer_config.json").write_text(json.dumps(config))
        warning = tern("info", folder)[1]
        self.assertIn("to\\x1B[1m\\x0Ahere/tokenizer_config.json: chat_template: none of the templates", warning)
        self.assertIn("'tools\\x1B[2J\\x0A'", warning)
        self.assertEqual((warning.count("\n"), warning.count("\x1b")), (1, 0))

    def test_more_threads_than_processors_is_one_warning(self):
        threads = len(os.sched_getaffinity(0)) + 1
        for command in (["info", self.dir / "run"], ["bench", "--shape", "tiny", "-p", 1, "-n", 0, "-r", 1]):
            _, err = tern(*command, "-t", threads)
            warnings = [line for line in err.splitlines() if line.startswith("warning: ")]
            self.assertEqual(len(warnings), 1, err)
            self.assertIn(f"{threads} threads on {threads - 1} available processors", warnings[0])

    def test_a_model_larger_than_memory_is_refused_before_it_is_loaded(self):
        # 2 TB of zeros that take no space on the disk.
        dim, ffn, layers = 65536, 262144, 15
        shapes = {"model.embed_tokens.weight": [256, dim], "model.norm.weight": [dim]}
        for n in range(layers):
            for name in ("self_attn.q", "self_attn.k", "self_attn.v", "self_attn.o"):
                shapes[f"model.layers.{n}.{name}_proj.weight"] = [dim, dim]
            for name, shape in (("gate", [ffn, dim]), ("up", [ffn, dim]), ("down", [dim, ffn])):
                shapes[f"model.layers.{n}.mlp.{name}_proj.weight"] = shape
            for name in ("input", "post_attention"):
                shapes[f"model.layers.{n}.{name}_layernorm.weight"] = [dim]
        header, at = {}, 0
        for name, shape in shapes.items():
            size = 2 * math.prod(shape)
            header[name] = {"dtype": "BF16", "shape": shape, "data_offsets": [at, at + size]}
            at += size
        text = json.dumps(header).encode()
        folder = self.dir / "huge"
        folder.mkdir()
        with open(folder / "model.safetensors", "wb") as file:
            file.write(len(text).to_bytes(8, "little") + text)
            file.truncate(8 + len(text) + at)
        (folder / "config.json").write_text(json.dumps({
            "model_type": "llama", "vocab_size": 256, "hidden_size": dim, "intermediate_size": ffn, "num_hidden_layers": layers,
            "num_attention_heads": 512, "tie_word_embeddings": True}))
        for command in (["run", "-m", folder, "-p", "x"], ["bench", "-m", folder]):
            self.assertRegex(error(*command), r"huge: 206\d\.\d GB of memory needed.* \d+\.\d GB available")

    def test_plot_draws_runs(self):
        d, svg = self.dir, self.dir / "loss.svg"
        plain = {**os.environ, "LC_ALL": "C"}
        out, _ = tern("plot", f"mine={d}/run", d / "run/metrics.jsonl", "--width", 70, env=plain)
        self.assertTrue(out.isascii())
        self.assertIn("mine:", out)
        self.assertIn("run:", out)
        self.assertIn("after 8 steps, validation", out)
        self.assertTrue(all(len(line) <= 70 for line in out.splitlines()), out)
        report = json.loads(tern("plot", d / "run", "--json", "--x", "tokens")[0])["runs"][0]
        lines = [json.loads(line) for line in (d / "run/metrics.jsonl").read_text().splitlines()]
        self.assertEqual(report["training"], [[64 * (line["step"] + 1), line["loss"]] for line in lines if "loss" in line])
        self.assertEqual(report["validation"], [[64 * 8, lines[-1]["valid_loss"]]])
        self.assertTrue(report["finished"])
        tern("plot", d / "run", d / "run", "--svg", svg, "--title", "a < b", "--log-y", "--smooth", 3)
        root = xml.etree.ElementTree.parse(svg).getroot()
        self.assertTrue(root.tag.endswith("svg"))
        self.assertEqual(len([tag for tag in root.iter() if tag.tag.endswith("polyline")]), 2)
        out, _ = tern("plot", d / "run", "--follow")  # it has ended, and so does this
        self.assertIn("run: ", out)
        (d / "bad.jsonl").write_text('{"step": 0, "loss": 1}\nx\n')
        for args, part in [
            ([d / "nowhere"], "nowhere/metrics.jsonl: cannot open"),
            ([d / "bad.jsonl"], "bad.jsonl: line 2: expected a JSON object, got 'x'"),
            ([d / "run", "--metric", "zeroes"], "no number 'zeroes' in it; there are"),
            ([d / "run", "--x", "epochs"], "no number 'loss' beside 'epochs' in it; there are"),
            ([d / "run", "--width", 5], "--width is 5, expected 20 to"),
            ([d / "run", "--smooth", 0], "--smooth is 0"),
        ]:
            with self.subTest(part=part):
                self.assertIn(part, error("plot", *args))

    def test_plot_follows_until_interrupted(self):
        (self.dir / "growing.jsonl").write_text("")
        follower = start("plot", self.dir / "growing.jsonl", "--follow")
        with open(self.dir / "growing.jsonl", "a") as file:
            file.write('{"step": 0, "loss": 4.5}\n')
        self.assertIn(b"growing: 4.5 after 1 steps", follower.stdout.readline())
        follower.send_signal(signal.SIGINT)
        self.assertEqual(follower.communicate(timeout=60)[1], b"")
        self.assertEqual(follower.returncode, 130)

    def test_samples_change_nothing(self):
        d = self.dir
        train = ["train", *self.shape, "--steps", 8]
        tern(*train, "--out", d / "silent")
        _, err = tern(*train, "--out", d / "watched", "--sample-every", 3, "--sample-prompt", "the ", "--sample-prompt", "",
                      "--sample-tokens", 9, "--sample-temperature", 0.5, "--tensorboard", d / "watched/events")
        self.assertEqual(err.count("sample after "), 4)
        self.assertIn("\n  | the ", err)
        losses = [re.sub(r'"(tokens_per_second|peak_share)":[^,}]*', "", (d / run / "metrics.jsonl").read_text())
                  for run in ("silent", "watched")]
        self.assertEqual(losses[0], losses[1])
        self.assertEqual((d / "silent/checkpoint.safetensors").read_bytes(), (d / "watched/checkpoint.safetensors").read_bytes())
        samples = [json.loads(line) for line in (d / "watched/samples.jsonl").read_text().splitlines()]
        self.assertEqual([(s["steps"], s["prompt"]) for s in samples], [(3, "the "), (3, ""), (6, "the "), (6, "")])
        self.assertTrue(all(0 < s["tokens"] <= 9 for s in samples), samples)
        self.assertEqual(len(list((d / "watched/events").iterdir())), 1)
        tern("train", "--resume", "--out", d / "watched", "--sample-every", 8, "--tensorboard", d / "watched/events")
        self.assertEqual(len(list((d / "watched/events").iterdir())), 2)
        for args, part in [
            (["--sample-every", 2, "--sample-prompt", "x" * 40], "40 tokens, expected fewer than the 32 of the context"),
            (["--sample-every", -1], "--sample-every is -1"),
            (["--sample-every", 2, "--sample-tokens", 0], "--sample-tokens is 0"),
            (["--sample-every", 2, "--sample-temperature", -1], "--sample-temperature: "),
        ]:
            with self.subTest(part=part):
                self.assertIn(part, error(*train, "--out", d / "refused", *args))

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
        process = start("train", *self.shape, *steps, "--out", self.dir / "killed")
        metrics = self.dir / "killed/metrics.jsonl"
        deadline = time.time() + 120
        while time.time() < deadline and process.poll() is None:
            if metrics.exists() and metrics.read_text().count("\n") >= 13:
                break
            time.sleep(0.005)
        process.kill()
        process.communicate()
        tern("train", "--resume", "--out", self.dir / "killed", "-t", 1)
        self.assertEqual((self.dir / "killed/checkpoint.safetensors").read_bytes(),
                         (self.dir / "whole/checkpoint.safetensors").read_bytes())
        # No step is left: there is no training loss to tell.
        ended = ["train", "--resume", "--out", self.dir / "killed"]
        self.assertIsNone(json.loads(tern(*ended, "--json")[0])["train_loss"])
        self.assertNotIn("training loss", tern(*ended)[0])
        steps_seen = [json.loads(line)["step"] for line in metrics.read_text().splitlines() if '"step"' in line]
        self.assertEqual(steps_seen, list(range(60)))

    def test_a_learning_rate_out_of_bounds_stops_with_its_batch_and_checkpoint(self):
        out = self.dir / "nan"
        message = error("train", *self.shape, "--steps", 30, "--warmup", 10, "--checkpoint-every", 1, "--lr", 1e38, "--out", out)
        self.assertRegex(message, r"step \d+: the loss is (nan|inf) .*; its batch is samples 0 to 1 of step \d+ with seed 1, "
                                  r"first in sample \d; .*checkpoint.safetensors of step \d+ is kept: try a lower --lr than 1e\+38")
        step, saved = (int(x) for x in re.findall(r"step (\d+)", message)[::2])
        # A checkpoint a step, but none of weights whose loss was not a number.
        self.assertLess(saved, step)
        lines = [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]
        self.assertEqual([line["step"] for line in lines], list(range(step)))
        valid = json.loads(tern("eval", "perplexity", "-m", out, self.dir / "text.txt", "--json", "-t", 1)[0])
        self.assertTrue(math.isfinite(valid["loss"]))

    def test_a_diverged_run_stops(self):
        run = ["train", *self.shape, "--steps", 60, "--warmup", 0, "--lr", 1, "--schedule", "constant", "--clip", 0]
        message = error(*run, "--diverged-steps", 4, "--out", self.dir / "diverged")
        self.assertRegex(message, r"step \d+: the run has diverged: for 4 steps the loss was above 6.55, .*step 0 is kept")
        tern(*run, "--diverged-steps", 0, "--out", self.dir / "goes-on")

    @slow
    def test_spikes_are_skipped_and_counted(self):
        out, _ = tern("train", *self.shape, "--steps", 80, "--optimizer", "muon", "--skip-norm", 1, "--json", "--out", self.dir / "skip")
        lines = [json.loads(line) for line in (self.dir / "skip/metrics.jsonl").read_text().splitlines()]
        skipped = [line for line in lines if line.get("skipped")]
        self.assertEqual(json.loads(out)["skipped"], len(skipped))
        self.assertGreater(len(skipped), 0)
        self.assertEqual({line["flips"] for line in skipped}, {0})

    def test_metrics_tell_zeros_and_flips(self):
        lines = [json.loads(line) for line in (self.dir / "run/metrics.jsonl").read_text().splitlines()]
        for line in lines:
            if "step" in line:
                self.assertTrue(0.2 < line["zeros"] < 0.5 and 0 <= line["flips"] < 0.5 and line["peak_share"] > 0, line)
        tern("train", *self.shape, "--steps", 2, "--weights", "full", "--out", self.dir / "full-metrics")
        line = json.loads((self.dir / "full-metrics/metrics.jsonl").read_text().splitlines()[0])
        self.assertNotIn("zeros", line)

    def test_profile_says_where_the_time_goes(self):
        run = self.dir / "profiled"
        out, err = tern("train", *self.shape, "--steps", 3, "--profile", "--json", "--out", run)
        self.assertEqual(json.loads(out)["steps"], 3)
        table = err[err.index("part of the steps"):].splitlines()
        parts = {line[:40].strip(): line[40:].split() for line in table[1:]}
        for part in ("linear layers, forward", "linear layers, gradients of inputs", "linear layers, gradients of weights",
                     "attention, backward", "optimizer", "packing of weights"):
            self.assertIn(part, parts)
        self.assertEqual(parts["optimizer"][2], "3")
        self.assertAlmostEqual(sum(float(values[1].rstrip("%")) for values in parts.values()), 100, delta=2)
        self.assertGreater(float(parts["linear layers, forward"][3]), 0)

    def test_dry_run_writes_nothing(self):
        before = sorted(self.dir.rglob("*"))
        run = ["train", *self.shape, "--steps", 1000, "--dry-run", "--out", self.dir / "planned"]
        out, _ = tern(*run)
        for word in ("parameters", "memory", "operations", "expected time", "two-stage, warm-up 20 steps", "decay"):
            self.assertIn(word, out)
        self.assertIn("weight decay 0.1 up to step 499, then 0", out)
        self.assertIn("learning rate", out)
        self.assertGreater(len(out.splitlines()), 20)
        plan = json.loads(tern(*run, "--json", "--optimizer", "muon")[0])
        info = json.loads(tern("info", self.dir / "run", "--json")[0])
        self.assertEqual(plan["parameters"], info["parameters"])
        self.assertEqual(plan["memory"]["total"], sum(v for k, v in plan["memory"].items() if k not in ("total", "available")))
        self.assertGreater(plan["step_seconds"], 0)
        self.assertEqual((plan["schedule"][0]["step"], plan["schedule"][-1]["step"]), (0, 999))
        self.assertEqual(sorted(self.dir.rglob("*")), before)
        text = self.shape[1]
        mixture = ["train", "--data", f"{text}:0.3", f"{text}:0.7", *self.shape[2:], "--dry-run", "--json", "--out", self.dir / "planned"]
        self.assertEqual(json.loads(tern(*mixture)[0])["data_bytes"], 2 * plan["data_bytes"])
        self.assertIn("no such file", error("train", "--data", self.dir / "none.txt", *SHAPE, "--dry-run", "--out", self.dir / "planned"))
        self.assertIn("a training run is there already", error("train", *self.shape, "--dry-run", "--out", self.dir / "run"))

    def test_contradicting_options(self):
        for options, expected in (
            (["--schedule", "cosine", "--lr-second", 1e-3], "--lr-second belongs to --schedule two-stage, the schedule is cosine"),
            (["--decay-fraction", 0.1], "--decay-fraction belongs to --schedule wsd, the schedule is two-stage"),
            (["--schedule", "constant", "--lr-end", 1e-5], "--lr-end does not fit --schedule constant"),
            (["--momentum", 0.9], "--momentum belongs to --optimizer muon, the optimizer is adamw"),
            (["--weight-decay", 0, "--weight-decay-until", 0.5], "--weight-decay-until does not fit a weight decay of 0"),
            (["--valid", self.dir / "text.txt", "--valid-fraction", 0.2], "leave one of them out"),
            (["--lr", 1e-3, "--lr-end", 2e-3], "lr_end is 0.002, expected 0 to lr, 0.001"),
            (["--steps", 10, "--warmup", 11], "warmup is 11, expected 0 to the number of steps, 10"),
            (["--dry-run", "--trace", self.dir / "trace"], "--dry-run writes nothing, --trace writes files"),
            (["--optimizer", "sgd"], "unknown optimizer 'sgd'"),
            (["--beta2", 1], "beta2 is 1, expected"),
        ):
            self.assertIn(expected, error("train", *self.shape, *options, "--out", self.dir / "refused"))
            self.assertFalse((self.dir / "refused").exists())
        self.assertIn("leave --dry-run out", error("train", "--resume", "--dry-run", "--out", self.dir / "run"))

    def test_interrupt_saves_a_checkpoint(self):
        process = start("train", *self.shape, "--steps", 100000, "--json", "--out", self.dir / "interrupted")
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

    def endless_run(self, name):
        """A run of a model that only knows one character of three bytes, and whose context has no end in sight."""
        (self.dir / "fox.txt").write_text("狐" * 20000)
        tern("train", "--data", self.dir / "fox.txt", *SHAPE, "--steps", 60, "--out", self.dir / name)
        model = self.dir / f"{name}-hf"
        tern("convert", self.dir / name, model)
        config = json.loads((model / "config.json").read_text())
        (model / "config.json").write_text(json.dumps({**config, "max_position_embeddings": 100000}))
        return ["run", "-m", model, "-p", "狐狐", "-n", 100000, "--temp", 0, "-t", 1]

    def test_interrupted_run_ends_its_text(self):
        # What is not read stops the writer, so that it cannot be at the end of its text when the signal comes.
        process = start(*self.endless_run("text"), pipesize=4096)
        self.addCleanup(process.kill)
        begin = os.read(process.stdout.fileno(), 300)
        process.send_signal(signal.SIGINT)
        rest, err = process.communicate(timeout=120)
        self.assertEqual(process.returncode, 130)
        text = (begin + rest).decode("utf-8", "strict")
        self.assertTrue(text.startswith("狐狐"))
        self.assertTrue(text.endswith("\n"))
        # The closing line of every run, and nothing else.
        self.assertRegex(err.decode(), "^interrupted: prompt [^\n]*\n$")

    def test_interrupted_json_is_whole(self):
        process = start(*self.endless_run("json-text"), "--json")
        self.addCleanup(process.kill)
        # Until it catches the signal, it is ended by it at once.
        status = Path(f"/proc/{process.pid}/status")
        while not int(re.search("SigCgt:\t(.*)", status.read_text()).group(1), 16) >> (signal.SIGTERM - 1) & 1:
            self.assertIsNone(process.poll())
        process.send_signal(signal.SIGTERM)
        out, _ = process.communicate(timeout=120)
        self.assertEqual(process.returncode, 130)
        self.assertEqual(json.loads(out)["stop_reason"], "interrupted")

    def test_file_cut_short_while_it_is_read(self):
        text = self.dir / "large.txt"
        for _ in range(4):
            with open(text, "wb") as file:
                file.write(TEXT.encode() * 1000)
            process = start(
                "tokenizer", "train", "--vocab", 300, "--threads", 8, "--out", self.dir / "never.json", text
            )
            self.addCleanup(process.kill)
            maps = Path(f"/proc/{process.pid}/maps")
            while str(text) not in maps.read_text():
                self.assertIsNone(process.poll())
            time.sleep(0.02)  # until several threads read
            # They go on at the same moment, each to find that its part is gone.
            process.send_signal(signal.SIGSTOP)
            os.truncate(text, 0)
            process.send_signal(signal.SIGCONT)
            _, err = process.communicate(timeout=120)
            self.assertEqual(process.returncode, 1)
            self.assertIn("a file became shorter, or unreadable, while it was read", error_line(err.decode()))
            self.assertFalse((self.dir / "never.json").exists())

    def test_closed_output_is_an_error(self):
        with open("/dev/full", "wb") as full:
            done = start("info", self.dir / "run", stdout=full)
            self.assertIn("cannot write to standard output", error_line(done.communicate(timeout=60)[1].decode()))
            self.assertEqual(done.returncode, 1)
            for command in (["--help"], ["--version"], ["train", "--help"]):
                done = start(*command, stdout=full)
                self.assertIn("cannot write to standard output", error_line(done.communicate(timeout=60)[1].decode()))
                self.assertEqual(done.returncode, 1)


if __name__ == "__main__":
    unittest.main(verbosity=1)
