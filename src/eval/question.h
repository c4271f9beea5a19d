// A row of a task's data as the texts to score, by the task's templates.
#pragma once

#include <cstddef>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "eval/tasks.h"

namespace tern {

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

class QuestionMaker {
 public:
  // The task must outlive the maker.
  explicit QuestionMaker(const TaskDefinition& task);
  ~QuestionMaker();
  QuestionMaker(const QuestionMaker&) = delete;
  QuestionMaker& operator=(const QuestionMaker&) = delete;

  // Without description and shots. Error for a missing field, one choice only and an answer that is none of them.
  Question question(const nlohmann::ordered_json& row) const;
  std::string description(const nlohmann::ordered_json& row) const;
  // The row as an example for others: its context with the right answer, and what stands after it.
  std::string shot(const nlohmann::ordered_json& row) const;

 private:
  struct Templates;

  const TaskDefinition& task_;
  std::unique_ptr<const Templates> templates_;
};

}  // namespace tern
