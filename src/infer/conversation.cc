#include "infer/conversation.h"

#include <algorithm>
#include <array>
#include <ctime>

#include "base/error.h"
#include "base/file.h"
#include "base/log.h"
#include "infer/text_stream.h"
#include "template/named_templates.h"

namespace tern {

ChatTemplate choose_chat_template(const std::optional<std::string>& of_model, const std::string& choice) {
  if (!choice.empty()) {
    if (const auto named = find_named_template(choice)) return ChatTemplate(*named, "chat template " + choice);
    if (!std::filesystem::exists(choice)) {
      fail("--chat-template: expected a file or one of {}, found '{}'", template_names(), choice);
    }
    return ChatTemplate(read_file(choice), choice);
  }
  if (!of_model) {
    fail("the model has no chat template; expected --chat-template FILE or one of {}", template_names());
  }
  if (is_faulty_bitnet_template(*of_model)) {
    log_warning(
        "the file's chat template (\"Human: ... BITNETAssistant: \") is not the one that the model was trained with; "
        "'bitnet' is used instead (--chat-template FILE overrides)");
    return ChatTemplate(*find_named_template("bitnet"), "chat template bitnet");
  }
  return ChatTemplate(*of_model, "the model's chat template");
}

std::vector<int32_t> turn_end_tokens(const Tokenizer& tokenizer) {
  static constexpr std::array<std::string_view, 7> kNames = {"<|eot_id|>", "<|eom_id|>",    "<|im_end|>",   "<|end|>",
                                                             "<eos>",      "<end_of_turn>", "<|endoftext|>"};
  std::vector<int32_t> ids;
  for (const std::string_view name : kNames) {
    const auto id = tokenizer.token_id(name);
    if (id && tokenizer.is_special(*id)) ids.push_back(*id);
  }
  return ids;
}

namespace {

std::string special_text(const Tokenizer& tokenizer, std::optional<int32_t> id) {
  return id ? tokenizer.token_bytes(*id) : "";
}

}  // namespace

std::vector<int32_t> encode_prompt(const Tokenizer& tokenizer, std::string_view rendered) {
  const std::string bos = special_text(tokenizer, tokenizer.bos_id());
  const bool written = !bos.empty() && rendered.starts_with(bos);
  return tokenizer.encode(rendered, tokenizer.add_bos() && !written, true);
}

Conversation::Conversation(Session& session, const Tokenizer& tokenizer, ChatTemplate chat_template, size_t context)
    : session_(session),
      tokenizer_(tokenizer),
      template_(std::move(chat_template)),
      context_(context),
      turn_ends_(turn_end_tokens(tokenizer)) {}

void Conversation::set_messages(std::vector<ChatMessage> messages) {
  messages_ = std::move(messages);
  first_shown_ = 0;
}

std::vector<int32_t> Conversation::prompt_tokens() const {
  std::vector<ChatMessage> shown;
  if (!system_.empty()) shown.push_back({"system", system_});
  shown.insert(shown.end(), messages_.begin() + static_cast<std::ptrdiff_t>(first_shown_), messages_.end());
  ChatRendering rendering;
  rendering.bos_token = special_text(tokenizer_, tokenizer_.bos_id());
  const auto& eos = tokenizer_.eos_ids();
  rendering.eos_token = eos.empty() ? "" : tokenizer_.token_bytes(eos.front());
  const std::time_t now = std::time(nullptr);
  ::localtime_r(&now, &rendering.now);
  return encode_prompt(tokenizer_, template_.render(shown, rendering));
}

// Hides the oldest messages, up to the next one of the user's, until `reserve` tokens of an answer fit behind the
// prompt. Returns how many it hid.
size_t Conversation::drop_oldest(size_t reserve, std::vector<int32_t>& prompt) {
  const size_t before = first_shown_;
  while (true) {
    prompt = prompt_tokens();
    if (prompt.size() + reserve <= context_) break;
    const auto is_user = [](const ChatMessage& message) { return message.role == "user"; };
    const auto begin = messages_.begin() + static_cast<std::ptrdiff_t>(first_shown_);
    const auto next = begin == messages_.end() ? begin : std::find_if(begin + 1, messages_.end(), is_user);
    if (next == messages_.end()) {
      if (prompt.size() <= context_) break;  // a shorter answer than asked for
      fail("the message has {} tokens with the template around it, the context holds {}", prompt.size(), context_);
    }
    first_shown_ = static_cast<size_t>(next - messages_.begin());
  }
  return first_shown_ - before;
}

Conversation::Turn Conversation::answer(const Options& options, const OnText& on_text, const std::atomic<bool>* stop) {
  Turn turn;
  std::vector<int32_t> prompt;
  turn.dropped = drop_oldest(std::min(options.max_tokens, context_ / 4), prompt);
  TextStream stream(tokenizer_, true);
  const auto show = [&](const std::string& piece) {
    turn.text += piece;
    if (on_text && !piece.empty()) on_text(piece);
  };
  Session::Request request;
  request.prompt = prompt;
  request.more_stop_tokens = turn_ends_;
  request.max_tokens = options.max_tokens;
  request.sampling = options.sampling;
  request.speculate = options.speculate;
  request.stop = stop;
  request.on_token = [&](int32_t token) { show(stream.add(token)); };
  turn.generation = session_.generate(request);
  show(stream.finish());
  turn.whole_text = turn.generation.reason == StopReason::kEndToken;
  messages_.push_back({"assistant", turn.text});
  return turn;
}

Conversation::Turn Conversation::say(const std::string& text, const Options& options, const OnText& on_text,
                                     const std::atomic<bool>* stop) {
  const size_t messages = messages_.size();
  const size_t shown = first_shown_;
  messages_.push_back({"user", text});
  try {
    return answer(options, on_text, stop);
  } catch (...) {  // only to undo; what happened is the caller's
    messages_.resize(messages);
    first_shown_ = shown;
    throw;
  }
}

Conversation::Turn Conversation::regenerate(const Options& options, const OnText& on_text,
                                            const std::atomic<bool>* stop) {
  if (messages_.size() < 2 || messages_.back().role != "assistant") fail("there is no answer to give again");
  const ChatMessage before = messages_.back();
  messages_.pop_back();
  try {
    return answer(options, on_text, stop);
  } catch (...) {
    messages_.push_back(before);
    throw;
  }
}

}  // namespace tern
