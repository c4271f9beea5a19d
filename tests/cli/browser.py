"""Chromium without a window, driven by its own protocol (CDP) over a WebSocket; the standard library alone.

Pages get storage of their own. A page's console errors, exceptions and refusals of its policy are kept in page.problems.
"""
import base64
import json
import os
import shutil
import socket
import subprocess
import tempfile
import time
from pathlib import Path


def find_chromium():
    """The program, or None where there is none."""
    return next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


class WebSocket:
    """Texts over a WebSocket (RFC 6455) to a server on this machine."""

    def __init__(self, port, path):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=60)
        key = base64.b64encode(os.urandom(16)).decode()
        self.socket.sendall((f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                             f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n").encode())
        self.file = self.socket.makefile("rb")
        if b" 101 " not in self.file.readline():
            raise ConnectionError("no WebSocket")
        while self.file.readline() != b"\r\n":
            pass

    def send(self, text):
        data = text.encode()
        head = bytes([0x81]) + (bytes([0x80 | len(data)]) if len(data) < 126 else
                                b"\xfe" + len(data).to_bytes(2, "big") if len(data) < 65536 else
                                b"\xff" + len(data).to_bytes(8, "big"))
        self.socket.sendall(head + bytes(4) + data)  # a mask of zeros

    def receive(self):
        message = b""
        while True:
            first, size = self.file.read(2)
            if size >= 126:
                size = int.from_bytes(self.file.read(2 if size == 126 else 8), "big")
            data = self.file.read(size)
            if first & 0x0F < 3:  # text and its continuations; no answer to pings is needed here
                message += data
                if first & 0x80:
                    return message.decode()

    def close(self):
        self.file.close()
        self.socket.close()


class Browser:
    def __init__(self, program):
        self.folder = tempfile.TemporaryDirectory(prefix="tern-browser-", ignore_cleanup_errors=True)
        self.process = subprocess.Popen(
            [program, "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
             "--disable-background-networking", "--disable-component-update", "--disable-sync", "--lang=en",
             "--remote-debugging-port=0", f"--user-data-dir={self.folder.name}", "about:blank"],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        told = Path(self.folder.name) / "DevToolsActivePort"
        end = time.monotonic() + 120
        while not (told.exists() and told.read_text().count("\n")):
            if self.process.poll() is not None or time.monotonic() > end:
                self.process.kill()
                raise RuntimeError("Chromium did not start")
            time.sleep(0.05)
        port, path = told.read_text().split("\n")[:2]
        self.socket = WebSocket(int(port), path)
        self.number = 0
        self.listeners = {}  # by session

    def call(self, method, session=None, **params):
        """The result of a command; events that come meanwhile go to their session's listener."""
        self.number += 1
        message = {"id": self.number, "method": method, "params": params, **({"sessionId": session} if session else {})}
        self.socket.send(json.dumps(message))
        number = self.number
        while True:
            answer = json.loads(self.socket.receive())
            if answer.get("id") == number:
                if "error" in answer:
                    raise RuntimeError(f"{method}: {answer['error']}")
                return answer["result"]
            listener = self.listeners.get(answer.get("sessionId"))
            if listener and "method" in answer:
                listener(answer["method"], answer["params"])

    def close(self):
        try:
            self.call("Browser.close")
        except (OSError, ValueError):
            pass
        self.socket.close()
        try:
            self.process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.folder.cleanup()


class Page:
    """A page in a browser context of its own."""

    def __init__(self, browser, width=1200, height=800):
        self.browser = browser
        self.context = browser.call("Target.createBrowserContext")["browserContextId"]
        target = browser.call("Target.createTarget", url="about:blank", browserContextId=self.context)["targetId"]
        self.session = browser.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        self.problems = []
        self.dialogs = []  # answers to the prompts and questions to come
        self.fulfil = {}   # what requests whose address ends so get: (status, content type, text)
        self.requests = []  # (address, body) of those
        self.pending = []   # commands that events ask for
        browser.listeners[self.session] = self.on_event
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(domain + ".enable")
        self.size(width, height)

    def call(self, method, **params):
        result = self.browser.call(method, self.session, **params)
        while self.pending:
            name, arguments = self.pending.pop(0)
            self.browser.call(name, self.session, **arguments)
        return result

    def on_event(self, method, params):
        if method == "Runtime.exceptionThrown":
            self.problems.append(json.dumps(params["exceptionDetails"])[:500])
        elif method == "Log.entryAdded" and params["entry"]["level"] == "error" and params["entry"]["source"] != "network":
            self.problems.append(params["entry"]["text"])
        elif method == "Page.javascriptDialogOpening":
            # The evaluation under way waits for it: answered at once, whose reply is read as one that nobody asked for.
            self.browser.number += 1
            self.browser.socket.send(json.dumps({"id": self.browser.number, "sessionId": self.session,
                                                 "method": "Page.handleJavaScriptDialog",
                                                 "params": {"accept": True, "promptText": self.dialogs.pop(0)}}))
        elif method == "Fetch.requestPaused":
            request = params["request"]
            self.requests.append((request["url"], request.get("postData", "")))
            status, kind, text = next(answer for end, answer in self.fulfil.items() if request["url"].endswith(end))
            self.pending.append(("Fetch.fulfillRequest", {
                "requestId": params["requestId"], "responseCode": status,
                "responseHeaders": [{"name": "Content-Type", "value": kind}],
                "body": base64.b64encode(text.encode()).decode()}))

    def answer_with(self, end, status, kind, text):
        """Requests whose address ends so get this instead of the server's answer."""
        self.fulfil[end] = (status, kind, text)
        self.call("Fetch.enable", patterns=[{"urlPattern": "*" + key} for key in self.fulfil])

    def size(self, width, height):
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=width < 600)

    def open(self, url):
        self.call("Page.navigate", url=url)
        self.wait("document.readyState === 'complete' && location.href !== 'about:blank'")

    def reload(self):
        self.eval("window.old = true")
        self.call("Page.reload")
        self.wait("document.readyState === 'complete' && !window.old")

    def eval(self, expression):
        result = self.call("Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True, userGesture=True)
        if "exceptionDetails" in result:
            raise AssertionError(f"{expression}: {json.dumps(result['exceptionDetails'])[:800]}")
        return result["result"].get("value")

    def wait(self, expression, seconds=60):
        end = time.monotonic() + seconds
        while True:
            try:
                value = self.eval(expression)
            except (RuntimeError, AssertionError):  # between two documents
                value = None
            if value not in (None, False, "", 0):  # an element comes as {}
                return value
            if time.monotonic() > end:
                raise AssertionError(f"{expression}: still not so; problems: {self.problems}")
            time.sleep(0.02)

    def text(self, selector):
        return self.eval(f"document.querySelector({json.dumps(selector)})?.innerText")

    def click(self, selector):
        """As a mouse does, in the middle of the element."""
        x, y = self.eval(f"(() => {{ const e = document.querySelector({json.dumps(selector)}); e.scrollIntoView({{block: 'nearest'}});"
                         "const r = e.getBoundingClientRect(); return [r.x + r.width / 2, r.y + r.height / 2]; })()")
        for kind in ("mousePressed", "mouseReleased"):
            self.call("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1)

    def hover(self, selector):
        x, y = self.eval(f"(() => {{ const r = document.querySelector({json.dumps(selector)}).getClientRects()[0];"
                         "return [r.x + r.width / 2, r.y + r.height / 2]; })()")
        self.call("Input.dispatchMouseEvent", type="mouseMoved", x=x, y=y)

    def type(self, text):
        self.call("Input.insertText", text=text)

    def key(self, name, shift=False):
        codes = {"Enter": 13, "Escape": 27, "Tab": 9, "ArrowRight": 39, "ArrowLeft": 37}
        common = {"key": name, "code": name, "windowsVirtualKeyCode": codes[name], "modifiers": 8 if shift else 0}
        text = {"text": "\r"} if name == "Enter" else {}
        self.call("Input.dispatchKeyEvent", type="keyDown" if text else "rawKeyDown", **common, **text)
        self.call("Input.dispatchKeyEvent", type="keyUp", **common)

    def screenshot(self, path):
        Path(path).write_bytes(base64.b64decode(self.call("Page.captureScreenshot", format="png")["data"]))

    def close(self):
        self.browser.listeners.pop(self.session)
        self.browser.call("Target.disposeBrowserContext", browserContextId=self.context)
