#include "tokenizer/hf_json.h"

#include <nlohmann/json.hpp>

#include "base/file.h"
#include "tokenizer/basic_vocabularies.h"
#include "tokenizer/pretokenize.h"
#include "tokenizer/tokenizer.h"
#include "tokenizer_testing.h"

namespace tern {
namespace {

using nlohmann::json;

// A small file as HF writes it: bytes a b c, one merge, a special and a user-defined token.
json small_file() {
  return json::parse(R"({
    "version": "1.0", "truncation": null, "padding": null, "normalizer": null,
    "added_tokens": [
      {"id": 4, "content": "<|begin_of_text|>", "single_word": false, "lstrip": false, "rstrip": false, "normalized": false, "special": true},
      {"id": 5, "content": "<x>", "single_word": true, "lstrip": true, "rstrip": false, "normalized": false, "special": false}],
    "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": true},
    "post_processor": null,
    "decoder": {"type": "ByteLevel", "add_prefix_space": true, "trim_offsets": true, "use_regex": true},
    "model": {"type": "BPE", "dropout": null, "unk_token": null, "continuing_subword_prefix": null, "end_of_word_suffix": null,
              "fuse_unk": false, "byte_fallback": false, "ignore_merges": true,
              "vocab": {"a": 0, "b": 1, "Ġ": 2, "ab": 3}, "merges": ["a b"]}
  })");
}

template <class Change>
std::string message_after(Change&& change) {
  json file = small_file();
  change(file);
  return error_of([&] { parse_hf_tokenizer(file.dump()); });
}

template <class Change>
Vocabulary vocabulary_after(Change&& change) {
  json file = small_file();
  change(file);
  return parse_hf_tokenizer(file.dump());
}

TEST(HfJson, ReadsAllFields) {
  const Vocabulary vocabulary = parse_hf_tokenizer(small_file().dump());
  ASSERT_EQ(vocabulary.tokens.size(), 6u);
  EXPECT_EQ(vocabulary.tokens[2].bytes, " ");
  EXPECT_EQ(vocabulary.merges, (std::vector<Merge>{{0, 1, 3}}));
  EXPECT_EQ(vocabulary.tokens[4].type, TokenType::kControl);
  EXPECT_EQ(vocabulary.tokens[5].type, TokenType::kUserDefined);
  EXPECT_TRUE(vocabulary.tokens[5].strip_left && vocabulary.tokens[5].single_word && !vocabulary.tokens[5].strip_right);
  EXPECT_TRUE(vocabulary.ignore_merges);
  EXPECT_EQ(vocabulary.split, SplitRule::kGpt2);
  EXPECT_EQ(vocabulary.bos_id, 4);
  EXPECT_TRUE(vocabulary.eos_ids.empty());
  EXPECT_FALSE(vocabulary.add_bos);
}

TEST(HfJson, MergesAsPairs) {
  const Vocabulary vocabulary =
      vocabulary_after([](json& file) { file["model"]["merges"] = json::parse(R"([["a", "b"]])"); });
  EXPECT_EQ(vocabulary.merges, (std::vector<Merge>{{0, 1, 3}}));
}

json split_step(const std::string& regex) {
  return {{"type", "Sequence"},
          {"pretokenizers",
           {{{"type", "Split"}, {"pattern", {{"Regex", regex}}}, {"behavior", "Isolated"}, {"invert", false}},
            {{"type", "ByteLevel"}, {"add_prefix_space", false}, {"trim_offsets", true}, {"use_regex", false}}}}};
}

TEST(HfJson, PreTokenizers) {
  const auto rule_of = [](const json& pre_tokenizer) {
    return vocabulary_after([&](json& file) { file["pre_tokenizer"] = pre_tokenizer; }).split;
  };
  EXPECT_EQ(rule_of({{"type", "ByteLevel"}, {"add_prefix_space", false}, {"use_regex", false}}), SplitRule::kNone);
  EXPECT_EQ(rule_of(split_step(std::string(kLlama3Pattern))), SplitRule::kLlama3);
  EXPECT_EQ(rule_of(split_step(std::string(kGpt2Pattern))), SplitRule::kGpt2);
  EXPECT_EQ(rule_of(split_step(std::string(kCharPattern))), SplitRule::kChar);
  EXPECT_EQ(rule_of(split_step("x+")), SplitRule::kRegex);
  const Vocabulary prefixed = vocabulary_after([](json& file) { file["pre_tokenizer"]["add_prefix_space"] = true; });
  EXPECT_EQ(Tokenizer(prefixed).encode("ab", false, false), (std::vector<int32_t>{2, 3}));
  EXPECT_EQ(Tokenizer(prefixed).encode(" ab", false, false), (std::vector<int32_t>{2, 3}));
}

TEST(HfJson, TemplatePutsBosFirst) {
  const json template_step = json::parse(R"({"type": "TemplateProcessing",
      "single": [{"SpecialToken": {"id": "<|begin_of_text|>", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}],
      "pair": [], "special_tokens": {"<|begin_of_text|>": {"id": "<|begin_of_text|>", "ids": [4], "tokens": ["<|begin_of_text|>"]}}})");
  EXPECT_TRUE(vocabulary_after([&](json& file) { file["post_processor"] = template_step; }).add_bos);
  const Vocabulary sequence = vocabulary_after([&](json& file) {
    file["post_processor"] = {{"type", "Sequence"}, {"processors", {{{"type", "ByteLevel"}}, template_step}}};
  });
  EXPECT_TRUE(sequence.add_bos);
  EXPECT_EQ(sequence.bos_id, 4);
  const std::string message = message_after([&](json& file) {
    file["post_processor"] = template_step;
    file["post_processor"]["single"].insert(file["post_processor"]["single"].begin(), template_step["single"][0]);
  });
  EXPECT_NE(message.find("post_processor.single"), std::string::npos);
}

// As embedding models have it: the token behind the text is what ends texts to embed.
TEST(HfJson, TemplatePutsEosLast) {
  const json end = json::parse(R"({"SpecialToken": {"id": "<x>", "type_id": 0}})");
  const json text = json::parse(R"({"Sequence": {"id": "A", "type_id": 0}})");
  const json begin = json::parse(R"({"SpecialToken": {"id": "<|begin_of_text|>", "type_id": 0}})");
  const auto with_steps = [](const json& steps, json& file) {
    file["post_processor"] = {{"type", "TemplateProcessing"}, {"single", steps}, {"pair", json::array()}};
  };
  for (const bool has_bos : {false, true}) {
    json file = small_file();
    with_steps(has_bos ? json{begin, text, end} : json{text, end}, file);
    const Vocabulary vocabulary =
        parse_hf_tokenizer(file.dump(), {R"({"eos_token": "ab"})", R"({"eos_token_id": [1, 5]})"});
    EXPECT_EQ(vocabulary.add_bos, has_bos);
    EXPECT_TRUE(vocabulary.add_eos);
    EXPECT_EQ(vocabulary.eos_ids, (std::vector<int32_t>{5, 1, 3}));
    EXPECT_EQ(Tokenizer(vocabulary).embedding_end(), 5);
    const Vocabulary again = parse_hf_tokenizer(format_hf_tokenizer(vocabulary));
    EXPECT_EQ(again.add_bos, has_bos);
    EXPECT_TRUE(again.add_eos);
    EXPECT_EQ(again.eos_ids, std::vector<int32_t>{5});
    // What is encoded does not end with it: it may be a prompt.
    EXPECT_EQ(Tokenizer(vocabulary).encode("ab", true, true).back(), 3);
  }
  for (const json& steps : {json{end, begin}, json{text, text}, json{text, end, end}, json{begin, begin, text}}) {
    const std::string message = message_after([&](json& file) { with_steps(steps, file); });
    EXPECT_NE(message.find("post_processor.single: expected the text"), std::string::npos) << message;
  }
}

TEST(HfJson, TheConfigurationMayAskForEosToo) {
  const std::string file = small_file().dump();
  const Vocabulary vocabulary = parse_hf_tokenizer(file, {R"({"eos_token": "ab", "add_eos_token": true})", ""});
  EXPECT_EQ(Tokenizer(vocabulary).embedding_end(), 3);
  EXPECT_EQ(Tokenizer(parse_hf_tokenizer(file, {R"({"eos_token": "ab"})", ""})).embedding_end(), std::nullopt);
  EXPECT_FALSE(parse_hf_tokenizer(file, {R"({"add_eos_token": true})", ""}).add_eos);
  EXPECT_NE(format_hf_tokenizer_config(vocabulary).find("\"add_eos_token\": true"), std::string::npos);
}

TEST(HfJson, SideFilesNameBosAndEos) {
  const std::string file = small_file().dump();
  Vocabulary vocabulary =
      parse_hf_tokenizer(file, {R"({"bos_token": {"content": "<x>"}, "eos_token": "ab", "add_bos_token": true})",
                                R"({"eos_token_id": [1, 3], "bos_token_id": 0})"});
  EXPECT_EQ(vocabulary.bos_id, 5);
  EXPECT_EQ(vocabulary.eos_ids, (std::vector<int32_t>{1, 3}));
  EXPECT_TRUE(vocabulary.add_bos);
  vocabulary = parse_hf_tokenizer(file, {"", R"({"eos_token_id": 1, "bos_token_id": 0})"});
  EXPECT_EQ(vocabulary.bos_id, 0);
  EXPECT_EQ(vocabulary.eos_ids, std::vector<int32_t>{1});
  EXPECT_NE(error_of([&] {
              parse_hf_tokenizer(file, {"", R"({"eos_token_id": [6]})"});
            }).find("expected an id below 6"),
            std::string::npos);
  EXPECT_NE(error_of([&] {
              parse_hf_tokenizer(file, {R"({"bos_token": "?"})", ""});
            }).find("tokenizer_config.json: bos_token"),
            std::string::npos);
  EXPECT_NE(error_of([&] {
              parse_hf_tokenizer(file, {"{", ""});
            }).find("tokenizer_config.json: not valid JSON"),
            std::string::npos);
}

TEST(HfJson, WrittenFilesComeBackWhole) {
  CharVocabularyBuilder characters;
  characters.add_text(kSmallText);
  std::vector<Vocabulary> all = {byte_vocabulary(), characters.build(), train_on(kSmallText, 300),
                                 train_on(kSmallText, 300, SplitRule::kLlama3),
                                 parse_hf_tokenizer(small_file().dump())};
  all.push_back(all[2]);
  all.back().split = SplitRule::kRegex;
  all.back().split_regex = "[\"\\\\]+|\\s+";
  all.push_back(all[2]);
  all.back().add_bos = true;
  all.push_back(all.back());
  all.back().add_eos = true;
  for (const Vocabulary& source : all) {
    const std::string file = format_hf_tokenizer(source);
    const Vocabulary result = parse_hf_tokenizer(file);
    EXPECT_EQ(vocabulary_hash(result), vocabulary_hash(source));
    EXPECT_EQ(result.bos_id, source.bos_id);
    EXPECT_EQ(result.eos_ids, source.eos_ids);
    EXPECT_EQ(result.add_bos, source.add_bos);
    EXPECT_EQ(result.add_eos, source.add_eos);
    EXPECT_EQ(format_hf_tokenizer(result), file);
    EXPECT_EQ(parse_hf_tokenizer(file, {format_hf_tokenizer_config(source), ""}).bos_id, source.bos_id);
  }
}

TEST(HfJson, FileOrDirectory) {
  const std::filesystem::path directory = std::filesystem::path(testing::TempDir()) / "tern_hf_json_test";
  make_directories(directory);
  const Vocabulary source = train_on(kSmallText, 290);
  write_hf_tokenizer(source, directory / "tokenizer.json");
  write_file(directory / "generation_config.json", R"({"eos_token_id": 7})");
  EXPECT_EQ(vocabulary_hash(read_hf_tokenizer(directory)), vocabulary_hash(source));
  EXPECT_EQ(read_hf_tokenizer(directory / "tokenizer.json").eos_ids, std::vector<int32_t>{7});
  write_file(directory / "tokenizer.json", "{}");
  EXPECT_NE(error_of([&] { read_hf_tokenizer(directory); }).find("tokenizer.json: "), std::string::npos);
  std::filesystem::remove_all(directory);
  error_of([&] { read_hf_tokenizer(directory); });
}

TEST(HfJson, WhatIsNotUnderstoodIsNamed) {
  const auto has = [](const std::string& message, const char* part) {
    EXPECT_NE(message.find(part), std::string::npos) << message;
  };
  has(message_after([](json& f) { f["model"]["type"] = "WordPiece"; }),
      "model.type: expected 'BPE', it is 'WordPiece'");
  has(message_after([](json& f) { f["model"]["byte_fallback"] = true; }), "byte_fallback");
  has(message_after([](json& f) { f["model"]["dropout"] = 0.1; }), "dropout");
  has(message_after([](json& f) { f["model"]["end_of_word_suffix"] = "</w>"; }), "end_of_word_suffix");
  has(message_after([](json& f) { f["model"]["unk_token"] = "?"; }), "unk_token");
  has(message_after([](json& f) { f["normalizer"] = {{"type", "NFKC"}}; }), "'NFKC' is not supported");
  has(message_after([](json& f) { f["pre_tokenizer"] = nullptr; }), "pre_tokenizer");
  has(message_after([](json& f) { f["pre_tokenizer"] = {{"type", "Whitespace"}}; }), "'Whitespace'");
  has(message_after([](json& f) { f["pre_tokenizer"] = split_step("("); }), "regular expression");
  has(message_after([](json& f) {
        f["pre_tokenizer"] = split_step("x"), f["pre_tokenizer"]["pretokenizers"][0]["behavior"] = "Removed";
      }),
      "'Isolated'");
  has(message_after([](json& f) {
        f["pre_tokenizer"] = {{"type", "Sequence"}, {"pretokenizers", {{{"type", "Digits"}}}}};
      }),
      "'Digits'");
  has(message_after([](json& f) { f["post_processor"] = {{"type", "RobertaProcessing"}}; }), "'RobertaProcessing'");
  has(message_after([](json& f) { f["decoder"] = {{"type", "Metaspace"}}; }), "decoder.type");
}

TEST(HfJson, BrokenVocabulariesAreRefused) {
  const auto has = [](const std::string& message, const char* part) {
    EXPECT_NE(message.find(part), std::string::npos) << message;
  };
  has(message_after([](json& f) { f["model"]["vocab"]["ab"] = 6; }), "token 'ab': expected an id below 6");
  has(message_after([](json& f) { f["model"]["vocab"]["ab"] = 1; }), "are both 1");
  has(message_after([](json& f) { f["model"]["vocab"]["ab"] = -1; }), "it is -1");
  has(message_after([](json& f) { f["model"]["vocab"]["ab"] = 1.5; }), "it is 1.5");
  has(message_after([](json& f) { f["model"]["vocab"]["ab"] = "3"; }), "it is '3'");
  has(message_after([](json& f) { f["model"]["vocab"] = json::array(); }), "model.vocab: expected an object");
  has(message_after([](json& f) { f["model"].erase("merges"); }), "'merges', it is missing");
  has(message_after([](json& f) { f["model"]["merges"][0] = 5; }), "model.merges[0]");
  has(message_after([](json& f) { f["model"]["merges"][0] = "a c"; }), "merge 0 ('a c'): its right token 'c'");
  has(message_after([](json& f) { f["model"]["merges"][0] = "b a"; }), "its result 'ba'");
  has(message_after([](json& f) { f["added_tokens"][1]["id"] = 4; }), "added_tokens[1] ('<x>')");
  has(message_after([](json& f) { f["added_tokens"][1]["id"] = 0; }), "0 is 'a'");
  has(message_after([](json& f) { f["added_tokens"][1]["id"] = 7; }), "expected an id below 6");
  has(message_after([](json& f) { f["added_tokens"][1]["content"] = "<|begin_of_text|>"; }), "distinct");
  has(message_after([](json& f) { f["added_tokens"][1]["content"] = ""; }), "added token 5");
  has(message_after([](json& f) { f["added_tokens"][1]["lstrip"] = 1; }), "lstrip");
  has(message_after([](json& f) { f = json::array(); }), "tokenizer.json: expected an object");
}

// Whatever the bytes, the reader returns or throws Error, nothing else.
void expect_error_or_vocabulary(const std::string& file) {
  try {
    const Tokenizer tokenizer(parse_hf_tokenizer(file));
    tokenizer.decode(tokenizer.encode("ab ab", true, true));
  } catch (const Error& error) {
    EXPECT_EQ(std::string(error.what()).find('\n'), std::string::npos) << error.what();
  }
}

TEST(HfJson, EveryTruncationIsAnError) {
  const std::string file = small_file().dump(1);
  for (size_t size = 0; size < file.size(); ++size) {
    const std::string message = error_of([&] { parse_hf_tokenizer(file.substr(0, size)); });
    EXPECT_NE(message.find("not valid JSON"), std::string::npos) << size;
  }
}

TEST(HfJson, EveryFlippedBitIsAnErrorOrAVocabulary) {
  const std::string file = small_file().dump();
  for (size_t at = 0; at < file.size(); ++at) {
    for (int bit = 0; bit < 8; ++bit) {
      std::string flipped = file;
      flipped[at] = static_cast<char>(flipped[at] ^ (1 << bit));
      expect_error_or_vocabulary(flipped);
    }
  }
}

// A merge must make more than each of its parts, or one could follow another for ever.
TEST(HfJson, MergesInACycleAreRefused) {
  const auto with_merges = [](const char* merges) {
    return message_after([&](json& file) {
      file["model"]["vocab"][""] = 6;
      file["model"]["merges"] = json::parse(merges);
    });
  };
  for (const char* merges :
       {R"([["", "a"]])", R"([["a", ""]])", R"([["", ""]])", R"([["a", "b"], ["ab", ""], ["", "ab"]])"}) {
    EXPECT_NE(with_merges(merges).find("tokenizer: merge "), std::string::npos) << with_merges(merges);
  }
  EXPECT_NE(message_after([](json& file) {
              file["model"]["merges"] = {"ab a", "a b"};
            }).find("its result 'aba'"),
            std::string::npos);
}

TEST(HfJson, HostileShapes) {
  constexpr size_t kDeep = kSanitized ? 100000 : 1000000;
  error_of([] { parse_hf_tokenizer(std::string(kDeep, '[')); });
  error_of([] { parse_hf_tokenizer(std::string(kDeep, '[') + std::string(kDeep, ']')); });
  std::string nested;
  for (size_t i = 0; i < kDeep / 10; ++i) nested += R"({"model":)";
  error_of([&] { parse_hf_tokenizer(nested + "1" + std::string(kDeep / 10, '}')); });
  json file = small_file();
  const std::string deep_eos = "{\"eos_token_id\":" + std::string(kDeep / 10, '[') + std::string(kDeep / 10, ']') + "}";
  error_of([&] { parse_hf_tokenizer(file.dump(), {"", deep_eos}); });
  for (int depth = 0; depth < 3; ++depth) {
    file["post_processor"] = {{"type", "Sequence"}, {"processors", json::array({file["post_processor"]})}};
  }
  error_of([&] { parse_hf_tokenizer(file.dump()); });
}

TEST(HfJson, StepsBeforeByteLevel) {
  const json digits = {{"type", "Digits"}, {"individual_digits", true}};
  const json byte_level = {{"type", "ByteLevel"}, {"add_prefix_space", false}, {"use_regex", true}};
  const auto with_steps = [](const json& steps) {
    return vocabulary_after([&](json& file) {
      file["pre_tokenizer"] = {{"type", "Sequence"}, {"pretokenizers", steps}};
    });
  };
  const Vocabulary with_rule = with_steps({digits, byte_level});
  EXPECT_EQ(with_rule.pre_splits, std::vector<std::string>{"\\p{N}"});
  EXPECT_EQ(with_rule.split, SplitRule::kGpt2);
  json no_regex = byte_level;
  no_regex["use_regex"] = false;
  const Vocabulary last_is_rule =
      with_steps({split_step(std::string(kLlama3Pattern))["pretokenizers"][0], digits, no_regex});
  EXPECT_EQ(last_is_rule.pre_splits, std::vector<std::string>{std::string(kLlama3Pattern)});
  EXPECT_EQ(last_is_rule.split, SplitRule::kRegex);
  EXPECT_EQ(last_is_rule.split_regex, "\\p{N}");
  for (const Vocabulary& vocabulary : {with_rule, last_is_rule}) {
    EXPECT_EQ(vocabulary_hash(parse_hf_tokenizer(format_hf_tokenizer(vocabulary))), vocabulary_hash(vocabulary));
  }
  std::vector<std::string_view> pieces;
  PreTokenizer(with_rule.split, "", with_rule.pre_splits).split("ab 12 c", [&](std::string_view piece) {
    pieces.push_back(piece);
  });
  EXPECT_EQ(pieces, (std::vector<std::string_view>{"ab", " ", "1", "2", " c"}));
}

json sequence_of(const json& steps) { return {{"type", "Sequence"}, {"pretokenizers", steps}}; }

json regex_step(const std::string& pattern) { return split_step(pattern)["pretokenizers"][0]; }

// Falcon's order: punctuation, GPT-2's pattern by ByteLevel, then digits of what are bytes by now.
TEST(HfJson, StepsBehindByteLevelCutBytes) {
  const json punctuation = {{"type", "Punctuation"}, {"behavior", "Contiguous"}};
  const json byte_level = {{"type", "ByteLevel"}, {"add_prefix_space", false}, {"use_regex", true}};
  const json digits = {{"type", "Digits"}, {"individual_digits", false}};
  const Vocabulary falcon = vocabulary_after([&](json& file) {
    file["pre_tokenizer"] = sequence_of({punctuation, byte_level, digits, regex_step("[0-9][0-9][0-9]")});
  });
  EXPECT_EQ(falcon.pre_splits, std::vector<std::string>{std::string(kPunctuationPattern)});
  EXPECT_EQ(falcon.split, SplitRule::kGpt2);
  EXPECT_EQ(falcon.byte_splits, (std::vector<std::string>{"\\p{N}+", "[0-9][0-9][0-9]"}));
  EXPECT_EQ(vocabulary_hash(parse_hf_tokenizer(format_hf_tokenizer(falcon))), vocabulary_hash(falcon));
  const auto pieces_of = [](const Vocabulary& vocabulary, std::string_view text) {
    std::vector<std::string> pieces;
    PreTokenizer(vocabulary).split(text, [&](std::string_view piece) { pieces.emplace_back(piece); });
    return pieces;
  };
  // U+00B2 is the bytes C2 B2, of which the second is a number by itself, as in U+4E72 (E4 B9 B2).
  EXPECT_EQ(pieces_of(falcon, "it's $12345, 12\xC2\xB2 \xE4\xB9\xB2"),
            (std::vector<std::string>{"it", "'", "s", " ", "$", "123", "45", ",", " ", "12", "\xC2", "\xB2", " \xE4",
                                      "\xB9\xB2"}));
  const Vocabulary single = vocabulary_after([&](json& file) {
    file["pre_tokenizer"] = sequence_of({{{"type", "Punctuation"}, {"behavior", "Isolated"}},
                                         byte_level,
                                         {{"type", "Digits"}, {"individual_digits", true}}});
  });
  EXPECT_EQ(pieces_of(single, "a!? 12"), (std::vector<std::string>{"a", "!", "?", " ", "1", "2"}));
  EXPECT_NE(vocabulary_hash(single), vocabulary_hash(falcon));
  const auto expect_refused = [&](const json& steps, const char* part) {
    const std::string message = message_after([&](json& file) { file["pre_tokenizer"] = sequence_of(steps); });
    EXPECT_NE(message.find(part), std::string::npos) << message;
  };
  expect_refused({byte_level, byte_level}, "behind ByteLevel, there is 'ByteLevel'");
  expect_refused({byte_level, punctuation}, "behind ByteLevel, there is 'Punctuation'");
  expect_refused({byte_level, regex_step("[a-z]")}, "behind ByteLevel, there is '[a-z]'");
  expect_refused({{{"type", "Punctuation"}, {"behavior", "Removed"}}, byte_level}, "it is 'Removed'");
  expect_refused({{{"type", "Whitespace"}}, byte_level}, "before ByteLevel, there is 'Whitespace'");
}

}  // namespace
}  // namespace tern
