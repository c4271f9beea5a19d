#!/usr/bin/env python3
"""tern serve through OpenAI's own Python client (PyPI `openai`; skipped where it is missing).

usage: openai_client_test.py TERN [unittest arguments]
"""
import json
import sys
import tempfile
import unittest
from pathlib import Path

try:
    import openai
except ImportError:
    print("skipped: the Python package openai is not installed")
    sys.exit(77)

from serve_test import TOOL_TEMPLATE, TOOLS
from server import Server, make_model


class OpenAiClient(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory(prefix="tern-openai-")
        cls.dir = Path(cls.folder.name)
        cls.server = Server(make_model(cls.dir, TOOL_TEMPLATE, context=512, steps=1), "--chat-template", cls.dir / "template.jinja", "--api-key", "secret",
                            "--max-queue", 8)
        cls.client = openai.OpenAI(base_url=f"http://127.0.0.1:{cls.server.port}/v1", api_key="secret", max_retries=0)

    @classmethod
    def tearDownClass(cls):
        cls.client.close()
        cls.server.stop()
        cls.folder.cleanup()

    def test_models(self):
        models = self.client.models.list().data
        self.assertEqual(len(models), 1)
        self.assertEqual(self.client.models.retrieve(models[0].id).id, models[0].id)

    def test_completions(self):
        options = {"model": "any", "prompt": "The ", "max_tokens": 12, "temperature": 0}
        whole = self.client.completions.create(**options, logprobs=2, n=2)
        self.assertEqual([c.index for c in whole.choices], [0, 1])
        self.assertEqual(len(whole.choices[0].logprobs.tokens), 12)
        self.assertEqual(whole.usage.completion_tokens, 24)
        pieces = list(self.client.completions.create(**options, stream=True))
        self.assertEqual("".join(p.choices[0].text for p in pieces), whole.choices[0].text)

    def test_chats(self):
        options = {"model": "any", "messages": [{"role": "user", "content": "Hi"}], "max_tokens": 12, "temperature": 0}
        whole = self.client.chat.completions.create(**options, logprobs=True, top_logprobs=3)
        self.assertEqual(whole.choices[0].message.role, "assistant")
        self.assertTrue(all(len(t.top_logprobs) == 3 for t in whole.choices[0].logprobs.content))
        pieces = list(self.client.chat.completions.create(**options, stream=True, stream_options={"include_usage": True}))
        self.assertEqual("".join(c.delta.content or "" for p in pieces for c in p.choices), whole.choices[0].message.content)
        self.assertEqual(pieces[-1].usage.completion_tokens, whole.usage.completion_tokens)

    def test_tools(self):
        options = {"model": "any", "messages": [{"role": "user", "content": "Hi"}], "tools": TOOLS, "seed": 2,
                   "tool_choice": "required", "parallel_tool_calls": False, "max_tokens": 200}
        whole = self.client.chat.completions.create(**options).choices[0]
        self.assertEqual((whole.finish_reason, whole.message.content), ("tool_calls", None))
        call = whole.message.tool_calls[0]
        arguments = json.loads(call.function.arguments)
        self.assertEqual(set(arguments), {"place", "days"} if call.function.name == "weather" else set())
        with self.client.chat.completions.stream(**options) as stream:
            streamed = stream.get_final_completion().choices[0]
        self.assertEqual(streamed.finish_reason, "tool_calls")
        self.assertEqual([c.function.model_dump(include={"name", "arguments"}) for c in streamed.message.tool_calls],
                         [call.function.model_dump(include={"name", "arguments"})])
        # The client's own objects come back as messages.
        messages = [*options["messages"], whole.message, {"role": "tool", "tool_call_id": call.id, "content": "12"}]
        named = {"type": "function", "function": {"name": "time"}}
        again = self.client.chat.completions.create(**{**options, "messages": messages, "tool_choice": named})
        self.assertEqual(again.choices[0].message.tool_calls[0].function.name, "time")
        with self.assertRaises(openai.BadRequestError) as caught:
            self.client.chat.completions.create(**{**options, "tool_choice": {"type": "function", "function": {"name": "x"}}})
        self.assertEqual(caught.exception.param, "tool_choice.function.name")

    def test_errors(self):
        with self.assertRaises(openai.BadRequestError) as caught:
            self.client.completions.create(model="any", prompt="The ", max_tokens=-1)
        self.assertEqual(caught.exception.param, "max_tokens")
        with self.assertRaises(openai.NotFoundError):
            self.client.get("/nothing", cast_to=object)
        stranger = openai.OpenAI(base_url=self.client.base_url, api_key="wrong", max_retries=0)
        with self.assertRaises(openai.AuthenticationError):
            stranger.models.list()
        stranger.close()

    def test_a_stream_that_is_closed_early(self):
        stream = self.client.completions.create(model="any", prompt="The ", max_tokens=50, n=8, stream=True)
        next(iter(stream))
        stream.close()


if __name__ == "__main__":
    unittest.main()
