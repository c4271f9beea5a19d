#include "eval/task_result.h"

#include <cassert>
#include <cmath>

#include "base/error.h"

namespace tern {
namespace {

Metric mean_metric(const std::string& name, std::span<const double> values) {
  const auto n = static_cast<double>(values.size());
  double sum = 0;
  for (const double value : values) sum += value;
  Metric metric{name, sum / n, {}, true};
  if (values.size() < 2) return metric;
  double squares = 0;
  for (const double value : values) squares += (value - metric.value) * (value - metric.value);
  metric.standard_error = std::sqrt(squares / (n - 1)) / std::sqrt(n);
  return metric;
}

// d exp(-x) = exp(-x) dx
Metric perplexity_metric(std::span<const double> log_likelihoods) {
  Metric metric = mean_metric("perplexity", log_likelihoods);
  metric.value = std::exp(-metric.value);
  if (metric.standard_error) *metric.standard_error *= metric.value;
  metric.higher_is_better = false;
  return metric;
}

}  // namespace

std::vector<std::vector<ChoiceTokens>> encode_questions(const Tokenizer& tokenizer, const TaskData& data) {
  std::vector<std::vector<ChoiceTokens>> all;
  for (const Question& question : data.questions) {
    std::vector<ChoiceTokens>& choices = all.emplace_back();
    with_context(fmt::format("{}: {} {}", data.file.string(), data.unit, question.line), [&] {
      for (const ChoiceText& text : question.choices) {
        choices.push_back(encode_choice(tokenizer, text.context, text.continuation));
      }
    });
  }
  return all;
}

size_t best_choice(const Question& question, std::span<const ChoiceScore> scores, bool is_normalized) {
  assert(!scores.empty() && scores.size() == question.choices.size());
  const auto value = [&](size_t i) {
    const auto length = static_cast<double>(question.choices[i].length);
    return is_normalized ? scores[i].log_likelihood / length : scores[i].log_likelihood;
  };
  size_t best = 0;
  for (size_t i = 1; i < scores.size(); ++i) {
    if (value(i) > value(best)) best = i;
  }
  return best;
}

TaskResult task_result(const TaskDefinition& task, const TaskData& data,
                       std::span<const std::vector<ChoiceScore>> scores) {
  assert(scores.size() == data.questions.size() && !scores.empty());
  std::vector<double> acc;
  std::vector<double> acc_norm;
  std::vector<double> log_likelihoods;
  TaskResult result;
  for (size_t q = 0; q < scores.size(); ++q) {
    const Question& question = data.questions[q];
    for (const ChoiceScore& score : scores[q]) result.cut_choices += score.cut != 0 ? 1 : 0;
    if (task.is_choice()) {
      acc.push_back(best_choice(question, scores[q], false) == question.answer ? 1 : 0);
      acc_norm.push_back(best_choice(question, scores[q], true) == question.answer ? 1 : 0);
    } else {
      acc.push_back(scores[q][0].is_greedy ? 1 : 0);
      log_likelihoods.push_back(scores[q][0].log_likelihood);
    }
  }
  result.metrics.push_back(mean_metric("acc", acc));
  if (task.is_choice() && task.has_norm) result.metrics.push_back(mean_metric("acc_norm", acc_norm));
  if (!task.is_choice()) result.metrics.push_back(perplexity_metric(log_likelihoods));
  return result;
}

}  // namespace tern
