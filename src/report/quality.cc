#include "report/quality.h"

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "base/file.h"
#include "base/text.h"
#include "eval/perplexity.h"
#include "eval/task_result.h"
#include "model/load.h"
#include "report/published.h"

namespace tern {

struct QualityMeter::Loaded {
  std::filesystem::path path;
  Model model;
  Tokenizer tokenizer;
};

QualityMeter::QualityMeter(Threads& threads) : threads_(threads) {}
QualityMeter::~QualityMeter() = default;

QualityMeter::Loaded& QualityMeter::open(const std::filesystem::path& path) {
  if (loaded_ && loaded_->path == path) return *loaded_;
  loaded_.reset();
  LoadedModel model = load_model(path, threads_, plain_form, LoadText::kTokenizer);
  if (!model.tokenizer) fail("{}: expected a tokenizer in it or beside it, there is none", path.string());
  loaded_ = std::make_unique<Loaded>(Loaded{path, std::move(model.model), std::move(*model.tokenizer)});
  return *loaded_;
}

Measurement QualityMeter::measure_perplexity(const std::filesystem::path& model, const std::filesystem::path& text,
                                             size_t most_bytes, const std::string& convention) {
  std::string content = read_file(text);
  if (most_bytes > 0 && content.size() > most_bytes) {
    content.resize(complete_utf8_prefix(std::string_view(content).substr(0, most_bytes)));
  }
  Loaded& loaded = open(model);
  const PerplexityResult r =
      perplexity(loaded.model, loaded.tokenizer, content, 0, threads_, KvType::kF32, parse_convention(convention));
  Measurement m;
  m.numbers = {{"loss", r.loss},
               {"perplexity", r.perplexity},
               {"bits_per_byte", r.bits_per_byte},
               {"tokens", static_cast<double>(r.tokens)},
               {"context", static_cast<double>(r.context)}};
  const auto add = [&](const char* name, const std::optional<double>& value) {
    if (value && std::isfinite(*value)) m.numbers[name] = *value;  // of texts without spaces a word's may be too large
  };
  add("word_perplexity", r.word_perplexity);
  add("byte_perplexity", r.byte_perplexity);
  return m;
}

Measurement QualityMeter::measure_task(const std::filesystem::path& model, const std::filesystem::path& data,
                                       const std::string& task, size_t limit) {
  const TaskDefinition definition = find_task(task);
  const TaskData questions = read_questions(definition, data, limit);
  Loaded& loaded = open(model);
  ChoiceScorer scorer(loaded.model, threads_);
  const auto tokens = encode_questions(loaded.tokenizer, questions);
  const TaskResult result = task_result(definition, questions, scorer.score(tokens));
  Measurement m;
  m.numbers["questions"] = static_cast<double>(questions.questions.size());
  for (const Metric& metric : result.metrics) {
    m.numbers[metric.name] = metric.value;
    if (metric.standard_error) m.numbers[metric.name + "_stderr"] = *metric.standard_error;
  }
  return m;
}

std::vector<std::string> report_conventions() { return {"tern", "gptq", "llama.cpp", "lm-eval"}; }

std::vector<std::string> report_tasks() {
  std::vector<std::string> tasks;
  for (const PublishedScores& table : score_tables()) {
    for (const std::string_view task : table.tasks) {
      if (std::find(tasks.begin(), tasks.end(), task) == tasks.end()) tasks.emplace_back(task);
    }
  }
  return tasks;
}

}  // namespace tern
