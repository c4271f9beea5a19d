#!/usr/bin/env python3
"""Clients that ask an OpenAI-compatible server for completions, each again as soon as it has its answer: tokens a second
of all together, time to the first token and between tokens (50th and 99th percentile), as a table or JSON.

usage: bench/serve_load.py URL [--clients 1 4 16] [--requests N a client] [--tokens N] [--prompt-tokens N] [--ids] [--json]
       bench/serve_load.py URL --first-token [--piece 256] [--requests N]
       bench/serve_load.py URL --leaks PID [--idle 500] [--short 10000]

URL is the server's root, such as http://127.0.0.1:8080. Prompts differ, so that no server can take them from a cache.
With --first-token: the time to the first token of a prompt of 16 tokens alone, and of one that comes while a prompt of 2,000
tokens is read; of a prompt of one piece (tern serve --prompt-piece), which is the unit of that reading; of a prompt of 1,008
tokens, and of another one with the same first 1,000. Medians and largest of N.
With --leaks: idle streams that are opened and left, then short requests, twice, and what the process holds after each.
"""
import argparse
import http.client
import json
import os
import random
import socket
import threading
import time
import urllib.parse

WORDS = ("time year people way day man thing woman life child world school state family student group country problem hand "
         "part place case week company system program question work government number night point home water room").split()


def connect(url):
    parts = urllib.parse.urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=600)
    connection.connect()
    connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return connection


def prompt(words, seed, as_ids):
    choose = random.Random(seed)
    if as_ids:
        return [choose.randrange(300, 3000) for _ in range(max(words, 1))]
    return " ".join(choose.choice(WORDS) for _ in range(max(words, 1)))


def ask(connection, options, body, answer):
    """One streamed completion; `answer` gets the times of its pieces and the number of tokens that usage says."""
    connection.request("POST", "/v1/completions", json.dumps({
        "prompt": body, "max_tokens": options.tokens, "temperature": 0, "stream": True, "ignore_eos": True,
        "stream_options": {"include_usage": True}}), {"Content-Type": "application/json"})
    begin = time.monotonic()
    response = connection.getresponse()
    if response.status != 200:
        raise SystemExit(f"serve_load: status {response.status}: {response.read()[:300]}")
    times, tokens = [], 0
    for line in response:
        if not line.startswith(b"data: ") or line.startswith(b"data: [DONE]"):
            continue
        event = json.loads(line[len(b"data: "):])
        if event.get("usage"):
            tokens = event["usage"]["completion_tokens"]
        if event["choices"] and event["choices"][0].get("text"):
            times.append(time.monotonic())
    answer.append((begin, times, tokens))


def percentile(values, share):
    values = sorted(values)
    return values[min(len(values) - 1, int(share * len(values)))] if values else 0.0


def measure(options, clients):
    answers = [[] for _ in range(clients)]

    def client(i):
        connection = connect(options.url)
        for k in range(options.requests):
            ask(connection, options, prompt(options.prompt_tokens, hash((clients, i, k)), options.ids), answers[i])
        connection.close()

    threads = [threading.Thread(target=client, args=(i,)) for i in range(clients)]
    begin = time.monotonic()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    seconds = time.monotonic() - begin
    everything = [a for of_client in answers for a in of_client]
    firsts = [times[0] - start for start, times, _ in everything if times]
    between = [b - a for _, times, _ in everything for a, b in zip(times, times[1:])]
    return {"clients": clients, "requests": len(everything), "tokens": sum(n for _, _, n in everything),
            "tokens_per_second": sum(n for _, _, n in everything) / seconds,
            "first_token_p50_s": percentile(firsts, .5), "first_token_p99_s": percentile(firsts, .99),
            "between_tokens_p50_s": percentile(between, .5), "between_tokens_p99_s": percentile(between, .99)}


def first_token(url, tokens, answer=1):
    """Seconds to the first token of a prompt of token ids."""
    connection = connect(url)
    begin = time.monotonic()
    connection.request("POST", "/v1/completions", json.dumps({
        "prompt": tokens, "max_tokens": answer, "temperature": 0, "stream": True, "ignore_eos": True}))
    response = connection.getresponse()
    if response.status != 200:
        raise SystemExit(f"serve_load: status {response.status}: {response.read()[:300]}")
    response.readline()  # the first event: what follows is not waited for, but read
    seconds = time.monotonic() - begin
    response.read()
    connection.close()
    return seconds


def first_tokens(options):
    choose = random.Random(1)

    def ids(count):
        return [choose.randrange(300, 3000) for _ in range(count)]

    def of(measured):
        values = [measured(k) for k in range(options.requests)]
        return {"median_s": percentile(values, .5), "most_s": max(values)}

    def beside_a_long_prompt(k):
        long = threading.Thread(target=first_token, args=(options.url, ids(2000)))
        long.start()
        time.sleep(0.3 + 0.13 * k)  # at different moments of a piece
        seconds = first_token(options.url, ids(16))
        if not long.is_alive():
            raise SystemExit("serve_load: the long prompt was read before the short one had its first token")
        long.join()
        return seconds

    def twice(_):
        prefix = ids(1000)
        cold.append(first_token(options.url, prefix + ids(8)))
        return first_token(options.url, prefix + ids(8))

    cold = []
    first_token(options.url, ids(16))
    report = {"alone": of(lambda _: first_token(options.url, ids(16))),
              "one_piece": of(lambda _: first_token(options.url, ids(options.piece))),
              "beside_2000_tokens": of(beside_a_long_prompt),
              "cached_1000_tokens": of(twice)}
    report["not_cached_1008_tokens"] = {"median_s": percentile(cold, .5), "most_s": max(cold)}
    return report


def held_by(pid):
    status = open(f"/proc/{pid}/status", encoding="ascii").read()
    rss = int(status.split("VmRSS:")[1].split()[0])
    return {"rss_kib": rss, "descriptors": len(os.listdir(f"/proc/{pid}/fd"))}


def short_requests(options, count):
    connection = connect(options.url)
    for i in range(count):
        connection.request("POST", "/v1/completions", json.dumps({"prompt": f"{i % 50}", "max_tokens": 1}))
        response = connection.getresponse()
        response.read()
        if response.status != 200:
            raise SystemExit(f"serve_load: status {response.status}")
    connection.close()


def idle_and_short(options):
    """What the process holds while idle streams are open, and when they and the short requests after them are gone."""
    body = json.dumps({"prompt": "a", "max_tokens": 1000000, "stream": True, "ignore_eos": True})
    idle = []
    for _ in range(options.idle):
        connection = connect(options.url)
        connection.request("POST", "/v1/completions", body)
        idle.append(connection)
    time.sleep(2)
    during = held_by(options.leaks)
    for connection in idle:
        connection.close()
    threads = [threading.Thread(target=short_requests, args=(options, options.short // 4)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    time.sleep(1)
    return during, held_by(options.leaks)


def leaks(options):
    """The first round is what the server grows to; the second must not add to it."""
    short_requests(options, 100)
    idle_descriptors = held_by(options.leaks)["descriptors"]
    first = idle_and_short(options)
    second = idle_and_short(options)
    return {"first_round": first, "second_round": second,
            "rss_growth": second[1]["rss_kib"] / first[1]["rss_kib"] - 1,
            "descriptors_left": second[1]["descriptors"] - idle_descriptors}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("url")
    parser.add_argument("--clients", type=int, nargs="+", default=[1, 4, 16])
    parser.add_argument("--requests", type=int, default=4)
    parser.add_argument("--tokens", type=int, default=64)
    parser.add_argument("--prompt-tokens", type=int, default=32)
    parser.add_argument("--ids", action="store_true", help="prompts of token ids: as many for any vocabulary")
    parser.add_argument("--first-token", action="store_true")
    parser.add_argument("--piece", type=int, default=256)
    parser.add_argument("--leaks", type=int, metavar="PID")
    parser.add_argument("--idle", type=int, default=500)
    parser.add_argument("--short", type=int, default=10000)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    if options.leaks:
        print(json.dumps(leaks(options), indent=2))
        return
    if options.first_token:
        print(json.dumps(first_tokens(options), indent=2))
        return
    rows = [measure(options, clients) for clients in options.clients]
    if options.json:
        print(json.dumps(rows, indent=2))
        return
    print("| clients | tokens/s | first token p50, p99 | between tokens p50, p99 |\n|---|---|---|---|")
    for row in rows:
        print(f"| {row['clients']} | {row['tokens_per_second']:.1f} | {row['first_token_p50_s'] * 1e3:.0f}, "
              f"{row['first_token_p99_s'] * 1e3:.0f} ms | {row['between_tokens_p50_s'] * 1e3:.1f}, "
              f"{row['between_tokens_p99_s'] * 1e3:.1f} ms |")


if __name__ == "__main__":
    main()
