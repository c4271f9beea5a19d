// libFuzzer: whatever the body of a request, it is one or an ApiError, within its limits.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "server/openai.h"

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
    }
  } catch (const tern::ApiError& error) {
    if (error.status != 400) std::abort();
    tern::error_object(error);
  }
  return 0;
}
