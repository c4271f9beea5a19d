#include "infer/token_filter.h"

#include <gtest/gtest.h>

#include <set>

#include "infer/json_schema.h"
#include "random_answer.h"
#include "tokenizer/basic_vocabularies.h"

namespace tern {
namespace {

constexpr int32_t kStop = 256;

Grammar grammar(std::string_view text) { return compile_grammar(text); }

// Bytes, and some tokens of several: one ends inside a character.
Tokenizer small_tokenizer() {
  Vocabulary v = byte_vocabulary();
  v.tokens.pop_back();
  v.eos_ids = {kStop};
  v.bos_id = kStop;
  v.tokens.push_back({std::string(kEndOfText), TokenType::kControl});
  const auto add = [&](const std::string& left, const std::string& right) {
    const auto find = [&](const std::string& bytes) {
      for (size_t i = 0; i < v.tokens.size(); ++i) {
        if (v.tokens[i].bytes == bytes) return static_cast<int32_t>(i);
      }
      ADD_FAILURE() << bytes;
      return 0;
    };
    v.merges.push_back({find(left), find(right), static_cast<int32_t>(v.tokens.size())});
    v.tokens.push_back({left + right});
  };
  add("y", "e");
  add("ye", "s");
  add("{", "\"");
  add("\"", ":");
  add("\xC3", "\xA9");
  add("a", "\xC3");
  add("\"", "}");
  add("1", "2");
  add(" ", "y");
  return Tokenizer(std::move(v));
}

class TokenFilterTest : public testing::Test {
 protected:
  std::set<std::string> allowed(TokenFilter& filter, size_t left = 1000) const {
    std::set<std::string> texts;
    const auto mask = filter.allowed(left);
    for (size_t t = 0; t < tokenizer_.vocab_size(); ++t) {
      if (mask[t / 64] >> t % 64 & 1) texts.insert(tokenizer_.token_bytes(static_cast<int32_t>(t)));
    }
    return texts;
  }

  // All tokens one by one: what mark() finds without looking at each.
  std::set<std::string> expected(const Grammar& g, std::string_view so_far) const {
    std::set<std::string> texts;
    GrammarMatcher matcher(g);
    for (size_t t = 0; t < tokenizer_.vocab_size(); ++t) {
      const auto token = static_cast<int32_t>(t);
      auto state = matcher.start();
      for (const char byte : std::string(so_far)) state = matcher.next(state, static_cast<uint8_t>(byte));
      const bool stop = matcher.can_end(state);
      for (const char byte : tokenizer_.token_bytes(token)) state = matcher.next(state, static_cast<uint8_t>(byte));
      if (token == kStop ? stop : state != GrammarMatcher::kNowhere) texts.insert(tokenizer_.token_bytes(token));
    }
    return texts;
  }

  Tokenizer tokenizer_ = small_tokenizer();
  TokenTrie trie_{tokenizer_};
};

TEST_F(TokenFilterTest, TokensThatAGrammarLetsCome) {
  const auto yes = grammar("root ::= \"yes\" \"!\"?");
  TokenFilter filter({&yes, &trie_, false}, std::vector<int32_t>{kStop}, tokenizer_.vocab_size());
  EXPECT_EQ(allowed(filter), (std::set<std::string>{"y", "ye", "yes"}));
  filter.accept(*tokenizer_.token_id("ye"));
  EXPECT_EQ(allowed(filter), (std::set<std::string>{"s"}));
  EXPECT_FALSE(filter.can_end());
  filter.accept(*tokenizer_.token_id("s"));
  EXPECT_EQ(allowed(filter), (std::set<std::string>{"!", std::string(kEndOfText)}));
  EXPECT_FALSE(filter.complete());
  filter.accept(*tokenizer_.token_id("!"));
  EXPECT_EQ(allowed(filter), (std::set<std::string>{std::string(kEndOfText)}));
  EXPECT_TRUE(filter.complete());
}

TEST_F(TokenFilterTest, IsWhatEachTokenByItselfSays) {
  const auto json = grammar(grammar_of_schema(kAnyObjectSchema));
  for (const std::string text : {"", "{", "{\"", "{\"a\xC3", "{\"a\xC3\xA9\":", "{\"a\":1", "{\"a\":\"y\"}"}) {
    TokenFilter filter({&json, &trie_, false}, std::vector<int32_t>{kStop}, tokenizer_.vocab_size());
    for (const int32_t token : tokenizer_.encode(text, false, false)) filter.accept(token);
    EXPECT_EQ(allowed(filter), expected(json, text)) << text;
    EXPECT_EQ(allowed(filter), expected(json, text)) << text;  // from what it kept
  }
}

// A stop token ends an answer, whatever its text: it may not come as text where the grammar cannot end.
TEST_F(TokenFilterTest, StopTokensComeAtTheEndOnly) {
  const auto letters = grammar("root ::= [a-z]+");
  const int32_t stop = *tokenizer_.token_id("s");
  TokenFilter filter({&letters, &trie_, false}, std::vector<int32_t>{stop}, tokenizer_.vocab_size());
  EXPECT_EQ(allowed(filter).count("s"), 0u);
  filter.accept(*tokenizer_.token_id("y"));
  EXPECT_EQ(allowed(filter).count("s"), 1u);
  EXPECT_EQ(allowed(filter).count(std::string(kEndOfText)), 0u);
}

TEST_F(TokenFilterTest, ATextsFirstSpaceDoesNotCountWhereItIsDropped) {
  Vocabulary v = byte_vocabulary();
  v.algorithm = TokenAlgorithm::kSpm;
  v.merges.clear();
  v.tokens.push_back({" y"});
  v.tokens.push_back(
      {" "
       "z"});
  v.space_prefix = SpacePrefix::kText;
  const Tokenizer tokenizer(std::move(v));
  ASSERT_TRUE(tokenizer.strips_first_space());
  const TokenTrie trie(tokenizer);
  const auto y = grammar("root ::= \"y\" \" y\"");
  for (const bool at_start : {false, true}) {
    TokenFilter filter({&y, &trie, at_start}, std::vector<int32_t>{kStop}, tokenizer.vocab_size());
    const auto mask = filter.allowed(10);
    const auto may = [&](const char* text) {
      const auto t = static_cast<size_t>(*tokenizer.token_id(text));
      return (mask[t / 64] >> t % 64 & 1) != 0;
    };
    EXPECT_TRUE(may("y"));
    EXPECT_EQ(may(" y"), at_start);
    EXPECT_FALSE(may(" z"));
    if (!at_start) continue;
    filter.accept(*tokenizer.token_id(" y"));
    filter.accept(*tokenizer.token_id(" y"));
    EXPECT_TRUE(filter.complete());
  }
}

TEST_F(TokenFilterTest, RandomAnswersAreWhole) {
  const auto g = grammar("root ::= item (\", \" item){0,5} \".\"\nitem ::= [a-c\xC3\xA9]{1,3} | \"(\" root \")\"");
  for (uint64_t seed = 0; seed < 200; ++seed) {
    const std::string text = test::random_answer({&g, &trie_, false}, kStop, seed, 2 + seed);
    GrammarMatcher matcher(g);
    auto state = matcher.start();
    for (const char byte : text) state = matcher.next(state, static_cast<uint8_t>(byte));
    EXPECT_TRUE(matcher.can_end(state)) << text;
  }
}

// Tokens of several bytes count as one, and one that would need more than are left may not come.
TEST_F(TokenFilterTest, AnswersEndBeforeTheirTokensAreUsedUp) {
  const auto g = grammar("root ::= \"yes\" \"!!!!\"? | \"{\\\"\" [a-z]* \"\\\"}\" | \"nothing\"");
  const AnswerFormat format{&g, &trie_, false};
  const std::vector<int32_t> stops{kStop};
  EXPECT_EQ(test::least_tokens(format, kStop), 1u);  // yes
  TokenFilter filter(format, stops, tokenizer_.vocab_size());
  EXPECT_EQ(allowed(filter, 1), (std::set<std::string>{"yes"}));
  EXPECT_EQ(allowed(filter, 2), (std::set<std::string>{"yes", "ye", "{\""}));
  EXPECT_EQ(allowed(filter, 3), (std::set<std::string>{"yes", "ye", "y", "{\"", "{"}));
  EXPECT_EQ(allowed(filter, 6), (std::set<std::string>{"yes", "ye", "y", "{\"", "{"}));
  EXPECT_EQ(allowed(filter, 7), (std::set<std::string>{"yes", "ye", "y", "{\"", "{", "n"}));
  filter.accept(*tokenizer_.token_id("{\""));
  EXPECT_EQ(allowed(filter, 1), (std::set<std::string>{"\"}"}));
  const auto some = allowed(filter, 2);
  EXPECT_TRUE(some.contains("\"") && some.contains("a") && some.contains("ye")) << some.size();
  // Also where it may end already: there the rest must have room.
  TokenFilter yes(format, stops, tokenizer_.vocab_size());
  yes.accept(*tokenizer_.token_id("yes"));
  EXPECT_EQ(allowed(yes, 3), (std::set<std::string>{std::string(kEndOfText)}));
  EXPECT_EQ(allowed(yes, 4), (std::set<std::string>{"!", std::string(kEndOfText)}));
}

// The way that is known is spelled as it is found first: what is as short in bytes may take more tokens.
TEST_F(TokenFilterTest, WaysOfOneSizeInBytes) {
  const auto g = grammar("root ::= [a-z] [a-z] [a-z]");
  const AnswerFormat format{&g, &trie_, false};
  for (uint64_t seed = 0; seed < 20; ++seed) {
    EXPECT_EQ(test::random_answer(format, kStop, seed, test::least_tokens(format, kStop)).size(), 3u);
  }
}

// A vocabulary that cannot spell the shortest answer: nothing is promised, and nothing refused that may come.
TEST_F(TokenFilterTest, WaysThatCannotBeSpelled) {
  const auto g = grammar("root ::= \"x\" | [a-c]{2,}");
  Vocabulary v = byte_vocabulary();
  v.algorithm = TokenAlgorithm::kSpm;
  v.merges.clear();
  v.tokens['x'].type = TokenType::kUnused;
  v.tokens['x'].bytes = "unused";
  const Tokenizer tokenizer(std::move(v));
  const TokenTrie trie(tokenizer);
  TokenFilter filter({&g, &trie, false}, std::vector<int32_t>{kStop}, tokenizer.vocab_size());
  EXPECT_FALSE(filter.tokens_to_end().has_value());
  const auto mask = filter.allowed(1);
  EXPECT_TRUE(mask['a' / 64] >> 'a' % 64 & 1);
}

}  // namespace
}  // namespace tern
