#!/usr/bin/env python3
"""What goes wrong around tern serve: clients that are slow, never read or leave, too little memory, its end under load.

usage: serve_faults_test.py TERN [unittest arguments]
"""
import json
import os
import signal
import socket
import tempfile
import threading
import unittest
from pathlib import Path

from server import PATIENCE, TEMPLATE, Server, make_model

CONTEXT = 2048
COMPLETIONS = "/v1/completions"
SHORT = {"prompt": "The ", "temperature": 0, "max_tokens": 8}
# Longer than any of the tests: whoever asks for it goes away.
ENDLESS = {"prompt": "The ", "max_tokens": 2000, "ignore_eos": True, "n": 100}
# 128 answers that begin with their prompt and its scores, of 113 KB each: more than the system and the server
# together keep for a client. Of 30 they keep all, but the system alone does not.
MUCH = {"prompt": "many words " * 140, "echo": True, "logprobs": 1, "stream": True, "n": 128, "max_tokens": 500, "ignore_eos": True}
LESS = {**MUCH, "n": 30, "max_tokens": 1}
ABORTED, WHOLE = (("tern_requests_finished_total", f'finished_reason="{reason}"') for reason in ("abort", "length"))
POST_ROUTES = ("/v1/completions", "/v1/chat/completions", "/v1/embeddings", "/tokenize", "/detokenize", "/apply-template")


def receive(client, size):
    """b"" when the server has closed, be it with bytes unread."""
    try:
        return client.recv(size)
    except ConnectionResetError:
        return b""


class Reader(threading.Thread):
    """Reads all that comes on a connection."""

    def __init__(self, client):
        super().__init__(daemon=True)
        self.client = client
        self.data = b""
        self.start()

    def run(self):
        with self.client:
            while part := receive(self.client, 65536):
                self.data += part


def closes_while_written_to(client, data):
    """Whether the server closes while it is sent byte after byte."""
    client.settimeout(0.05)
    for byte in data:
        try:
            client.sendall(bytes([byte]))
            if client.recv(1) == b"":
                return True
        except TimeoutError:
            continue
        except OSError:
            return True
    return False


class ServeFaults(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory(prefix="tern-faults-")
        cls.dir = Path(cls.folder.name)
        cls.model = make_model(cls.dir, TEMPLATE, CONTEXT, steps=1)

    @classmethod
    def tearDownClass(cls):
        cls.folder.cleanup()

    def serve(self, *args):
        server = Server(self.model, "--chat-template", self.dir / "template.jinja", *args, threads=1)
        self.addCleanup(lambda: server.process.returncode is None and self.assertEqual(server.stop(), 0))
        return server

    def send(self, server, body, **options):
        client = server.send(COMPLETIONS, body, **options)
        self.addCleanup(client.close)
        return client

    def files_of(self, server):
        return len(os.listdir(f"/proc/{server.process.pid}/fd"))

    def test_slow_clients_are_given_up(self):
        server = self.serve("--receive-timeout", 1.5, "--idle-timeout", 1.5)
        stream = Reader(self.send(server, {**ENDLESS, "stream": True}))
        half, answered = (server.send("/tokenize", {"prompt": "a"}) for _ in range(2))
        half.sendall(b"POST /tokenize HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n{\"prompt\": ")
        silent = socket.create_connection(("127.0.0.1", server.port), timeout=PATIENCE)
        dripping = socket.create_connection(("127.0.0.1", server.port))
        with silent, dripping:
            self.assertTrue(closes_while_written_to(dripping, b"GET /health HTTP/1.1\r\nX: " + b"y" * 2000))
            self.assertEqual(receive(silent, 1), b"")
        for client in (half, answered):
            reader = Reader(client)
            reader.join()
            self.assertEqual(reader.data.count(b"HTTP/1.1 "), 1, reader.data)
            self.assertTrue(reader.data.startswith(b"HTTP/1.1 200 OK"), reader.data)
        # The stream goes on.
        size = len(stream.data)
        server.wait_for(lambda: len(stream.data) > size)
        stream.client.shutdown(socket.SHUT_RDWR)
        stream.join()
        server.wait_until_idle()

    def test_clients_that_never_read(self):
        server = self.serve("--parallel", 8, "--send-timeout", 1)
        alone = server.post(COMPLETIONS, SHORT)["choices"]
        files = self.files_of(server)
        self.send(server, MUCH, receive_buffer=4096)
        self.assertEqual(server.post(COMPLETIONS, SHORT)["choices"], alone)
        server.wait_for(lambda: server.metric(*ABORTED) == 1)
        self.send(server, LESS, receive_buffer=4096)
        self.assertEqual(server.post(COMPLETIONS, SHORT)["choices"], alone)
        server.wait_for(lambda: self.files_of(server) == files)
        server.wait_until_idle()
        self.assertEqual(server.metric("tern_kv_cache_usage"), 0)
        self.assertEqual(server.post(COMPLETIONS, SHORT)["choices"], alone)

    def test_sigterm_lets_streams_end(self):
        server = self.serve("--parallel", 2, "--drain", 600)
        readers = [Reader(self.send(server, {**SHORT, "max_tokens": 30, "ignore_eos": True, "stream": True})) for _ in range(6)]
        self.send(server, {**SHORT, "stream": True}, receive_buffer=4096)  # never reads
        idle = socket.create_connection(("127.0.0.1", server.port), timeout=PATIENCE)
        server.wait_for(lambda: all(reader.data for reader in readers))
        self.assertEqual(server.stop(), 0)
        for reader in readers:
            reader.join()
            self.assertIn(b"data: [DONE]", reader.data[-100:])
            self.assertNotIn(b"error", reader.data)
        with idle:
            self.assertEqual(receive(idle, 1), b"")

    def test_sigterm_ends_what_does_not_end(self):
        server = self.serve("--parallel", 2, "--drain", 0.2)
        self.send(server, LESS, receive_buffer=4096)
        server.wait_for(lambda: server.metric(*WHOLE) == LESS["n"])
        readers = [Reader(self.send(server, {**ENDLESS, "stream": stream})) for stream in (True, True, True, False)]
        server.wait_for(lambda: all(reader.data for reader in readers[:3]) and server.metric("tern_requests_waiting") == 2)
        self.assertEqual(server.stop(), 0)
        for reader in readers:
            reader.join()
            self.assertIn(b"the server is shutting down", reader.data[-400:])
        for reader in readers[:3]:
            self.assertIn(b"data: [DONE]", reader.data[-100:])
        self.assertTrue(readers[3].data.startswith(b"HTTP/1.1 503 "))

    def test_a_second_signal_does_not_wait(self):
        server = self.serve()
        reader = Reader(self.send(server, {**ENDLESS, "stream": True}))
        server.wait_for(lambda: reader.data)
        server.process.send_signal(signal.SIGTERM)
        server.wait_for(lambda: any("stopping" in line for line in server.lines))
        self.assertEqual(server.stop(), 0)
        reader.join()

    def test_clients_that_leave_the_queue(self):
        server = self.serve("--parallel", 1)
        alone = server.post(COMPLETIONS, SHORT)["choices"]
        first = self.send(server, {**ENDLESS, "stream": True})
        self.assertTrue(first.recv(1))
        queued = [self.send(server, {**SHORT, "stream": stream}) for stream in (False, True) * 3]
        stays = self.send(server, SHORT)
        server.wait_for(lambda: server.metric("tern_requests_waiting") == len(queued) + 1)
        for client in queued:
            client.close()
        server.wait_for(lambda: server.metric("tern_requests_waiting") == 1)
        self.assertEqual(server.metric(*ABORTED), len(queued))
        first.close()
        answer = stays.recv(65536)
        self.assertEqual(json.loads(answer[answer.index(b"\r\n\r\n"):])["choices"], alone)
        self.assertEqual(server.metric(*ABORTED), len(queued) + 1)
        self.assertEqual(server.metric(*WHOLE), 2)

    def test_a_full_queue_and_time(self):
        server = self.serve("--parallel", 1, "--max-queue", 2)
        clients = [self.send(server, ENDLESS) for _ in range(3)]
        server.wait_for(lambda: server.metric("tern_requests_waiting") == 2)
        status, response, answer = server.request(COMPLETIONS, SHORT)
        self.assertEqual((status, answer["error"]["code"]), (429, "queue_full"))
        self.assertTrue(response.getheader("Retry-After"))
        for client in clients:
            client.close()
        server.wait_until_idle()
        self.assertEqual(len(server.post(COMPLETIONS, SHORT)["choices"]), 1)
        status, _, answer = server.request(COMPLETIONS, {**ENDLESS, "timeout": 0.01})
        self.assertEqual((status, answer["error"]["code"]), (504, "timeout"))
        server.wait_until_idle()

    def test_little_memory_for_keys_and_values(self):
        bodies = [{"prompt": prompt, "n": 4, "max_tokens": 200, "seed": 5, "ignore_eos": True} for prompt in ("The ", "A dog ")]
        ample = self.serve("-c", 512, "--parallel", 8)
        alone = [ample.post(COMPLETIONS, body)["choices"] for body in bodies]
        self.assertEqual(ample.metric("tern_preemptions_total"), 0)
        # 512 tokens, in bf16 of 4 heads of 64: 8 pages, where either request alone wants 16.
        server = self.serve("-c", 512, "--parallel", 8, "--kv-memory", 512 * 1024 / 2**30)
        answers = [Reader(self.send(server, body)) for body in bodies]
        status, _, answer = server.request(COMPLETIONS, {**SHORT, "prompt": "a" * 600})
        self.assertEqual((status, answer["error"]["code"]), (400, "context_length_exceeded"))
        # Both have come when one has to make room; before, the server may still be idle.
        server.wait_for(lambda: server.metric("tern_preemptions_total") > 0)
        server.wait_until_idle()
        self.assertEqual(server.metric("tern_kv_cache_usage"), 0)
        server.stop()
        for reader, choices in zip(answers, alone):
            reader.join()
            self.assertEqual(json.loads(reader.data[reader.data.index(b"\r\n\r\n"):])["choices"], choices)

    def test_bodies_that_are_no_json(self):
        server = self.serve()
        for path in POST_ROUTES:
            for body in (b"[" * 1_000_000, b'{"a":' * 1_000_000, b'{"prompt":' + b"[" * 1_000_000, b'{"messages":[' * 500_000,
                         b'{"prompt": "\xff\xfe"}', b'{"content": "\xc0\x80"}', b'{"input": "\xed\xa0\x80"}', b'{"\xf4\x90\x80\x80": 1}',
                         b'{"prompt": "\xe2\x82"}', b'{"prompt": "\\ud800"}', '{"prompt": "a"}'.encode("utf-16"), b"\0", b""):
                status, _, answer = server.request(path, body)
                self.assertEqual(status, 400, (path, body[:40], answer))
                self.assertIn("the body is", answer["error"]["message"], (path, body[:40]))
        self.assertEqual(len(server.post(COMPLETIONS, SHORT)["choices"]), 1)

    def test_what_http_refuses_is_counted_and_logged(self):
        server = self.serve("--access-log")
        head = b"POST /v1/completions HTTP/1.1\r\nHost: localhost\r\n"

        def lines_of(status):
            return [line for line in server.lines if f'"status":{status}' in line]

        for data, status, method, path in (
                (head + b"Content-Length: 99999999999\r\n\r\n", 413, "POST", COMPLETIONS),
                (head + b"Transfer-Encoding: chunked\r\n\r\nffffffff\r\nabc", 413, "POST", COMPLETIONS),
                (head + b"X: " + b"y" * 20000 + b"\r\n\r\n", 431, "POST", COMPLETIONS),
                (head + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\n{}", 400, "POST", COMPLETIONS),
                (head + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400, "POST", COMPLETIONS),
                (b"G\0T / HTTP/1.1\r\n\r\n", 400, "", "")):
            label = f'status="{status}"'
            before = server.metric("tern_http_responses_total", label)
            logged_before = len(lines_of(status))
            answer = server.raw(data)
            self.assertTrue(answer.startswith(b"HTTP/1.1 %d " % status), (data[:80], answer[:80]))
            self.assertEqual(json.loads(answer[answer.index(b"\r\n\r\n"):])["error"]["type"], "invalid_request_error")
            self.assertEqual(server.metric("tern_http_responses_total", label), before + 1)
            server.wait_for(lambda: len(lines_of(status)) > logged_before)
            line = lines_of(status)[-1]
            logged = json.loads(line[line.index("{"):])
            self.assertEqual((logged["method"], logged["path"]), (method, path))
        # A client that reads only when it has sent all of it.
        status, _, answer = server.request(COMPLETIONS, b"a" * (20 << 20))
        self.assertEqual(status, 413)
        self.assertIn("larger than 16777216 bytes", answer["error"]["message"])
        self.assertEqual(server.metric("tern_http_responses_total", 'status="413"'), 3)


if __name__ == "__main__":
    unittest.main()
