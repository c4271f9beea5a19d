#include "server/openai.h"

#include <gtest/gtest.h>

#include <fmt/format.h>

#include <cmath>

#include "tokenizer/basic_vocabularies.h"

namespace tern {
namespace {

// The field that the refusal names.
template <class Body>
std::string refused(const Body& body, int status = 400) {
  try {
    body();
  } catch (const ApiError& error) {
    EXPECT_EQ(error.status, status);
    EXPECT_EQ(error_object(error)["error"].size(), 4u);
    return error.param;
  }
  ADD_FAILURE() << "not refused";
  return "";
}

std::string refused_completion(const char* body) {
  return refused([&] { parse_completion(parse_body(body), {}); });
}

std::string refused_chat(const char* body) {
  return refused([&] { parse_chat(parse_body(body), {}); });
}

TEST(ParseBody, WantsAnObjectOfFewLevels) {
  EXPECT_EQ(parse_body("{\"a\": 1}")["a"], 1);
  const std::string deep(100000, '[');
  for (const std::string& body :
       {std::string("[]"), std::string("{"), std::string(""), std::string("{\"a\": \xFF}"), deep, "{\"a\":" + deep}) {
    refused([&] { parse_body(body); });
  }
}

TEST(ParseCompletion, HasTheApisDefaults) {
  const CompletionRequest request = parse_completion(parse_body(R"({"prompt": "a", "model": null, "stop": null})"), {});
  EXPECT_EQ(request.options.max_tokens, 16u);
  EXPECT_EQ(request.options.sampling.temperature, 1.0f);
  EXPECT_EQ(request.options.sampling.top_k, 0u);
  EXPECT_EQ(request.options.sampling.top_p, 1.0f);
  EXPECT_EQ(request.options.choices, 1u);
  EXPECT_FALSE(request.options.logprobs || request.options.stream || request.echo || request.options.seeded);
  ASSERT_EQ(request.prompts.size(), 1u);
  EXPECT_EQ(std::get<std::string>(request.prompts[0]), "a");
}

TEST(ParseCompletion, TakesEveryFormOfPrompt) {
  const auto prompts = [](const char* body) { return parse_completion(parse_body(body), {}).prompts; };
  EXPECT_EQ(prompts(R"({"prompt": ["a", "b"]})"), (std::vector<Prompt>{"a", "b"}));
  EXPECT_EQ(prompts(R"({"prompt": [1, 2]})"), (std::vector<Prompt>{std::vector<int32_t>{1, 2}}));
  EXPECT_EQ(prompts(R"({"prompt": [[1], [2, 3]]})"),
            (std::vector<Prompt>{std::vector<int32_t>{1}, std::vector<int32_t>{2, 3}}));
  for (const char* body : {"{}", R"({"prompt": 1})", R"({"prompt": []})", R"({"prompt": [1.5]})",
                           R"({"prompt": [[-1]]})", R"({"prompt": [3000000000]})", R"({"prompt": [{}]})"}) {
    EXPECT_EQ(refused_completion(body), "prompt") << body;
  }
}

TEST(ParseCompletion, ReadsWhatServersAdded) {
  const CompletionRequest request = parse_completion(
      parse_body(R"({"prompt": "a", "top_k": -1, "min_p": 0.1, "repetition_penalty": 1.1, "stop_token_ids": [7],
                     "n_predict": 3, "logit_bias": {"5": -100}, "seed": -1, "stop": "x", "ignore_eos": true, "timeout": 2})"),
      {});
  EXPECT_EQ(request.options.sampling.top_k, 0u);
  EXPECT_EQ(request.options.sampling.min_p, 0.1f);
  EXPECT_EQ(request.options.sampling.repetition_penalty, 1.1f);
  EXPECT_EQ(request.options.stop_tokens, std::vector<int32_t>{7});
  EXPECT_EQ(request.options.max_tokens, 3u);
  EXPECT_EQ(request.options.sampling.logit_bias, (std::vector<std::pair<int32_t, float>>{{5, -100.0f}}));
  EXPECT_EQ(request.options.sampling.seed, UINT64_MAX);
  EXPECT_EQ(request.options.stops, std::vector<std::string>{"x"});
  EXPECT_TRUE(request.options.ignore_eos && request.options.seeded);
  EXPECT_EQ(request.options.seconds, 2.0);
}

TEST(ParseCompletion, NamesTheWrongField) {
  for (const auto& [body, field] : std::vector<std::pair<const char*, const char*>>{
           {R"({"prompt": "a", "temperature": "hot"})", "temperature"},
           {R"({"prompt": "a", "temperature": -1})", "temperature"},
           {R"({"prompt": "a", "top_p": 1.1})", "top_p"},
           {R"({"prompt": "a", "n": 0})", "n"},
           {R"({"prompt": "a", "n": 1.0})", "n"},
           {R"({"prompt": "a", "n": 129})", "n"},
           {R"({"prompt": "a", "max_tokens": -1})", "max_tokens"},
           {R"({"prompt": "a", "stream_options": 1})", "stream_options"},
           {R"({"prompt": "a", "stream_options": {"include_usage": 1}})", "stream_options.include_usage"},
           {R"({"prompt": "a", "stop": [1]})", "stop"},
           {R"({"prompt": "a", "logprobs": -1})", "logprobs"},
           {R"({"prompt": "a", "best_of": 2, "stream": true})", "best_of"},
           {R"({"prompt": "a", "echo": "yes"})", "echo"},
           {R"({"prompt": "a", "suffix": "b"})", "suffix"},
           {R"({"prompt": "a", "model": 1})", "model"},
           {R"({"prompt": "a", "user": {}})", "user"},
           {R"({"prompt": "a", "presence_penalty": 3})", "presence_penalty"}}) {
    EXPECT_EQ(refused_completion(body), field) << body;
  }
}

// CVE-2026-21869: a negative integer of a request (n_discard) became an offset into the cache.
TEST(ParseCompletion, CVE_2026_21869_IntegersOutOfRange) {
  for (const char* field : {"n", "best_of", "max_tokens", "n_predict", "logprobs", "top_k"}) {
    for (const char* number : {"-2", "-2147483649", "-9223372036854775808", "18446744073709551615", "1e300"}) {
      const std::string body = fmt::format(R"({{"prompt": "a", "{}": {}}})", field, number);
      EXPECT_EQ(refused_completion(body.c_str()), field) << body;
    }
  }
  for (const char* number : {"-1", "-2147483649", "2147483648", "18446744073709551615", "1e300"}) {
    for (const char* field : {"prompt", "stop_token_ids"}) {
      const std::string body = fmt::format(R"({{"prompt": "a", "{}": [{}]}})", field, number);
      EXPECT_EQ(refused_completion(body.c_str()), field) << body;
    }
  }
}

TEST(ParseChat, JoinsPartsAndKnowsTheRoles) {
  const ChatRequest request = parse_chat(parse_body(R"({"messages": [
      {"role": "developer", "content": "x"},
      {"role": "user", "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]},
      {"role": "assistant", "content": null, "name": "n"}], "max_completion_tokens": 4, "tools": []})"),
                                         {});
  EXPECT_EQ(request.messages[0]["role"], "system");
  EXPECT_EQ(request.messages[1]["content"], "ab");
  EXPECT_EQ(request.messages[2]["content"], "");
  EXPECT_EQ(request.messages[2]["name"], "n");
  EXPECT_EQ(request.options.max_tokens, 4u);
  EXPECT_TRUE(request.tools.is_null());
  EXPECT_EQ(refused_chat(R"({"messages": []})"), "messages");
  EXPECT_EQ(refused_chat(R"({"messages": [1]})"), "messages");
  EXPECT_EQ(refused_chat(R"({"messages": [{"role": "king"}]})"), "messages[0].role");
  EXPECT_EQ(refused_chat(R"({"messages": [{"role": "user", "content": [{"type": "image_url"}]}]})"),
            "messages[0].content");
  EXPECT_EQ(refused_chat(R"({"messages": [{"role": "user", "content": "a"}], "top_logprobs": 2})"), "top_logprobs");
  EXPECT_EQ(refused_chat(R"({"messages": [{"role": "user", "content": "a"}], "tool_choice": "required"})"),
            "tool_choice");
}

TEST(ParseEmbedding, TakesEveryFormOfInput) {
  const auto parse = [](const char* body) { return parse_embedding(parse_body(body), {}, 8); };
  EXPECT_EQ(parse(R"({"input": "a", "model": "m", "dimensions": 8, "x": 1})").inputs, std::vector<Prompt>{"a"});
  EXPECT_EQ(parse(R"({"input": [[1, 2]]})").inputs, (std::vector<Prompt>{std::vector<int32_t>{1, 2}}));
  EXPECT_FALSE(parse(R"({"input": "a", "encoding_format": "float"})").base64);
  EXPECT_TRUE(parse(R"({"input": "a", "encoding_format": "base64"})").base64);
  for (const auto& [body, field] : std::vector<std::pair<const char*, const char*>>{
           {"{}", "input"},
           {R"({"input": 1})", "input"},
           {R"({"input": [{}]})", "input"},
           {R"({"input": "a", "encoding_format": "int8"})", "encoding_format"},
           {R"({"input": "a", "dimensions": 4})", "dimensions"},
           {R"({"input": "a", "model": 1})", "model"}}) {
    EXPECT_EQ(refused([&, body = body] { parse(body); }), field) << body;
  }
}

TEST(EmbeddingObject, WritesNumbersOrBase64) {
  EXPECT_EQ(embedding_object(1, {1, -0.5f}, false)["embedding"], (Json{1.0, -0.5}));
  EXPECT_EQ(embedding_object(0, {1}, true)["embedding"], "AACAPw==");
  EXPECT_EQ(embedding_object(0, {1, -0.5f}, true)["embedding"], "AACAPwAAAL8=");
  EXPECT_EQ(embedding_object(0, {1, -0.5f, 2}, true)["embedding"], "AACAPwAAAL8AAABA");
}

TEST(CompletionLogprobs, CountsCodePointsAndKeepsTheLargestOfEqualTexts) {
  const Tokenizer tokenizer(byte_vocabulary());
  ChoiceLogprobs logprobs;
  logprobs.tokens = {'a', 0xC3, 'b'};
  logprobs.values = {std::nullopt, TokenLogprobs{-3, {{0xC4, -1}, {0xC3, -3}}},
                     TokenLogprobs{-INFINITY, {{'a', -0.5f}}}};
  size_t offset = 0;
  const Json json = completion_logprobs(tokenizer, logprobs, 0, 2, offset);
  EXPECT_EQ(json["tokens"], (Json{"a", "\xEF\xBF\xBD", "b"}));
  EXPECT_EQ(json["token_logprobs"], (Json{nullptr, -3.0, -9999.0}));
  EXPECT_EQ(json["text_offset"], (Json{0, 1, 2}));
  EXPECT_EQ(json["top_logprobs"][1], (Json{{"\xEF\xBF\xBD", -1.0}}));
  EXPECT_EQ(json["top_logprobs"][2], (Json{{"a", -0.5}, {"b", -9999.0}}));
  EXPECT_EQ(offset, 3u);
  EXPECT_EQ(completion_logprobs(tokenizer, logprobs, 2, 0, offset)["text_offset"], (Json{3}));
}

}  // namespace
}  // namespace tern
