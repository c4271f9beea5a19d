#include "infer/json_schema.h"

#include <gtest/gtest.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "base/text.h"
#include "infer/grammar.h"
#include "random_answer.h"
#include "support/errors.h"
#include "tokenizer/basic_vocabularies.h"

namespace tern {
namespace {

using Json = nlohmann::json;

size_t letters(const std::string& text) {
  size_t count = 0;
  for (size_t at = 0; at < text.size(); at += decode_utf8(text, at).size) ++count;
  return count;
}

bool is_type(const Json& value, const std::string& type) {
  if (type == "integer") return value.is_number() && std::trunc(value.get<double>()) == value.get<double>();
  if (type == "number") return value.is_number();
  return type == value.type_name();
}

// Written from the specification, for the keywords that tern knows but format.
bool is_valid(const Json& value, const Json& schema, const Json& root) {
  if (schema.is_boolean()) return schema.get<bool>();
  if (schema.contains("$ref"))
    return is_valid(value, root.at(Json::json_pointer(schema["$ref"].get<std::string>().substr(1))), root);
  const auto passes = [&](const Json& one) { return is_valid(value, one, root); };
  for (const auto& [keyword, argument_] : schema.items()) {
    const Json& argument = argument_;
    bool right = true;
    if (keyword == "type") {
      const Json types = argument.is_array() ? argument : Json::array({argument});
      right = std::any_of(types.begin(), types.end(), [&](const Json& type) { return is_type(value, type); });
    } else if (keyword == "enum") {
      right = std::find(argument.begin(), argument.end(), value) != argument.end();
    } else if (keyword == "const") {
      right = value == argument;
    } else if (keyword == "anyOf") {
      right = std::any_of(argument.begin(), argument.end(), passes);
    } else if (keyword == "allOf") {
      right = std::all_of(argument.begin(), argument.end(), passes);
    } else if (keyword == "oneOf") {
      right = std::count_if(argument.begin(), argument.end(), passes) == 1;
    } else if (value.is_string() && keyword == "minLength") {
      right = letters(value) >= argument;
    } else if (value.is_string() && keyword == "maxLength") {
      right = letters(value) <= argument;
    } else if (value.is_number() && keyword == "minimum") {
      right = value >= argument;
    } else if (value.is_number() && keyword == "maximum") {
      right = value <= argument;
    } else if (value.is_number() && keyword == "exclusiveMinimum") {
      right = value > argument;
    } else if (value.is_number() && keyword == "exclusiveMaximum") {
      right = value < argument;
    } else if (value.is_array() && keyword == "minItems") {
      right = value.size() >= argument;
    } else if (value.is_array() && keyword == "maxItems") {
      right = value.size() <= argument;
    } else if (value.is_array() && keyword == "items") {
      right = std::all_of(value.begin(), value.end(), [&](const Json& item) { return is_valid(item, argument, root); });
    } else if (value.is_object() && keyword == "required") {
      right = std::all_of(argument.begin(), argument.end(),
                          [&](const Json& name) { return value.contains(name.get<std::string>()); });
    } else if (value.is_object() && keyword == "properties") {
      for (const auto& [name, property] : argument.items()) {
        right = right && (!value.contains(name) || is_valid(value[name], property, root));
      }
    } else if (value.is_object() && keyword == "additionalProperties") {
      for (const auto& [name, member] : value.items()) {
        const bool listed = schema.contains("properties") && schema["properties"].contains(name);
        right = right && (listed || is_valid(member, argument, root));
      }
    }
    if (!right) return false;
  }
  return true;
}

class JsonSchemaTest : public testing::Test {
 protected:
  bool lets_pass(const std::string& schema, const std::string& text) const {
    const Grammar grammar = compile_grammar(grammar_of_schema(schema));
    GrammarMatcher matcher(grammar);
    auto state = matcher.start();
    for (const char byte : text) state = matcher.next(state, static_cast<uint8_t>(byte));
    return matcher.can_end(state);
  }

  Tokenizer tokenizer_{byte_vocabulary()};
  TokenTrie trie_{tokenizer_};
};

TEST_F(JsonSchemaTest, RandomAnswersParseAndAreValid) {
  for (
      const std::string& text : std::vector<std::string>{
          R"({"type":"object"})",
          R"({})",
          R"({"type":"object","properties":{"name":{"type":"string","minLength":2,"maxLength":5},"age":{"type":"integer","minimum":-17,"maximum":132},"ok":{"type":"boolean"}},"required":["name"]})",
          R"({"type":"object","properties":{"a":{"type":"integer"},"ab":{"type":"null"},"b\"é":{"const":1}},"additionalProperties":{"type":"string","maxLength":2},"required":["ab","z"]})",
          R"({"type":"object","properties":{"a":{"const":1},"b":{"const":2},"c":{"const":3}}})",
          R"({"type":["array","null"],"items":{"enum":["x",1,null,{"a":[]}]},"minItems":2,"maxItems":4})",
          R"({"type":"array","items":{"type":"number"},"maxItems":0})",
          R"({"type":"array","minItems":1,"items":{"type":"boolean"}})",
          R"({"anyOf":[{"type":"integer","exclusiveMinimum":3,"exclusiveMaximum":2001},{"type":"string","enum":["a","b",3]}]})",
          R"({"oneOf":[{"type":"object","properties":{"k":{"const":"a"}},"required":["k"]},{"$ref":"#/$defs/b"},{"type":"null"}],"$defs":{"b":{"type":"object","properties":{"k":{"enum":["b","c"]},"n":{"type":"integer"}},"required":["k","n"]}}})",
          R"({"$ref":"#/$defs/tree","$defs":{"tree":{"type":"object","properties":{"value":{"type":"integer"},"left":{"anyOf":[{"$ref":"#/$defs/tree"},{"type":"null"}]}},"required":["value","left"]}}})",
          R"({"type":"array","items":{"$ref":"#"},"maxItems":2})",
          R"({"allOf":[{"$ref":"#/definitions/x"}],"title":"t","definitions":{"x":{"type":"integer","minimum":1000000}}})",
      }) {
    const Json schema = Json::parse(text);
    const Grammar grammar = compile_grammar(grammar_of_schema(text));
    const AnswerFormat format{&grammar, &trie_, false};
    const size_t least = test::least_tokens(format, 256);
    for (uint64_t seed = 0; seed < 60; ++seed) {
      const std::string answer = test::random_answer(format, 256, seed, least + seed * seed / 12);
      const Json value = Json::parse(answer, nullptr, false);
      ASSERT_FALSE(value.is_discarded()) << text << "\n" << answer;
      EXPECT_TRUE(is_valid(value, schema, schema)) << text << "\n" << answer;
    }
  }
}

TEST_F(JsonSchemaTest, IntegersBetweenBounds) {
  for (const auto& [low, high] : std::vector<std::pair<int, int>>{
           {0, 0}, {0, 9}, {-5, 5}, {7, 13}, {-120, -17}, {99, 1001}, {-1000, 10}, {123, 456}, {190, 210}}) {
    const Grammar grammar =
        compile_grammar(grammar_of_schema(Json{{"type", "integer"}, {"minimum", low}, {"maximum", high}}.dump()));
    GrammarMatcher matcher(grammar);
    for (int value = -1500; value <= 1500; ++value) {
      auto state = matcher.start();
      for (const char byte : std::to_string(value)) state = matcher.next(state, static_cast<uint8_t>(byte));
      EXPECT_EQ(matcher.can_end(state), low <= value && value <= high) << low << " " << high << " " << value;
    }
  }
  EXPECT_TRUE(lets_pass(R"({"type":"integer","minimum":1.5})", "2"));
  EXPECT_FALSE(lets_pass(R"({"type":"integer","minimum":1.5})", "1"));
  EXPECT_FALSE(lets_pass(R"({"type":"integer","minimum":0})", "-0"));
  EXPECT_FALSE(lets_pass(R"({"type":"integer"})", "01"));
}

TEST_F(JsonSchemaTest, Texts) {
  for (const auto& [schema, text, right] : std::vector<std::tuple<std::string, std::string, bool>>{
           {R"({"type":"string"})", "\"\\u00e9\\ud83e\\udd99\\n\xF0\x9F\xA6\x99\"", true},
           {R"({"type":"string"})", "\"\\ud83e\"", false},
           {R"({"type":"string"})", "\"\n\"", false},
           {R"({"type":"string","maxLength":1})", "\"\\ud83e\\udd99\"", true},
           {R"({"format":"date"})", "\"2024-02-28\"", true},
           {R"({"format":"date"})", "\"2023-04-31\"", false},
           {R"({"format":"date"})", "\"2023-12-31\"", true},
           {R"({"format":"time"})", "\"23:59:59.5+01:00\"", true},
           {R"({"format":"time"})", "\"24:00:00Z\"", false},
           {R"({"format":"date-time"})", "\"2023-06-30T00:00:00Z\"", true},
           {R"({"format":"uuid"})", "\"123e4567-e89b-12d3-a456-426614174000\"", true},
           {R"({"type":"object"})", "{\"a\": [1.5e+3, {\"b\": null}],\n  \"c\":true }", true},
           {R"({"type":"object"})", "{\"a\":1,}", false},
           {R"({"type":"object"})", "[]", false},
           {R"({"properties":{"a":{}},"additionalProperties":true})", R"({"aa":1,"b":2,"":3})", true},
           {R"({"properties":{"a":{"type":"null"}},"additionalProperties":true})", R"({"a":1})", false},
           {R"({"properties":{"a":{}}})", R"({"b":1})", false},
           {R"({"properties":{"a":{},"b":{}},"required":["b"]})", R"({"a":1})", false},
           {R"({"properties":{"a":{},"b":{}},"required":["b"]})", R"({"b":1})", true},
           {R"({"type":"array","uniqueItems":false})", "[1, 1]", true},
       }) {
    EXPECT_EQ(lets_pass(schema, text), right) << schema << " " << text;
  }
}

TEST_F(JsonSchemaTest, RefusesWhatItDoesNotKnowByName) {
  for (const auto& [schema, message] : std::vector<std::pair<std::string, std::string>>{
           {R"({"type":"string","pattern":"a"})", "at its root: pattern: is not supported"},
           {R"({"properties":{"x":{"type":"array","uniqueItems":true}}})",
            "/properties/x: uniqueItems: is not supported"},
           {R"({"type":"object","patternProperties":{}})", "patternProperties"},
           {R"({"type":"object","minProperties":1})", "minProperties"},
           {R"({"type":"array","prefixItems":[]})", "prefixItems"},
           {R"({"type":"number","minimum":1})", "minimum: is supported of integers only"},
           {R"({"type":"integer","multipleOf":2})", "multipleOf"},
           {R"({"not":{}})", "not: is not supported"},
           {R"({"if":{}})", "if: is not supported"},
           {R"({"type":"string","format":"email"})", "format: \"email\" is not supported"},
           {R"({"type":"string","format":"date","minLength":3})", "minLength: beside format"},
           {R"({"type":"text"})", "type: is \"text\", expected object"},
           {R"({"type":[]})", "type: has no types"},
           {R"({"type":"object","anyOf":[{}]})", "anyOf: beside 'type'"},
           {R"({"allOf":[{},{}]})", "allOf: more than one"},
           {R"({"anyOf":[]})", "anyOf: expected a list"},
           {R"({"oneOf":[{"type":"integer"},{"type":"number"}]})", "oneOf: schemas 0 and 1"},
           {R"({"oneOf":[{"type":"string"},{"enum":["a"]}]})", "oneOf: schemas 0 and 1"},
           {R"({"enum":[]})", "enum: expected a list"},
           {R"({"enum":[1],"minimum":2})", "minimum: beside enum"},
           {R"({"enum":[1],"type":"string"})", "enum: no value is of the type"},
           {R"({"$ref":"other.json"})", "$ref: 'other.json' is not within"},
           {R"({"$ref":"#/nowhere"})", "$ref: there is no '#/nowhere'"},
           {R"({"$ref":"#"})", "never ends"},
           {R"({"anyOf":[{"$ref":"#"},{"type":"null"}]})", "left recursion"},
           {R"({"type":"object","properties":{"a":{"$ref":"#"}},"required":["a"]})", "never ends"},
           {R"({"type":"string","maxLength":100000})", "maxLength: is 100000, expected 0 to 4096"},
           {R"({"type":"string","minLength":3,"maxLength":2})", "maxLength: is below minLength"},
           {R"({"type":"integer","minimum":3,"maximum":2})", "no integer"},
           {R"({"properties":{"a":{}},"required":["b"],"additionalProperties":false})", "required: 'b' is no property"},
           {R"({"properties":{"a":{}},"required":"a"})", "required: expected a list"},
           {R"({"properties":[]})", "properties: expected an object"},
           {R"({"items":false})", "/items: is false, expected an object"},
           {"[1", "not valid JSON"},
           {"3", "is 3, expected an object"},
           {std::string(1000, '['), "more than 64 levels deep"},
           {R"({"$defs":{"x":1},"title":3,"type":"string","x":1})", "x: is not supported"},
       }) {
    test::expect_error([&, text = schema] { compile_grammar(grammar_of_schema(text)); }, message);
  }
}

// A chain of references is as long as one likes; schemas that hold themselves many times over do not take for ever.
TEST_F(JsonSchemaTest, LongChainsAndWideCircles) {
  Json chain = {{"$ref", "#/$defs/0"}};
  for (int i = 0; i < 1500; ++i) chain["$defs"][std::to_string(i)] = {{"$ref", "#/$defs/" + std::to_string(i + 1)}};
  chain["$defs"]["1500"] = {{"const", 1}};
  EXPECT_TRUE(lets_pass(chain.dump(), "1"));
  Json wide = {{"type", "object"}};
  for (int i = 0; i < 10; ++i) {
    wide["properties"][std::to_string(i)] = {{"$ref", "#"}};
    wide["required"].push_back(std::to_string(i));
  }
  const Json both = {{"oneOf", {{{"$ref", "#/$defs/a"}}, {{"$ref", "#/$defs/a"}}}}, {"$defs", {{"a", wide}}}};
  test::expect_error([&] { grammar_of_schema(both.dump()); }, "oneOf");
}

TEST_F(JsonSchemaTest, ValuesOfSeveralSchemasStandInOneGrammar) {
  SchemaGrammar schemas;
  const char* text = R"({"type":"array","items":{"$ref":"#/$defs/x"},"minItems":1,"$defs":{"x":{"const":%}}})";
  const auto with = [&](const char* value) { return std::string(text).replace(std::string(text).find('%'), 1, value); };
  const std::string one = schemas.add(with("1")), two = schemas.add(with("2"));
  const Grammar grammar = compile_grammar("root ::= " + one + " \"=\" " + two + "\n" + schemas.rules());
  GrammarMatcher matcher(grammar);
  const auto passes = [&](std::string_view answer) {
    auto state = matcher.start();
    for (const char byte : answer) state = matcher.next(state, static_cast<uint8_t>(byte));
    return matcher.can_end(state);
  };
  EXPECT_TRUE(passes("[1]=[2]"));
  EXPECT_FALSE(passes("[1]=[1]"));
  EXPECT_FALSE(passes("[2]=[2]"));
}

}  // namespace
}  // namespace tern
