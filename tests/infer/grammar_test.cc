#include "infer/grammar.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <set>
#include <string>
#include <vector>

#include "base/rng.h"
#include "base/text.h"
#include "infer/grammar_matcher.h"
#include "support/errors.h"
#include "support/sanitized.h"

namespace tern {
namespace {

// What the grammar says of a whole text.
enum class Verdict { kRefused, kBegun, kWhole };

Verdict verdict(GrammarMatcher& matcher, std::string_view text) {
  GrammarMatcher::State state = matcher.start();
  for (const char byte : text) state = matcher.next(state, static_cast<uint8_t>(byte));
  if (state == GrammarMatcher::kNowhere) return Verdict::kRefused;
  return matcher.can_end(state) ? Verdict::kWhole : Verdict::kBegun;
}

struct Case {
  std::string grammar;
  std::vector<std::string> whole, begun, refused;
};

void check(const Case& c) {
  const Grammar grammar = compile_grammar(c.grammar);
  GrammarMatcher matcher(grammar);
  for (const auto& text : c.whole) EXPECT_EQ(verdict(matcher, text), Verdict::kWhole) << c.grammar << "\n" << text;
  for (const auto& text : c.begun) EXPECT_EQ(verdict(matcher, text), Verdict::kBegun) << c.grammar << "\n" << text;
  for (const auto& text : c.refused) EXPECT_EQ(verdict(matcher, text), Verdict::kRefused) << c.grammar << "\n" << text;
}

TEST(Grammar, Notation) {
  check({"root ::= \"yes\" | \"no\"", {"yes", "no"}, {"", "y", "n"}, {"yesno", "x", "yess"}});
  check({"# first\nroot ::= a b # then\n  | \"c\"\na ::=\n \"a\"\nb-2 ::= \"\"\nb ::= b-2 \"b\"",
         {"ab", "c"},
         {"a"},
         {"b", "abc"}});
  check({"root ::= \"a\"? \"b\"* \"c\"+", {"c", "ac", "bbbccc", "abc"}, {"", "a", "ab"}, {"aa", "ca"}});
  check({"root ::= \"a\"{2} \"b\"{1,} \"c\"{0,2} \"d\"{,1}",
         {"aab", "aabbb", "aabcc", "aabccd", "aabd"},
         {"aa"},
         {"aaa", "aabccc", "aabdd"}});
  check(
      {"root ::= (\"a\" | (\"b\" \"c\")+ | ){2} \"!\"", {"!", "a!", "aa!", "bca!", "bcbcbc!"}, {"bcb"}, {"aaa", "bb"}});
  check({"root ::= [a-c_] [^a-c\\n] [\\]\\-x]", {"ad]", "_z-", "b\xC3\xA9x"}, {"a", "ad"}, {"d", "aa", "a\n", "ad["}});
  check({"root ::= \"\\x41\\u00e9\\U0001F999\\t\\\"\\\\\"",
         {"A\xC3\xA9\xF0\x9F\xA6\x99\t\"\\"},
         {"A\xC3"},
         {"A\xC3\xA8"}});
  check({"root ::= \"\"", {""}, {}, {"a"}});
  check({"root ::= [-a] [a-]", {"--", "a-", "-a"}, {}, {"b"}});
}

TEST(Grammar, CharactersMayComeInPieces) {
  check({"root ::= .",
         {"a", "\n", "\xC3\xA9", "\xEF\xBF\xBD", "\xF0\x9F\xA6\x99", "\xED\x9F\xBF", "\xF4\x8F\xBF\xBF"},
         {"", "\xC3", "\xF0\x9F", "\xF0\x9F\xA6", "\xE0\xA0"},
         {"\x80", "\xC0", "\xC1\x81", "\xE0\x80", "\xED\xA0", "\xF0\x80", "\xF4\x90", "\xF5", "\xFF", "ab"}});
  check({"root ::= [\\u00ff-\\U00010005]",
         {"\xC3\xBF", "\xC4\x80", "\xE1\x80\x80", "\xF0\x90\x80\x85"},
         {"\xC3"},
         {"\xC3\xBE", "\xF0\x90\x80\x86", "a", "\xF1"}});
}

// Every code point by itself: a class and what it leaves out share none.
TEST(Grammar, AClassAndItsComplementAreAllCharacters) {
  const Grammar in = compile_grammar("root ::= [\\x05-\\u0123\\u0801-\\uFFF0\\U00012345-\\U00101234]");
  const Grammar out = compile_grammar("root ::= [^\\x05-\\u0123\\u0801-\\uFFF0\\U00012345-\\U00101234]");
  GrammarMatcher inside(in), outside(out);
  for (char32_t c = 0; c <= 0x10FFFF; c += c < 0x3000 ? 1 : 7) {
    if (c >= 0xD800 && c < 0xE000) continue;
    const bool expected = (c >= 5 && c <= 0x123) || (c >= 0x801 && c <= 0xFFF0) || (c >= 0x12345 && c <= 0x101234);
    std::string text;
    append_utf8(text, c);
    ASSERT_EQ(verdict(inside, text) == Verdict::kWhole, expected) << static_cast<uint32_t>(c);
    ASSERT_EQ(verdict(outside, text) == Verdict::kWhole, !expected) << static_cast<uint32_t>(c);
  }
}

TEST(Grammar, RulesWithinRules) {
  check({"root ::= \"(\" root \")\" | \"x\"", {"x", "((x))"}, {"((", "((x)"}, {"(x))", ")"}});
  check({"root ::= \"a\" root \"b\" | \"a\" root | \"\"", {"", "a", "aab", "aabb"}, {}, {"b", "abb"}});
  check({"root ::= list\nlist ::= \"a\" list | \"\"", {"", "aaaa"}, {}, {"b"}});
  check({"root ::= ((\"a\"*)* (\"\")*)* \"b\"", {"b", "aab"}, {"aa"}, {"c"}});
}

TEST(Grammar, LongTextsOfListsByRecursionTakeNoMemory) {
  const Grammar grammar = compile_grammar("root ::= \"a\" more\nmore ::= \",\" root | \"\"");
  GrammarMatcher matcher(grammar);
  std::string text = "a";
  for (int i = 0; i < 100'000; ++i) text += ",a";
  EXPECT_EQ(verdict(matcher, text), Verdict::kWhole);
}

// Beyond its bounds a matcher refuses; it neither grows without end nor lets a wrong text pass.
TEST(Grammar, DeepAndAmbiguousTexts) {
  const Grammar nested = compile_grammar("root ::= \"(\" root \")\" | \"x\"");
  GrammarMatcher deep(nested);
  EXPECT_EQ(verdict(deep, std::string(1000, '(') + "x" + std::string(1000, ')')), Verdict::kWhole);
  EXPECT_EQ(verdict(deep, std::string(kSanitized ? 100'000 : 1'000'000, '(')), Verdict::kRefused);
  const Grammar grammar = compile_grammar("root ::= \"a\" root \"x\" | \"a\" root \"y\" | \"b\"");
  GrammarMatcher ambiguous(grammar);
  GrammarMatcher::State state = ambiguous.start();
  bool forgot = false, ever = false;
  for (int i = 0; i < 800 && state != GrammarMatcher::kNowhere; ++i) {
    state = ambiguous.tidy(ambiguous.next(state, 'a'), forgot);
    ever = ever || forgot;
  }
  EXPECT_TRUE(ever);
  ASSERT_NE(state, GrammarMatcher::kNowhere);
  state = ambiguous.next(state, 'b');
  EXPECT_EQ(ambiguous.next(state, 'a'), GrammarMatcher::kNowhere);
  EXPECT_FALSE(ambiguous.can_end(state));
  EXPECT_TRUE(ambiguous.can_go_on(state));
}

// How many bytes are missing at least, by trying all texts: more than `most` where it is none of up to so many.
size_t missing(GrammarMatcher& matcher, GrammarMatcher::State state, size_t most) {
  std::set<GrammarMatcher::State> states{state};
  for (size_t bytes = 0; bytes <= most; ++bytes) {
    std::set<GrammarMatcher::State> next;
    for (const auto one : states) {
      if (matcher.can_end(one)) return bytes;
      for (unsigned byte = 0; byte < 256; ++byte) next.insert(matcher.next(one, static_cast<uint8_t>(byte)));
    }
    next.erase(GrammarMatcher::kNowhere);
    states = std::move(next);
  }
  return most + 1;
}

TEST(Grammar, TheShortestEnd) {
  const std::string nested =
      "root ::= \"<\" root* \">\" | \"(\" pair root \")\" | \"x\"\npair ::= \"ab\" | [0-9]{4} | root root";
  const std::string words =
      "root ::= (word \" \"){2} \"\u20AC\"? end\nword ::= [a-z]+ | \"\"\nend ::= \".\" | \"\" \"\"";
  for (const std::string& text : {nested, words}) {
    const Grammar grammar = compile_grammar(text);
    GrammarMatcher matcher(grammar);
    EXPECT_EQ(matcher.bytes_to_end(GrammarMatcher::kNowhere), Grammar::kFar);
    for (uint64_t seed = 0; seed < 20; ++seed) {
      auto state = matcher.start();
      for (uint64_t i = 0; i < 30; ++i) {
        const size_t bytes = matcher.bytes_to_end(state);
        const std::string end = matcher.shortest_end(state);
        ASSERT_EQ(end.size(), bytes);
        EXPECT_EQ(std::min(bytes, size_t{4}), missing(matcher, state, 3));
        auto after = state;
        for (const char byte : end) after = matcher.next(after, static_cast<uint8_t>(byte));
        EXPECT_TRUE(matcher.can_end(after)) << end;
        std::vector<GrammarMatcher::State> next;
        for (unsigned byte = 0; byte < 256; ++byte) {
          const auto one = matcher.next(state, static_cast<uint8_t>(byte));
          if (one != GrammarMatcher::kNowhere) next.push_back(one);
        }
        if (next.empty()) break;
        state = next[static_cast<size_t>(Rng(seed, i).uniform() * static_cast<double>(next.size()))];
      }
    }
  }
}

// As deep as the matcher goes, what it lets pass can still be ended.
TEST(Grammar, TheDeepestTextsEnd) {
  const Grammar grammar = compile_grammar(
      "root ::= \"{\" name \":\" root \"}\" | pair\nname ::= \"a\" | \"(\" name \")\"\npair ::= name \",\" name \";\"");
  GrammarMatcher matcher(grammar);
  auto state = matcher.start();
  size_t depth = 0;
  for (const std::string step = "{a:"; state != GrammarMatcher::kNowhere; ++depth) {
    auto next = state;
    for (const char byte : step) {
      const auto before = next;
      next = matcher.next(next, static_cast<uint8_t>(byte));
      if (next == GrammarMatcher::kNowhere && before == state) break;
      ASSERT_NE(next, GrammarMatcher::kNowhere) << "after " << depth << " levels and " << byte;
    }
    if (next == GrammarMatcher::kNowhere) break;
    state = next;
  }
  EXPECT_GT(depth, 1000u);
  const std::string end = matcher.shortest_end(state);
  EXPECT_EQ(end.size(), matcher.bytes_to_end(state));
  for (const char byte : end) state = matcher.next(state, static_cast<uint8_t>(byte));
  EXPECT_TRUE(matcher.can_end(state));
}

// Whatever of an ambiguous text's places the matcher has no room for, it can be ended.
TEST(Grammar, AmbiguousTextsEnd) {
  const std::string wide =
      "root ::= \"a\" root (\"x\" | \"y\" [0-9]{3}) | \"a\" root \"z\" | \"a\" root tail | \"b\"\n"
      "tail ::= \"x\" | \"z\" tail | \"(\" root \")\"";
  const std::string twice = "root ::= \"a\" root \"x\" | \"a\" root \"y\" | \"b\"";
  for (const std::string& text : {wide, twice}) {
    const Grammar grammar = compile_grammar(text);
    for (const size_t count : {size_t{3}, size_t{60}, size_t{kSanitized ? 150 : 800}}) {
      GrammarMatcher fresh(grammar);
      auto state = fresh.start();
      bool forgot = false;
      for (size_t i = 0; i < count; ++i) {
        const auto next = fresh.next(state, 'a');
        if (next == GrammarMatcher::kNowhere) break;
        state = fresh.tidy(next, forgot);
      }
      const std::string end = fresh.shortest_end(state);
      for (const char byte : end) state = fresh.tidy(fresh.next(state, static_cast<uint8_t>(byte)), forgot);
      EXPECT_TRUE(fresh.can_end(state)) << text << " " << count << " " << end.size();
    }
  }
}

// More places than a state holds: the one that the shortest way goes through is among those it does.
TEST(Grammar, AShortWayAmongMany) {
  std::string others;
  for (int i = 0; i < 9000; ++i) others += fmt::format(" | \"q{:04}\"", i);
  for (const std::string& choice : {"\".\"" + others, others.substr(3) + " | \".\""}) {
    const Grammar grammar = compile_grammar("root ::= \"a\" (" + choice + ")");
    GrammarMatcher matcher(grammar);
    ASSERT_EQ(matcher.bytes_to_end(matcher.start()), 2u);
    bool forgot = false;
    const auto state = matcher.tidy(matcher.next(matcher.start(), 'a'), forgot);
    EXPECT_EQ(matcher.bytes_to_end(state), 1u);
    EXPECT_TRUE(matcher.can_end(matcher.next(state, '.')));
  }
}

// Rules that double what the one before takes: 2^40 bytes, which nobody can count one by one.
TEST(Grammar, FarEnds) {
  std::string text = "root ::= r0\n";
  for (int i = 0; i < 40; ++i) text += fmt::format("r{0} ::= r{1} r{1}\n", i, i + 1);
  const Grammar grammar = compile_grammar(text + "r40 ::= \"x\"");
  GrammarMatcher matcher(grammar);
  EXPECT_GE(matcher.bytes_to_end(matcher.start()), Grammar::kFar - 1);
}

TEST(Grammar, WhatIsNoGrammar) {
  for (const auto& [text, message] : std::vector<std::pair<std::string, std::string>>{
           {"", "no rule 'root'"},
           {"a ::= \"b\"", "no rule 'root'"},
           {"root ::= a", "rule 'a' is used and not defined"},
           {"root ::= \"a\"\nroot ::= \"b\"", "line 2: rule 'root' is defined twice"},
           {"root = \"a\"", "line 1: expected a rule"},
           {"root ::= \"a", "expected \" at the end of a literal, found the end"},
           {"root ::= [a", "expected ] at the end of a class"},
           {"root ::= (\"a\"", "expected ), found the end"},
           {"root ::= \"a\")", "no ) without a ("},
           {"root ::= \"a\" *\n\n]", "line 3: expected a literal"},
           {"root ::= *", "expected a literal"},
           {"root ::= \"\\q\"", "expected an escape, found 'q"},
           {"root ::= \"\\x4\"", "hexadecimal digit"},
           {"root ::= \"\\uD800\"", "U+D800 is no character"},
           {"root ::= \"\\U00110000\"", "U+110000 is no character"},
           {"root ::= [z-a]", "range with its ends exchanged"},
           {"root ::= []", "matches no character"},
           {"root ::= [^\\x00-\\U0010FFFF]", "matches no character"},
           {"root ::= \"a\"{3,2}", "{3,2} has its ends exchanged"},
           {"root ::= \"a\"{5000}", "repetition beyond 4096 times"},
           {"root ::= \"a\"{99999999999999999999}", "repetition beyond"},
           {"root ::= \"a\"{", "expected a number of repetitions"},
           {"root ::= \"a\"{,}", "expected a number of repetitions"},
           {"root ::= \"a\"{2", "expected }"},
           {"root ::= \"\xFF\"", "expected UTF-8"},
           {"root ::= ((\"a\"{4000}){4000}){4000}", "is too large"},
           {"root ::= ((\"\"{4000}){4000}){4000}", "is too large"},
           {"root ::= " + std::string(100'000, '('), "nests deeper than 64 levels"},
           {"root ::= \"a\"" + std::string(100'000, '?'), "nests deeper than 64 levels"},
           {"root ::= \"" + std::string(300'000, 'a') + "\"", "expected at most 262144"},
           {"root ::= root \"a\" | \"a\"", "rule 'root' calls itself"},
           {"root ::= \"x\" a\na ::= b c\nb ::= \"\" | \"y\"\nc ::= d\nd ::= a | \"z\"", "left recursion"},
           {"root ::= \"a\" root", "rule 'root' never ends"},
           {"root ::= \"b\" | \"a\" x\nx ::= \"c\" x", "rule 'x' never ends"},
       }) {
    test::expect_error([&, source = text] { compile_grammar(source); }, message);
  }
}

}  // namespace
}  // namespace tern
