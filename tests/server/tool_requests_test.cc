#include "server/tool_requests.h"

#include <gtest/gtest.h>

#include "base/json.h"
#include "infer/grammar.h"

namespace tern {
namespace {

constexpr const char* kTwoTools = R"("tools": [
    {"type": "function", "function": {"name": "f", "description": "d", "parameters": {"type": "object"}}},
    {"type": "function", "function": {"name": "g", "strict": null}}])";

ChatRequest chat_with(const std::string& fields) {
  const std::string messages = R"({"messages": [{"role": "user", "content": "?"}])";
  return parse_chat(parse_body(messages + (fields.empty() ? "" : ", ") + fields + "}"), {});
}

ChatRequest chat_of(const std::string& messages) {
  return parse_chat(parse_body("{\"messages\": [" + messages + "]}"), {});
}

// The field that the refusal names.
template <class Body>
std::string refused_field(const Body& body) {
  try {
    body();
  } catch (const ApiError& error) {
    EXPECT_EQ(error.status, 400);
    EXPECT_EQ(std::string(error.what()).find(error.param), 0u) << error.what();
    return error.param;
  }
  return "not refused";
}

TEST(ParseTools, KnowsWhatMayBeCalled) {
  EXPECT_TRUE(chat_with("").tool_use.functions.empty());
  EXPECT_TRUE(chat_with(R"("tools": [], "tool_choice": "auto", "parallel_tool_calls": true)").tools.is_null());
  const ChatRequest request = chat_with(kTwoTools);
  EXPECT_EQ(request.tools.size(), 2u);
  EXPECT_FALSE(request.tool_use.forced);
  EXPECT_EQ(request.tool_use.most_calls, SIZE_MAX);
  EXPECT_TRUE(request.tool_use.may_call("f") && request.tool_use.may_call("g"));
  EXPECT_FALSE(request.tool_use.may_call("h") || request.tool_use.may_call(""));
  EXPECT_EQ(request.tool_use.functions[0].schema, R"({"type":"object"})");

  const std::string tools = std::string(kTwoTools) + ", ";
  const ChatRequest none = chat_with(tools + R"("tool_choice": "none")");
  EXPECT_TRUE(none.tools.is_null() && none.tool_use.functions.empty());
  EXPECT_EQ(chat_with(tools + R"("parallel_tool_calls": false)").tool_use.most_calls, 1u);
  EXPECT_TRUE(chat_with(tools + R"("tool_choice": "required")").tool_use.forced);
  const ChatRequest named = chat_with(tools + R"("tool_choice": {"type": "function", "function": {"name": "g"}})");
  EXPECT_TRUE(named.tool_use.forced && named.tool_use.may_call("g"));
  EXPECT_FALSE(named.tool_use.may_call("f"));
  EXPECT_EQ(named.tool_use.most_calls, 1u);
  EXPECT_EQ(named.tools.size(), 2u);
  // What has a form of its own is content.
  EXPECT_TRUE(chat_with(tools + R"("response_format": {"type": "json_object"})").tool_use.functions.empty());
}

TEST(ParseTools, NamesTheWrongField) {
  const std::string two = std::string(kTwoTools) + ", ";
  std::string many = R"("tools": [)";
  for (int i = 0; i < 129; ++i) many += std::string(i == 0 ? "" : ",") + R"({"function": {"name": "f"}})";
  const std::string large =
      R"("tools": [{"function": {"name": "f", "description": ")" + std::string(2 << 20, 'x') + "\"}}]";
  for (const auto& [fields, name] : std::vector<std::pair<std::string, std::string>>{
           {R"("tools": {})", "tools"},
           {R"("tools": "f")", "tools"},
           {R"("tools": [1])", "tools[0]"},
           {R"("tools": [{"type": "retrieval"}])", "tools[0].type"},
           {R"("tools": [{"type": 1}])", "tools[0].type"},
           {R"("tools": [{"type": "function"}])", "tools[0].function"},
           {R"("tools": [{"type": "function", "function": []}])", "tools[0].function"},
           {R"("tools": [{"function": {"name": "f"}}, {"function": {}}])", "tools[1].function.name"},
           {R"("tools": [{"function": {"name": 3}}])", "tools[0].function.name"},
           {R"("tools": [{"function": {"name": ""}}])", "tools[0].function.name"},
           {R"("tools": [{"function": {"name": ")" + std::string(300, 'n') + "\"}}]", "tools[0].function.name"},
           {R"("tools": [{"function": {"name": "f", "description": 1}}])", "tools[0].function.description"},
           {R"("tools": [{"function": {"name": "f", "parameters": []}}])", "tools[0].function.parameters"},
           {R"("tools": [{"function": {"name": "f", "parameters": {"type": "string"}}}])",
            "tools[0].function.parameters"},
           {many + "]", "tools"},
           {large, "tools"},
           {R"("tool_choice": "required")", "tool_choice"},
           {R"("tool_choice": {"type": "function", "function": {"name": "f"}})", "tool_choice"},
           {two + R"("tool_choice": "sometimes")", "tool_choice"},
           {two + R"("tool_choice": 1)", "tool_choice"},
           {two + R"("tool_choice": {})", "tool_choice.function"},
           {two + R"("tool_choice": {"type": "allowed_tools"})", "tool_choice.type"},
           {two + R"("tool_choice": {"type": "function", "function": {}})", "tool_choice.function.name"},
           {two + R"("tool_choice": {"type": "function", "function": {"name": "h"}})", "tool_choice.function.name"},
           {two + R"("parallel_tool_calls": 1)", "parallel_tool_calls"},
           {two + R"("tool_choice": "required", "response_format": {"type": "json_object"})", "response_format"},
           {two + R"("tool_choice": "required", "grammar": "root ::= [a]")", "grammar"}}) {
    EXPECT_EQ(refused_field([&, &fields = fields] { chat_with(fields); }), name) << fields.substr(0, 200);
  }
}

TEST(ParseMessageCalls, GivesTemplatesObjects) {
  const ChatRequest request = chat_of(
      R"({"role": "user", "content": "?"},
         {"role": "assistant", "content": null, "tool_calls": [
             {"id": "call_1", "type": "function", "function": {"name": "f", "arguments": "{\"b\": 1, \"a\": [2]}"}},
             {"id": "call_2", "type": "function", "function": {"name": "f", "arguments": {"c": 3}}},
             {"id": "call_3", "type": "function", "function": {"name": "f", "arguments": "no JSON"}},
             {"id": "call_4", "type": "function", "function": {"name": "f", "arguments": "[1]"}}]},
         {"role": "tool", "tool_call_id": "call_1", "content": [{"type": "text", "text": "sunny"}]},
         {"role": "assistant", "content": "Sun.", "tool_calls": null},
         {"role": "assistant", "content": "Sun.", "tool_calls": []})");
  const Json& message = request.messages[1];
  EXPECT_EQ(message["content"], "");
  const auto arguments = [&](size_t i) { return json_text(message["tool_calls"][i]["function"]["arguments"]); };
  EXPECT_EQ(arguments(0), R"({"b":1,"a":[2]})");
  EXPECT_EQ(arguments(1), R"({"c":3})");
  EXPECT_EQ(arguments(2), R"("no JSON")");
  EXPECT_EQ(arguments(3), R"("[1]")");
  EXPECT_EQ(message["tool_calls"][0]["id"], "call_1");
  EXPECT_EQ(request.messages[2]["tool_call_id"], "call_1");
  EXPECT_EQ(request.messages[2]["content"], "sunny");
  EXPECT_FALSE(request.messages[3].contains("tool_calls") || request.messages[4].contains("tool_calls"));
}

TEST(ParseMessageCalls, NamesTheWrongField) {
  const std::string deep = "{\\\"a\\\":" + std::string(100'000, '[');
  for (const auto& [fields, name] : std::vector<std::pair<std::string, std::string>>{
           {R"("tool_calls": {})", "tool_calls"},
           {R"("tool_calls": [1])", "tool_calls[0]"},
           {R"("tool_calls": [{}])", "tool_calls[0].function"},
           {R"("tool_calls": [{"id": 1, "function": {"name": "f", "arguments": "{}"}}])", "tool_calls[0].id"},
           {R"("tool_calls": [{"type": "code", "function": {"name": "f", "arguments": "{}"}}])", "tool_calls[0].type"},
           {R"("tool_calls": [{"function": {"arguments": "{}"}}])", "tool_calls[0].function.name"},
           {R"("tool_calls": [{"function": {"name": "f"}}])", "tool_calls[0].function.arguments"},
           {R"("tool_calls": [{"function": {"name": "f", "arguments": [1]}}])", "tool_calls[0].function.arguments"},
           {R"("tool_call_id": 7)", "tool_call_id"}}) {
    EXPECT_EQ(
        refused_field([&, &fields = fields] { chat_of(R"({"role": "assistant", "content": null, )" + fields + "}"); }),
        "messages[0]." + name);
  }
  const Json message =
      chat_of(R"({"role": "assistant", "tool_calls": [{"function": {"name": "f", "arguments": ")" + deep + "\"}}]}")
          .messages[0];
  EXPECT_TRUE(message["tool_calls"][0]["function"]["arguments"].is_string());
}

TEST(ForcedCalls, AreAGrammarOrNameTheSchema) {
  ChatRequest request = chat_with(std::string(kTwoTools) + R"(, "tool_choice": "required")");
  const StructuredOutput structure = forced_calls(request.tool_use, ToolForm::kTagged);
  EXPECT_GT(compile_grammar(structure.text).nodes(), 0u);
  request.tool_use.functions[1].schema = R"({"type": "object", "minProperties": 2})";
  EXPECT_EQ(refused_field([&] { forced_calls(request.tool_use, ToolForm::kBare); }), "tools[1].function.parameters");
  request.tool_use.only = "f";
  EXPECT_EQ(forced_calls(request.tool_use, ToolForm::kBare).kind, StructuredOutput::Kind::kGrammar);
}

TEST(ChatObjects, HaveCallsBesideContent) {
  const AnswerPiece text{"a", {}}, none{"", {}};
  const AnswerPiece calls{"", {{"call_1", "f", "{}"}, {"call_2", "g", "{\"a\":1}"}}};
  EXPECT_EQ(json_text(chat_message(text)), R"({"role":"assistant","content":"a","refusal":null})");
  EXPECT_EQ(chat_message(none)["content"], "");
  EXPECT_TRUE(chat_message(calls)["content"].is_null());
  EXPECT_EQ(json_text(chat_message(calls)["tool_calls"][1]),
            R"({"id":"call_2","type":"function","function":{"name":"g","arguments":"{\"a\":1}"}})");
  EXPECT_EQ(json_text(chat_delta(none, 0)), R"({"content":""})");
  EXPECT_EQ(json_text(chat_delta(text, 3)), R"({"content":"a"})");
  const Json delta = chat_delta(calls, 3);
  EXPECT_FALSE(delta.contains("content"));
  EXPECT_EQ(delta["tool_calls"][0]["index"], 3);
  EXPECT_EQ(delta["tool_calls"][1]["index"], 4);
  EXPECT_EQ(delta["tool_calls"][1]["id"], "call_2");
}

}  // namespace
}  // namespace tern
