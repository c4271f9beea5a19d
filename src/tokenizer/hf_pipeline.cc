#include "tokenizer/hf_pipeline.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/text.h"
#include "tokenizer/json_fields.h"
#include "tokenizer/pretokenize.h"

namespace tern {
namespace {

using nlohmann::json;

constexpr size_t kMostSteps = 16;

// Other spellings of Llama 3's pattern (GPT-4's): they match the same text.
constexpr std::string_view kLlama3Spellings[] = {
    kLlama3Pattern,
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]|\s+(?!\S)|\s+)",
    R"('(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]++[\r\n]*|\s*[\r\n]|\s+(?!\S)|\s+)",
};

// The steps of a normalizer, pre_tokenizer or decoder: those of a Sequence, or the one it is; none for null.
std::vector<const json*> steps_of(const json& root, const char* key, const char* list) {
  const json* outer = find_field(root, key);
  if (outer == nullptr) return {};
  if (type_of(*outer, key) != "Sequence") return {outer};
  std::vector<const json*> steps;
  for (const json& step : expect_array(require(*outer, list, key), key)) steps.push_back(&step);
  if (steps.size() > kMostSteps) fail("{}: expected at most {} steps, there are {}", key, kMostSteps, steps.size());
  return steps;
}

// A pattern is {"String": ...} or {"Regex": ...}.
bool is_string_pattern(const json& step, std::string_view text, std::string_view where) {
  const json* pattern = find_field(expect_object(require(step, "pattern", where), where), "String");
  return pattern != nullptr && expect_text(*pattern, where) == text;
}

struct Normalizer {
  bool puts_mark_first = false;
  bool marks_spaces = false;
  bool nfc = false;
};

Normalizer read_normalizer(const json& root) {
  Normalizer result;
  for (const json* step : steps_of(root, "normalizer", "normalizers")) {
    const std::string& type = type_of(*step, "normalizer");
    if (type == "Prepend" &&
        expect_text(require(*step, "prepend", "normalizer.Prepend"), "normalizer.Prepend") == kSpaceMark) {
      result.puts_mark_first = true;
    } else if (type == "Replace" && is_string_pattern(*step, " ", "normalizer.Replace") &&
               expect_text(require(*step, "content", "normalizer.Replace"), "normalizer.Replace") == kSpaceMark) {
      result.marks_spaces = true;
    } else if (type == "NFC") {
      result.nfc = true;  // before or after the others is the same: nothing composes with a space or U+2581
    } else {
      fail("normalizer: expected NFC, and Prepend and Replace that write spaces as U+2581; {} is not supported",
           quote(type));
    }
  }
  if (result.puts_mark_first && !result.marks_spaces)
    fail("normalizer: expected Replace beside Prepend, there is none");
  return result;
}

// One step that cuts byte-level text: its rule, with the pattern in split_regex.
SplitRule read_split(const json& step, std::string& regex) {
  const json& pattern = expect_object(require(step, "pattern", "pre_tokenizer.Split"), "pre_tokenizer.Split.pattern");
  const json& regex_field = require(pattern, "Regex", "pre_tokenizer.Split.pattern");
  regex = expect_text(regex_field, "pre_tokenizer.Split.pattern.Regex");
  SplitRule rule = SplitRule::kRegex;
  if (regex == kGpt2Pattern) rule = SplitRule::kGpt2;
  if (regex == kCharPattern) rule = SplitRule::kChar;
  if (std::count(std::begin(kLlama3Spellings), std::end(kLlama3Spellings), regex) > 0) rule = SplitRule::kLlama3;
  if (rule == SplitRule::kRegex) with_context("pre_tokenizer.Split", [&] { RegexSplitter{regex}; });
  const json& behavior_field = require(step, "behavior", "pre_tokenizer.Split");
  const std::string& behavior = expect_text(behavior_field, "pre_tokenizer.Split.behavior");
  // Dropping what does not match is the same where every character matches, as in the known patterns.
  const bool keeps_matches =
      behavior == "Removed" && flag(step, "invert", false, "pre_tokenizer.Split") && rule != SplitRule::kRegex;
  if (behavior != "Isolated" && !keeps_matches)
    fail("pre_tokenizer.Split.behavior: expected 'Isolated', it is {}", quote(behavior));
  return rule;
}

// What Digits matches.
std::string digits_pattern(const json& step) {
  return flag(step, "individual_digits", false, "pre_tokenizer.Digits") ? "\\p{N}" : "\\p{N}+";
}

std::string punctuation_pattern(const json& step) {
  const std::string& behavior =
      expect_text(require(step, "behavior", "pre_tokenizer.Punctuation"), "pre_tokenizer.Punctuation.behavior");
  if (behavior == "Contiguous") return std::string(kPunctuationPattern);
  if (behavior == "Isolated") return std::string(kPunctuationPattern.substr(0, kPunctuationPattern.size() - 1));
  fail("pre_tokenizer.Punctuation.behavior: expected 'Contiguous' or 'Isolated', it is {}", quote(behavior));
}

// Digits and Split: their patterns are for the bytes, which ByteLevel has made characters.
std::string byte_pattern(const json& step) {
  const std::string& type = type_of(step, "pre_tokenizer step");
  if (type == "Digits") return digits_pattern(step);
  if (type != "Split") fail("pre_tokenizer: expected Digits and Split behind ByteLevel, there is {}", quote(type));
  std::string regex;
  read_split(step, regex);
  with_context("pre_tokenizer", [&] { ByteSplitter{regex}; });
  return regex;
}

// Any number of Split, Digits and Punctuation, then ByteLevel, at `last`, then cuts of bytes.
void read_byte_steps(const std::vector<const json*>& steps, size_t last, Vocabulary& vocabulary) {
  const json& byte_level = *steps[last];
  const bool use_regex = flag(byte_level, "use_regex", true, "pre_tokenizer.ByteLevel");
  const bool has_prefix = flag(byte_level, "add_prefix_space", true, "pre_tokenizer.ByteLevel");
  if (has_prefix && last > 0) {
    fail("pre_tokenizer: expected ByteLevel after other steps without add_prefix_space, it is true");
  }
  vocabulary.space_prefix = has_prefix ? SpacePrefix::kEachUnlessSpace : SpacePrefix::kNone;
  vocabulary.split = use_regex ? SplitRule::kGpt2 : SplitRule::kNone;
  for (size_t i = last + 1; i < steps.size(); ++i) vocabulary.byte_splits.push_back(byte_pattern(*steps[i]));
  for (size_t i = 0; i < last; ++i) {
    const std::string& type = type_of(*steps[i], "pre_tokenizer step");
    std::string regex;
    SplitRule rule = SplitRule::kRegex;
    if (type == "Split") {
      rule = read_split(*steps[i], regex);
    } else if (type == "Digits") {
      regex = digits_pattern(*steps[i]);
    } else if (type == "Punctuation") {
      regex = punctuation_pattern(*steps[i]);
    } else {
      fail("pre_tokenizer: expected Split, Digits and Punctuation before ByteLevel, there is {}", quote(type));
    }
    // The last of them is the rule itself, unless ByteLevel has one.
    if (use_regex || i + 1 < last) {
      vocabulary.pre_splits.push_back(regex);
      continue;
    }
    vocabulary.split = rule;
    if (rule == SplitRule::kRegex) vocabulary.split_regex = regex;
  }
}

void read_metaspace(const json& step, Vocabulary& vocabulary) {
  constexpr std::string_view kWhere = "pre_tokenizer.Metaspace";
  if (const json* mark = find_field(step, "replacement"); mark != nullptr && expect_text(*mark, kWhere) != kSpaceMark) {
    fail("{}.replacement: expected U+2581, it is {}", kWhere, describe(*mark));
  }
  const json* scheme = find_field(step, "prepend_scheme");
  std::string name = flag(step, "add_prefix_space", true, kWhere) ? "always" : "never";  // files before prepend_scheme
  if (scheme != nullptr) name = expect_text(*scheme, kWhere);
  if (name != "always" && name != "first" && name != "never")
    fail("{}.prepend_scheme: expected always, first or never, it is {}", kWhere, quote(name));
  vocabulary.space_prefix = name == "always"  ? SpacePrefix::kEachUnlessSpace
                            : name == "first" ? SpacePrefix::kFirstUnlessSpace
                                              : SpacePrefix::kNone;
  vocabulary.split = flag(step, "split", true, kWhere) ? SplitRule::kSpaces : SplitRule::kNone;
}

// Gemma's only step, whose normalizer has left no space that it could cut at.
bool cuts_behind_spaces(const json& step) {
  constexpr std::string_view kWhere = "pre_tokenizer.Split";
  return type_of(step, "pre_tokenizer step") == "Split" && is_string_pattern(step, " ", kWhere) &&
         expect_text(require(step, "behavior", kWhere), kWhere) == "MergedWithPrevious" &&
         !flag(step, "invert", false, kWhere);
}

void read_pre_tokenizer(const json& root, const Normalizer& normalizer, Vocabulary& vocabulary) {
  const std::vector<const json*> steps = steps_of(root, "pre_tokenizer", "pretokenizers");
  const auto is_byte_level = [](const json* step) { return type_of(*step, "pre_tokenizer step") == "ByteLevel"; };
  const auto byte_level = std::find_if(steps.begin(), steps.end(), is_byte_level);
  if (byte_level != steps.end()) {
    if (normalizer.marks_spaces) fail("normalizer: expected null beside ByteLevel, it writes spaces as U+2581");
    vocabulary.algorithm = TokenAlgorithm::kByteBpe;
    read_byte_steps(steps, static_cast<size_t>(byte_level - steps.begin()), vocabulary);
    return;
  }
  vocabulary.algorithm = TokenAlgorithm::kCharBpe;
  const bool cuts_nothing = steps.empty() || (steps.size() == 1 && cuts_behind_spaces(*steps[0]));
  if (normalizer.marks_spaces && cuts_nothing) {
    vocabulary.space_prefix = normalizer.puts_mark_first ? SpacePrefix::kEach : SpacePrefix::kNone;
    vocabulary.split = SplitRule::kNone;
  } else if (!normalizer.marks_spaces && steps.size() == 1 && type_of(*steps[0], "pre_tokenizer step") == "Metaspace") {
    read_metaspace(*steps[0], vocabulary);
  } else {
    std::string names;
    for (const json* step : steps) names += (names.empty() ? "" : ", ") + type_of(*step, "pre_tokenizer step");
    fail(
        "pre_tokenizer: expected steps with ByteLevel, or either Metaspace or a normalizer that writes spaces "
        "as U+2581; the steps are {}",
        quote(names));
  }
}

// Decoding follows from the algorithm; what would do anything else is refused.
void check_decoder(const json& root, TokenAlgorithm algorithm) {
  const std::vector<std::string> known =
      algorithm == TokenAlgorithm::kByteBpe
          ? std::vector<std::string>{"ByteLevel"}
          : std::vector<std::string>{"Replace", "ByteFallback", "Fuse", "Strip", "Metaspace"};
  for (const json* step : steps_of(root, "decoder", "decoders")) {
    const std::string& type = type_of(*step, "decoder.type");
    if (std::find(known.begin(), known.end(), type) == known.end())
      fail("decoder.type: expected '{}', it is '{}'", fmt::join(known, "', '"), printable(type));
  }
}

}  // namespace

void read_hf_pipeline(const json& root, Vocabulary& vocabulary) {
  const Normalizer normalizer = read_normalizer(root);
  vocabulary.nfc = normalizer.nfc;
  read_pre_tokenizer(root, normalizer, vocabulary);
  check_decoder(root, vocabulary.algorithm);
}

}  // namespace tern
