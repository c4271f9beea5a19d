// What /set changes.
#pragma once

#include <string>

#include "infer/conversation.h"

namespace tern {

// "NAME VALUE". Error for an unknown name or a value outside its range; then nothing is changed.
void change_chat_setting(const std::string& assignment, Conversation::Options& options);

// All of them, "name value" a line.
std::string shown_chat_settings(const Conversation::Options& options);

}  // namespace tern
