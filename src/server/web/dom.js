"use strict";
// Small helpers around the document. Text only ever becomes text nodes: there is no innerHTML in this page.

const $ = (id) => document.getElementById(id);

// Children may come as lists: a spread of very many arguments would not fit on the stack.
function element(name, attributes = {}, ...children) {
  const node = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  for (const child of children.flat()) node.append(child);
  return node;
}

// A button; `label` is what it is called where its text does not say it.
function button(text, action, label) {
  const node = element("button", {type: "button", ...(label ? {"aria-label": label} : {})}, text);
  node.addEventListener("click", () => action(node));
  return node;
}

async function copyText(text, source) {
  try {
    await navigator.clipboard.writeText(text);
  } catch {  // plain HTTP from another machine has no clipboard
    const area = element("textarea", {class: "unseen", "aria-hidden": "true"});
    area.value = text;
    document.body.append(area);
    area.select();
    document.execCommand("copy");
    area.remove();
    source.focus();
  }
  const before = source.textContent;
  source.textContent = "Copied";
  setTimeout(() => { source.textContent = before; }, 1200);
}

function download(name, text) {
  const url = URL.createObjectURL(new Blob([text], {type: "application/json"}));
  element("a", {href: url, download: name}).click();
  setTimeout(() => URL.revokeObjectURL(url), 10000);
}

// A line above the page's work that stays until the next one; empty: none.
function note(text) {
  $("note").textContent = text;
  $("note").hidden = text === "";
}

// Enter sends; with Shift, and while an input method composes, it is a line or a choice.
function sendOnEnter(area, form) {
  area.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
    event.preventDefault();
    form.requestSubmit();
  });
}

// One call a frame however often it is asked for.
function eachFrame(action) {
  let asked = false;
  return () => {
    if (asked) return;
    asked = true;
    requestAnimationFrame(() => {
      asked = false;
      action();
    });
  };
}
