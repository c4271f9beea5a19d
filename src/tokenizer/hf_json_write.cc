#include <nlohmann/json.hpp>
#include <string>

#include "base/error.h"
#include "base/file.h"
#include "tokenizer/hf_json.h"
#include "tokenizer/pretokenize.h"

namespace tern {
namespace {

using nlohmann::json;
using nlohmann::ordered_json;

bool is_added(const Token& token) {
  return token.type == TokenType::kControl || token.type == TokenType::kUserDefined ||
         token.type == TokenType::kUnknown;
}

std::string quoted(const std::string& text) {
  try {
    return json(text).dump();
  } catch (const json::exception&) {
    fail("tokenizer.json: expected a token of valid UTF-8, it is not ({} bytes)", text.size());
  }
}

ordered_json byte_level(bool add_prefix_space, bool use_regex) {
  return {
      {"type", "ByteLevel"}, {"add_prefix_space", add_prefix_space}, {"trim_offsets", true}, {"use_regex", use_regex}};
}

ordered_json pre_tokenizer(const Vocabulary& vocabulary) {
  std::string_view pattern;
  switch (vocabulary.split) {
    case SplitRule::kNone:
      return byte_level(vocabulary.add_space_prefix, false);
    case SplitRule::kGpt2:
      return byte_level(vocabulary.add_space_prefix, true);
    case SplitRule::kLlama3:
      pattern = kLlama3Pattern;
      break;
    case SplitRule::kChar:
      pattern = kCharPattern;
      break;
    case SplitRule::kRegex:
      pattern = vocabulary.split_regex;
      break;
  }
  if (vocabulary.add_space_prefix) {
    fail("tokenizer.json: expected no space prefix together with the split '{}'", split_rule_name(vocabulary.split));
  }
  const ordered_json split = {
      {"type", "Split"}, {"pattern", {{"Regex", pattern}}}, {"behavior", "Isolated"}, {"invert", false}};
  return {{"type", "Sequence"}, {"pretokenizers", ordered_json::array({split, byte_level(false, false)})}};
}

// BOS before a text, and before both texts of a pair.
ordered_json post_processor(const Vocabulary& vocabulary) {
  if (!vocabulary.add_bos || !vocabulary.bos_id) return nullptr;
  const std::string name = token_text(vocabulary, *vocabulary.bos_id);
  const auto special = [&](int type) { return ordered_json{{"SpecialToken", {{"id", name}, {"type_id", type}}}}; };
  const auto text = [](const char* which, int type) {
    return ordered_json{{"Sequence", {{"id", which}, {"type_id", type}}}};
  };
  const ordered_json token = {
      {"id", name}, {"ids", ordered_json::array({*vocabulary.bos_id})}, {"tokens", ordered_json::array({name})}};
  return {{"type", "TemplateProcessing"},
          {"single", ordered_json::array({special(0), text("A", 0)})},
          {"pair", ordered_json::array({special(0), text("A", 0), special(1), text("B", 1)})},
          {"special_tokens", {{name, token}}}};
}

ordered_json added_tokens(const Vocabulary& vocabulary) {
  ordered_json list = ordered_json::array();
  for (size_t id = 0; id < vocabulary.tokens.size(); ++id) {
    const Token& token = vocabulary.tokens[id];
    if (!is_added(token)) continue;
    list.push_back({{"id", id},
                    {"content", token.bytes},
                    {"single_word", token.single_word},
                    {"lstrip", token.strip_left},
                    {"rstrip", token.strip_right},
                    {"normalized", false},
                    {"special", token.type != TokenType::kUserDefined}});
  }
  return list;
}

// By hand, one token a line in the order of ids: an ordered_json object of many fields takes quadratic time.
std::string format_vocab(const Vocabulary& vocabulary) {
  std::string text = "{";
  for (size_t id = 0; id < vocabulary.tokens.size(); ++id) {
    text += id == 0 ? "\n" : ",\n";
    text += "      " + quoted(token_text(vocabulary, static_cast<int32_t>(id))) + ": " + std::to_string(id);
  }
  return text + "\n    }";
}

std::string format_merges(const Vocabulary& vocabulary) {
  std::string text = "[";
  for (const std::string& merge : merge_texts(vocabulary)) {
    text += text.size() == 1 ? "\n" : ",\n";
    text += "      " + quoted(merge);
  }
  return text + "\n    ]";
}

// A field of the outermost object, indented as the rest of the file.
std::string format_field(const char* key, const ordered_json& value) {
  std::string text = ordered_json{{key, value}}.dump(2);
  return text.substr(2, text.size() - 4);  // without the braces and their line ends
}

}  // namespace

std::string format_hf_tokenizer(const Vocabulary& vocabulary) {
  if (vocabulary.algorithm != TokenAlgorithm::kByteBpe) {
    fail("tokenizer.json: expected a byte-level BPE vocabulary, this one merges by scores (SentencePiece)");
  }
  const ordered_json unk_token = vocabulary.unk_id ? ordered_json(token_text(vocabulary, *vocabulary.unk_id)) : nullptr;
  std::string text = "{\n";
  try {
    text += format_field("version", "1.0") + ",\n" + format_field("truncation", nullptr) + ",\n" +
            format_field("padding", nullptr) + ",\n" + format_field("added_tokens", added_tokens(vocabulary)) + ",\n" +
            format_field("normalizer", nullptr) + ",\n" + format_field("pre_tokenizer", pre_tokenizer(vocabulary)) +
            ",\n" + format_field("post_processor", post_processor(vocabulary)) + ",\n" +
            format_field("decoder", byte_level(true, true)) + ",\n";
    text += "  \"model\": {\n    \"type\": \"BPE\",\n    \"dropout\": null,\n    \"unk_token\": " + unk_token.dump() +
            ",\n";
  } catch (const json::exception&) {
    fail("tokenizer.json: expected added tokens of valid UTF-8, one is not");
  }
  text += "    \"continuing_subword_prefix\": null,\n    \"end_of_word_suffix\": null,\n    \"fuse_unk\": false,\n";
  text += "    \"byte_fallback\": false,\n    \"ignore_merges\": ";
  text += vocabulary.ignore_merges ? "true" : "false";
  text += ",\n    \"vocab\": " + format_vocab(vocabulary) + ",\n    \"merges\": " + format_merges(vocabulary) +
          "\n  }\n}\n";
  return text;
}

void write_hf_tokenizer(const Vocabulary& vocabulary, const std::filesystem::path& path) {
  write_file(path, format_hf_tokenizer(vocabulary));
}

std::string format_hf_tokenizer_config(const Vocabulary& vocabulary) {
  ordered_json config = {{"add_bos_token", vocabulary.add_bos}};
  if (vocabulary.bos_id) config["bos_token"] = token_text(vocabulary, *vocabulary.bos_id);
  if (!vocabulary.eos_ids.empty()) config["eos_token"] = token_text(vocabulary, vocabulary.eos_ids[0]);
  config["clean_up_tokenization_spaces"] = false;
  config["tokenizer_class"] = "PreTrainedTokenizerFast";
  try {
    return config.dump(2) + "\n";
  } catch (const json::exception&) {
    fail("tokenizer_config.json: expected special tokens of valid UTF-8, one is not");
  }
}

}  // namespace tern
