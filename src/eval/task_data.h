// The questions of a task out of the files that its publisher distributes.
#pragma once

#include <cstddef>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "eval/tasks.h"

namespace tern {

struct TaskRows;  // task_rows.h

struct ChoiceText {
  std::string context;
  std::string continuation;  // with the delimiter in front
  size_t length = 0;         // of the choice in code points, what acc_norm divides by

  bool operator==(const ChoiceText&) const = default;
};

struct Question {
  size_t line = 0;  // where its row begins in the file (in a JSON array: its place, from 1 on)
  std::vector<ChoiceText> choices;
  size_t answer = 0;  // among the choices

  bool operator==(const Question&) const = default;
};

struct TaskData {
  std::filesystem::path file;
  size_t rows = 0;  // in the file
  std::vector<Question> questions;
};

// The first `limit` questions of the file that the task names below `folder`; 0: all. Files are JSON lines (*.jsonl), a
// JSON array (*.json), or a table with a header line (*.csv with quotes as RFC 4180 has them, *.tsv without), each also
// with .gz or .zst. Error with file and line: no such file, a malformed row, a missing field, one choice only, an
// answer that is no choice's label, a number of answers that is not that of the rows.
TaskData read_questions(const TaskDefinition& task, const std::filesystem::path& folder, size_t limit = 0);

// The questions of the first `limit` rows; 0: of all. `where` begins the errors, then comes the row.
std::vector<Question> make_questions(const TaskDefinition& task, const TaskRows& rows, const std::string& where,
                                     size_t limit = 0);

std::string clean_text(std::string_view text, TextCleaning cleaning);

}  // namespace tern
