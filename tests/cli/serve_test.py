#!/usr/bin/env python3
"""tern serve as its clients see it: the API's objects, streams, errors, hostile requests, clients that leave. More of
what goes wrong: serve_faults_test.py.

usage: serve_test.py TERN [unittest arguments]
"""
import base64
import http.client
import json
import random
import re
import socket
import struct
import subprocess
import tempfile
import threading
import unittest
from pathlib import Path

from program import TEXT, error, tern
from server import CONTEXT, PATIENCE, Server, make_model, shape

TOOL_TEMPLATE = ("{% for t in tools or [] %}[{{ t.function.name }}]{% endfor %}"
                 "{% for m in messages %}{{ m.role }}: {{ m.content }}{% if m.tool_calls is defined %}{% for c in m.tool_calls %}"
                 "<tool_call>{{ c.function.arguments | tojson }}</tool_call>{% endfor %}{% endif %}\n{% endfor %}assistant: ")
TOOLS = [{"type": "function", "function": {
              "name": "weather", "description": "of a place", "strict": True,
              "parameters": {"type": "object", "required": ["place", "days"], "additionalProperties": False,
                             "properties": {"place": {"enum": ["Paris", "Rome"]}, "days": {"type": "integer", "minimum": 0, "maximum": 9}}}}},
         {"type": "function", "function": {"name": "time", "strict": True}}]


class Serve(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory(prefix="tern-serve-")
        cls.dir = Path(cls.folder.name)
        cls.model = make_model(cls.dir)
        cls.server = Server(cls.model, "--parallel", 4, "--chat-template", cls.dir / "template.jinja", "--alias", "small")

    @classmethod
    def tearDownClass(cls):
        cls.server.stop()
        cls.folder.cleanup()

    def complete(self, prompt="The ", **options):
        return self.server.post("/v1/completions", {"prompt": prompt, "temperature": 0, **options})

    def assert_error(self, status, path, body, message, **headers):
        got, _, answer = self.server.request(path, body, headers)
        self.assertEqual(got, status, answer)
        self.assertEqual(set(answer["error"]), {"message", "type", "param", "code"})
        self.assertIn(message, answer["error"]["message"])
        return answer["error"]

    def test_small_routes(self):
        self.assertEqual(self.server.request("/health")[::2], (200, {"status": "ok"}))
        self.assertEqual(self.server.request("/ready")[0], 200)
        models = self.server.request("/v1/models")[2]
        self.assertEqual([m["id"] for m in models["data"]], ["small"])
        self.assertEqual(models["data"][0]["object"], "model")
        self.assertEqual(self.server.request("/v1/models/small")[2]["id"], "small")
        self.assertEqual(self.server.request("/props")[2]["context"], CONTEXT)
        tokens = self.server.post("/tokenize", {"prompt": "Hello", "add_special_tokens": False})["tokens"]
        self.assertEqual(self.server.post("/tokenize", {"content": "Hello"})["tokens"], tokens)
        self.assertEqual(self.server.post("/detokenize", {"tokens": tokens})["prompt"], "Hello")
        for name, special in (("prompt", "add_special_tokens"), ("content", "add_special")):
            self.assertEqual(self.server.post("/tokenize", {name: "Hello", special: False, "unknown": 1})["tokens"], tokens)
            self.assertEqual(self.assert_error(400, "/tokenize", {name: 3}, "a text")["param"], name)
            self.assertEqual(self.assert_error(400, "/tokenize", {name: "a", special: 1}, "true or false")["param"], special)
            self.server.post("/tokenize", {name: "a", special: None})
        given = self.server.post("/tokenize", {"content": "Hé", "with_pieces": True, "return_token_strs": True})
        pieces = [p["piece"].encode() if isinstance(p["piece"], str) else bytes(p["piece"]) for p in given["tokens"]]
        self.assertEqual(b"".join(pieces).decode(), "Hé")
        self.assertEqual(len(given["token_strs"]), given["count"])
        chat = {"messages": [{"role": "user", "content": "Hi"}]}
        self.assertEqual(self.server.post("/tokenize", chat)["tokens"],
                         self.server.post("/tokenize", {"content": "user: Hi\nassistant: "})["tokens"])
        self.assertEqual(self.assert_error(400, "/detokenize", {"tokens": ["a"]}, "ids")["param"], "tokens")
        info = self.server.request("/tokenizer_info")[2]
        self.assertIn("eos_token", info)
        prompt = self.server.post("/apply-template", {"messages": [{"role": "user", "content": "Hi"}]})["prompt"]
        self.assertEqual(prompt, "user: Hi\nassistant: ")
        self.assertEqual(self.server.request("/v1/models", method="HEAD")[0], 200)

    def test_a_completion_is_what_run_says(self):
        said = tern("run", "-m", self.model, "-p", "The ", "-n", 20, "--temperature", 0, "--no-echo", "--json")
        text = json.loads(said[0])["text"]
        answer = self.complete(max_tokens=20)
        self.assertEqual(answer["object"], "text_completion")
        self.assertEqual(answer["choices"][0]["text"], text)
        self.assertEqual(answer["choices"][0]["finish_reason"], "length")
        usage = answer["usage"]
        self.assertEqual(usage["completion_tokens"], 20)
        self.assertEqual(usage["total_tokens"], usage["prompt_tokens"] + 20)
        pieces = self.server.stream("/v1/completions", {"prompt": "The ", "temperature": 0, "max_tokens": 20,
                                                        "stream_options": {"include_usage": True}})
        self.assertEqual("".join(c["text"] for p in pieces for c in p["choices"]), text)
        self.assertEqual(pieces[-1]["usage"]["completion_tokens"], 20)
        self.assertEqual({p["id"] for p in pieces}, {pieces[0]["id"]})
        self.assertEqual(pieces[-2]["choices"][0]["finish_reason"], "length")

    def test_prompts_choices_and_best_of(self):
        options = {"temperature": 1, "seed": 5, "max_tokens": 8}
        both = self.server.post("/v1/completions", {"prompt": ["The ", "A "], "n": 2, **options})
        texts = [c["text"] for c in both["choices"]]
        self.assertEqual([c["index"] for c in both["choices"]], [0, 1, 2, 3])
        alone = [self.server.post("/v1/completions", {"prompt": p, **options, "seed": 5 + k})["choices"][0]["text"]
                 for p in ("The ", "A ") for k in (0, 1)]
        self.assertEqual(texts, alone)
        tokens = [self.server.post("/tokenize", {"prompt": p})["tokens"] for p in ("The ", "A ")]
        by_tokens = self.server.post("/v1/completions", {"prompt": tokens, "n": 2, **options})
        self.assertEqual([c["text"] for c in by_tokens["choices"]], texts)
        best = self.server.post("/v1/completions", {"prompt": "The ", "n": 1, "best_of": 4, **options})
        candidates = self.server.post("/v1/completions", {"prompt": "The ", "n": 4, "logprobs": 1, **options})
        means = {c["text"]: sum(c["logprobs"]["token_logprobs"]) / len(c["logprobs"]["token_logprobs"])
                 for c in candidates["choices"]}
        self.assertEqual(best["choices"][0]["text"], max(means, key=means.get))

    def test_stop_strings_are_left_out_however_they_come(self):
        text = self.complete(max_tokens=30)["choices"][0]["text"]
        for begin, end in ((3, 4), (5, 9), (2, 12)):
            stop = text[begin:end]
            expected = text[:text.index(stop)]
            answer = self.complete(max_tokens=30, stop=["never comes", stop])["choices"][0]
            self.assertEqual((answer["text"], answer["finish_reason"]), (expected, "stop"))
            pieces = self.server.stream("/v1/completions", {"prompt": "The ", "temperature": 0, "max_tokens": 30, "stop": stop})
            self.assertEqual("".join(c["text"] for p in pieces for c in p["choices"]), expected)
            self.assertEqual(pieces[-1]["choices"][0]["finish_reason"], "stop")

    def test_echo_is_what_harnesses_read(self):
        tokens = self.server.post("/tokenize", {"prompt": "The first citizen"})["tokens"]
        body = {"prompt": [tokens], "temperature": 0, "max_tokens": 1, "logprobs": 1, "seed": 1234, "echo": True}
        first = self.server.post("/v1/completions", body)
        for answer in (first, self.server.post("/v1/completions", body)):  # the second from kept scores
            logprobs = answer["choices"][0]["logprobs"]
            for name in ("tokens", "token_logprobs", "top_logprobs", "text_offset"):
                self.assertEqual(len(logprobs[name]), len(tokens) + 1, name)
            self.assertIsNone(logprobs["token_logprobs"][0])
            self.assertTrue(all(value < 0 for value in logprobs["token_logprobs"][1:]))
            self.assertEqual(logprobs["token_logprobs"][-1], max(logprobs["top_logprobs"][-1].values()))
            self.assertEqual(logprobs, first["choices"][0]["logprobs"])
            self.assertTrue(answer["choices"][0]["text"].startswith("The first citizen"))
        # At the end of the context too.
        longest = (tokens * CONTEXT)[:CONTEXT]
        answer = self.server.post("/v1/completions", {**body, "prompt": [longest]})
        self.assertEqual(len(answer["choices"][0]["logprobs"]["tokens"]), CONTEXT + 1)
        only = self.server.post("/v1/completions", {**body, "max_tokens": 0})
        self.assertEqual(only["choices"][0]["text"], "The first citizen")

    def test_chats(self):
        messages = [{"role": "developer", "content": "Be short."}, {"role": "user", "content": [{"type": "text", "text": "Hi"}]}]
        body = {"messages": messages, "temperature": 0, "max_completion_tokens": 12}
        answer = self.server.post("/v1/chat/completions", {**body, "logprobs": True, "top_logprobs": 2})
        choice = answer["choices"][0]
        self.assertEqual(choice["message"]["role"], "assistant")
        text = choice["message"]["content"]
        self.assertEqual(self.complete("system: Be short.\nuser: Hi\nassistant: ", max_tokens=12)["choices"][0]["text"], text)
        content = choice["logprobs"]["content"]
        self.assertEqual(bytes(b for t in content for b in t["bytes"]).decode("utf-8", "replace"), text)
        self.assertEqual(content[0]["top_logprobs"][0]["logprob"], content[0]["logprob"])
        pieces = self.server.stream("/v1/chat/completions", body)
        self.assertEqual(pieces[0]["choices"][0]["delta"], {"role": "assistant", "content": ""})
        self.assertEqual("".join(p["choices"][0]["delta"].get("content", "") for p in pieces), text)
        self.assertEqual(pieces[-1]["choices"][0]["delta"], {})
        self.assertIn(pieces[-1]["choices"][0]["finish_reason"], ("stop", "length"))

    def test_wrong_requests_name_the_field(self):
        for body, message in (({}, "prompt"), ({"prompt": 3}, "prompt"), ({"prompt": ["a", 3]}, "prompt"),
                              ({"prompt": "a", "max_tokens": "many"}, "max_tokens"), ({"prompt": "a", "n": 0}, "n"),
                              ({"prompt": "a", "temperature": []}, "temperature"), ({"prompt": "a", "stop": 3}, "stop"),
                              ({"prompt": "a", "logit_bias": {"x": 1}}, "logit_bias"),
                              ({"prompt": "a", "logit_bias": {"99999": 1}}, "logit_bias"),
                              ({"prompt": "a", "suffix": "b"}, "suffix"), ({"prompt": [[-1]]}, "prompt"),
                              ({"prompt": [[999999]]}, "prompt"), ({"prompt": "a", "best_of": 1, "n": 2}, "best_of"),
                              ({"prompt": "a", "stream": "yes"}, "stream"), ({"prompt": "a", "model": 3}, "model"),
                              ({"prompt": "a", "user": ["x"]}, "user"), ({"prompt": "a", "seed": 1.5}, "seed"),
                              ({"prompt": "a", "response_format": {"type": "xml"}}, "response_format"),
                              ({"prompt": "a", "response_format": "text"}, "response_format"),
                              ({"prompt": "a", "response_format": {"type": "json_schema"}}, "response_format"),
                              ({"prompt": "a", "json_schema": 3}, "json_schema"), ({"prompt": "a", "grammar": 3}, "grammar"),
                              ({"prompt": "a", "grammar": "root ::= x"}, "grammar"),
                              ({"prompt": "a", "grammar": "a" * 100000}, "grammar"),
                              ({"prompt": "a", "json_schema": {}, "grammar": "root ::= [a]"}, "grammar"),
                              ({"prompt": "a", "guided_regex": "a"}, "guided_regex")):
            param = self.assert_error(400, "/v1/completions", body, message)["param"]
            self.assertEqual(param, message, body)
        self.assert_error(400, "/v1/chat/completions", {"messages": []}, "messages")
        self.assert_error(400, "/v1/chat/completions", {"messages": [{"role": "king", "content": "x"}]}, "role")
        self.assert_error(400, "/v1/completions", {"prompt": "word " * 500}, "the context holds")
        self.assert_error(400, "/v1/completions", "{\"prompt\": ", "not valid JSON")
        self.assert_error(400, "/v1/completions", "[1]", "expected an object")
        self.assert_error(400, "/v1/completions", b"{\"prompt\": \"\xff\xfe\"}", "not valid JSON")
        self.assert_error(400, "/v1/completions", "[" * 1_000_000, "levels")
        many = ",".join(f'"{i}":0' for i in range(1_000_000))  # hours if fields were compared with each other
        self.assert_error(400, "/v1/completions", "{" + many + ',"prompt":3}', "prompt")
        self.assertEqual(self.assert_error(400, "/v1/embeddings", {"input": "a"}, "small is no embedding model")["param"], "model")
        self.assert_error(404, "/v1/nothing", {}, "no such path")
        self.assertEqual(self.server.request("/v1/completions")[0], 405)
        self.complete(prompt="a", max_tokens=1, unknown_field=[1], logprobs=None, stop=None, user="x")

    def test_structured_answers(self):
        def answers(chat=False, **options):
            body = {"n": 10, "seed": 3, "temperature": 1.2, **options}
            if chat:
                path, body["messages"] = "/v1/chat/completions", [{"role": "user", "content": "?"}]
            else:
                path, body["prompt"] = "/v1/completions", "The "
            # As few tokens as there must be, and more: no answer is cut.
            message = self.assert_error(400, path, {**body, "max_tokens": 1}, "the shortest answer of this form takes")
            least = int(re.search(r"takes (\d+) tokens", message["message"]).group(1))
            texts = []
            for most in (least, least + 1, least + 7, 50):
                given = self.server.post(path, {**body, "max_tokens": most})
                self.assertLessEqual(given["usage"]["completion_tokens"], most * body["n"])
                texts += [c["message"]["content"] if chat else c["text"] for c in given["choices"]]
            self.assertGreater(len(set(texts)), 1)
            return texts

        for chat in (False, True):
            for text in answers(chat, response_format={"type": "json_object"}):
                self.assertIsInstance(json.loads(text), dict)
            schema = {"type": "object", "required": ["kind", "size"], "additionalProperties": False,
                      "properties": {"kind": {"enum": ["cat", "dog"]}, "size": {"type": "integer", "minimum": -3, "maximum": 120},
                                     "tags": {"type": "array", "items": {"type": "string", "maxLength": 2}, "maxItems": 2}}}
            for options in ({"response_format": {"type": "json_schema", "json_schema": {"name": "pet", "strict": True, "schema": schema}}},
                            {"json_schema": schema}, {"guided_json": schema}):
                for text in answers(chat, **options):
                    pet = json.loads(text)
                    self.assertLessEqual({"kind", "size"}, set(pet))
                    self.assertLessEqual(set(pet), {"kind", "size", "tags"})
                    self.assertIn(pet["kind"], ("cat", "dog"))
                    self.assertTrue(-3 <= pet["size"] <= 120)
                    self.assertTrue(all(len(tag) <= 2 for tag in pet.get("tags", [])))
            for text in answers(chat, grammar='root ::= "yes" | "no" (" " [a-f]{3}){1,2}'):
                self.assertRegex(text, "^(yes|no( [a-f]{3}){1,2})$")
        # As far as the context goes where no number is given.
        text = self.server.post("/v1/completions", {"prompt": "The ", "json_schema": {"const": "more than sixteen letters"}})["choices"][0]["text"]
        self.assertEqual(text, '"more than sixteen letters"')
        greedy = {"prompt": "The ", "temperature": 0, "max_tokens": 50, "grammar": 'root ::= "<" [a-zé]{4,9} ">"'}
        text = self.server.post("/v1/completions", greedy)["choices"][0]["text"]
        self.assertRegex(text, "^<[a-zé]{4,9}>$")
        pieces = self.server.stream("/v1/completions", greedy)
        self.assertEqual("".join(c["text"] for p in pieces for c in p["choices"]), text)
        self.assertEqual(pieces[-1]["choices"][0]["finish_reason"], "stop")
        for schema, keyword in (({"type": "string", "pattern": "a+"}, "pattern"), ({"type": "object", "minProperties": 1}, "minProperties"),
                                ({"properties": {"x": {"multipleOf": 3}}}, "multipleOf")):
            error = self.assert_error(400, "/v1/completions", {"prompt": "a", "json_schema": schema}, keyword + ": is not supported")
            self.assertEqual(error["param"], "json_schema")

    def test_fifty_requests_alone_and_together(self):
        choose = random.Random(4)
        bodies = [{"prompt": TEXT[at:at + choose.randrange(1, 40)], "max_tokens": choose.randrange(1, 16),
                   "temperature": choose.choice([0, 0.7, 1.3]), "seed": i, "logprobs": 1}
                  for i, at in enumerate(choose.sample(range(len(TEXT) - 60), 50))]
        alone = [self.server.post("/v1/completions", body)["choices"] for body in bodies]
        together = [None] * len(bodies)

        def ask(i):
            together[i] = self.server.post("/v1/completions", bodies[i])["choices"]

        threads = [threading.Thread(target=ask, args=(i,)) for i in range(len(bodies))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(together, alone)

    def test_hostile_bytes_leave_the_server_up(self):
        body = json.dumps({"prompt": "The ", "max_tokens": 4}).encode()
        head = b"POST /v1/completions HTTP/1.1\r\nHost: localhost\r\n"
        good = head + b"Content-Length: %d\r\n\r\n" % len(body) + body
        noise = random.Random(7)
        for _ in range(40):
            self.server.raw(noise.randbytes(noise.randrange(1, 3000)) + b"\r\n\r\n", 1)
        for size in range(0, len(good), 7):  # truncated, and the client leaves
            with socket.create_connection(("127.0.0.1", self.server.port)) as client:
                client.sendall(good[:size])
        for data, status in ((head + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\n{}", b"400"),
                             (head + b"Content-Length: 99999999999\r\n\r\n", b"413"),
                             (head + b"X: " + b"y" * 20000 + b"\r\n\r\n", b"431"),
                             (b"GET /health HTTP/9.9\r\n\r\n", b"400"),
                             (b"G\0T / HTTP/1.1\r\n\r\n", b"400")):
            answer = self.server.raw(data)
            self.assertTrue(answer.startswith(b"HTTP/1.1 " + status), (data[:60], answer[:80]))
        # One after the other in one go: both are answered.
        last = good.replace(b"The ", b"A   ").replace(b"Host", b"Connection: close\r\nHost")
        answer = self.server.raw(good + last, silence=PATIENCE)
        self.assertEqual(answer.count(b"HTTP/1.1 200 OK"), 2)
        self.assertEqual(self.server.request("/health")[0], 200)

    def test_clients_that_leave_are_not_computed_for(self):
        body = {"prompt": "The ", "max_tokens": 50, "n": 8}
        for stream in (False, True):
            for _ in range(6):
                data = json.dumps({**body, "stream": stream}).encode()
                with socket.create_connection(("127.0.0.1", self.server.port)) as client:
                    client.sendall(b"POST /v1/completions HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n" % len(data) + data)
                    if stream:
                        client.recv(100)
        self.server.wait_until_idle()
        self.assertEqual(self.server.metric("tern_kv_cache_usage"), 0)

    def test_keep_alive_and_other_hosts(self):
        connection = http.client.HTTPConnection("127.0.0.1", self.server.port)
        for _ in range(200):
            connection.request("POST", "/tokenize", json.dumps({"prompt": "a"}))
            self.assertEqual(connection.getresponse().read()[:10], b'{"tokens":')
        connection.close()
        self.assertEqual(self.server.request("/health", headers={"Host": "evil.example"})[0], 403)
        self.assert_error(403, "/tokenize", {"prompt": "a"}, "not allowed", Origin="https://evil.example")
        own = f"http://127.0.0.1:{self.server.port}"
        self.assertEqual(self.server.request("/tokenize", {"prompt": "a"}, {"Origin": own})[0], 200)
        self.assertEqual(self.server.request("/health", headers={"X-Request-Id": "42"})[1].getheader("X-Request-Id"), "42")


class Tools(unittest.TestCase):
    """Calls by a model that knows nothing: it is made to."""

    BODY = {"messages": [{"role": "user", "content": "?"}], "tools": TOOLS, "max_tokens": 600, "seed": 1}

    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory(prefix="tern-serve-")
        cls.dir = Path(cls.folder.name)
        cls.model = make_model(cls.dir, TOOL_TEMPLATE, context=1024, steps=1)
        cls.server = Server(cls.model, "--parallel", 4, "--chat-template", cls.dir / "template.jinja")

    @classmethod
    def tearDownClass(cls):
        cls.server.stop()
        cls.folder.cleanup()

    def ask(self, server=None, **options):
        return (server or self.server).post("/v1/chat/completions", {**self.BODY, **options})["choices"]

    def calls_of(self, choice):
        """Names and arguments of an answer that is calls and nothing else."""
        self.assertEqual(choice["finish_reason"], "tool_calls")
        self.assertIsNone(choice["message"]["content"])
        calls = []
        for call in choice["message"]["tool_calls"]:
            self.assertEqual((set(call), call["type"]), ({"id", "type", "function"}, "function"))
            self.assertRegex(call["id"], "^call_[0-9a-f]{24}$")
            arguments = json.loads(call["function"]["arguments"])
            if call["function"]["name"] == "weather":
                self.assertEqual(set(arguments), {"place", "days"})
                self.assertIn(arguments["place"], ("Paris", "Rome"))
                self.assertIn(arguments["days"], range(10))
            else:
                self.assertEqual((call["function"]["name"], arguments), ("time", {}))
            calls.append((call["function"]["name"], arguments))
        return calls

    def test_required(self):
        choices = self.ask(tool_choice="required", n=12)
        whole = [self.calls_of(choice) for choice in choices]
        self.assertTrue(any(len(calls) > 1 for calls in whole), choices)
        self.assertEqual({name for calls in whole for name, _ in calls}, {"weather", "time"})
        ids = [call["id"] for choice in choices for call in choice["message"].get("tool_calls", [])]
        self.assertEqual(len(set(ids)), len(ids))
        for choice in self.ask(tool_choice="required", parallel_tool_calls=False, n=6):
            self.assertEqual(len(self.calls_of(choice)), 1)
        for choice in self.ask(tool_choice={"type": "function", "function": {"name": "time"}}, n=3):
            self.assertEqual(self.calls_of(choice), [("time", {})])

    def test_streams(self):
        options = {"tool_choice": "required", "parallel_tool_calls": False, "n": 2, "logprobs": True, "top_logprobs": 1}
        whole = self.ask(**options)
        events = self.server.stream("/v1/chat/completions", {**self.BODY, **options, "stream_options": {"include_usage": True}})
        self.assertEqual(events[-1]["usage"]["completion_tokens"], sum(len(c["logprobs"]["content"]) for c in whole))
        for k, choice in enumerate(whole):
            parts = [c for event in events for c in event["choices"] if c["index"] == k]
            calls = [call for part in parts for call in part["delta"].get("tool_calls", [])]
            self.assertEqual([call.pop("index") for call in calls], [0])
            self.assertEqual(self.calls_of({"finish_reason": parts[-1]["finish_reason"], "message": {"content": None, "tool_calls": calls}}),
                             self.calls_of(choice))
            self.assertEqual("".join(part["delta"].get("content", "") for part in parts), "")
            scores = [score for part in parts if part["logprobs"] for score in part["logprobs"]["content"]]
            self.assertEqual(scores, choice["logprobs"]["content"])
            self.assertTrue("".join(score["token"] for score in scores).startswith("<tool_call>\n{\"name\": \""))

    def test_the_other_form(self):
        (self.dir / "bare.jinja").write_text(TOOL_TEMPLATE.replace("<tool_call>", '{"name": "", "parameters": '))
        server = Server(self.model, "--chat-template", self.dir / "bare.jinja")
        try:
            for parallel in (False, True):
                choices = self.ask(server, tool_choice="required", parallel_tool_calls=parallel, n=4)
                for choice in choices:
                    self.calls_of(choice)
        finally:
            server.stop()

    def test_answers_without_calls(self):
        for options in ({}, {"tool_choice": "none"}, {"tools": None}):
            choice = self.ask(max_tokens=8, **options)[0]
            self.assertIn(choice["finish_reason"], ("stop", "length"))
            self.assertNotIn("tool_calls", choice["message"])
            self.assertIsInstance(choice["message"]["content"], str)
        form = {"type": "json_schema", "json_schema": {"schema": {"const": {"name": "time", "parameters": {}}}}}
        choice = self.ask(response_format=form)[0]
        self.assertEqual(json.loads(choice["message"]["content"]), {"name": "time", "parameters": {}})

    def test_the_conversation_goes_on(self):
        messages = [{"role": "user", "content": "?"},
                    {"role": "assistant", "content": None, "tool_calls": [
                        {"id": "call_1", "type": "function", "function": {"name": "time", "arguments": "{\"zone\": [1]}"}}]},
                    {"role": "tool", "tool_call_id": "call_1", "content": "noon"}]
        prompt = self.server.post("/apply-template", {"messages": messages, "tools": TOOLS})["prompt"]
        self.assertEqual(prompt, '[weather][time]user: ?assistant: <tool_call>{"zone": [1]}</tool_call>tool: noonassistant: ')

    def test_wrong_requests_name_the_field(self):
        odd = [{"type": "function", "function": {"name": "f", "parameters": {"type": "object", "minProperties": 1}}}]
        for options, param in (({"tools": [{"type": "function", "function": {}}]}, "tools[0].function.name"),
                               ({"tool_choice": "always"}, "tool_choice"),
                               ({"tool_choice": {"type": "function", "function": {"name": "x"}}}, "tool_choice.function.name"),
                               ({"tools": odd, "tool_choice": "required"}, "tools[0].function.parameters"),
                               ({"tool_choice": "required", "response_format": {"type": "json_object"}}, "response_format")):
            status, _, answer = self.server.request("/v1/chat/completions", {**self.BODY, **options})
            self.assertEqual((status, answer["error"]["param"]), (400, param), answer)


class OtherServers(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory(prefix="tern-serve-")
        cls.dir = Path(cls.folder.name)
        cls.model = make_model(cls.dir)

    @classmethod
    def tearDownClass(cls):
        cls.folder.cleanup()

    def test_keys_and_origins(self):
        (self.dir / "keys").write_text("# ours\nsecond\n")
        server = Server(self.model, "--api-key", "first", "--api-key-file", self.dir / "keys", "--cors-origin", "https://a.example")
        try:
            self.assertEqual(server.request("/health")[0], 200)
            for key, status in (("first", 200), ("second", 200), ("firs", 401), ("first2", 401), ("", 401)):
                self.assertEqual(server.request("/v1/models", headers={"Authorization": f"Bearer {key}"})[0], status, key)
            self.assertEqual(server.request("/metrics")[0], 401)
            status, response, _ = server.request("/v1/models", headers={"Authorization": "Bearer first", "Origin": "https://a.example"})
            self.assertEqual((status, response.getheader("Access-Control-Allow-Origin")), (200, "https://a.example"))
        finally:
            server.stop()

    def test_little_memory_shortens_the_context(self):
        # What an answer might grow to is no reason to refuse its request.
        tern("train", "--data", self.dir / "text.txt", *shape(4096), "--steps", 1, "--out", self.dir / "long")
        # 4 heads of 64 in bf16: 2^10 bytes a token and layer.
        server = Server(self.dir / "long", "--kv-memory", 2100 * 1024 / 2**30, "--chat-template", self.dir / "template.jinja")
        try:
            self.assertEqual(server.request("/props")[2]["context"], 2048)
            answer = server.post("/v1/chat/completions", {"messages": [{"role": "user", "content": "Hi"}], "stop": ["e", "a", " "]})
            self.assertEqual(len(answer["choices"]), 1)
            status, _, answer = server.request("/v1/completions", {"prompt": "a" * 3000})
            self.assertEqual((status, answer["error"]["code"]), (400, "context_length_exceeded"))
        finally:
            server.stop()

    def test_embeddings(self):
        folder = self.dir / "embed"
        tern("convert", self.dir / "run", folder)
        (folder / "1_Pooling").mkdir()
        (folder / "1_Pooling/config.json").write_text(json.dumps({"pooling_mode_mean_tokens": True}))
        texts = ["The first citizen", "A"]
        expected = [json.loads(tern("embed", "-m", folder, text, "--json")[0])["data"][0]["embedding"] for text in texts]
        server = Server(folder)
        try:
            answer = server.post("/v1/embeddings", {"model": "any", "input": texts, "unknown": 1})
            self.assertEqual([(d["object"], d["index"]) for d in answer["data"]], [("embedding", 0), ("embedding", 1)])
            for item, vector in zip(answer["data"], expected):
                for a, b in zip(item["embedding"], vector, strict=True):
                    self.assertAlmostEqual(a, b, places=5)
            tokens = [server.post("/tokenize", {"prompt": text})["tokens"] for text in texts]
            self.assertEqual(answer["usage"], {key: sum(map(len, tokens)) for key in ("prompt_tokens", "total_tokens")})
            self.assertEqual(server.post("/v1/embeddings", {"input": tokens})["data"], answer["data"])
            self.assertEqual(server.post("/v1/embeddings", {"input": texts[0]})["data"], answer["data"][:1])
            coded = server.post("/v1/embeddings", {"input": texts[1], "encoding_format": "base64"})["data"][0]["embedding"]
            values = [value for (value,) in struct.iter_unpack("<f", base64.b64decode(coded, validate=True))]
            self.assertEqual(len(values), len(expected[1]))
            for a, b in zip(values, answer["data"][1]["embedding"]):
                self.assertAlmostEqual(a, b, places=6)
            for body, param in (({"input": 3}, "input"), ({"input": []}, "input"), ({"input": "a" * 1000}, "input"),
                                ({"input": [[999999]]}, "input"), ({"input": "a", "dimensions": 3}, "dimensions"), ({}, "input")):
                status, _, refused = server.request("/v1/embeddings", body)
                self.assertEqual((status, refused["error"]["param"]), (400, param), refused)
        finally:
            self.assertEqual(server.stop(), 0)

    def test_without_a_model_the_one_in_the_box(self):
        server = Server(None)
        try:
            answer = server.post("/v1/chat/completions", {"messages": [{"role": "user", "content": "Once upon a time"}],
                                                          "temperature": 0, "max_tokens": 8})  # fmt: skip
            self.assertEqual(answer["model"], "tern-stories")
            self.assertEqual(answer["usage"]["completion_tokens"], 8)
        finally:
            server.stop()

    def test_sigterm_lets_what_is_under_way_end(self):
        server = Server(self.model, "--drain", 600)
        answers = []
        thread = threading.Thread(target=lambda: answers.append(
            server.request("/v1/completions", {"prompt": "The ", "max_tokens": 50, "n": 40})))
        thread.start()
        while server.metric("tern_requests_running") == 0 and thread.is_alive():
            pass
        self.assertEqual(server.stop(), 0)
        thread.join()
        self.assertEqual(answers[0][0], 200)
        self.assertEqual(len(answers[0][2]["choices"]), 40)

    def test_wrong_options(self):
        for args, message in ((["--port", 0, "--parallel", 0], "--parallel is 0"),
                              (["--host", "nowhere"], "address nowhere"),
                              (["--tls-cert", "x.pem"], "TLS needs both"),
                              (["--api-key-file", self.dir / "missing"], "cannot be read"),
                              (["--kv-memory", 1e-9], "holds keys and values of 0 tokens"),
                              (["--idle-timeout", 0], "--idle-timeout is 0 seconds, expected 0.01 to 86400"),
                              (["--drain", "nan"], "--drain is nan seconds"), (["--head", "best"], "best")):
            self.assertIn(message, error("serve", "-m", self.model, *args))
        taken = socket.create_server(("127.0.0.1", 0))
        self.assertIn("cannot listen", error("serve", "-m", self.model, "--port", taken.getsockname()[1]))
        taken.close()

    def test_tls(self):
        made = subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                               "-keyout", self.dir / "key.pem", "-out", self.dir / "cert.pem", "-days", "2", "-subj", "/CN=localhost",
                               "-addext", "subjectAltName=IP:127.0.0.1"], capture_output=True)
        if made.returncode != 0:
            self.skipTest("no openssl to make a certificate")
        import ssl
        server = Server(self.model, "--tls-cert", self.dir / "cert.pem", "--tls-key", self.dir / "key.pem")
        try:
            context = ssl.create_default_context(cafile=str(self.dir / "cert.pem"))
            connection = http.client.HTTPSConnection("127.0.0.1", server.port, context=context, timeout=20)
            connection.request("POST", "/v1/completions", json.dumps({"prompt": "The ", "max_tokens": 4, "stream": True}))
            self.assertTrue(connection.getresponse().read().endswith(b"data: [DONE]\n\n"))
            connection.close()
            server.raw(b"GET /health HTTP/1.1\r\n\r\n", 2)  # no TLS: closed
        finally:
            self.assertEqual(server.stop(), 0)


if __name__ == "__main__":
    unittest.main()
