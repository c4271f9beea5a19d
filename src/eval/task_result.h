// What a model's scores of a task's questions amount to.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "eval/choice_score.h"
#include "eval/task_data.h"
#include "eval/tasks.h"

namespace tern {

// The choices' texts as tokens. Error with file and line.
std::vector<std::vector<ChoiceTokens>> encode_questions(const Tokenizer& tokenizer, const TaskData& data);

struct Metric {
  std::string name;  // "acc", "acc_norm", "perplexity"
  double value = 0;
  std::optional<double> standard_error;  // none of a single question
  bool higher_is_better = true;
};

struct TaskResult {
  std::vector<Metric> metrics;
  size_t cut_choices = 0;  // choices whose context was longer than the model's
};

// As lm-evaluation-harness defines them. Of choices: acc is how often the right one has the largest log-likelihood,
// acc_norm the same after division by the choice's code points; the first of equal ones counts. Of a single
// continuation: acc is how often it is the greedy one, perplexity exp(-mean log-likelihood of a continuation). Standard
// errors are sd / sqrt(n) with n - 1 in the deviation; the perplexity's is that of the mean times the perplexity.
TaskResult task_result(const TaskDefinition& task, const TaskData& data,
                       std::span<const std::vector<ChoiceScore>> scores);

// The choice with the largest log-likelihood, or with the largest one a code point.
size_t best_choice(const Question& question, std::span<const ChoiceScore> scores, bool is_normalized);

}  // namespace tern
