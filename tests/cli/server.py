"""`tern serve` in the tests: a model to serve, a server of it, and the ways to ask it."""
import http.client
import json
import re
import signal
import socket
import subprocess
import threading
import time

import program
from program import SHAPE, TEXT, tern

CONTEXT = 64
PATIENCE = 240  # seconds; on a busy machine all takes long, so that only what hangs may take this time
TEMPLATE = "{% for m in messages %}{{ m.role }}: {{ m.content }}\n{% endfor %}assistant: "


class Server:
    """A running `tern serve` on a port of its own."""

    def __init__(self, model, *args, threads=2):
        source = [] if model is None else ["-m", model]
        self.process = subprocess.Popen([program.TERN, "serve", *source, "--port", "0", "-t", str(threads), *map(str, args)],
                                        stderr=subprocess.PIPE, text=True)
        self.lines = []
        for line in self.process.stderr:
            self.lines.append(line)
            match = re.search(r"listening on https?://[\d.]+:(\d+)", line)
            if match:
                self.port = int(match[1])
                break
        else:
            raise AssertionError("the server did not start: " + "".join(self.lines))
        self.drain = threading.Thread(target=lambda: self.lines.extend(self.process.stderr), daemon=True)
        self.drain.start()

    def request(self, path, body=None, headers=None, method=None):
        """Status, headers and JSON (or text) of one request."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
        data = body if body is None or isinstance(body, (bytes, str)) else json.dumps(body)
        connection.request(method or ("GET" if body is None else "POST"), path, data, headers or {})
        response = connection.getresponse()
        text = response.read()
        connection.close()
        if response.getheader("Content-Type", "").startswith("application/json"):
            return response.status, response, json.loads(text) if text else None
        return response.status, response, text.decode()

    def post(self, path, body, **headers):
        status, _, answer = self.request(path, body, headers)
        if status != 200:
            raise AssertionError(f"{path}: {status} {answer}")
        return answer

    def stream(self, path, body):
        """The events of a streamed request, without the last [DONE]."""
        status, response, text = self.request(path, {**body, "stream": True})
        if status != 200 or not response.getheader("Content-Type").startswith("text/event-stream"):
            raise AssertionError(f"{path}: {status} {text}")
        events = [line[len("data: "):] for line in text.split("\n\n") if line]
        if events[-1] != "[DONE]":
            raise AssertionError(f"the stream ends with {events[-1]}")
        return [json.loads(event) for event in events[:-1]]

    def metric(self, name, label=""):
        """Its value; with a label, such as 'status="413"', 0 before there is one."""
        _, _, text = self.request("/metrics")
        match = re.search(rf"^{name}{{[^}}]*{label}}} (\S+)$", text, re.M)
        return 0.0 if match is None and label else float(match[1])

    def wait_for(self, condition, seconds=PATIENCE):
        end = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > end:
                raise AssertionError(f"not within {seconds} s: " + "".join(self.lines[-5:]))
            time.sleep(0.02)

    def wait_until_idle(self):
        self.wait_for(lambda: self.metric("tern_requests_running") + self.metric("tern_requests_waiting") == 0)

    def send(self, path, body, receive_buffer=None):
        """A connection on which a request has been sent and nothing was read; closed by whoever asked."""
        data = json.dumps(body).encode()
        client = socket.socket()
        if receive_buffer is not None:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        client.settimeout(PATIENCE)
        client.connect(("127.0.0.1", self.port))
        client.sendall(b"POST %s HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n" % (path.encode(), len(data)) + data)
        return client

    def raw(self, data, seconds=PATIENCE, silence=0.3):
        """Sends bytes and returns what comes until the server closes or is silent."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=seconds) as client:
            client.sendall(data)
            answer = b""
            try:
                while True:
                    part = client.recv(65536)
                    if not part:
                        return answer
                    answer += part
                    if answer.startswith(b"HTTP/1.1 ") and b"\r\n\r\n" in answer:
                        client.settimeout(silence)
            except (TimeoutError, ConnectionResetError):
                return answer

    def stop(self, number=signal.SIGTERM):
        self.process.send_signal(number)
        self.process.wait(timeout=PATIENCE)
        self.drain.join()
        self.process.stderr.close()
        assert not any("Sanitizer" in line for line in self.lines), "".join(self.lines)
        return self.process.returncode


def shape(context):
    return [context if option == 32 else option for option in SHAPE]


def make_model(folder, template=TEMPLATE, context=CONTEXT, steps=30):
    (folder / "text.txt").write_text(TEXT)
    (folder / "template.jinja").write_text(template)
    tern("train", "--data", folder / "text.txt", *shape(context), "--steps", steps, "--out", folder / "run")
    tern("convert", folder / "run", folder / "model.gguf", "--type", "tq1_0")
    return folder / "model.gguf"
