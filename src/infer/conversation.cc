#include "infer/conversation.h"

#include <algorithm>
#include <ctime>

#include "base/error.h"
#include "infer/text_stream.h"

namespace tern {

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
  ChatRendering rendering = chat_rendering(tokenizer_);
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
