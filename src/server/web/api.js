"use strict";
// The server's API: requests with the key where one is asked for, and answers as they come.

class ServerError extends Error {
  constructor(status, {message, param}) {
    super(message);
    this.status = status;
    this.param = param;
  }
}

let asking = null;  // the promise of a key while its dialog is open: several requests wait for one answer

function askForKey(reason) {
  asking ??= new Promise((resolve) => {
    $("key-reason").textContent = reason;
    $("key-input").value = "";
    $("key-dialog").showModal();
    $("key-dialog").addEventListener("close", () => {
      sessionStorage.setItem("tern.key", $("key-input").value.trim());
      asking = null;
      resolve();
    }, {once: true});
  });
  return asking;
}

async function call(path, body, signal) {
  for (;;) {
    const key = sessionStorage.getItem("tern.key");
    const headers = {...(key && {Authorization: `Bearer ${key}`}), ...(body && {"Content-Type": "application/json"})};
    const response = await fetch(path, {method: body ? "POST" : "GET", headers, body: body && JSON.stringify(body), signal});
    if (response.ok) return response;
    const {error} = await response.json().catch(() => ({}));
    if (response.status !== 401) throw new ServerError(response.status, error ?? {message: `${response.status} ${response.statusText}`});
    await askForKey(key ? "The server does not know this key." : "This server asks for a key.");
    if (!sessionStorage.getItem("tern.key")) throw new ServerError(401, {message: "no API key was given"});
  }
}

// The objects of a stream of events, to its [DONE].
async function* eventsOf(response) {
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let held = "";
  for (;;) {
    const {value, done} = await reader.read();
    if (done) throw new Error("the connection ended before the answer did");
    const events = (held + value).split("\n\n");
    held = events.pop();
    for (const event of events) {
      const data = event.replace(/^data: ?/, "");
      if (data === "[DONE]") return;
      const json = JSON.parse(data);
      if (json.error) throw new ServerError(500, json.error);
      yield json;
    }
  }
}

// Streams an answer: onPiece(text, logprobs) for each piece, and what it took: tokens, prompt and cached tokens, seconds to
// the first token and from it to the last, why it ended ("stopped" by `signal`).
async function generate(path, body, signal, onPiece) {
  const begin = performance.now();
  const stats = {tokens: 0, first: 0, seconds: 0, finish: "stopped"};
  try {
    const response = await call(path, {...body, stream: true, stream_options: {include_usage: true}}, signal);
    for await (const {choices: [choice], usage} of eventsOf(response)) {
      if (usage) {
        stats.tokens = usage.completion_tokens;
        stats.prompt = usage.prompt_tokens;
        stats.cached = usage.prompt_tokens_details?.cached_tokens ?? 0;
      }
      if (choice?.finish_reason) stats.finish = choice.finish_reason;
      const text = choice?.text ?? choice?.delta?.content ?? "";
      if (text === "" && !choice?.logprobs) continue;
      const now = (performance.now() - begin) / 1e3;
      if (++stats.tokens === 1) stats.first = now;  // until the server's count comes
      stats.seconds = now - stats.first;
      onPiece(text, choice.logprobs, stats);
    }
  } catch (error) {
    if (error.name !== "AbortError") throw error;
  }
  return stats;
}

// Seconds; of what comes at once the speed is the network's.
const SHORTEST = 0.1;

function describe(stats) {
  const parts = [`${stats.tokens} ${stats.tokens === 1 ? "token" : "tokens"}`];
  if (stats.tokens > 1 && stats.seconds > SHORTEST) parts.push(`${((stats.tokens - 1) / stats.seconds).toFixed(1)} tokens/s`);
  if (stats.first > 0) parts.push(`first after ${stats.first.toFixed(2)} s`);
  if (stats.prompt !== undefined) parts.push(`prompt ${stats.prompt}${stats.cached ? ` (${stats.cached} cached)` : ""}`);
  if (stats.finish === "length") parts.push("cut at the most tokens");
  if (stats.finish === "stopped") parts.push("stopped");
  return parts.join(" · ");
}
