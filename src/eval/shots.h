// The examples that stand before a question.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "eval/python_random.h"
#include "eval/question.h"
#include "eval/task_rows.h"

namespace tern {

struct ShotOptions {
  std::optional<size_t> count;  // none: what the task says
  uint64_t seed = 1234;         // lm-evaluation-harness's
};

// Draws the examples for one question after the other, as lm-evaluation-harness 0.4 draws them: Python's
// random.sample() from one stream a task, so that it matters which questions came before.
class Shots {
 public:
  // `count` examples among `rows`, of which `where` says where they are. Everything must outlive the object. Error for
  // fewer rows than an example takes.
  Shots(const TaskDefinition& task, const QuestionMaker& maker, const TaskRows& rows, std::string where, size_t count,
        uint64_t seed);

  // The text before the question of that row. Error with file and line for a row that is no question.
  std::string next(const nlohmann::ordered_json& question);

 private:
  std::vector<size_t> draw(const nlohmann::ordered_json& question);
  const std::string& text(size_t row);

  const TaskDefinition& task_;
  const QuestionMaker& maker_;
  const TaskRows& rows_;
  std::string where_;
  size_t count_;
  PythonRandom random_;
  std::vector<std::optional<std::string>> texts_;  // of the rows, as far as they were drawn
};

}  // namespace tern
