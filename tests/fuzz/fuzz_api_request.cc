// libFuzzer: whatever the body of a request, it is one or an ApiError, within its limits; and what a chat may call is
// read from any text, cut anywhere.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "server/openai.h"
#include "server/tool_requests.h"

namespace {

// The same text as an answer: what is read does not depend on how it comes.
void read_calls(const tern::ToolUse& tools, std::string_view text, size_t cut) {
  tern::ToolCallReader whole(tools), pieces(tools);
  tern::AnswerPiece a = whole.add(text), b = pieces.add(text.substr(0, cut));
  b.append(pieces.add(text.substr(cut)));
  a.append(whole.finish());
  b.append(pieces.finish());
  if (a.content != b.content || a.calls.size() != b.calls.size() || a.calls.size() > tools.most_calls) std::abort();
  if (a.calls.empty() && a.content != text) std::abort();
}

void check_tools(const tern::ChatRequest& request, const tern::ApiLimits& limits, const std::string& body, size_t cut) {
  const tern::ToolUse& tools = request.tool_use;
  if (tools.functions.size() > limits.most_tools || (tools.forced && tools.functions.empty())) std::abort();
  if (tools.forced) tern::forced_calls(tools, cut % 2 == 0 ? tern::ToolForm::kTagged : tern::ToolForm::kBare);
  read_calls(tools, body, cut % body.size());
  for (const tern::Json& message : request.messages) {
    read_calls(tools, message["content"].get<std::string>(), 0);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const std::string body(reinterpret_cast<const char*>(data + 1), size - 1);
  const tern::ApiLimits limits;
  try {
    const tern::Json json = tern::parse_body(body);
    if (data[0] % 2 == 0) {
      const tern::CompletionRequest request = tern::parse_completion(json, limits);
      if (request.prompts.empty() || request.prompts.size() * request.best_of > limits.most_sequences) std::abort();
      if (request.options.choices == 0 || request.options.choices > request.best_of) std::abort();
      tern::validate(request.options.sampling);
    } else {
      const tern::ChatRequest request = tern::parse_chat(json, limits);
      if (!request.messages.is_array() || request.messages.empty()) std::abort();
      tern::validate(request.options.sampling);
      check_tools(request, limits, body, data[0] / 2);
    }
  } catch (const tern::ApiError& error) {
    if (error.status != 400) std::abort();
    tern::error_object(error);
  }
  return 0;
}
