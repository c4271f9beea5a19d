// libFuzzer: whatever the bytes of a task file, they become a task or Error. The first byte says JSON or YAML.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/error.h"
#include "eval/task_yaml.h"
#include "eval/tasks.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const std::string_view file(reinterpret_cast<const char*>(data + 1), size - 1);
  try {
    tern::parse_task(data[0] % 2 == 0 ? std::string(file) : tern::json_of_yaml(file, "x"), "x");
  } catch (const tern::Error&) {
    // The expected end of almost every input.
  }
  return 0;
}
