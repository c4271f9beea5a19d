#include "cli/chat_loop.h"

#include <array>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <iostream>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "base/log.h"
#include "cli/chat_settings.h"
#include "cli/line_editor.h"

namespace tern {
namespace {

using Json = nlohmann::ordered_json;

constexpr const char* kHelp =
    "/help              this text\n"
    "/system TEXT       what the model is told first; without TEXT: nothing\n"
    "/regenerate        another answer to the last message\n"
    "/clear             forget the conversation\n"
    "/save FILE         write it as JSON\n"
    "/load FILE         go on with one\n"
    "/set NAME VALUE    temperature, top-k, top-p, min-p, repeat-penalty, repeat-last-n, tokens, seed; alone: show "
    "them\n"
    "/stats             messages, tokens, speed so far\n"
    "/bye               leave (Ctrl-D does, too)\n"
    "A line that ends in \\ goes on in the next one; \"\"\" begins and ends a message of several lines.\n"
    "Ctrl-C stops an answer.\n";

std::atomic<bool> g_stop{false};

void on_interrupt(int) { g_stop.store(true); }

// Ctrl-C sets g_stop and ends the editor's waiting; it ends neither the program nor a write in progress.
void catch_interrupts_here() {
  struct sigaction action {};
  action.sa_handler = on_interrupt;
  action.sa_flags = SA_RESTART;
  sigemptyset(&action.sa_mask);
  sigaction(SIGINT, &action, nullptr);
}

void show(const std::string& piece) {
  std::fputs(piece.c_str(), stdout);
  std::fflush(stdout);
}

double tokens_per_second(const Generation& g) {
  return g.tokens.size() > 1 && g.decode_s > 0 ? static_cast<double>(g.tokens.size() - 1) / g.decode_s : 0.0;
}

void report_dropped(size_t dropped) {
  if (dropped > 0) log_warning("the context is full: the {} oldest messages are no longer shown to the model", dropped);
}

Json messages_json(const Conversation& conversation) {
  Json messages = Json::array();
  if (!conversation.system().empty()) messages.push_back({{"role", "system"}, {"content", conversation.system()}});
  for (const ChatMessage& message : conversation.messages())
    messages.push_back({{"role", message.role}, {"content", message.content}});
  return messages;
}

std::string dumped(const Json& json) { return json_text(json, 2) + "\n"; }

void load_messages(const std::string& path, Conversation& conversation) {
  const Json json = try_parse_ordered_json(read_file(path));
  const Json list = json.is_object() && json.contains("messages") ? json["messages"] : json;
  if (!list.is_array()) fail("{}: expected a JSON object with \"messages\", or a list of messages", path);
  std::string system;
  std::vector<ChatMessage> messages;
  for (const Json& entry : list) {
    const bool fits = entry.is_object() && entry.contains("role") && entry["role"].is_string() &&
                      entry.contains("content") && entry["content"].is_string();
    if (!fits) fail("{}: message {}: expected the texts \"role\" and \"content\"", path, messages.size() + 1);
    const ChatMessage message{entry["role"].get<std::string>(), entry["content"].get<std::string>()};
    if (message.role == "system" && messages.empty() && system.empty())
      system = message.content;
    else
      messages.push_back(message);
  }
  conversation.set_system(system);
  conversation.set_messages(std::move(messages));
}

struct Totals {
  size_t turns = 0, prompt = 0, reused = 0, answer = 0;
  double prefill_s = 0, decode_s = 0;
};

class TerminalChat {
 public:
  TerminalChat(Conversation& conversation, const ChatSettings& settings)
      : conversation_(conversation), settings_(settings), editor_(history_path(), g_stop) {}

  void run() {
    log_info("/help lists the commands, Ctrl-D leaves");
    bool interrupted = false;
    while (true) {
      const LineEditor::Result input = message();
      if (input.end == LineEditor::End::kEndOfInput) return;
      if (input.end == LineEditor::End::kInterrupted) {
        if (interrupted) return;
        interrupted = true;
        log_info("Ctrl-C again leaves, as /bye does");
        continue;
      }
      interrupted = false;
      if (input.line.empty()) continue;
      try {  // a mistake ends a line, not the conversation
        if (!handle(input.line)) return;
      } catch (const Error& error) {
        std::fflush(stdout);
        log_warning("{}", error.what());
      }
    }
  }

 private:
  // One message: a line, several that end in "\", or a block of """.
  LineEditor::Result message() {
    LineEditor::Result all = editor_.read("> ");
    if (all.end != LineEditor::End::kLine) return all;
    editor_.remember(all.line);
    constexpr std::string_view kBlock = "\"\"\"";
    const bool block = all.line.starts_with(kBlock);
    std::string& text = all.line;
    if (block) text.erase(0, kBlock.size());
    const auto goes_on = [&] { return block ? !text.ends_with(kBlock) : text.ends_with('\\'); };
    while (goes_on()) {
      LineEditor::Result more = editor_.read(". ");
      if (more.end != LineEditor::End::kLine) return more;
      editor_.remember(more.line);
      if (!block) text.pop_back();
      text += "\n" + more.line;
    }
    if (block) text.resize(text.size() - kBlock.size());
    return all;
  }

  // False: leave.
  bool handle(const std::string& line) {
    if (line[0] != '/' || line.find('\n') != std::string::npos) {
      turn([&](const auto& on_text) { return conversation_.say(line, settings_.options, on_text, &g_stop); });
      return true;
    }
    const size_t space = std::min(line.find(' '), line.size());
    const std::string name = line.substr(0, space);
    const size_t begin = line.find_first_not_of(' ', space);
    const std::string rest = begin == std::string::npos ? "" : line.substr(begin);
    if (name == "/bye" || name == "/exit" || name == "/quit") return false;
    command(name, rest);
    return true;
  }

  void command(const std::string& name, const std::string& rest) {
    if (name == "/help") {
      show(kHelp);
    } else if (name == "/clear") {
      conversation_.clear();
      log_info("the conversation is forgotten");
    } else if (name == "/system") {
      conversation_.set_system(rest);
      log_info("{}", rest.empty() ? "no system message" : "the system message is set");
    } else if (name == "/regenerate") {
      ++settings_.options.sampling.seed;
      turn([&](const auto& on_text) { return conversation_.regenerate(settings_.options, on_text, &g_stop); });
    } else if (name == "/save") {
      if (rest.empty()) fail("/save: expected the name of a file");
      write_file(rest, dumped({{"messages", messages_json(conversation_)}}));
      log_info("{}: {} messages", rest, conversation_.messages().size());
    } else if (name == "/load") {
      if (rest.empty()) fail("/load: expected the name of a file");
      load_messages(rest, conversation_);
      log_info("{}: {} messages", rest, conversation_.messages().size());
    } else if (name == "/set") {
      if (!rest.empty()) change_chat_setting(rest, settings_.options);
      show(shown_chat_settings(settings_.options));
    } else if (name == "/stats") {
      stats();
    } else {
      fail("{}: expected one of /help /system /regenerate /clear /save /load /set /stats /bye", name);
    }
  }

  template <class Ask>
  void turn(const Ask& ask) {
    const Conversation::Turn turn = ask([](const std::string& piece) { show(piece); });
    g_stop.store(false);  // only now: a Ctrl-C just before the answer began counts
    show("\n");
    report_dropped(turn.dropped);
    const Generation& g = turn.generation;
    log_info("prompt {} tokens ({} of them read before), answer {} tokens, {:.1f} tokens/s{}", g.prompt_tokens,
             g.reused_tokens, g.tokens.size(), tokens_per_second(g),
             g.reason == StopReason::kEndToken ? "" : fmt::format(", {}", stop_reason_name(g.reason)));
    ++totals_.turns;
    totals_.prompt += g.prompt_tokens - g.reused_tokens;
    totals_.reused += g.reused_tokens;
    totals_.answer += g.tokens.size();
    totals_.prefill_s += g.prefill_s;
    totals_.decode_s += g.decode_s;
  }

  void stats() const {
    const auto rate = [](size_t tokens, double seconds) {
      return seconds > 0 ? static_cast<double>(tokens) / seconds : 0.0;
    };
    show(fmt::format(
        "{} messages, {} answers; read {} tokens at {:.1f}/s, {} were in the cache; answered {} tokens at "
        "{:.1f}/s\n",
        conversation_.messages().size(), totals_.turns, totals_.prompt, rate(totals_.prompt, totals_.prefill_s),
        totals_.reused, totals_.answer, rate(totals_.answer, totals_.decode_s)));
  }

  Conversation& conversation_;
  ChatSettings settings_;
  LineEditor editor_;
  Totals totals_;
};

Json turn_json(const Conversation::Turn& turn) {
  const Generation& g = turn.generation;
  return {{"text", turn.text},
          {"stop_reason", stop_reason_name(g.reason)},
          {"prompt_tokens", g.prompt_tokens},
          {"reused_tokens", g.reused_tokens},
          {"generated_tokens", g.tokens.size()},
          {"dropped_messages", turn.dropped},
          {"prefill_s", g.prefill_s},
          {"decode_s", g.decode_s}};
}

}  // namespace

void chat_at_terminal(Conversation& conversation, const ChatSettings& settings) {
  catch_interrupts_here();
  TerminalChat(conversation, settings).run();
}

void chat_through_pipes(Conversation& conversation, const ChatSettings& settings, const std::atomic<bool>& stop) {
  Json turns = Json::array();
  std::string line;
  while (!stop.load() && std::getline(std::cin, line)) {
    if (!line.empty() && line.back() == '\r') line.pop_back();
    if (line.empty()) continue;
    const auto on_text = [&](const std::string& piece) {
      if (!settings.json) show(piece);
    };
    const Conversation::Turn turn = conversation.say(line, settings.options, on_text, &stop);
    report_dropped(turn.dropped);
    if (settings.json)
      turns.push_back(turn_json(turn));
    else
      show("\n");
  }
  if (std::cin.bad()) fail("standard input: read failed");
  if (!settings.json) return;
  show(dumped({{"messages", messages_json(conversation)}, {"turns", turns}, {"seed", settings.options.sampling.seed}}));
}

}  // namespace tern
