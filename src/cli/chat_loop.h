// The two ways to talk with a model: at a terminal, and through pipes.
#pragma once

#include <atomic>
#include <string>

#include "infer/conversation.h"

namespace tern {

struct ChatSettings {
  Conversation::Options options;
  bool json = false;  // through pipes: one JSON object at the end instead of the answers' text
};

// A prompt, line editing, commands that begin with "/", the speed after each answer. Ends with /bye, Ctrl-D, or Ctrl-C
// twice at the prompt.
void chat_at_terminal(Conversation& conversation, const ChatSettings& settings);

// Every line of standard input is a message; answers go to standard output, each ended by a line end. Error for the
// first message that cannot be answered.
void chat_through_pipes(Conversation& conversation, const ChatSettings& settings, const std::atomic<bool>& stop);

}  // namespace tern
