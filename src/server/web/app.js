"use strict";
// The page around both modes: theme, settings, what the server is.

// ---- theme

const THEMES = ["auto", "light", "dark"];

function showTheme(theme) {
  document.documentElement.dataset.theme = theme;
  $("theme-name").textContent = {auto: "Auto", light: "Light", dark: "Dark"}[theme];
  $("theme").setAttribute("aria-label", `Colours: ${theme}`);
}

function startTheme() {
  let theme = load("tern.theme", "auto");
  if (!THEMES.includes(theme)) theme = "auto";
  showTheme(theme);
  $("theme").addEventListener("click", () => {
    theme = THEMES[(THEMES.indexOf(theme) + 1) % THEMES.length];
    keep("tern.theme", theme);
    showTheme(theme);
  });
}

// ---- settings

function startSettings() {
  const form = $("settings").querySelector("form");
  const fields = [...form.querySelectorAll("[name]")];
  $("open-settings").addEventListener("click", () => {
    for (const field of fields) field.value = settings[field.name] ?? "";
    $("settings").showModal();
  });
  $("reset-settings").addEventListener("click", () => {
    for (const field of fields) field.value = "";
  });
  form.addEventListener("submit", (event) => {
    if (event.submitter?.value !== "save") return;
    for (const field of fields) {
      if (field.value.trim() === "") {
        delete settings[field.name];
      } else {
        settings[field.name] = field.type === "number" ? Number(field.value) : field.value;
      }
    }
    keep("tern.settings", settings);
  });
}

// ---- modes

function showMode(raw) {
  $("raw-view").hidden = !raw;
  $("chat-view").hidden = raw;
  $("mode-raw").setAttribute("aria-pressed", String(raw));
  $("mode-chat").setAttribute("aria-pressed", String(!raw));
  if (matchMedia("(pointer: fine)").matches) $(raw ? "raw-prompt" : "input").focus();
}

async function startServer() {
  try {
    const props = await (await call("props")).json();
    $("model").textContent = props.model;
    document.title = `${props.model} · tern`;
    if (props.chat_template !== null) return;
    note("This model has no chat template: it goes on with a text, as the raw mode lets it.");
    $("mode-chat").disabled = true;
    showMode(true);
  } catch (error) {
    note(`The server does not answer: ${error.message}`);
  }
}

startTheme();
startSettings();
startChat();
startRaw();
$("mode-chat").addEventListener("click", () => showMode(false));
$("mode-raw").addEventListener("click", () => showMode(true));
document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape" || document.querySelector("dialog[open]")) return;
  hideTip();
  if ($("chats").classList.contains("shown")) {
    showChats(false);
    $("show-chats").focus();
  } else {
    stopRunning();
  }
});
showMode(false);
startServer();
