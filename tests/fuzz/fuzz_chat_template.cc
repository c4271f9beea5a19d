// libFuzzer: whatever a chat template says, it ends with a text or with Error, within its limits.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <vector>

#include "base/error.h"
#include "template/chat_template.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  tern::jinja::Limits limits;
  limits.steps = 20'000;
  limits.memory_bytes = size_t{1} << 22;
  limits.output_bytes = size_t{1} << 20;
  const std::vector<tern::ChatMessage> messages = {
      {"system", " Be brief.\n"}, {"user", "Na\xC3\xAFve {{ text }} \xF0\x9F\xA6\x99"}, {"assistant", "\xFF"}};
  tern::ChatRendering rendering;
  rendering.bos_token = "<s>";
  try {
    const tern::ChatTemplate chat(std::string(reinterpret_cast<const char*>(data), size), "template", limits);
    const std::string text = chat.render(messages, rendering);
    if (text.size() > limits.output_bytes || text != chat.render(messages, rendering)) std::abort();
  } catch (const tern::Error&) {
    // The end of most inputs.
  }
  return 0;
}
