"use strict";
// Markdown as DOM nodes, while it is being written. Tags are text, links go to http and https only, images are links.

const DEEPEST = 8;  // quotes in quotes, emphasis in emphasis: then it is plain text

// ---- inline

const SPECIAL = /[\\`*_~[!<\n]|https?:\/\//g;
const LINK = /!?\[([^[\]]*)\]\(\s*([^\s()]*(?:\([^\s()]*\)[^\s()]*)*)(?:\s+"[^"]*")?\s*\)/y;
const ADDRESS = /<?(https?:\/\/[^\s<>"`\])}]+)/y;

function matchAt(pattern, text, at) {
  pattern.lastIndex = at;
  return pattern.exec(text);
}

function linkTo(address, children) {
  let url;
  try {
    url = new URL(address);
  } catch {
    return null;
  }
  if (url.protocol !== "http:" && url.protocol !== "https:") return null;
  return element("a", {href: url.href, rel: "noopener noreferrer", target: "_blank"}, children);
}

// Where `mark` closes what begins at `from`, or -1. `missing` holds the marks that do not come any more, so that
// looking for them stays linear.
function closing(text, mark, from, missing) {
  if (missing.has(mark)) return -1;
  for (let at = text.indexOf(mark, from); at >= 0; at = text.indexOf(mark, at)) {
    let end = at;
    while (text[end] === mark[0]) ++end;
    const word = mark[0] === "_" && /\w/.test(text[end] ?? "");
    const fits = mark[0] === "`" || mark.length === 1 ? end - at === mark.length || (mark[0] !== "`" && (end - at) % 2 === 1)
                                                      : true;
    if (fits && at > from && !word && (mark[0] === "`" || !/\s/.test(text[at - 1]))) return end - mark.length;
    at = end;
  }
  missing.add(mark);
  return -1;
}

const EMPHASIS = {"**": "strong", "__": "strong", "*": "em", "_": "em", "~~": "del"};

// What begins at a special character: nodes and where they end, or null when it is only itself.
function spanAt(text, at, depth, missing) {
  const first = text[at];
  if (first === "\n") return {nodes: [element("br")], end: at + 1};
  if (first === "\\") return /[!-/:-@[-`{-~]/.test(text[at + 1] ?? "") ? {nodes: [text[at + 1]], end: at + 2} : null;
  if (first === "`") {
    let begin = at;
    while (text[begin] === "`") ++begin;
    const mark = text.slice(at, begin);
    const close = closing(text, mark, begin, missing);
    if (close < 0) return {nodes: [mark], end: begin};
    const code = text.slice(begin, close).replace(/\n/g, " ").replace(/^ (.*[^ ].*) $/, "$1");
    return {nodes: [element("code", {}, code)], end: close + mark.length};
  }
  if (first === "[" || first === "!") {
    const match = matchAt(LINK, text, at);
    const link = match && linkTo(match[2], inlineNodes(match[1] || match[2], depth + 1));
    return link ? {nodes: [link], end: at + match[0].length} : null;
  }
  if (first === "<" || first === "h") {
    const match = matchAt(ADDRESS, text, at);
    const address = match?.[1].replace(/[.,;:!?*_'~]+$/, "");
    const link = match && linkTo(address, [address]);
    if (!link) return null;
    const end = at + match[0].length - (match[1].length - address.length);
    if (first === "<") return text[end] === ">" ? {nodes: [link], end: end + 1} : null;
    return {nodes: [link], end};
  }
  const mark = text.startsWith(first + first, at) ? first + first : first;
  const begin = at + mark.length;
  const inWord = first === "_" && /\w/.test(text[at - 1] ?? "");
  if (!EMPHASIS[mark] || inWord || /^\s?$/.test(text[begin] ?? "")) return {nodes: [mark], end: begin};
  const close = closing(text, mark, begin, missing);
  if (close < 0) return {nodes: [mark], end: begin};
  return {nodes: [element(EMPHASIS[mark], {}, inlineNodes(text.slice(begin, close), depth + 1))], end: close + mark.length};
}

function inlineNodes(text, depth = 0) {
  if (depth > DEEPEST) return [text];
  const nodes = [];
  const missing = new Set();
  let plain = "";
  for (let at = 0; at < text.length;) {
    const next = matchAt(SPECIAL, text, at)?.index ?? text.length;
    plain += text.slice(at, next);
    at = next;
    if (at === text.length) break;
    const span = spanAt(text, at, depth, missing) ?? {nodes: [text[at]], end: at + 1};
    if (span.nodes.length === 1 && typeof span.nodes[0] === "string") {
      plain += span.nodes[0];
    } else {
      if (plain) nodes.push(plain);
      plain = "";
      nodes.push(...span.nodes);
    }
    at = span.end;
  }
  if (plain) nodes.push(plain);
  return nodes;
}

// ---- blocks: each kind knows where it begins, where it ends and what it looks like

const FENCE = /^ {0,3}(`{3,}|~{3,})[ \t]*([^`\s]*)[^`]*$/;
const HEADING = /^ {0,3}(#{1,6})[ \t]+(.*)$/;
const RULE = /^ {0,3}([-*_])[ \t]*(?:\1[ \t]*){2,}$/;
const QUOTE = /^ {0,3}> ?/;
const ITEM = /^( *)([-*+]|\d{1,9}[.)])(?: {1,4}|$)/;
const TABLE_RULE = /^ {0,3}\|?[ \t]*:?-+:?[ \t]*(?:\|[ \t]*:?-+:?[ \t]*)*\|?[ \t]*$/;

const isBlank = (line) => line.trim() === "";

function endWhile(lines, at, belongs) {
  let end = at + 1;
  while (end < lines.length && belongs(lines[end], end)) ++end;
  return end;
}

function codeEnd(lines, at) {
  const fence = FENCE.exec(lines[at])[1];
  const end = endWhile(lines, at, (line) => !(line.trim().startsWith(fence) && isBlank(line.trim().replaceAll(fence[0], ""))));
  return Math.min(end + 1, lines.length);
}

function renderCode(lines) {
  const [, fence, language] = FENCE.exec(lines[0]);
  const closed = lines.length > 1 && lines.at(-1).trim().startsWith(fence);
  const code = lines.slice(1, closed ? -1 : undefined).join("\n");
  const copy = button("Copy", (source) => copyText(code, source), "Copy the code");
  return element("figure", {class: "code"}, element("figcaption", {}, element("span", {}, language || "code"), copy),
                 element("pre", {tabindex: "0"}, element("code", {}, code)));
}

function cells(line) {
  return line.trim().replace(/^\|/, "").replace(/(?<!\\)\|$/, "").split(/(?<!\\)\|/).map((cell) => cell.trim().replaceAll("\\|", "|"));
}

function renderTable(lines) {
  const row = (line, name) => element("tr", {}, cells(line).map((cell) => element(name, {}, inlineNodes(cell))));
  const table = element("table", {}, element("thead", {}, row(lines[0], "th")),
                        element("tbody", {}, lines.slice(2).map((line) => row(line, "td"))));
  return element("div", {class: "table", role: "region", "aria-label": "Table", tabindex: "0"}, table);
}

const isOrdered = (item) => /\d/.test(item[2]);

function listEnd(lines, at) {
  const ordered = isOrdered(ITEM.exec(lines[at]));
  let end = at + 1;
  for (let i = at + 1; i < lines.length; ++i) {
    if (isBlank(lines[i])) continue;
    const item = ITEM.exec(lines[i]);
    const goesOn = /^(?:\t| {2})/.test(lines[i]) || (item && isOrdered(item) === ordered && !RULE.test(lines[i]));
    if (!goesOn && (isBlank(lines[i - 1]) || kindAt(lines, i) !== PARAGRAPH)) break;
    end = i + 1;
  }
  return end;
}

function renderList(lines, depth) {
  if (depth >= DEEPEST) return element("p", {}, lines.join("\n"));
  const first = ITEM.exec(lines[0]);
  const ordered = isOrdered(first);
  const items = [];
  let width = 0;  // of what stands before an item's text
  for (const line of lines) {
    const item = ITEM.exec(line);
    if (items.length === 0 || (item && isOrdered(item) === ordered && item[1].length < width)) {
      width = Math.max(item[0].length, item[1].length + item[2].length + 1);
      items.push([line.slice(item[0].length)]);
    } else {
      const indent = /^\s*/.exec(line)[0].length;
      items.at(-1).push(line.slice(line[0] === "\t" ? 1 : Math.min(indent, width)));
    }
  }
  const list = element(ordered ? "ol" : "ul", ordered ? {start: parseInt(first[2], 10)} : {});
  for (const item of items) {
    const blocks = blocksOf(item);
    const tight = blocks[0]?.kind === PARAGRAPH ? inlineNodes(blocks.shift().lines.join("\n")) : [];
    list.append(element("li", {}, tight, blocks.map((block) => block.kind.render(block.lines, depth + 1))));
  }
  return list;
}

function renderQuote(lines, depth) {
  const inner = lines.map((line) => line.replace(QUOTE, ""));
  if (depth >= DEEPEST) return element("p", {}, inner.join("\n"));
  return element("blockquote", {}, blocksOf(inner).map((block) => block.kind.render(block.lines, depth + 1)));
}

const PARAGRAPH = {
  begins: () => true,
  end: (lines, at) => endWhile(lines, at, (line, i) => !isBlank(line) && kindAt(lines, i) === PARAGRAPH),
  render: (lines) => element("p", {}, inlineNodes(lines.map((line) => line.trim()).join("\n"))),
};
const KINDS = [
  {begins: (lines, at) => FENCE.test(lines[at]), end: codeEnd, render: renderCode},
  {
    begins: (lines, at) => HEADING.test(lines[at]),
    end: (lines, at) => at + 1,
    render: ([line]) => element(`h${HEADING.exec(line)[1].length}`, {}, inlineNodes(HEADING.exec(line)[2])),
  },
  {begins: (lines, at) => RULE.test(lines[at]), end: (lines, at) => at + 1, render: () => element("hr")},
  {
    begins: (lines, at) => QUOTE.test(lines[at]),
    end: (lines, at) => endWhile(lines, at, (line) => QUOTE.test(line)),
    render: renderQuote,
  },
  {begins: (lines, at) => ITEM.test(lines[at]), end: listEnd, render: renderList},
  {
    begins: (lines, at) => lines[at].includes("|") && (lines[at + 1] ?? "").includes("|") && TABLE_RULE.test(lines[at + 1]),
    end: (lines, at) => endWhile(lines, at, (line) => line.includes("|")),
    render: renderTable,
  },
  PARAGRAPH,
];

function kindAt(lines, at) {
  return KINDS.find((kind) => kind.begins(lines, at));
}

function blocksOf(lines) {
  const blocks = [];
  for (let at = 0; at < lines.length;) {
    if (isBlank(lines[at])) {
      ++at;
      continue;
    }
    const kind = kindAt(lines, at);
    const end = kind.end(lines, at);
    blocks.push({kind, lines: lines.slice(at, end)});
    at = end;
  }
  return blocks;
}

// Shows a text that grows: blocks that have not changed keep their nodes, so that what is selected or focused stays.
class MarkdownView {
  constructor(place) {
    this.place = place;
    this.shown = [];  // the blocks' kinds and sources
  }

  update(text) {
    const blocks = blocksOf(text.replace(/\r\n?/g, "\n").split("\n"));
    blocks.forEach((block, i) => {
      const source = block.lines.join("\n");
      const old = this.shown[i];
      if (old && old.kind === block.kind && old.source === source) return;
      const node = block.kind.render(block.lines, 0);
      if (old) {
        this.place.children[i].replaceWith(node);
      } else {
        this.place.append(node);
      }
      this.shown[i] = {kind: block.kind, source};
    });
    while (this.shown.length > blocks.length) {
      this.shown.pop();
      this.place.lastElementChild.remove();
    }
  }
}
