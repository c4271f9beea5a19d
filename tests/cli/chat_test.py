#!/usr/bin/env python3
"""tern chat through pipes and at a terminal: a pseudo-terminal types, and reads what a person would see.

usage: chat_test.py TERN [unittest arguments]
"""
import json
import os
import pty
import re
import select
import signal
import tempfile
import termios
import time
import unittest
from pathlib import Path

import program
from program import SHAPE, TEXT, error, tern

# An end that no text of the model has by chance, so that an answer has the length that was asked for.
TEMPLATE = "{% for m in messages %}{{ m.role }}: {{ m.content }}\n{% endfor %}{{ 'assistant: ' if add_generation_prompt }}"


class Terminal:
    """tern chat on a pseudo-terminal."""

    def __init__(self, *args, env):
        self.pid, self.file = pty.fork()
        if self.pid == 0:
            os.execve(program.TERN, [program.TERN, "chat", *map(str, args)], env)
        self.seen = ""

    def type(self, text):
        os.write(self.file, text.encode())

    def wait_for(self, pattern, seconds=60):
        """Reads until the pattern is in what is not yet consumed; returns the text up to its end."""
        end = time.monotonic() + seconds
        while True:
            match = re.search(pattern, self.seen)
            if match:
                text, self.seen = self.seen[:match.end()], self.seen[match.end():]
                return text
            if time.monotonic() > end:
                raise AssertionError(f"{pattern!r} did not come, but: {self.seen!r}")
            if not select.select([self.file], [], [], 1)[0]:
                continue
            try:
                self.seen += os.read(self.file, 65536).decode("utf-8", "replace")
            except OSError:
                raise AssertionError(f"the end came before {pattern!r}: {self.seen!r}") from None

    def ask(self, line):
        """Types a line and returns all that is shown up to the speed of the answer."""
        self.type(line + "\n")
        return self.wait_for(r"tokens/s[^\n]*\n")

    def leave(self):
        """Ctrl-D at the prompt. The terminal would keep it to itself until the editor reads key by key."""
        self.wait_for("> ")
        end = time.monotonic() + 60
        while termios.tcgetattr(self.file)[3] & termios.ICANON:
            assert time.monotonic() < end, "the editor does not read"
            time.sleep(0.01)
        self.type("\x04")

    def exit_code(self):
        end = time.monotonic() + 60
        while time.monotonic() < end:
            try:
                while select.select([self.file], [], [], 0.05)[0] and os.read(self.file, 65536):
                    pass
            except OSError:
                pass
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                os.close(self.file)
                return os.waitstatus_to_exitcode(status)
        os.kill(self.pid, signal.SIGKILL)
        raise AssertionError("tern chat did not end")


class ChatTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory(prefix="tern-chat-")
        cls.dir = Path(cls.folder.name)
        (cls.dir / "text.txt").write_text(TEXT)
        (cls.dir / "t.jinja").write_text(TEMPLATE)
        shape = [*SHAPE]
        shape[shape.index("--context") + 1] = 4096
        shape[shape.index("--batch") + 1] = 1
        tern("train", "--data", cls.dir / "text.txt", *shape, "--steps", 2, "--out", cls.dir / "run")
        cls.long = ["-m", cls.dir / "run", "-t", 1, "--temp", 0, "--chat-template", cls.dir / "t.jinja"]
        cls.model = [*cls.long, "-c", 256]
        cls.env = {"PATH": os.environ["PATH"], "TERM": "xterm", "XDG_STATE_HOME": str(cls.dir / "state")}

    @classmethod
    def tearDownClass(cls):
        cls.folder.cleanup()

    def terminal(self, *args, model=None):
        terminal = Terminal(*(model or self.model), *args, env=self.env)
        terminal.wait_for("> ")
        return terminal

    # --- Pipes. ---

    def test_every_line_is_a_message(self):
        out, _ = tern("chat", *self.model, "-n", 5, stdin=b"one\n\ntwo\n")
        self.assertEqual(out.count("\n") >= 2, True, out)
        report = json.loads(tern("chat", *self.model, "-n", 5, "--json", "--system", "S", stdin="one\nzwei é\n".encode())[0])
        self.assertEqual([m["role"] for m in report["messages"]], ["system", "user", "assistant", "user", "assistant"])
        self.assertEqual(report["messages"][3]["content"], "zwei é")
        first, second = report["turns"]
        self.assertEqual(first["text"], report["messages"][2]["content"])
        self.assertEqual((first["reused_tokens"], first["prompt_tokens"]), (0, len("system: S\nuser: one\nassistant: ")))
        self.assertGreaterEqual(second["reused_tokens"], first["prompt_tokens"])
        # The same conversation, read from the beginning by a fresh process, gives the same answer.
        again = json.loads(tern("chat", *self.model, "-n", 5, "--json", "--system", "S", "--kv-type", "bf16",
                                stdin="one\nzwei é\n".encode())[0])
        self.assertEqual([t["text"] for t in again["turns"]], [t["text"] for t in report["turns"]])

    def test_what_cannot_be_answered_is_one_line(self):
        model = ["chat", "-m", self.dir / "run", "-c", 256]
        self.assertRegex(error(*model), "no chat template; expected --chat-template FILE or one of bitnet, chatml")
        self.assertRegex(error(*model, "--chat-template", self.dir / "nowhere"), "expected a file or one of")
        (self.dir / "bad.jinja").write_text("a\n{{ 1 +")
        self.assertRegex(error(*model, "--chat-template", self.dir / "bad.jinja"), r"bad\.jinja: line 2: expected")
        (self.dir / "no.jinja").write_text("{{ raise_exception('not you') }}")
        self.assertRegex(error(*model, "--chat-template", self.dir / "no.jinja", stdin=b"hi\n"), "the template refuses: 'not you'")
        (self.dir / "deep.jinja").write_text("{{ " + "(" * 100000 + "1" + ")" * 100000 + " }}")
        self.assertRegex(error(*model, "--chat-template", self.dir / "deep.jinja"), "levels")
        (self.dir / "loop.jinja").write_text("{% for a in range(9999) %}{% for b in range(9999) %}{% endfor %}{% endfor %}")
        self.assertRegex(error(*model, "--chat-template", self.dir / "loop.jinja", stdin=b"hi\n"), "at most")
        self.assertRegex(error(*model, "--chat-template", "chatml", stdin=b"x" * 1000 + b"\n"), "the context holds 256")
        self.assertRegex(error(*model, "--chat-template", "chatml", "--top-p", 2), "top-p is 2")
        self.assertRegex(error("chat", "-m", self.dir / "none.gguf"), "no such file")

    def test_a_full_context_drops_the_oldest(self):
        lines = b"".join(b"message %d\n" % i for i in range(12))
        out, err = tern("chat", *self.model, "-n", 8, "--json", stdin=lines)
        self.assertIn("the context is full", err)
        turns = json.loads(out)["turns"]
        self.assertGreater(sum(turn["dropped_messages"] for turn in turns), 0)
        self.assertTrue(all(turn["prompt_tokens"] <= 256 for turn in turns))

    def test_formats_carry_the_template(self):
        tern("convert", self.dir / "run", self.dir / "hf")
        config = json.loads((self.dir / "hf/tokenizer_config.json").read_text())
        self.assertNotIn("chat_template", config)
        config["chat_template"] = [{"name": "default", "template": TEMPLATE}, {"name": "other", "template": "x"}]
        (self.dir / "hf/tokenizer_config.json").write_text(json.dumps(config))
        tern("convert", self.dir / "hf", self.dir / "m.gguf")
        tern("convert", self.dir / "m.gguf", self.dir / "hf2")
        self.assertEqual(json.loads((self.dir / "hf2/tokenizer_config.json").read_text())["chat_template"], TEMPLATE)
        tern("convert", self.dir / "m.gguf", self.dir / "plain.gguf", "--chat-template", "plain")
        tern("convert", self.dir / "m.gguf", self.dir / "named.gguf", "--name", "stories")
        self.assertEqual(json.loads(tern("info", self.dir / "named.gguf", "--json")[0])["name"], "stories")
        self.assertIn("--name x: only for GGUF files", error("convert", self.dir / "m.gguf", self.dir / "no", "--name", "x"))
        self.assertEqual(json.loads(tern("info", self.dir / "plain.gguf", "--json")[0])["chat_template"], "plain")
        self.assertEqual(len(json.loads(tern("chat", "-m", self.dir / "plain.gguf", "--json", stdin=b"a\n")[0])["turns"]), 1)
        self.assertIn("--chat-template: expected a file or one of", error("convert", self.dir / "run", self.dir / "no.gguf", "--chat-template", "nowhere"))
        self.assertFalse((self.dir / "no.gguf").exists())
        (self.dir / "hf2/chat_template.jinja").write_text("{{ raise_exception('file') }}")
        texts = set()
        for name in ("hf", "m.gguf"):
            out, _ = tern("chat", "-m", self.dir / name, "-t", 1, "--temp", 0, "-n", 6, "--json", stdin=b"hi\n")
            texts.add(json.loads(out)["turns"][0]["text"])
        out, _ = tern("chat", *self.model, "-n", 6, "--json", stdin=b"hi\n")
        texts.add(json.loads(out)["turns"][0]["text"])
        self.assertEqual(len(texts), 1, texts)
        self.assertRegex(error("chat", "-m", self.dir / "hf2", stdin=b"hi\n"), "the template refuses: 'file'")

    def test_the_faulty_template_is_replaced(self):
        tern("convert", self.dir / "run", self.dir / "faulty")
        path = self.dir / "faulty/tokenizer_config.json"
        config = json.loads(path.read_text())
        config["chat_template"] = "{{ 'Human: ' + messages[0].content + '\\n\\nBITNETAssistant: ' + eos_token }}"
        path.write_text(json.dumps(config))
        out, err = tern("chat", "-m", self.dir / "faulty", "-n", 3, "--json", stdin=b"hi\n")
        self.assertIn("'bitnet' is used instead", err)
        self.assertEqual(json.loads(out)["turns"][0]["prompt_tokens"], len("User: hi<|eot_id|>Assistant: "))
        # It is shown, and what is converted does without it.
        template_of = lambda model: json.loads(tern("info", self.dir / model, "--json")[0])["chat_template"]
        self.assertEqual(template_of("faulty"), "faulty")
        self.assertRegex(error("info", self.dir / "faulty", "--check"), "faulty: 1 problem")
        _, err = tern("convert", self.dir / "faulty", self.dir / "mended.gguf")
        self.assertIn("'bitnet' is used instead", err)
        self.assertEqual(template_of("mended.gguf"), "bitnet")
        (self.dir / "own.jinja").write_text(config["chat_template"])
        _, err = tern("convert", self.dir / "faulty", self.dir / "asked.gguf", "--chat-template", self.dir / "own.jinja")
        self.assertNotIn("bitnet", err)
        self.assertEqual(template_of("asked.gguf"), "faulty")

    # --- The terminal. ---

    def test_a_conversation(self):
        chat = self.terminal("-n", 6, "--seed", 3)
        self.assertIn("answer 6 tokens", chat.ask("hello"))
        self.assertRegex(chat.ask("and é you?"), r"\([1-9]\d* of them read before\)")
        self.assertIn("answer 6 tokens", chat.ask("/regenerate"))
        chat.type("/stats\n")
        self.assertIn("4 messages, 3 answers", chat.wait_for("in the cache"))
        chat.type("/set tokens 2\n")
        self.assertIn("seed", chat.wait_for("seed [0-9]+"))
        self.assertIn("answer 2 tokens", chat.ask("short"))
        saved = self.dir / "saved.json"
        chat.type(f"/save {saved}\n")
        chat.wait_for("6 messages")
        messages = json.loads(saved.read_text())["messages"]
        self.assertEqual([m["content"] for m in messages if m["role"] == "user"], ["hello", "and é you?", "short"])
        chat.type("/system be brief\n")
        chat.wait_for("is set")
        chat.type("/clear\n")
        chat.wait_for("forgotten")
        self.assertIn("answer 2 tokens", chat.ask("again"))
        chat.type(f"/load {saved}\n")
        chat.wait_for("6 messages")
        chat.type("/help\n")
        chat.wait_for("/regenerate")
        chat.type("/bye\n")
        self.assertEqual(chat.exit_code(), 0)

    def test_mistakes_do_not_end_it(self):
        chat = self.terminal("-n", 2)
        for line, expected in (("/nonsense", "expected one of /help"), ("/set speed 3", "expected temperature"),
                               ("/set top-p 7", "top-p is 7"), ("/load /nowhere/x", "/nowhere/x"), ("/save", "name of a file"),
                               ("/regenerate", "no answer"), ("x" * 400, "the context holds 256")):
            chat.type(line + "\n")
            chat.wait_for(re.escape(expected))
        self.assertIn("answer 2 tokens", chat.ask("fine"))
        chat.leave()
        self.assertEqual(chat.exit_code(), 0)

    def test_messages_of_several_lines(self):
        chat = self.terminal("-n", 2)
        chat.ask("one \\\ntwo")
        chat.ask('"""three\n/four\n\nfive"""')
        chat.type(f"/save {self.dir / 'lines.json'}\n")
        chat.wait_for("4 messages")
        messages = json.loads((self.dir / "lines.json").read_text())["messages"]
        self.assertEqual([m["content"] for m in messages[::2]], ["one \ntwo", "three\n/four\n\nfive"])
        chat.type("/bye\n")
        self.assertEqual(chat.exit_code(), 0)

    def test_interrupts(self):
        # An answer that would fill 4,096 tokens: long enough to be stopped, whatever the machine.
        chat = self.terminal("-n", 100000, model=self.long)
        chat.type("go on\n")
        chat.wait_for("[^\r\n]{60}")  # of the answer
        chat.type("\x03")
        chat.wait_for("tokens/s, interrupted")
        chat.wait_for("> ")
        chat.type("half a line\x03")
        chat.wait_for("Ctrl-C again leaves")
        self.assertIn("tokens/s", chat.ask("/set tokens 2\nstill here"))
        chat.type("\x03")
        chat.wait_for("Ctrl-C again leaves")
        chat.wait_for("> ")
        chat.type("\x03")
        self.assertEqual(chat.exit_code(), 0)

    def test_the_end_typed_during_an_answer_ends_it(self):
        chat = self.terminal("-n", 300, model=self.long)
        chat.type("go on\n")
        chat.wait_for("[^\r\n]{60}")  # of the answer
        chat.type("\x04")
        chat.wait_for(r"tokens/s[^\n]*\n")
        self.assertEqual(chat.exit_code(), 0)

    def test_the_history_is_kept(self):
        chat = self.terminal("-n", 2)
        chat.ask("remember me")
        chat.type("/bye\n")
        self.assertEqual(chat.exit_code(), 0)
        self.assertTrue((self.dir / "state/tern/history").exists())
        again = self.terminal("-n", 2)
        again.type("\x1b[A\x1b[A")  # up twice: over /bye
        again.wait_for("remember me")
        self.assertIn("answer 2 tokens", again.ask(""))
        again.leave()
        self.assertEqual(again.exit_code(), 0)


if __name__ == "__main__":
    unittest.main()
