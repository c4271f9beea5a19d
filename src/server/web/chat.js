"use strict";
// The chat: a conversation as messages that can be copied, edited and answered again.

let conversation = newConversation();
let running = null;  // the AbortController of the answer under way, of either mode

function setRunning(controller) {
  running = controller;
  for (const [send, stop] of [["send", "stop"], ["raw-send", "raw-stop"]]) {
    const moved = document.activeElement === $(controller ? send : stop) || (controller && document.activeElement === document.body);
    $(send).hidden = controller !== null;
    $(stop).hidden = controller === null;
    if (moved) $(controller ? stop : send).focus();
  }
}

function stopRunning() {
  running?.abort();
}

// Follows what is written, unless the reader has scrolled back.
function keepingUp(place, change) {
  const following = place.scrollHeight - place.scrollTop - place.clientHeight < 60;
  change();
  if (following) place.scrollTop = place.scrollHeight;
}

function actionsOf(message, index) {
  const actions = element("div", {class: "row actions"}, button("Copy", (source) => copyText(message.content, source), "Copy the message"));
  if (message.role === "user") actions.append(button("Edit", () => editMessage(index), "Edit the message"));
  if (message.role === "assistant") actions.append(button("Regenerate", () => answerAt(index), "Regenerate the answer"));
  return actions;
}

// A message's node, and what shows there how the message is now.
function messageNode(message, index) {
  const mine = message.role === "user";
  const body = element("div", {class: mine ? "mine" : "body"});
  const view = mine ? {update: (text) => { body.textContent = text; }} : new MarkdownView(body);
  const stats = element("span", {class: "stats"});
  const failure = element("p", {class: "failed", role: "alert"});
  const actions = actionsOf(message, index);
  actions.append(stats);
  const node = element("article", {class: "message"}, element("h3", {}, mine ? "You" : "Model"), body, failure, actions);
  const update = () => {
    view.update(message.content);
    stats.textContent = message.stats ? describe(message.stats) : "";
    failure.textContent = message.failed ?? "";
    failure.hidden = !message.failed;
  };
  update();
  return {node, update};
}

function showConversation() {
  const shown = conversation.messages.map(messageNode);
  $("messages").replaceChildren(...shown.map(({node}) => node));
  $("messages").scrollTop = $("messages").scrollHeight;
  return shown;
}

function openConversation(other) {
  stopRunning();
  conversation = other;
  keep("tern.current", conversation.id);
  showConversation();
  showList();
  showChats(false);
  if (!$("mode-chat").disabled) showMode(false);
}

function save() {
  conversation.updated = Date.now();
  saveConversation(conversation);
  showList();
}

// Answers what stands before message `index`; it and what follows go.
async function answerAt(index) {
  if (running) return;
  const answered = conversation;
  const answer = {role: "assistant", content: ""};
  answered.messages.length = index;
  const messages = answered.messages.filter(({role, content}) => role === "user" || content !== "")
      .map(({role, content}) => ({role, content}));
  if (settings.system) messages.unshift({role: "system", content: settings.system});
  answered.messages.push(answer);
  const {update} = showConversation().at(-1);
  const show = () => keepingUp($("messages"), update);
  const showSoon = eachFrame(show);
  $("messages").setAttribute("aria-busy", "true");  // read out when it is whole
  setRunning(new AbortController());
  const saving = setInterval(() => saveConversation(answered), 2000);
  try {
    answer.stats = await generate("v1/chat/completions", {messages, ...samplingOptions()}, running.signal, (text, _, now) => {
      answer.content += text;
      answer.stats = {...now, finish: ""};
      showSoon();
    });
  } catch (error) {
    answer.failed = error.message;
  }
  clearInterval(saving);
  setRunning(null);
  $("messages").setAttribute("aria-busy", "false");
  if (answered === conversation) {
    show();
    save();
  } else {
    saveConversation(answered);
    showList();
  }
}

function sendMessage(event) {
  event.preventDefault();
  const text = $("input").value;
  if (running || text.trim() === "") return;
  $("input").value = "";
  conversation.messages.push({role: "user", content: text});
  keep("tern.current", conversation.id);
  save();
  answerAt(conversation.messages.length);
}

// The message as a form: sent, it takes the place of the old one and of all that followed.
function editMessage(index) {
  if (running) return;
  const area = element("textarea", {rows: "4", "aria-label": "The message anew"});
  area.value = conversation.messages[index].content;
  const form = element("form", {class: "message"}, area,
                       element("div", {class: "row"}, element("button", {type: "submit", class: "strong"}, "Send anew"),
                               button("Cancel", showConversation)));
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    if (running || area.value.trim() === "") return;
    conversation.messages.length = index;
    conversation.messages.push({role: "user", content: area.value});
    save();
    answerAt(index + 1);
    $("input").focus();
  });
  form.addEventListener("keydown", (event) => {
    if (event.key === "Escape") showConversation();
  });
  sendOnEnter(area, form);
  $("messages").children[index].replaceWith(form);
  area.focus();
}

// ---- the list of conversations

function renameConversation(chosen) {
  const title = prompt("The conversation's name", titleOf(chosen));
  if (title === null) return;
  chosen.title = title.trim();
  saveConversation(chosen);
  showList();
}

function removeConversation(chosen) {
  if (!confirm(`Delete "${titleOf(chosen)}"?`)) return;
  deleteConversation(chosen);
  if (chosen === conversation) openConversation(newConversation());
  showList();
  $("new-chat").focus();
}

function showList() {
  const focused = document.activeElement?.closest("#chat-list li")?.dataset.id;
  const rows = conversations().map((stored) => {
    const chosen = stored.id === conversation.id ? conversation : stored;
    const title = button(titleOf(chosen), () => openConversation(chosen));
    title.className = "title";
    if (chosen === conversation) title.setAttribute("aria-current", "true");
    const row = element("li", {"data-id": chosen.id}, title, button("✎", () => renameConversation(chosen), `Rename ${titleOf(chosen)}`),
                        button("✕", () => removeConversation(chosen), `Delete ${titleOf(chosen)}`));
    return row;
  });
  $("chat-list").replaceChildren(...rows);
  rows.find((row) => row.dataset.id === focused)?.firstElementChild.focus();
}

function showChats(shown) {
  $("chats").classList.toggle("shown", shown);
  $("show-chats").setAttribute("aria-expanded", String(shown));
  if (shown) $("new-chat").focus();
}

function startChat() {
  conversation = conversations().find(({id}) => id === load("tern.current", "")) ?? conversation;
  $("composer").addEventListener("submit", sendMessage);
  $("stop").addEventListener("click", stopRunning);
  sendOnEnter($("input"), $("composer"));
  $("new-chat").addEventListener("click", () => {
    openConversation(newConversation());
    $("input").focus();
  });
  $("show-chats").addEventListener("click", () => showChats(!$("chats").classList.contains("shown")));
  document.querySelector("main").addEventListener("click", () => showChats(false));
  $("export").addEventListener("click", () => download("tern-conversations.json", JSON.stringify(conversations(), null, 2)));
  window.addEventListener("storage", showList);  // another tab's
  window.addEventListener("pagehide", () => {
    if (running) saveConversation(conversation);
  });
  showConversation();
  showList();
}
