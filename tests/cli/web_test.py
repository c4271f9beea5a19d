#!/usr/bin/env python3
"""The chat page as somebody at a browser sees it. Skipped where there is no Chromium.

usage: web_test.py TERN [unittest arguments]

Screenshots go to the folder TERN_ARTEFACTS, where that is set.
"""
import json
import os
import sys
import tempfile
import unittest
from pathlib import Path

from program import SHAPE, TEXT, tern
from browser import Browser, Page, find_chromium
from server import TEMPLATE, Server

CONTEXT = 1024
HOSTILE = "\n".join(["<script>window.hit = 1</script> <img src=x onerror='window.hit = 2'>", "",
                     "# A *title*", "", "Some **bold _both_** and `code <b>`, a [page](https://example.com/?a=1&b=2),",
                     "a [trap](javascript:window.hit=3), [another](data:text/html,x) and https://example.org/x.", "",
                     "1. one", "2. two", "   - inner `x`", "   - more", "3. three", "", "> quoted", "> *twice*", "",
                     "| a | b |", "|---|--:|", "| 1 | <i>2</i> |", "",
                     "```html", "<script>window.hit = 4</script>", "  indented", "```", "", "---", "```py", "still = open"])
ARTEFACTS = Path(os.environ.get("TERN_ARTEFACTS") or tempfile.gettempdir())


def events(*pieces, finish="stop"):
    """A streamed chat answer as the server sends it."""
    def event(choice, **more):
        return "data: " + json.dumps({"choices": choice, **more}) + "\n\n"
    return ("".join(event([{"index": 0, "delta": {"content": piece}, "finish_reason": None}]) for piece in pieces) +
            event([{"index": 0, "delta": {}, "finish_reason": finish}]) +
            event([], usage={"prompt_tokens": 3, "completion_tokens": len(pieces)}) + "data: [DONE]\n\n")


class Web(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory(prefix="tern-web-")
        cls.dir = Path(cls.folder.name)
        (cls.dir / "text.txt").write_text(TEXT * 4)
        (cls.dir / "template.jinja").write_text(TEMPLATE)
        shape = [CONTEXT if option == 32 else option for option in SHAPE]
        tern("train", "--data", cls.dir / "text.txt", *shape, "--steps", 8, "--out", cls.dir / "run")
        cls.model = cls.dir / "model.gguf"
        tern("convert", cls.dir / "run", cls.model, "--type", "tq1_0")
        cls.template = ["--chat-template", cls.dir / "template.jinja", "--alias", "small", "--head", "exact"]
        cls.server = Server(cls.model, *cls.template)
        cls.browser = Browser(find_chromium())

    @classmethod
    def tearDownClass(cls):
        cls.browser.close()
        cls.server.stop()
        cls.folder.cleanup()

    def open(self, server=None, **size):
        page = Page(self.browser, **size)
        self.addCleanup(page.close)
        page.open(f"http://127.0.0.1:{(server or self.server).port}/")
        return page

    def wait_for_model(self, page):
        """What the server says moves the page's parts, which a click would miss."""
        page.wait("document.getElementById('model').textContent")

    def other_server(self, *args):
        server = Server(self.model, *args)
        self.addCleanup(server.stop)
        return server

    def send(self, page, text, wait=True):
        page.eval("document.getElementById('input').focus()")
        page.type(text)
        page.key("Enter")
        if wait:
            self.wait_for_answer(page)

    def wait_for_answer(self, page):
        page.wait("!running && messages.querySelector('.message:last-child .stats')?.textContent || "
                  "messages.querySelector('.message:last-child .failed:not([hidden])')")

    def messages(self, page):
        return page.eval("conversation.messages.map((message) => message.content)")

    def set(self, page, **values):
        page.click("#open-settings")
        for name, value in values.items():
            page.eval(f"document.querySelector('#settings [name={name}]').value = {json.dumps(str(value))}")
        page.click("#settings [value=save]")

    def assert_fits(self, page):
        """Nothing is wider than the window."""
        wide = page.eval("[document.documentElement.scrollWidth, innerWidth]")
        self.assertLessEqual(wide[0], wide[1])

    def assert_sound(self, page):
        self.assertEqual(page.problems, [])

    def test_headers(self):
        for method in ("GET", "HEAD"):
            status, response, text = self.server.request("/", method=method)
            self.assertEqual((status, response.getheader("Content-Type")), (200, "text/html; charset=utf-8"))
            policy = response.getheader("Content-Security-Policy")
            self.assertIn("default-src 'none'", policy)
            self.assertIn("frame-ancestors 'none'", policy)
            self.assertNotIn("unsafe", policy)
            self.assertEqual(response.getheader("X-Content-Type-Options"), "nosniff")
            self.assertEqual(response.getheader("Referrer-Policy"), "no-referrer")
            self.assertEqual(response.getheader("Cache-Control"), "no-cache")
            self.assertEqual(text == "", method == "HEAD")
        self.assertEqual(self.server.request("/", {"a": 1})[0], 405)

    def test_send_stream_regenerate_edit_and_reload(self):
        page = self.open()
        self.assertIn("small", page.wait("document.getElementById('model').textContent"))
        self.set(page, max_tokens=60, seed=1, temperature=1, system="Be brief")
        self.send(page, "The quick")
        first = self.messages(page)
        self.assertEqual(len(first), 2)
        stats = page.text(".message:last-child .stats")
        self.assertRegex(stats, r"^60 tokens · ([\d.]+ tokens/s · )?first after [\d.]+ s · prompt \d+.* · cut at the most tokens$")
        page.click(".message:last-child [aria-label='Regenerate the answer']")
        self.wait_for_answer(page)
        self.assertEqual(self.messages(page), first)  # the same seed
        self.set(page, seed=2)
        page.click(".message:last-child [aria-label='Regenerate the answer']")
        self.wait_for_answer(page)
        second = self.messages(page)
        self.assertNotEqual(second, first)
        self.send(page, "And the dog?")
        four = self.messages(page)
        self.assertEqual((len(four), four[:2]), (4, second))
        page.reload()
        self.assertEqual(self.messages(page), four)
        self.assertEqual(page.eval("messages.querySelectorAll('.message').length"), 4)
        self.assertIn("The quick", page.text("#chat-list"))
        page.screenshot(ARTEFACTS / "chat-light.png")
        page.click(".message:first-child [aria-label='Edit the message']")
        page.eval("document.activeElement.value = 'The lazy'")
        page.key("Enter")
        self.wait_for_answer(page)
        edited = self.messages(page)
        self.assertEqual((len(edited), edited[0]), (2, "The lazy"))
        self.assert_sound(page)

    def test_conversations(self):
        page = self.open()
        self.set(page, max_tokens=5)
        self.send(page, "One")
        page.click("#new-chat")
        self.assertEqual(self.messages(page), [])
        self.send(page, "Two")
        titles = "[...document.querySelectorAll('#chat-list .title')].map((title) => title.textContent)"
        self.assertEqual(page.eval(titles), ["Two", "One"])
        page.dialogs = ["Renamed"]
        page.click("[aria-label='Rename One']")
        page.wait(f"{titles}[1] === 'Renamed'")
        page.click("#chat-list li:last-child .title")
        self.assertEqual(self.messages(page)[0], "One")
        kept = json.loads(page.eval("JSON.stringify(conversations())"))
        self.assertEqual({c["messages"][0]["content"] for c in kept}, {"One", "Two"})
        page.eval("window.saved = null; URL.createObjectURL = (blob) => { blob.text().then((text) => { saved = text; }); return '#'; }")
        page.click("#export")
        self.assertEqual(json.loads(page.wait("saved")), kept)
        page.dialogs = [""]
        page.click("[aria-label='Delete Renamed']")
        page.wait(f"{titles}.length === 1")
        page.reload()
        self.assertEqual(page.eval(titles), ["Two"])
        self.assert_sound(page)

    def test_stop_keeps_what_has_come(self):
        for how in ("button", "Escape"):
            page = self.open()
            # So that the answer takes a while.
            page.call("Network.emulateNetworkConditions", offline=False, latency=0, downloadThroughput=15000, uploadThroughput=-1)
            self.set(page, max_tokens=900, seed=3)
            self.send(page, "The ", wait=False)
            page.wait("running && conversation.messages.at(-1).content.length > 10 && conversation.messages.at(-1).stats.seconds > 0.2")
            self.assertEqual(page.eval("messages.getAttribute('aria-busy')"), "true")
            self.assertEqual(page.eval("document.getElementById('send').hidden"), True)
            if how == "button":
                page.click("#stop")
            else:
                page.key("Escape")
            page.wait("!running", seconds=10)
            self.assertRegex(page.text(".message:last-child .stats"), r"^\d+ tokens · [\d.]+ tokens/s · first after .* · stopped$")
            messages = self.messages(page)
            page.reload()
            self.assertEqual(self.messages(page), messages)
            self.server.wait_until_idle()
            self.assert_sound(page)

    def test_what_a_model_writes_is_text(self):
        page = self.open()
        pieces = [HOSTILE[i:i + 7] for i in range(0, len(HOSTILE), 7)]
        page.answer_with("/v1/chat/completions", 200, "text/event-stream", events(*pieces))
        self.send(page, "<script>window.hit = 5</script>")
        body = ".message:last-child .body"
        self.assertIn("<script>window.hit = 1</script> <img src=x", page.text(body))
        self.assertIn("<script>window.hit = 5</script>", page.text(".message .mine"))
        self.assertEqual(page.eval("messages.querySelectorAll('script, img, b, i').length"), 0)
        self.assertIsNone(page.eval("window.hit"))
        links = page.eval(f"[...document.querySelectorAll('{body} a')].map((a) => [a.href, a.rel])")
        self.assertEqual(links, [["https://example.com/?a=1&b=2", "noopener noreferrer"], ["https://example.org/x", "noopener noreferrer"]])
        found = page.eval(f"['h1 em', 'strong em', 'code', 'ol > li', 'ol li ul > li', 'blockquote em', 'td', 'th', 'hr', 'figure']"
                          f".map((name) => document.querySelectorAll('{body} ' + name).length)")
        self.assertEqual(found, [1, 1, 4, 3, 2, 1, 2, 2, 1, 2])
        self.assertEqual(page.text(body + " figure pre"), "<script>window.hit = 4</script>\n  indented")
        # A view that grew piece by piece is the one of the whole text.
        self.assertTrue(page.eval(f"""(() => {{
            const all = document.createElement('div');
            new MarkdownView(all).update({json.dumps(HOSTILE)});
            return all.innerHTML === document.querySelector('{body}').innerHTML; }})()"""))
        page.eval("window.copied = null; navigator.clipboard.writeText = async (text) => { copied = text; }")
        page.click(body + " figure button")
        self.assertEqual(page.wait("copied"), "<script>window.hit = 4</script>\n  indented")
        page.screenshot(ARTEFACTS / "markdown.png")
        self.assert_sound(page)

    def test_markdown_of_any_shape_is_shown(self):
        """Neither the stack nor the time runs out."""
        page = self.open()
        for piece in ("> ", "- ", "*a ", "[", "`", "_a*b~~", "**", "[a](", "| a |\n", "![", "`a``b", "1. ", "\\", "a\n", "- a\n",
                      "| a | b\n|-|-|\n", "[a](http://x(", "```\n", "> - "):
            levels = page.eval(f"""(() => {{
                const place = document.createElement('div');
                new MarkdownView(place).update({json.dumps(piece)}.repeat({120000 // len(piece)}));
                const levels = (node) => 1 + Math.max(0, ...[...node.children].slice(0, 50).map(levels));
                return levels(place); }})()""")
            self.assertLess(levels, 40, piece)
        self.assert_sound(page)

    def test_errors_are_said_and_can_be_tried_again(self):
        page = self.open()
        page.answer_with("/v1/chat/completions", 429, "application/json", json.dumps({"error": {"message": "too many requests"}}))
        self.send(page, "Hello")
        self.assertEqual(page.text(".message:last-child .failed"), "too many requests")
        page.answer_with("/v1/chat/completions", 200, "text/event-stream",
                         'data: {"choices":[{"delta":{"content":"part"}}]}\n\ndata: {"error":{"message":"the engine failed"}}\n\n')
        page.click(".message:last-child [aria-label='Regenerate the answer']")
        page.wait("!running && messages.querySelector('.message:last-child .failed').textContent === 'the engine failed'")
        self.assertEqual(self.messages(page)[-1], "part")
        page.answer_with("/v1/chat/completions", 200, "text/event-stream", events("fine"))
        page.click(".message:last-child [aria-label='Regenerate the answer']")
        page.wait("!running && conversation.messages.at(-1).content === 'fine'")
        self.assertEqual(page.eval("document.querySelectorAll('.failed:not([hidden])').length"), 0)
        sent = [json.loads(body) for _, body in page.requests]
        self.assertEqual({json.dumps(body["messages"]) for body in sent}, {'[{"role": "user", "content": "Hello"}]'})

    def test_a_phone_and_the_dark(self):
        page = self.open(width=390, height=800)
        self.assert_fits(page)
        page.answer_with("/v1/chat/completions", 200, "text/event-stream", events(HOSTILE + "\n" + "x" * 300))
        self.send(page, "word " * 30 + "y" * 200)
        self.assert_fits(page)
        page.screenshot(ARTEFACTS / "phone.png")
        self.assertFalse(page.eval("chats.checkVisibility()"))
        page.click("#show-chats")
        self.assertTrue(page.eval("chats.checkVisibility()"))
        self.assert_fits(page)
        page.screenshot(ARTEFACTS / "phone-chats.png")
        page.key("Escape")
        self.assertFalse(page.eval("chats.checkVisibility()"))
        page.click("#open-settings")
        self.assert_fits(page)
        page.screenshot(ARTEFACTS / "phone-settings.png")
        page.key("Escape")
        back = "getComputedStyle(document.body).backgroundColor"
        light = page.eval(back)
        page.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": "dark"}])
        dark = page.eval(back)
        self.assertNotEqual(dark, light)
        page.screenshot(ARTEFACTS / "phone-dark.png")
        page.click("#theme")  # light, whatever the system has
        self.assertEqual(page.eval(back), light)
        page.click("#theme")
        page.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": "light"}])
        page.reload()
        self.assertEqual(page.eval(back), dark)
        self.wait_for_model(page)
        page.click("#mode-raw")
        self.assert_fits(page)
        page.screenshot(ARTEFACTS / "phone-raw.png")
        self.assert_sound(page)

    def test_keys_and_names(self):
        page = self.open()
        page.answer_with("/v1/chat/completions", 200, "text/event-stream", events("fine"))
        page.eval("document.getElementById('input').focus()")
        page.type("one")
        page.key("Enter", shift=True)
        page.type("two")
        page.key("Enter")
        self.wait_for_answer(page)
        self.assertEqual(self.messages(page), ["one\ntwo", "fine"])
        # Everything that can be operated has a name, and the tab key comes by all of it in the page's order.
        unnamed = page.eval("[...document.querySelectorAll('button, input, textarea')].filter((e) => !(e.textContent.trim() || "
                            "e.ariaLabel || e.labels?.length)).map((e) => e.outerHTML)")
        self.assertEqual(unnamed, [])
        page.eval("document.activeElement.blur(); document.querySelector('.skip').focus()")
        seen = []
        for _ in range(16):
            page.key("Tab")
            seen.append(page.eval("document.activeElement.id || document.activeElement.ariaLabel || document.activeElement.textContent"))
        self.assertEqual(seen, ["mode-chat", "mode-raw", "theme", "open-settings", "new-chat", "one two", "Rename one two",
                                "Delete one two", "export", "messages", "Copy the message", "Edit the message", "Copy the message",
                                "Regenerate the answer", "input", "send"])
        self.assertEqual(page.eval("[messages.role, messages.ariaLive, messages.ariaBusy]"), ["log", "polite", "false"])
        self.assert_sound(page)

    def test_raw_completions_and_probabilities(self):
        server = self.other_server("--head", "exact")
        page = self.open(server)
        page.wait("!document.getElementById('raw-view').hidden")  # no chat template
        self.assertIn("no chat template", page.text("#note"))
        self.assertTrue(page.eval("document.getElementById('mode-chat').disabled"))
        self.set(page, max_tokens=30, seed=1)
        page.eval("document.getElementById('raw-prompt').value = 'The quick'")
        page.click("#raw-send")
        page.wait("!running && document.querySelector('#raw-stats').textContent.includes('30 tokens')")
        text = page.eval("document.getElementById('raw-output').textContent")
        self.assertEqual(text, self.same_completion(server))
        self.assertGreater(page.eval("document.querySelectorAll('#raw-output .token').length"), 10)
        self.assertTrue(page.eval("tip.hidden"))
        page.hover("#raw-output .token:nth-child(3)")
        page.wait("!tip.hidden")
        self.assertRegex(page.text("#tip"), r"^\S.*: [\d.]+ %")
        self.assertGreaterEqual(page.eval("tip.querySelectorAll('tr').length"), 5)
        page.screenshot(ARTEFACTS / "raw.png")
        page.eval("document.querySelector('#raw-output .token').focus()")
        page.key("ArrowRight")
        self.assertTrue(page.eval("document.activeElement === document.querySelectorAll('#raw-output .token')[1] && !tip.hidden"))
        page.key("Escape")
        self.assertTrue(page.eval("tip.hidden"))
        page.reload()
        self.assertEqual(page.eval("document.getElementById('raw-output').textContent"), text)
        self.wait_for_model(page)
        page.click("#raw-append")
        self.assertEqual(page.eval("document.getElementById('raw-prompt').value"), "The quick" + text)
        self.assert_sound(page)

    def same_completion(self, server):
        return server.post("/v1/completions", {"prompt": "The quick", "max_tokens": 30, "seed": 1})["choices"][0]["text"]

    def test_probabilities_whatever_the_head(self):
        server = self.other_server("--head", "int8")
        page = self.open(server)
        self.set(page, max_tokens=30, seed=1)
        page.wait("!document.getElementById('raw-view').hidden")
        page.eval("document.getElementById('raw-prompt').value = 'The quick'")
        page.click("#raw-send")
        page.wait("!running && document.querySelector('#raw-stats').textContent.includes('30 tokens')")
        self.assertGreater(page.eval("document.querySelectorAll('#raw-output .token').length"), 5)
        exact = server.post("/v1/completions", {"prompt": "The quick", "max_tokens": 30, "seed": 1, "logprobs": 5})
        self.assertEqual(page.eval("document.getElementById('raw-output').textContent"), exact["choices"][0]["text"])

    def test_the_key_is_asked_for(self):
        server = self.other_server(*self.template, "--api-key", "sesame")
        self.assertEqual(server.request("/")[0], 200)
        self.assertEqual(server.request("/props")[0], 401)
        page = self.open(server)
        for key, reason in (("wrong", "asks for a key"), ("sesame", "does not know this key")):
            page.wait(f"document.getElementById('key-reason').textContent.includes('{reason}') && document.querySelector('#key-dialog[open]')")
            page.eval("document.getElementById('key-input').focus()")
            page.type(key)
            page.key("Enter")
        self.wait_for_model(page)
        self.set(page, max_tokens=5)
        self.send(page, "Hi")
        self.assertEqual(len(self.messages(page)), 2)
        self.assertNotIn("sesame", page.eval("JSON.stringify(localStorage)"))
        page.reload()
        self.wait_for_model(page)
        self.assert_sound(page)


if __name__ == "__main__":
    if find_chromium() is None:
        print("no Chromium to open the page with")
        sys.exit(77)
    ARTEFACTS.mkdir(parents=True, exist_ok=True)
    unittest.main()
