"use strict";
// What the browser keeps: in localStorage conversations (an entry each, so that two tabs do not overwrite each other's),
// settings, the theme and the raw text; the API key in sessionStorage only.

const CHAT = "tern.chat.";

// {id, title, updated, messages: [{role, content, stats?}]}
function newConversation() {
  const random = crypto.getRandomValues(new Uint32Array(2));
  return {id: `${Date.now().toString(36)}-${random[0].toString(36)}${random[1].toString(36)}`, title: "", updated: Date.now(), messages: []};
}

function load(key, otherwise) {
  try {
    return JSON.parse(localStorage.getItem(key)) ?? otherwise;
  } catch {
    return otherwise;
  }
}

function keep(key, value) {
  try {
    localStorage.setItem(key, JSON.stringify(value));
  } catch (error) {
    note(`The browser cannot keep this (${error.name}): delete some conversations, or export them first.`);
  }
}

function isConversation(value) {
  return typeof value?.id === "string" && Array.isArray(value.messages) &&
         value.messages.every((message) => typeof message?.content === "string" && typeof message.role === "string");
}

// The last one used first.
function conversations() {
  return Object.keys(localStorage).filter((key) => key.startsWith(CHAT)).map((key) => load(key, null)).filter(isConversation)
      .sort((a, b) => b.updated - a.updated);
}

function saveConversation(conversation) {
  if (conversation.messages.length > 0 && !conversation.deleted) keep(CHAT + conversation.id, conversation);
}

// An answer that is still being written does not bring it back.
function deleteConversation(conversation) {
  conversation.deleted = true;
  localStorage.removeItem(CHAT + conversation.id);
}

function titleOf(conversation) {
  const first = conversation.messages.find((message) => message.role === "user")?.content ?? "";
  return conversation.title || first.replace(/\s+/g, " ").trim().slice(0, 60) || "New chat";
}

const settings = load("tern.settings", {});

// The sampling options that are set, as the API takes them.
function samplingOptions() {
  return Object.fromEntries(Object.entries(settings).filter(([name]) => name !== "system"));
}
