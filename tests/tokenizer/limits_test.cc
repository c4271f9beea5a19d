// Long runs of one thing, with every kind of vocabulary: the ids are those of a short run, with its period more often.
// What takes quadratic time here takes days, and what recurses overflows the stack.
#include "base/file.h"
#include "tokenizer/basic_vocabularies.h"
#include "tokenizer/hf_json.h"
#include "tokenizer/pretokenize.h"
#include "tokenizer/tokenizer.h"
#include "tokenizer_testing.h"

namespace tern {
namespace {

using Ids = std::vector<int32_t>;

const std::vector<std::string> kUnits = {"a",
                                         " ",
                                         "\n",
                                         "7",
                                         "A",
                                         "'",
                                         "ab",
                                         "  a",
                                         "\r\n",
                                         " \n",
                                         "\xF0\x9F\xA6\x99",
                                         "\xE4\xB8\xAD",
                                         "\xFF",
                                         "\xE2\x82",
                                         "<|",
                                         "\xE2\x96\x81",
                                         "e\xCC\x81",
                                         "\xCC\x81"};

std::string repeated(std::string_view unit, size_t count) {
  std::string text;
  text.reserve(unit.size() * count);
  for (size_t i = 0; i < count; ++i) text += unit;
  return text;
}

// Every unit in runs of each power of two, so that runs are tokens and merges wherever the split lets them.
std::string runs_of_units() {
  std::string text;
  for (const std::string& unit : kUnits) {
    for (size_t size = 1; size <= 64; size *= 2) {
      for (int copy = 0; copy < 3; ++copy) text += repeated(unit, size) + ".x<|endoftext|>";
    }
  }
  return text;
}

Vocabulary trained(SplitRule split) { return train_on(runs_of_units(), 700, split); }

Vocabulary characters() {
  CharVocabularyBuilder builder;
  builder.add_text(runs_of_units());
  return builder.build();
}

Vocabulary by_regex(std::string_view pattern) {
  Vocabulary vocabulary = trained(SplitRule::kNone);
  vocabulary.split = SplitRule::kRegex;
  vocabulary.split_regex = pattern;
  return vocabulary;
}

// Runs of characters merged by their score, with bytes as fallback or without.
Vocabulary by_scores(bool has_bytes) {
  std::vector<std::string> texts = {"<unk>", "<s>", "</s>"};
  std::vector<TokenType> types = {TokenType::kUnknown, TokenType::kControl, TokenType::kControl};
  for (int byte = 0; has_bytes && byte < 256; ++byte) {
    texts.push_back(fmt::format("<0x{:02X}>", byte));
    types.push_back(TokenType::kByte);
  }
  for (const char* unit : {"a", "\xE2\x96\x81", "7", "ab", "\xF0\x9F\xA6\x99", "e\xCC\x81"}) {
    for (size_t size = 1; size <= 16; size *= 2) texts.push_back(repeated(unit, size));
  }
  texts.insert(texts.end(), {"b", "e", "\xCC\x81"});
  types.resize(texts.size(), TokenType::kNormal);
  std::vector<float> scores;
  for (const std::string& text : texts) scores.push_back(-static_cast<float>(text.size()));
  Vocabulary vocabulary;
  set_spm(texts, types, scores, vocabulary);
  vocabulary.unk_id = 0;
  vocabulary.fuse_unk = !has_bytes;
  vocabulary.space_prefix = SpacePrefix::kEach;
  return vocabulary;
}

Vocabulary golden(const std::string& name) {
  return read_hf_tokenizer(source_path("tests/golden/tokenizer") / (name + ".json"));
}

Vocabulary named_vocabulary(const std::string& name) {
  if (name == "byte") return byte_vocabulary();
  if (name == "characters") return characters();
  if (name == "scores") return by_scores(true);
  if (name == "scores_unknown") return by_scores(false);
  if (name == "regex_llama3") return by_regex(kLlama3Pattern);
  if (name == "regex_gpt2") return by_regex(kGpt2Pattern);
  if (name.starts_with("hf_")) return golden(name.substr(3));
  return trained(parse_split_rule(name));
}

class Limits : public testing::TestWithParam<const char*> {};

TEST_P(Limits, LongRunsAreShortRunsRepeated) {
  constexpr size_t kBytes = size_t{1} << 20;
  constexpr size_t kPeriod = 3 * 64;  // units: of three digits, and of the longest tokens
  constexpr size_t kShort = 40 * kPeriod + 5;
  const Tokenizer tokenizer(named_vocabulary(GetParam()));
  const std::string_view name = GetParam();
  const bool has_bytes = name != "scores_unknown" && name != "hf_no-bytes";
  const SpacePrefix prefix = tokenizer.vocabulary().space_prefix;
  // A prefix that depends on the text's first space gives it back with one space more or less.
  const bool keeps_space = prefix == SpacePrefix::kNone || prefix == SpacePrefix::kEach;
  const auto is_text = [&](std::string_view decoded, std::string_view text) {
    const size_t more = decoded.size() > text.size() ? 1 : 0, less = decoded.size() < text.size() ? 1 : 0;
    const bool begins_with_space = (more == 0 || decoded[0] == ' ') && (less == 0 || text[0] == ' ');
    return (keeps_space ? more + less == 0 : begins_with_space) && decoded.substr(more) == text.substr(less);
  };
  for (const std::string& unit : kUnits) {
    SCOPED_TRACE(testing::PrintToString(unit));
    const size_t periods = kBytes / (unit.size() * kPeriod);
    const Ids little = tokenizer.encode(repeated(unit, kShort), false, true);
    const std::string text = repeated(unit, kShort + periods * kPeriod);
    const Ids much = tokenizer.encode(text, false, true);
    // U+2581 is a space to SentencePiece; "<" is an added token there, and what follows one is a text with a prefix.
    const bool comes_back = has_bytes && unit != "\xE2\x96\x81" && !(name == "hf_gpt2-prefix" && unit.starts_with('<'));
    EXPECT_TRUE(!comes_back || is_text(tokenizer.decode(much), text));
    ASSERT_GE(much.size(), little.size());
    ASSERT_EQ((much.size() - little.size()) % periods, 0u);
    const size_t period = (much.size() - little.size()) / periods;
    const size_t half = little.size() / 2;
    const auto place = [](size_t at) { return static_cast<std::ptrdiff_t>(at); };
    EXPECT_TRUE(std::equal(little.begin(), little.begin() + place(half), much.begin()));
    EXPECT_TRUE(std::equal(little.rbegin(), little.rend() - place(half), much.rbegin()));
    EXPECT_TRUE(
        std::equal(much.begin() + place(half), much.end() - place(half + period), much.begin() + place(half + period)));
  }
}

INSTANTIATE_TEST_SUITE_P(All, Limits,
                         testing::Values("none", "gpt2", "llama3", "char", "spaces", "regex_gpt2", "regex_llama3",
                                         "byte", "characters", "scores", "scores_unknown", "hf_o200k", "hf_cl100k",
                                         "hf_digits", "hf_gpt2-prefix", "hf_llama2", "hf_llama2-first", "hf_metaspace",
                                         "hf_no-bytes"),
                         [](const auto& kind) {
                           std::string name = kind.param;
                           std::replace(name.begin(), name.end(), '-', '_');
                           return name;
                         });

}  // namespace
}  // namespace tern
