#include "server/tool_requests.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/error.h"
#include "base/json.h"
#include "base/text.h"
#include "infer/json_schema.h"

namespace tern {
namespace {

constexpr int kDeepestArguments = 64;

// Without parameters: none are taken.
constexpr const char* kNoParameters = R"({"type":"object","properties":{},"additionalProperties":false})";

// A field of the list `name` of a request or a message.
const Json& list_item(const Json& list, size_t i, const std::string& name) {
  const std::string path = fmt::format("{}[{}]", name, i);
  if (!list[i].is_object()) throw ApiError(400, path + ": expected an object", path);
  return list[i];
}

// {"type": "function", "function": {...}} of tools, tool_choice and messages: the fields of the inner object.
Fields function_of(const Fields& fields) {
  std::string type = "function";
  fields.text("type", type);
  if (type != "function") fields.refuse("type", "function");
  return fields.inner("function", "an object with a name");
}

std::string function_name(const Fields& function) {
  std::string name;
  function.text("name", name);
  if (name.empty()) function.refuse("name", "a text that is not empty");
  return name;
}

// An object even where the schema does not say so.
std::string schema_of(const Fields& function) {
  const Json* parameters = function.find("parameters");
  if (parameters == nullptr) return kNoParameters;
  const bool object = parameters->is_object() && (!parameters->contains("type") || (*parameters)["type"] == "object");
  if (!object) function.refuse("parameters", "a JSON schema of type object");
  Json schema = *parameters;
  const auto whole = {"type", "$ref", "anyOf", "oneOf", "allOf", "enum", "const"};
  if (std::none_of(whole.begin(), whole.end(), [&](const char* key) { return schema.contains(key); })) {
    schema["type"] = "object";
  }
  return json_text(schema);
}

ToolFunction parse_function(const Fields& tool, const ApiLimits& limits) {
  const Fields function = function_of(tool);
  const std::string name = function_name(function);
  if (name.size() > limits.longest_tool_name) {
    function.refuse("name", fmt::format("at most {} bytes", limits.longest_tool_name));
  }
  std::string description;
  function.text("description", description);
  return {name, schema_of(function)};
}

void parse_tool_list(const Fields& fields, const ApiLimits& limits, ChatRequest& request) {
  const Json* tools = fields.find("tools");
  if (tools == nullptr) return;
  if (!tools->is_array()) fields.refuse("tools", "a list");
  if (tools->empty()) return;
  if (tools->size() > limits.most_tools) fields.refuse("tools", fmt::format("at most {} tools", limits.most_tools));
  if (json_text(*tools).size() > limits.longest_tools) {
    fields.refuse("tools", fmt::format("at most {} bytes", limits.longest_tools));
  }
  for (size_t i = 0; i < tools->size(); ++i) {
    const Fields tool(list_item(*tools, i, "tools"), fmt::format("tools[{}].", i));
    request.tool_use.functions.push_back(parse_function(tool, limits));
  }
  request.tools = *tools;
}

void parse_tool_choice(const Fields& fields, ChatRequest& request) {
  const Json* choice = fields.find("tool_choice");
  if (choice == nullptr || *choice == "auto") return;
  ToolUse& use = request.tool_use;
  if (*choice == "none") {
    request.tools = nullptr;
    use.functions.clear();
    return;
  }
  if (*choice != "required" && !choice->is_object()) {
    fields.refuse("tool_choice", "none, auto, required or {\"type\": \"function\", \"function\": {\"name\": ...}}");
  }
  if (use.functions.empty()) fields.refuse("tool_choice", "tools beside it");
  use.forced = true;
  if (*choice == "required") return;
  const Fields function = function_of(Fields(*choice, "tool_choice."));
  const std::string name = function_name(function);
  const auto other = [&](const ToolFunction& known) { return known.name != name; };
  if (std::all_of(use.functions.begin(), use.functions.end(), other)) {
    function.refuse("name", "one of the tools', not " + quote(name));
  }
  use.most_calls = 1;
  use.only = name;
}

}  // namespace

void parse_tools(const Fields& fields, const ApiLimits& limits, ChatRequest& request) {
  parse_tool_list(fields, limits, request);
  bool several = true;
  fields.flag("parallel_tool_calls", several);
  if (!several) request.tool_use.most_calls = 1;
  parse_tool_choice(fields, request);
  const StructuredOutput& structure = request.options.structure;
  if (structure.kind == StructuredOutput::Kind::kNone) return;
  if (request.tool_use.forced) fields.refuse(structure.param.c_str(), "none beside a tool_choice that forces calls");
  request.tool_use.functions.clear();  // an answer of that form is the content
}

void parse_message_calls(const Fields& message, const std::string& prefix, Json& result) {
  std::string id;
  message.text("tool_call_id", id);
  const Json* calls = message.find("tool_calls");
  if (calls != nullptr && !calls->is_array()) message.refuse("tool_calls", "a list");
  if (calls == nullptr || calls->empty()) {
    result.erase("tool_calls");  // templates ask whether there is such a field
    return;
  }
  for (size_t i = 0; i < calls->size(); ++i) {
    const Fields call(list_item(*calls, i, prefix + "tool_calls"), fmt::format("{}tool_calls[{}].", prefix, i));
    call.text("id", id);
    const Fields function = function_of(call);
    function_name(function);
    const Json* arguments = function.find("arguments");
    const bool right = arguments != nullptr && (arguments->is_string() || arguments->is_object());
    if (!right) function.refuse("arguments", "a JSON object or its text");
    if (!arguments->is_string()) continue;
    Json object = try_parse_ordered_json(arguments->get_ref<const std::string&>(), kDeepestArguments);
    if (object.is_object()) result["tool_calls"][i]["function"]["arguments"] = std::move(object);
  }
}

StructuredOutput forced_calls(const ToolUse& tools, ToolForm form) {
  SchemaGrammar schemas;
  std::string calls;
  for (size_t i = 0; i < tools.functions.size(); ++i) {
    const ToolFunction& function = tools.functions[i];
    if (!tools.may_call(function.name)) continue;
    try {
      calls += calls.empty() ? "" : " | ";
      calls += tool_call_expression(function.name, schemas.add(function.schema), form);
    } catch (const Error& error) {
      const std::string param = fmt::format("tools[{}].function.parameters", i);
      throw ApiError(400, param + ": " + error.what(), param);
    }
  }
  return {StructuredOutput::Kind::kGrammar, tool_call_root(calls, form, tools.most_calls) + schemas.rules(), "tools"};
}

}  // namespace tern
