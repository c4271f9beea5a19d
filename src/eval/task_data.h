// The questions of a task out of the files that its publisher distributes.
#pragma once

#include <cstddef>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "eval/question.h"
#include "eval/shots.h"
#include "eval/tasks.h"

namespace tern {

struct TaskData {
  std::filesystem::path file;
  size_t rows = 0;   // in the file
  size_t shots = 0;  // examples before every question
  std::vector<Question> questions;
  std::string unit = "line";  // what Question::line counts: "line" or "item"
};

// The first `limit` questions of the file that the task names below `folder`; 0: all. Files are JSON lines (*.jsonl), a
// JSON array (*.json), or a table with a header line (*.csv with quotes as RFC 4180 has them, *.tsv without), each also
// with .gz or .zst. Error with file and line: no such file, also none for the shots, a malformed row, a missing field,
// one choice only, an answer that is no choice's label, a number of answers that is not that of the rows.
TaskData read_questions(const TaskDefinition& task, const std::filesystem::path& folder, size_t limit = 0,
                        const ShotOptions& shots = {});

// The questions of the first `limit` rows; 0: of all. `where` begins the errors, then comes the row.
std::vector<Question> make_questions(const TaskDefinition& task, const TaskRows& rows, const std::string& where,
                                     size_t limit = 0, Shots* shots = nullptr);

}  // namespace tern
