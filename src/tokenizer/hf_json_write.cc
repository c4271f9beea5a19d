#include <algorithm>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "base/text.h"
#include "tokenizer/hf_json.h"
#include "tokenizer/pretokenize.h"
#include "tokenizer/spm.h"

namespace tern {
namespace {

using nlohmann::json;
using nlohmann::ordered_json;

bool is_added(const Token& token) {
  return token.type == TokenType::kControl || token.type == TokenType::kUserDefined ||
         token.type == TokenType::kUnknown;
}

std::string quoted(const std::string& text) {
  if (!is_valid_utf8(text)) fail("tokenizer.json: expected a token of valid UTF-8, it is not ({} bytes)", text.size());
  return json_text(json(text));
}

ordered_json byte_level(bool add_prefix_space, bool use_regex) {
  return {
      {"type", "ByteLevel"}, {"add_prefix_space", add_prefix_space}, {"trim_offsets", true}, {"use_regex", use_regex}};
}

ordered_json split_step(std::string_view pattern) {
  return {{"type", "Split"}, {"pattern", {{"Regex", pattern}}}, {"behavior", "Isolated"}, {"invert", false}};
}

[[noreturn]] void fail_prefix(const Vocabulary& vocabulary) {
  fail("tokenizer.json: expected no space prefix '{}' together with the split '{}'",
       space_prefix_name(vocabulary.space_prefix), split_rule_name(vocabulary.split));
}

ordered_json byte_pre_tokenizer(const Vocabulary& vocabulary) {
  std::string_view pattern;
  switch (vocabulary.split) {
    case SplitRule::kNone:
    case SplitRule::kGpt2:
    case SplitRule::kSpaces:
      break;
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
  const bool has_prefix = vocabulary.space_prefix == SpacePrefix::kEachUnlessSpace;
  ordered_json steps = ordered_json::array();
  for (const std::string& regex : vocabulary.pre_splits) steps.push_back(split_step(regex));
  if (!pattern.empty()) steps.push_back(split_step(pattern));
  const bool is_known = vocabulary.split != SplitRule::kSpaces;
  if (!is_known || (has_prefix && !steps.empty()) || (!has_prefix && vocabulary.space_prefix != SpacePrefix::kNone))
    fail_prefix(vocabulary);
  steps.push_back(byte_level(has_prefix, vocabulary.split == SplitRule::kGpt2));
  for (const std::string& cut : vocabulary.byte_splits) steps.push_back(split_step(cut));
  if (steps.size() == 1) return steps[0];
  return {{"type", "Sequence"}, {"pretokenizers", steps}};
}

// Where HF puts the space prefix of a vocabulary of characters: a normalizer knows kEach, Metaspace the others.
bool uses_normalizer(const Vocabulary& vocabulary) {
  const SpacePrefix prefix = vocabulary.space_prefix;
  return vocabulary.split == SplitRule::kNone && (prefix == SpacePrefix::kEach || prefix == SpacePrefix::kNone);
}

ordered_json normalizer(const Vocabulary& vocabulary) {
  ordered_json steps = ordered_json::array();
  if (vocabulary.nfc) steps.push_back({{"type", "NFC"}});
  if (vocabulary.algorithm != TokenAlgorithm::kByteBpe && uses_normalizer(vocabulary)) {
    if (vocabulary.space_prefix != SpacePrefix::kNone) steps.push_back({{"type", "Prepend"}, {"prepend", kSpaceMark}});
    steps.push_back({{"type", "Replace"}, {"pattern", {{"String", " "}}}, {"content", kSpaceMark}});
  }
  if (steps.size() <= 1) return steps.empty() ? ordered_json(nullptr) : steps[0];
  return {{"type", "Sequence"}, {"normalizers", steps}};
}

ordered_json pre_tokenizer(const Vocabulary& vocabulary) {
  if (vocabulary.algorithm == TokenAlgorithm::kByteBpe) return byte_pre_tokenizer(vocabulary);
  if (uses_normalizer(vocabulary)) return nullptr;
  const SpacePrefix prefix = vocabulary.space_prefix;
  const bool is_known = vocabulary.split == SplitRule::kNone || vocabulary.split == SplitRule::kSpaces;
  if (!is_known || prefix == SpacePrefix::kEach || prefix == SpacePrefix::kText || !vocabulary.pre_splits.empty())
    fail_prefix(vocabulary);
  const char* scheme = prefix == SpacePrefix::kEachUnlessSpace    ? "always"
                       : prefix == SpacePrefix::kFirstUnlessSpace ? "first"
                                                                  : "never";
  return {{"type", "Metaspace"},
          {"replacement", kSpaceMark},
          {"prepend_scheme", scheme},
          {"split", vocabulary.split == SplitRule::kSpaces}};
}

ordered_json decoder(const Vocabulary& vocabulary) {
  if (vocabulary.algorithm == TokenAlgorithm::kByteBpe) return byte_level(true, true);
  ordered_json steps = ordered_json::array();
  steps.push_back({{"type", "Replace"}, {"pattern", {{"String", kSpaceMark}}}, {"content", " "}});
  steps.push_back({{"type", "ByteFallback"}});
  steps.push_back({{"type", "Fuse"}});
  if (vocabulary.space_prefix != SpacePrefix::kNone)
    steps.push_back({{"type", "Strip"}, {"content", " "}, {"start", 1}, {"stop", 0}});
  return {{"type", "Sequence"}, {"decoders", steps}};
}

// BOS before a text and EOS behind a text to embed, around both texts of a pair.
ordered_json post_processor(const Vocabulary& vocabulary) {
  const bool begins = vocabulary.add_bos && vocabulary.bos_id;
  if (!begins && !vocabulary.add_eos) return nullptr;
  ordered_json tokens = ordered_json::object();
  const auto append_special = [&](int32_t id, int type, ordered_json& steps) {
    const std::string name = token_text(vocabulary, id);
    steps.push_back({{"SpecialToken", {{"id", name}, {"type_id", type}}}});
    tokens[name] = {{"id", name}, {"ids", ordered_json::array({id})}, {"tokens", ordered_json::array({name})}};
  };
  const auto append_text = [&](const char* which, int type, ordered_json& steps) {
    if (begins) append_special(*vocabulary.bos_id, type, steps);
    steps.push_back({{"Sequence", {{"id", which}, {"type_id", type}}}});
    if (vocabulary.add_eos) append_special(vocabulary.eos_ids[0], type, steps);
  };
  ordered_json single = ordered_json::array();
  append_text("A", 0, single);
  ordered_json pair = ordered_json::array();
  append_text("A", 0, pair);
  append_text("B", 1, pair);
  return {{"type", "TemplateProcessing"}, {"single", single}, {"pair", pair}, {"special_tokens", tokens}};
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
                    {"normalized", token.normalized},
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

// The merges that scores mean, but those with characters that are no token.
Vocabulary with_listed_merges(const Vocabulary& vocabulary) {
  Vocabulary listed = vocabulary;
  listed.merges = scored_merges(vocabulary).merges;
  const auto size = static_cast<int32_t>(vocabulary.tokens.size());
  std::erase_if(listed.merges, [&](const Merge& merge) { return merge.left >= size || merge.right >= size; });
  return listed;
}

std::string format_merges(const Vocabulary& vocabulary) {
  std::string text = "[";
  const std::vector<std::string> merges = vocabulary.algorithm == TokenAlgorithm::kSpm
                                              ? merge_texts(with_listed_merges(vocabulary))
                                              : merge_texts(vocabulary);
  for (const std::string& merge : merges) {
    text += text.size() == 1 ? "\n" : ",\n";
    text += "      " + quoted(merge);
  }
  return text + "\n    ]";
}

// A field of the outermost object, indented as the rest of the file.
std::string format_field(const char* key, const ordered_json& value) {
  std::string text = json_text(ordered_json{{key, value}}, 2);
  return text.substr(2, text.size() - 4);  // without the braces and their line ends
}

}  // namespace

std::string format_hf_tokenizer(const Vocabulary& vocabulary) {
  const auto is_byte = [](const Token& token) { return token.type == TokenType::kByte; };
  const bool byte_fallback = std::any_of(vocabulary.tokens.begin(), vocabulary.tokens.end(), is_byte);
  const ordered_json unk_token = vocabulary.unk_id ? ordered_json(token_text(vocabulary, *vocabulary.unk_id)) : nullptr;
  std::string text = "{\n";
  try {
    text += format_field("version", "1.0") + ",\n" + format_field("truncation", nullptr) + ",\n" +
            format_field("padding", nullptr) + ",\n" + format_field("added_tokens", added_tokens(vocabulary)) + ",\n" +
            format_field("normalizer", normalizer(vocabulary)) + ",\n" +
            format_field("pre_tokenizer", pre_tokenizer(vocabulary)) + ",\n" +
            format_field("post_processor", post_processor(vocabulary)) + ",\n" +
            format_field("decoder", decoder(vocabulary)) + ",\n";
    text +=
        "  \"model\": {\n    \"type\": \"BPE\",\n    \"dropout\": null,\n    \"unk_token\": " + json_text(unk_token) +
        ",\n";
  } catch (const json::exception&) {
    fail("tokenizer.json: expected added tokens of valid UTF-8, one is not");
  }
  text += "    \"continuing_subword_prefix\": null,\n    \"end_of_word_suffix\": null,\n    \"fuse_unk\": ";
  text += vocabulary.fuse_unk ? "true" : "false";
  text += ",\n    \"byte_fallback\": ";
  text += byte_fallback ? "true" : "false";
  text += ",\n    \"ignore_merges\": ";
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
  if (vocabulary.add_eos) config["add_eos_token"] = true;
  if (vocabulary.bos_id) config["bos_token"] = token_text(vocabulary, *vocabulary.bos_id);
  if (!vocabulary.eos_ids.empty()) config["eos_token"] = token_text(vocabulary, vocabulary.eos_ids[0]);
  config["clean_up_tokenization_spaces"] = false;
  config["tokenizer_class"] = "PreTrainedTokenizerFast";
  try {
    return json_text(config, 2) + "\n";
  } catch (const json::exception&) {
    fail("tokenizer_config.json: expected special tokens of valid UTF-8, one is not");
  }
}

}  // namespace tern
