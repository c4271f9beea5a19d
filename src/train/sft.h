// Supervised fine-tuning: JSON lines of conversations, {"messages": [{"role": "user", "content": "..."}, ...]}, become
// samples whose answers are to be predicted.
#pragma once

#include <filesystem>
#include <span>
#include <string_view>
#include <vector>

#include "model/chat_format.h"
#include "train/data_loader.h"
#include "train/data_manifest.h"
#include "train/options.h"

namespace tern {

// The messages of a line. Error, without a place, when it is no object with a list of messages, each with a role and a
// content, both strings, or when no message is the assistant's.
std::vector<ChatMessage> parse_conversation(std::string_view line);

// The samples of a conversation: the tokens of the rendered template. What counts is each answer, from where the prompt
// for it ends to the last special token behind it (the end of the turn), or to its end where there is none. It is one
// sample, unless the template shows earlier messages in another way once the conversation goes on: then what it shows
// before such an answer begins a new one. Dates that a template asks for are 26 July 2024. Error when the template
// refuses, or when the prompt for an answer is not how the text with the answer begins.
std::vector<Sample> encode_conversation(std::span<const ChatMessage> messages, const ChatTemplate& chat_template,
                                        const Tokenizer& tokenizer);

// prepare_data (corpus.h) for conversations: shards train-1.tok and valid-1.tok in `directory`, train-1.marks.tok and
// valid-1.marks.tok beside them. Samples longer than the context are cut; those without an answer in it are left out;
// both are counted in the log. Error naming file and line.
DataManifest prepare_conversations(const TrainOptions& options, const ChatTemplate& chat_template,
                                   const Tokenizer& tokenizer, const std::filesystem::path& directory);

}  // namespace tern
