// A conversation: messages, the template that makes a prompt of them, and the session that goes on from it.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "infer/session.h"
#include "model/chat_format.h"
#include "model/load.h"
#include "template/chat_template.h"

namespace tern {

class Conversation {
 public:
  struct Options {
    size_t max_tokens = 1024;  // of an answer
    SamplerOptions sampling;
    size_t speculate = 0;
  };
  struct Turn {
    Generation generation;
    std::string text;         // the answer, valid UTF-8
    size_t dropped = 0;       // messages that went out of the model's sight in this turn
    bool whole_text = false;  // ended by an end token
  };
  using OnText = std::function<void(const std::string& piece)>;

  // The session and the tokenizer outlive this object. `context`: tokens that the session holds.
  Conversation(Session& session, const Tokenizer& tokenizer, ChatTemplate chat_template, size_t context);

  // The first message, before all others; empty: none.
  void set_system(std::string text) { system_ = std::move(text); }
  const std::string& system() const { return system_; }
  // Without the system message. All of them, also those that no longer fit into the context.
  const std::vector<ChatMessage>& messages() const { return messages_; }
  void set_messages(std::vector<ChatMessage> messages);
  void clear() { set_messages({}); }

  // A message of the user and the answer to it, streamed to `on_text`, an interrupted one as far as it went. When the
  // messages leave no room for an answer, the oldest ones are no longer shown to the model. After an Error (the
  // template refuses, the message alone is too long) the conversation is as it was before.
  Turn say(const std::string& text, const Options& options, const OnText& on_text = nullptr,
           const std::atomic<bool>* stop = nullptr);
  // Takes the last answer back and gives another; a new seed is up to the caller. Error when there is none.
  Turn regenerate(const Options& options, const OnText& on_text = nullptr, const std::atomic<bool>* stop = nullptr);

  // The prompt as the model would get it now.
  std::vector<int32_t> prompt_tokens() const;

 private:
  Turn answer(const Options& options, const OnText& on_text, const std::atomic<bool>* stop);
  size_t drop_oldest(size_t reserve, std::vector<int32_t>& prompt);

  Session& session_;
  const Tokenizer& tokenizer_;
  ChatTemplate template_;
  size_t context_;
  std::vector<int32_t> turn_ends_;
  std::string system_;
  std::vector<ChatMessage> messages_;
  size_t first_shown_ = 0;  // of messages_: the earlier ones did not fit
};

}  // namespace tern
