#include "server/tool_calls.h"

#include <gtest/gtest.h>

#include "infer/grammar.h"
#include "infer/grammar_matcher.h"
#include "infer/json_schema.h"
#include "tokenizer/basic_vocabularies.h"

namespace tern {
namespace {

ToolUse tools_named(std::vector<std::string> names, size_t most_calls = SIZE_MAX) {
  ToolUse tools;
  for (std::string& name : names) tools.functions.push_back({std::move(name), "{}"});
  tools.most_calls = most_calls;
  return tools;
}

const ToolUse& two_tools() {
  static const ToolUse tools = tools_named({"f", "g"});
  return tools;
}

// As "content|name(arguments)|..."
std::string shown(const AnswerPiece& piece) {
  std::string text = piece.content;
  for (const ToolCall& call : piece.calls) text += "|" + call.name + "(" + call.arguments + ")";
  return text;
}

AnswerPiece read_pieces(const std::vector<std::string_view>& pieces, const ToolUse& tools) {
  ToolCallReader reader(tools);
  AnswerPiece all;
  for (const std::string_view piece : pieces) all.append(reader.add(piece));
  all.append(reader.finish());
  return all;
}

// What is read of a text: the same however it is cut.
std::string what_is_read(std::string_view text, const ToolUse& tools = two_tools()) {
  const std::string whole = shown(read_pieces({text}, tools));
  std::vector<std::string_view> bytes;
  for (size_t cut = 0; cut < text.size(); ++cut) {
    EXPECT_EQ(shown(read_pieces({text.substr(0, cut), text.substr(cut)}, tools)), whole) << text << " cut at " << cut;
    bytes.push_back(text.substr(cut, 1));
  }
  EXPECT_EQ(shown(read_pieces(bytes, tools)), whole) << text;
  return whole;
}

void expect_content(const std::string& text, const ToolUse& tools = two_tools()) {
  EXPECT_EQ(what_is_read(text, tools), text);
}

TEST(ToolCallReader, ReadsTaggedCalls) {
  const std::string call = "<tool_call>\n{\"name\": \"f\", \"arguments\": {\"a\": [1, \"x\"]}}\n</tool_call>";
  EXPECT_EQ(what_is_read(call), R"(|f({"a":[1,"x"]}))");
  EXPECT_EQ(what_is_read("\n" + call + "\n" + call + " \n"), R"(|f({"a":[1,"x"]})|f({"a":[1,"x"]}))");
  EXPECT_EQ(what_is_read("I look.\n" + call),
            "I look.\n"
            R"(|f({"a":[1,"x"]}))");
  EXPECT_EQ(what_is_read("a < b " + call + " and then"),
            "a < b  and then"
            R"(|f({"a":[1,"x"]}))");
  EXPECT_EQ(what_is_read("<" + call), R"(<|f({"a":[1,"x"]}))");
  // Without its last tag, and with the name of the other form.
  EXPECT_EQ(what_is_read(R"(<tool_call>{"name":"g","parameters":{}})"), "|g({})");
  EXPECT_EQ(what_is_read(R"(<tool_call>{"arguments":{},"name":"g"}<tool_call>{"name":"f","arguments":{}}</tool_call>)"),
            "|g({})|f({})");
  // Its own tags between quotes, quotes and braces too.
  EXPECT_EQ(what_is_read(R"(<tool_call>{"name":"g","arguments":{"x":"</tool_call>}\"{<tool_call>\\"}}</tool_call>)"),
            R"(|g({"x":"</tool_call>}\"{<tool_call>\\"}))");
}

TEST(ToolCallReader, ReadsBareCalls) {
  EXPECT_EQ(what_is_read(R"({"name": "f", "parameters": {"a": 1}})"), R"(|f({"a":1}))");
  EXPECT_EQ(what_is_read("<|python_tag|>{\"name\": \"f\", \"arguments\": {}}\n"), "|f({})");
  EXPECT_EQ(what_is_read(R"( {"name": "f", "parameters": {}}; {"name": "g", "parameters": {"x": {}}} ; )"),
            R"(|f({})|g({"x":{}}))");
}

TEST(ToolCallReader, LeavesAllElseAsItCame) {
  for (const char* text : {"",
                           " ",
                           "\n\n",
                           "Hello",
                           "  Hello \n",
                           "<",
                           "<<<tool_call",
                           "<tool_call>",
                           "<tool_call>\n",
                           "</tool_call>",
                           "<tool_call> f(1) </tool_call>",
                           "<tool_call>{}</tool_call>",
                           "<tool_call>[]</tool_call>",
                           R"(<tool_call>{"name":"unknown","arguments":{}}</tool_call>)",
                           R"(<tool_call>{"name":"f"}</tool_call>)",
                           R"(<tool_call>{"name":"f","arguments":[]}</tool_call>)",
                           R"(<tool_call>{"name":1,"arguments":{}}</tool_call>)",
                           R"(<tool_call>{"name":"f","arguments":{}]</tool_call>)",
                           R"(<tool_call>{"name":"f","arguments":{)",
                           R"(<tool_call>{"name":"f","arguments":{"a":"b)",
                           R"(<tool_call>{"name":"f","arguments":{"a":"b</tool_call>)",
                           "<tool_call>{\"name\":\"f\",\"arguments\":{\"a\":\"\n\"}}</tool_call>",
                           "<tool_call>{'name':'f'}</tool_call>",
                           R"({"name": "f", "parameters": {}} is a call)",
                           R"({"name": "f", "parameters": {}}; and)",
                           R"({"name": "f", "parameters": {}}; {"name": "f", "par)",
                           R"({"name": "h", "parameters": {}})",
                           R"(So: {"name": "f", "parameters": {}})",
                           R"([{"name": "f", "parameters": {}}])",
                           "{",
                           "{}",
                           "{% if x %}",
                           "<|python_tag|>print(1)",
                           "x<|python_tag|>{\"name\": \"f\", \"parameters\": {}}",
                           "<|python_tag|>",
                           "\xFF<\xFE{"}) {
    expect_content(text);
  }
  expect_content(R"({"name": "f", "parameters": {}})", {});
  expect_content("<tool_call>{\"name\":\"f\",\"arguments\":" + std::string(100, '[') + std::string(100, ']') + "}");
}

TEST(ToolCallReader, GoesOnBehindWhatIsNoCall) {
  const std::string call = R"(<tool_call>{"name":"f","arguments":{}}</tool_call>)";
  for (const std::string text : {"<tool_call>", "<tool_call>{", "<tool_call>{\"a\":", "</tool_call>", "{",
                                 "<tool_call>{\"name\":\"h\",\"arguments\":{}}</tool_call>", "<|python_tag|>x"}) {
    EXPECT_EQ(what_is_read(text + call), text + "|f({})");
    EXPECT_EQ(what_is_read(call + text), text + "|f({})");
  }
}

TEST(ToolCallReader, HoldsOnlyWhatMayBeACall) {
  ToolCallReader reader(two_tools());
  EXPECT_EQ(shown(reader.add(" \n")), "");
  EXPECT_EQ(shown(reader.add("See")), " \nSee");
  EXPECT_EQ(shown(reader.add(" {1} < 2")), " {1} < 2");
  EXPECT_EQ(shown(reader.add(". <tool")), ". ");
  EXPECT_EQ(shown(reader.add("box>")), "<toolbox>");
  EXPECT_EQ(shown(reader.add("<tool_call>{\"name\":\"f\",\"arguments\":{}")), "");
  EXPECT_EQ(shown(reader.add("}")), "|f({})");
  EXPECT_EQ(shown(reader.add("\n</tool_call>\n")), "");
  EXPECT_EQ(shown(reader.add("!")), "\n!");
  EXPECT_EQ(shown(reader.finish()), "");
}

TEST(ToolCallReader, EndsWithTheLastCallThatMayBe) {
  const ToolUse one = tools_named({"f"}, 1);
  const std::string call = R"(<tool_call>{"name":"f","arguments":{}}</tool_call>)";
  EXPECT_EQ(what_is_read(call + call + "more", one), "|f({})");
  EXPECT_EQ(what_is_read(R"({"name":"f","parameters":{}};{"name":"f","parameters":{}})", one), "|f({})");
  ToolCallReader reader(one);
  reader.add(call.substr(0, call.find("}}")));
  EXPECT_FALSE(reader.full());
  reader.add("}}");
  EXPECT_TRUE(reader.full());
  ToolUse only = two_tools();
  only.only = "g";
  expect_content(call, only);
}

TEST(ToolCallReader, HostileTextsTakeLinearTime) {
  std::string fields = "{\"name\":\"f\",\"arguments\":{";
  for (int i = 0; i < 200'000; ++i) fields += "\"" + std::to_string(i) + "\":0,";
  for (const std::string begin :
       {"<", "{", "<tool_call>", "<tool_call>{\"", "<tool_call>{\"a\":[", " ",
        "<tool_call>{\"name\":\"f\",\"arguments\":{}}", "{\"name\":\"f\",\"arguments\":{}};"}) {
    std::string text;
    while (text.size() < 1'000'000) text += begin;
    read_pieces({text}, two_tools());
  }
  EXPECT_EQ(shown(read_pieces({fields + "\"x\":0}}"}, two_tools())), fields + "\"x\":0}}");
}

TEST(ToolCallTokens, AreTheTagsThatAreSpecial) {
  Vocabulary vocabulary = byte_vocabulary();
  EXPECT_TRUE(tool_call_tokens(Tokenizer(vocabulary)).empty());
  const auto first = static_cast<int32_t>(vocabulary.tokens.size());
  vocabulary.tokens.push_back({"<tool_call>", TokenType::kControl});
  vocabulary.tokens.push_back({"</tool_call>", TokenType::kUserDefined});
  EXPECT_EQ(tool_call_tokens(Tokenizer(vocabulary)), std::vector<int32_t>{first});
}

TEST(ToolForm, IsTheOneTheTemplateTeaches) {
  EXPECT_EQ(tool_form("{{ messages }}"), ToolForm::kTagged);
  EXPECT_EQ(tool_form("<tool_call> \"parameters\""), ToolForm::kTagged);
  EXPECT_EQ(tool_form("{\"name\": function name, \"parameters\": ...}"), ToolForm::kBare);
}

bool passes(const Grammar& grammar, std::string_view text) {
  GrammarMatcher matcher(grammar);
  GrammarMatcher::State state = matcher.start();
  for (const char c : text) {
    state = matcher.next(state, static_cast<uint8_t>(c));
  }
  return matcher.can_end(state);
}

TEST(ToolCallGrammar, LetsCallsPassAndNothingElse) {
  const std::string one = "<tool_call>\n{\"name\": \"f\", \"arguments\": {\"a\": 7}}\n</tool_call>";
  const std::string bare = R"({"name": "f", "parameters": {"a": 7}})";
  for (const size_t most : {size_t{1}, SIZE_MAX}) {
    for (const ToolForm form : {ToolForm::kTagged, ToolForm::kBare}) {
      SchemaGrammar schemas;
      const std::string arguments = schemas.add(R"({"type":"object","properties":{"a":{"$ref":"#/$defs/n"}},
                                                    "required":["a"],"$defs":{"n":{"type":"integer"}}})");
      const std::string f = tool_call_expression("f", arguments, form);
      const std::string g =
          tool_call_expression("g\"", schemas.add(R"({"$ref":"#/$defs/n","$defs":{"n":{"const":{}}}})"), form);
      const Grammar grammar = compile_grammar(tool_call_root(f + " | " + g, form, most) + schemas.rules());
      const bool tagged = form == ToolForm::kTagged;
      EXPECT_EQ(passes(grammar, one), tagged);
      EXPECT_EQ(passes(grammar, bare), !tagged);
      EXPECT_EQ(passes(grammar, tagged ? one + "\n" + one : bare + "; " + bare), most > 1);
      EXPECT_FALSE(passes(grammar, ""));
      EXPECT_FALSE(passes(grammar, "<tool_call>\n{\"name\": \"f\", \"arguments\": {}}\n</tool_call>"));
      EXPECT_TRUE(passes(grammar, tagged ? "<tool_call>\n{\"name\": \"g\\\"\", \"arguments\": {}}\n</tool_call>"
                                         : R"({"name": "g\"", "parameters": {}})"));
    }
  }
}

}  // namespace
}  // namespace tern
