#include "tokenizer/bpe_train.h"

#include <fstream>
#include <map>

#include "base/file.h"
#include "tokenizer/tokenizer.h"
#include "tokenizer_testing.h"

namespace tern {
namespace {

using Words = std::map<std::vector<std::string>, int64_t>;

// The definition: count all pairs anew before each merge; of equals the greater (left, right) wins.
std::vector<std::string> train_by_definition(std::string_view text, size_t merges) {
  Words words;
  PreTokenizer(SplitRule::kGpt2).split(text, [&](std::string_view piece) {
    std::vector<std::string> word;
    for (char byte : piece) word.emplace_back(1, byte);
    ++words[word];
  });
  std::vector<std::string> result;
  while (result.size() < merges) {
    std::map<std::pair<std::string, std::string>, int64_t> counts;
    for (const auto& [word, count] : words) {
      for (size_t i = 0; i + 1 < word.size(); ++i) counts[{word[i], word[i + 1]}] += count;
    }
    if (counts.empty()) break;
    auto best = counts.begin();
    for (auto pair = counts.begin(); pair != counts.end(); ++pair) {
      if (pair->second >= best->second) best = pair;
    }
    const auto [left, right] = best->first;
    result.push_back(left + "+" + right);
    Words merged;
    for (const auto& [word, count] : words) {
      std::vector<std::string> next;
      for (size_t i = 0; i < word.size(); ++i) {
        const bool joins = i + 1 < word.size() && word[i] == left && word[i + 1] == right;
        next.push_back(joins ? left + right : word[i]);
        if (joins) ++i;
      }
      merged[next] += count;
    }
    words = std::move(merged);
  }
  return result;
}

std::vector<std::string> readable_merges(const Vocabulary& vocabulary) {
  std::vector<std::string> result;
  for (const Merge& merge : vocabulary.merges) {
    result.push_back(vocabulary.tokens[static_cast<size_t>(merge.left)].bytes + "+" +
                     vocabulary.tokens[static_cast<size_t>(merge.right)].bytes);
  }
  return result;
}

TEST(BpeTrain, FollowsTheDefinition) {
  std::mt19937 random(3);
  for (int round = 0; round < 40; ++round) {
    std::string text;
    const size_t letters = 1 + random() % 4;
    for (size_t i = random() % 300 + 2; i > 0; --i) {
      text += random() % 5 == 0 ? ' ' : static_cast<char>('a' + random() % letters);
    }
    const Vocabulary vocabulary = train_on(text, 257 + 40);
    // Two ways to the same bytes make one token, so that there may be more merges than tokens.
    ASSERT_EQ(readable_merges(vocabulary), train_by_definition(text, vocabulary.merges.size())) << text;
    EXPECT_NO_THROW(validate(vocabulary));
  }
}

TEST(BpeTrain, ReferenceMerges) {
  TERN_REQUIRE_DATA("tok/gpt2/train-bpe-reference-merges.txt");
  TERN_REQUIRE_DATA("tok/gpt2/corpus.en");
  std::vector<std::string> expected;
  std::ifstream file(data_path("tok/gpt2/train-bpe-reference-merges.txt"));
  for (std::string line; std::getline(file, line);) expected.push_back(line);
  const Vocabulary vocabulary = train_on(read_file(data_path("tok/gpt2/corpus.en")), 500);
  EXPECT_EQ(vocabulary.tokens.size(), 500u);
  EXPECT_EQ(merge_texts(vocabulary), expected);
}

TEST(BpeTrain, LayoutOfTheVocabulary) {
  const Vocabulary vocabulary = train_on(kSmallText, 280);
  ASSERT_EQ(vocabulary.tokens.size(), 280u);
  EXPECT_EQ(vocabulary.merges.size(), 280u - 257);
  for (size_t byte = 0; byte < 256; ++byte)
    EXPECT_EQ(vocabulary.tokens[byte].bytes, std::string(1, static_cast<char>(byte)));
  EXPECT_EQ(vocabulary.tokens[279].bytes, kEndOfText);
  EXPECT_EQ(vocabulary.tokens[279].type, TokenType::kControl);
  EXPECT_EQ(vocabulary.bos_id, 279);
  EXPECT_EQ(vocabulary.eos_ids, std::vector<int32_t>{279});
  EXPECT_FALSE(vocabulary.add_bos);
}

TEST(BpeTrain, SpecialTokenIsNotLearntFrom) {
  std::string marked = "ab";
  for (int i = 0; i < 50; ++i) marked += "<|endoftext|>ab";
  const Vocabulary vocabulary = train_on(marked, 400);
  EXPECT_EQ(readable_merges(vocabulary), std::vector<std::string>{"a+b"});
  EXPECT_EQ(vocabulary.tokens.size(), 258u);  // no more pairs: smaller than asked for
}

TEST(BpeTrain, TextsInPartsCountTogether) {
  BpeTrainer parts({.vocab_size = 270});
  parts.add_text("the cat ");
  parts.add_text("the dog ");
  EXPECT_EQ(vocabulary_hash(parts.train()), vocabulary_hash(train_on("the cat <|endoftext|>the dog ", 270)));
}

TEST(BpeTrain, OneLongPreToken) {
  // Each merge may touch only the places of its pair.
  BpeTrainer trainer({.vocab_size = 2000, .split = SplitRule::kNone});
  std::mt19937 random(5);
  std::string text;
  for (size_t i = 0; i < (size_t{1} << 20); ++i) text += static_cast<char>('a' + random() % 4);
  trainer.add_text(text);
  trainer.add_text(std::string(size_t{1} << 20, 'x'));
  EXPECT_EQ(trainer.train().tokens.size(), 2000u);
}

// The counts are those of one thread, in the same order, wherever the text is cut.
TEST(BpeTrain, AnyNumberOfThreadsGivesTheSameVocabulary) {
  std::mt19937 random(17);
  for (const SplitRule split :
       {SplitRule::kGpt2, SplitRule::kLlama3, SplitRule::kSpaces, SplitRule::kChar, SplitRule::kNone}) {
    std::string text;
    while (text.size() < kLongText / 2) {
      // Unlike most texts this has letters beside white space of every kind, half characters and many documents.
      text += random_text(random, 40, true) + " end " + std::string(random() % 3, '\n') + "<|endoftext";
      if (random() % 2 == 0) text += "|>";
    }
    for (const size_t repeat : {1, 4}) {
      std::string all;
      for (size_t i = 0; i < repeat; ++i) all += text;
      const auto vocabulary_by = [&](int count) {
        Threads threads(count);
        BpeTrainer trainer({.vocab_size = 600, .split = split});
        trainer.add_text(all, threads);
        trainer.add_text("the end", threads);
        return trainer.train();
      };
      BpeTrainer alone({.vocab_size = 600, .split = split});
      alone.add_text(all);
      alone.add_text("the end");
      const Vocabulary expected = alone.train();
      EXPECT_EQ(expected.merges.size() > 100, split != SplitRule::kChar);
      for (const int count : {1, 2, 3, 7}) {
        const Vocabulary vocabulary = vocabulary_by(count);
        EXPECT_EQ(vocabulary.merges, expected.merges) << split_rule_name(split) << ", " << count << " threads";
        EXPECT_EQ(vocabulary_hash(vocabulary), vocabulary_hash(expected)) << split_rule_name(split);
      }
    }
  }
}

TEST(BpeTrain, BadInput) {
  EXPECT_NE(error_of([] { BpeTrainer({.vocab_size = 256}); }).find("it is 256"), std::string::npos);
  EXPECT_NE(error_of([] { train_on("", 300); }).find("empty"), std::string::npos);
  EXPECT_NE(error_of([] { train_on("<|endoftext|><|endoftext|>", 300); }).find("empty"), std::string::npos);
  EXPECT_EQ(train_on("x", 257).tokens.size(), 257u);
}

}  // namespace
}  // namespace tern
