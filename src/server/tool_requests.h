// What a request for a chat says of tools (docs/serving.md).
#pragma once

#include <string>

#include "server/openai.h"
#include "server/request_fields.h"

namespace tern {

// tools, tool_choice and parallel_tool_calls, after the options: request.tools and request.tool_use. ApiError 400 that
// names the field.
void parse_tools(const Fields& fields, const ApiLimits& limits, ChatRequest& request);

// tool_calls and tool_call_id of a message: checked, and set in `result`, its copy. Arguments as JSON text become the
// object that they are a text of, which is what templates write.
void parse_message_calls(const Fields& message, const std::string& prefix, Json& result);

// The form of answers that must be calls. ApiError 400 that names the function whose schema has no grammar.
StructuredOutput forced_calls(const ToolUse& tools, ToolForm form);

}  // namespace tern
