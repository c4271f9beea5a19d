#include "eval/task_data.h"

#include <nlohmann/json.hpp>

#include <algorithm>

#include "base/error.h"
#include "base/text.h"
#include "eval/shots.h"
#include "eval/task_rows.h"
#include "formats/byte_stream.h"
#include "template/letters.h"

namespace tern {
namespace {

namespace fs = std::filesystem;

fs::path data_file(const fs::path& folder, const std::vector<std::string>& files, const std::string& what) {
  std::string places;
  for (const std::string& file : files) {
    for (const char* suffix : {"", ".gz", ".zst"}) {
      if (fs::exists(folder / (file + suffix))) return folder / (file + suffix);
    }
    places += (places.empty() ? "" : ", ") + file;
  }
  fail("{}: expected the {} there ({}), there is none", folder.string(), what, places);
}

// The lines of the answers' file become the rows' fields `answer`.
void add_answers(const TaskDefinition& task, const fs::path& file, TaskRows& rows) {
  const std::string name(without_compression_suffix(file.filename().string()));
  const fs::path path = file.parent_path() / (name.substr(0, name.rfind('.')) + task.answers_suffix);
  const std::string text = read_text(path);
  const std::vector<std::string_view> lines = text_lines(text);
  if (lines.size() != rows.rows.size()) {
    fail("{}: expected an answer a line for the {} rows of {}, there are {} lines", path.string(), rows.rows.size(),
         file.string(), lines.size());
  }
  for (size_t i = 0; i < lines.size(); ++i) {
    if (!is_valid_utf8(lines[i])) fail("{}: line {}: expected UTF-8, it has other bytes", path.string(), i + 1);
    rows.rows[i]["answer"] = std::string(jinja::strip(lines[i], "", true, jinja::Ends::kBoth));
  }
}

TaskRows rows_of(const TaskDefinition& task, const fs::path& file) {
  TaskRows rows = read_rows(file);
  if (!task.answers_suffix.empty()) add_answers(task, file, rows);
  return rows;
}

}  // namespace

std::vector<Question> make_questions(const TaskDefinition& task, const TaskRows& rows, const std::string& where,
                                     size_t limit, Shots* shots) {
  const QuestionMaker maker(task);
  const size_t count = limit == 0 ? rows.rows.size() : std::min(limit, rows.rows.size());
  std::vector<Question> questions;
  for (size_t i = 0; i < count; ++i) {
    const nlohmann::ordered_json& row = rows.rows[i];
    const std::string place = fmt::format("{}: {} {}", where, rows.unit, rows.lines[i]);
    std::string before;
    questions.push_back(with_context(place, [&] {
      before = maker.description(row);
      return maker.question(row);
    }));
    questions.back().line = rows.lines[i];
    if (shots != nullptr) before += shots->next(row);
    for (ChoiceText& choice : questions.back().choices) choice.context.insert(0, before);
  }
  return questions;
}

TaskData read_questions(const TaskDefinition& task, const fs::path& folder, size_t limit, const ShotOptions& options) {
  TaskData data;
  data.file = data_file(folder, task.files, "data of " + task.name);
  data.shots = options.count.value_or(task.shots.count);
  const TaskRows rows = rows_of(task, data.file);
  data.rows = rows.rows.size();
  data.unit = rows.unit;
  if (data.shots == 0) {
    data.questions = make_questions(task, rows, data.file.string(), limit);
    return data;
  }
  const std::vector<std::string>& files = task.shots.files.empty() ? task.files : task.shots.files;
  const fs::path shots_file = data_file(folder, files, "examples of " + task.name);
  const TaskRows shot_rows = rows_of(task, shots_file);
  const QuestionMaker maker(task);
  Shots shots(task, maker, shot_rows, shots_file.string(), data.shots, options.seed);
  data.questions = make_questions(task, rows, data.file.string(), limit, &shots);
  return data;
}

}  // namespace tern
