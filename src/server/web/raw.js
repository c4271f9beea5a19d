"use strict";
// The raw mode: a text and how the model goes on, each token with what else it could have been.

const TOP = 5;  // the alternatives that are asked for
const percent = (logprob) => `${(100 * Math.exp(logprob)).toFixed(1)} %`;
const visible = (text) => text.replace(/\n/g, "⏎").replace(/ /g, "␣").replace(/\t/g, "⇥") || "(no text)";

let completion = "";

function tokenNode(text, details) {
  const {logprob} = details.at(-1);
  const name = logprob > Math.log(0.5) ? "likely" : logprob > Math.log(0.1) ? "possible" : "unlikely";
  const node = element("span", {class: `token ${name}`, tabindex: $("raw-output").querySelector(".token") ? "-1" : "0"}, text);
  node.details = details;
  return node;
}

// A piece's tokens: a span each where their texts make up the piece's, else one for them all (the bytes of one letter).
function pieceNodes(text, logprobs) {
  if (!logprobs?.tokens.length) return [text];
  const details = logprobs.tokens.map((token, i) => (
      {token, logprob: logprobs.token_logprobs[i], top: Object.entries(logprobs.top_logprobs[i] ?? {}).sort((a, b) => b[1] - a[1])}));
  if (logprobs.tokens.join("") === text) return details.map((one) => tokenNode(one.token, [one]));
  return [tokenNode(text, details)];
}

function showTip(node) {
  const tables = node.details.map(({token, logprob, top}) => {
    const rows = top.length > 0 ? top : [[token, logprob]];
    const table = element("table", {}, element("caption", {}, `${visible(token)}: ${percent(logprob)}`));
    for (const [other, value] of rows) {
      table.append(element("tr", other === token ? {"aria-current": "true"} : {}, element("td", {}, visible(other)),
                           element("td", {}, percent(value))));
    }
    return table;
  });
  const tip = $("tip");
  tip.replaceChildren(...tables);
  tip.hidden = false;
  node.setAttribute("aria-describedby", "tip");
  const at = node.getBoundingClientRect();
  const below = at.bottom + 6 + tip.offsetHeight < innerHeight;
  tip.style.left = `${Math.max(4, Math.min(at.left, innerWidth - tip.offsetWidth - 4))}px`;
  tip.style.top = `${Math.max(4, below ? at.bottom + 6 : at.top - tip.offsetHeight - 6)}px`;
}

function hideTip() {
  $("tip").hidden = true;
}

// One stop for the tab key among all tokens; the arrows move it.
function moveAmongTokens(event) {
  const step = {ArrowRight: 1, ArrowLeft: -1}[event.key];
  const tokens = [...$("raw-output").querySelectorAll(".token")];
  const next = tokens[tokens.indexOf(event.target) + (step ?? 0)];
  if (!step || !next) return;
  event.preventDefault();
  event.target.tabIndex = -1;
  next.tabIndex = 0;
  next.focus();
}

function generateRaw(body, signal, onPiece) {
  const logprobs = $("raw-probabilities").checked ? {logprobs: TOP} : {};
  return generate("v1/completions", {...body, ...logprobs}, signal, onPiece);
}

async function complete(event) {
  event.preventDefault();
  if (running) return;
  const output = $("raw-output");
  completion = "";
  output.replaceChildren();
  output.setAttribute("aria-busy", "true");
  $("raw-stats").className = "stats";
  setRunning(new AbortController());
  try {
    const body = {prompt: $("raw-prompt").value, max_tokens: 128, ...samplingOptions()};
    const stats = await generateRaw(body, running.signal, (text, logprobs, now) => {
      completion += text;
      keepingUp($("raw-scroll"), () => output.append(...pieceNodes(text, logprobs)));
      $("raw-stats").textContent = describe({...now, finish: ""});
    });
    $("raw-stats").textContent = describe(stats);
  } catch (error) {
    $("raw-stats").textContent = error.message;
    $("raw-stats").className = "failed";
  }
  setRunning(null);
  output.setAttribute("aria-busy", "false");
  keepRaw();
}

function keepRaw() {
  keep("tern.raw", {prompt: $("raw-prompt").value, completion});
}

function startRaw() {
  const kept = load("tern.raw", {});
  $("raw-prompt").value = kept.prompt ?? "Once upon a time";
  completion = kept.completion ?? "";
  $("raw-output").textContent = completion;
  $("raw-prompt").addEventListener("change", keepRaw);
  $("raw-form").addEventListener("submit", complete);
  $("raw-stop").addEventListener("click", stopRunning);
  sendOnEnter($("raw-prompt"), $("raw-form"));
  $("raw-append").addEventListener("click", () => {
    $("raw-prompt").value += completion;
    completion = "";
    $("raw-output").replaceChildren();
    keepRaw();
    $("raw-prompt").focus();
  });
  const output = $("raw-output");
  output.addEventListener("keydown", moveAmongTokens);
  for (const name of ["mouseover", "focusin"]) {
    output.addEventListener(name, (event) => (event.target.details ? showTip(event.target) : hideTip()));
  }
  for (const name of ["mouseleave", "focusout"]) output.addEventListener(name, hideTip);
  $("raw-scroll").addEventListener("scroll", hideTip);
}
