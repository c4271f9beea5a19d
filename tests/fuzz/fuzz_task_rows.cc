// libFuzzer: whatever the bytes of a task's data file, they become questions that have their answer, or Error. The
// first byte says which format and which task.
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <string_view>

#include "base/error.h"
#include "eval/task_data.h"
#include "eval/task_rows.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  static const std::vector<tern::TaskDefinition> tasks = tern::builtin_tasks();
  constexpr std::array kNames = {"x.jsonl", "x.json", "x.csv", "x.tsv"};
  const std::string_view file(reinterpret_cast<const char*>(data + 1), size - 1);
  try {
    const tern::TaskRows rows = tern::parse_rows(kNames[data[0] % kNames.size()], file);
    if (rows.rows.size() != rows.lines.size()) std::abort();
    const tern::TaskDefinition& task = tasks[data[0] / kNames.size() % tasks.size()];
    for (const tern::Question& question : tern::make_questions(task, rows, "x")) {
      if (question.answer >= question.choices.size()) std::abort();
    }
  } catch (const tern::Error&) {
    // The expected end of almost every input.
  }
  return 0;
}
