#include "train/sft.h"

#include <algorithm>

#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/json.h"
#include "base/log.h"
#include "base/text.h"
#include "formats/token_file.h"
#include "train/conversations.h"
#include "train/corpus.h"
#include "train/data_items.h"

namespace tern {
namespace {

using Json = nlohmann::json;

constexpr int kDeepest = 100;

std::string message_text(const Json& message, const char* key, size_t number) {
  const auto found = message.find(key);
  if (found == message.end()) fail("message {}: expected \"{}\", there is none", number, key);
  if (!found->is_string()) fail("message {}: expected a text as \"{}\", got {}", number, key, quote(found->dump()));
  return found->get<std::string>();
}

size_t common_prefix(std::span<const int32_t> a, std::span<const int32_t> b) {
  return static_cast<size_t>(std::mismatch(a.begin(), a.end(), b.begin(), b.end()).first - a.begin());
}

// Renders a conversation and its beginnings.
class Renderer {
 public:
  Renderer(std::span<const ChatMessage> messages, const ChatTemplate& chat_template, const Tokenizer& tokenizer)
      : messages_(messages), template_(chat_template), rendering_(chat_rendering(tokenizer)) {
    rendering_.now.tm_year = 124;
    rendering_.now.tm_mon = 6;
    rendering_.now.tm_mday = 26;
    rendering_.now.tm_wday = 5;
    rendering_.now.tm_yday = 207;
  }

  std::string text(size_t messages, bool with_prompt) {
    rendering_.add_generation_prompt = with_prompt;
    return template_.render(messages_.first(messages), rendering_);
  }

 private:
  std::span<const ChatMessage> messages_;
  const ChatTemplate& template_;
  ChatRendering rendering_;
};

// An answer of a sample: the text up to it and the text with it.
struct Answer {
  std::string before, after;
};

Sample make_sample(const std::vector<Answer>& answers, const Tokenizer& tokenizer) {
  std::vector<int32_t> tokens = encode_prompt(tokenizer, answers.back().after);
  std::vector<uint8_t> counted(tokens.size(), 0);
  for (const Answer& answer : answers) {
    const size_t begin = common_prefix(tokens, encode_prompt(tokenizer, answer.before));
    const size_t end = common_prefix(tokens, encode_prompt(tokenizer, answer.after));
    size_t last = end;
    while (last > begin && !tokenizer.is_special(tokens[last - 1])) --last;
    if (last == begin) last = end;  // no token ends the turn
    for (size_t i = begin; i < last; ++i) counted[i] = 1;
  }
  return {std::move(tokens), std::move(counted)};
}

// The two shards of a part of the data.
class ConversationWriter {
 public:
  // `what` it is, for messages.
  ConversationWriter(const std::filesystem::path& directory, const std::string& name, std::string what,
                     const Tokenizer& tokenizer)
      : directory_(directory),
        what_(std::move(what)),
        tokens_name_(name + ".tok"),
        marks_name_(name + ".marks.tok"),
        hash_(tokenizer.hash()),
        tokens_(directory / tokens_name_, {hash_, static_cast<uint32_t>(tokenizer.vocab_size())}),
        marks_(directory / marks_name_, {hash_, kMarks}) {}

  void add(const Sample& sample, size_t context) {
    const size_t size = std::min(sample.size(), context + 1);
    std::vector<int32_t> marks(size);
    size_t targets = 0;
    for (size_t i = 0; i < size; ++i) {
      marks[i] = (i == 0 ? kBeginMark : 0) | (sample.counts(i) ? kAnswerMark : 0);
      targets += static_cast<size_t>(i > 0 && sample.counts(i));
    }
    cut_ += static_cast<size_t>(size < sample.size());
    if (targets == 0) {
      ++without_;
      return;
    }
    tokens_.add(sample.first(size));
    marks_.add(marks);
    targets_ += targets;
    ++samples_;
  }

  // Commits the files.
  void finish(size_t context, std::vector<ShardRange>& tokens, std::vector<ShardRange>& marks) {
    log_info("{}: {} samples of {} tokens, {} of them of answers; {} cut to the context, {} left out without an answer",
             what_, samples_, tokens_.size(), targets_, cut_, without_);
    if (samples_ == 0) {
      fail("{}: expected one with an answer within the context of {} tokens, none of {} has it", what_, context,
           without_);
    }
    tokens_.finish();
    marks_.finish();
    tokens.push_back(range(tokens_name_));
    marks.push_back(range(marks_name_));
  }

 private:
  ShardRange range(const std::string& name) const {
    const TokenFile shard(directory_ / name, hash_, TokenFile::Check::kOnUse);
    return {name, 0, shard.size(), shard.checksum()};
  }

  std::filesystem::path directory_;
  std::string what_;
  std::string tokens_name_, marks_name_;
  uint64_t hash_;
  TokenFileWriter tokens_, marks_;
  size_t samples_ = 0, targets_ = 0, cut_ = 0, without_ = 0;
};

struct Encoder {
  const ChatTemplate& chat_template;
  const Tokenizer& tokenizer;
  size_t context;

  // The file's conversations: those that begin before byte `cut` to `main`, the others to `end`.
  void encode(const DataFile& file, uint64_t cut, ConversationWriter& main, ConversationWriter& end) const {
    if (file.kind != DataKind::kLines) {
      fail("{}: expected JSON lines of conversations (*.jsonl), it is something else", file.path.string());
    }
    DocumentReader reader(file);
    for (TextPiece piece; reader.next(piece);) {
      with_context(reader.where(), [&] {
        const std::vector<ChatMessage> messages = parse_conversation(piece.text);
        for (const Sample& sample : encode_conversation(messages, chat_template, tokenizer)) {
          (piece.offset < cut ? main : end).add(sample, context);
        }
      });
    }
  }
};

}  // namespace

std::vector<ChatMessage> parse_conversation(std::string_view line) {
  const Json json = parse_json(line, kDeepest);
  if (!json.is_object() || !json.contains("messages") || !json["messages"].is_array()) {
    fail("expected an object with a list of \"messages\", it is something else");
  }
  std::vector<ChatMessage> messages;
  bool has_answer = false;
  for (const Json& message : json["messages"]) {
    const size_t number = messages.size() + 1;
    if (!message.is_object()) fail("message {}: expected an object, got {}", number, quote(json_text(message)));
    messages.push_back({message_text(message, "role", number), message_text(message, "content", number)});
    has_answer = has_answer || messages.back().role == "assistant";
  }
  if (!has_answer) fail("expected a message of the assistant, there is none among {}", messages.size());
  return messages;
}

std::vector<Sample> encode_conversation(std::span<const ChatMessage> messages, const ChatTemplate& chat_template,
                                        const Tokenizer& tokenizer) {
  Renderer renderer(messages, chat_template, tokenizer);
  std::vector<Sample> samples;
  std::vector<Answer> answers;  // of the sample at hand
  for (size_t i = 0; i < messages.size(); ++i) {
    if (messages[i].role != "assistant") continue;
    Answer answer{renderer.text(i, true), renderer.text(i + 1, false)};
    if (!answer.after.starts_with(answer.before)) {
      fail("{}: the text with message {} does not begin with the prompt for it", chat_template.where(), i + 1);
    }
    if (!answers.empty() && !answer.before.starts_with(answers.back().after)) {
      samples.push_back(make_sample(answers, tokenizer));
      answers.clear();
    }
    answers.push_back(std::move(answer));
  }
  samples.push_back(make_sample(answers, tokenizer));
  return samples;
}

DataManifest prepare_conversations(const TrainOptions& options, const ChatTemplate& chat_template,
                                   const Tokenizer& tokenizer, const std::filesystem::path& directory) {
  const Encoder encoder{chat_template, tokenizer, options.context};
  ConversationWriter train(directory, "train-1", "conversations to train on", tokenizer),
      valid(directory, "valid-1", "conversations to validate on", tokenizer);
  for (const auto& [sources, is_train] : {std::pair(&options.data, true), std::pair(&options.valid, false)}) {
    for (const DataItem& item : parse_data_items(*sources)) {
      if (item.weight) fail("{}: expected conversations without a weight, they have {}", item.name, *item.weight);
      for (const DataFile& file : item.files) {
        const double fraction = options.valid.empty() ? options.valid_fraction : 0;
        // All of --data without --valid is cut; with it --data is the one and --valid the other.
        const uint64_t cut = is_train ? validation_cut(file.path, fraction) : 0;
        encoder.encode(file, cut, train, valid);
      }
    }
  }
  DataManifest manifest;
  manifest.train.push_back({"the conversations", 1, {}});
  train.finish(options.context, manifest.train.back().shards, manifest.train_marks);
  valid.finish(options.context, manifest.valid, manifest.valid_marks);
  return manifest;
}

}  // namespace tern
