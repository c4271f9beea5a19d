// Perplexity and task scores of models in files, with the functions of eval/.
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "base/threads.h"
#include "report/measurements.h"

namespace tern {

// One model at a time, loaded when it is first measured.
class QualityMeter {
 public:
  explicit QualityMeter(Threads& threads);
  ~QualityMeter();

  // Of the first `most_bytes` of the text (0: all), in the convention's usual windows. Numbers: loss (nats a token),
  // perplexity, bits_per_byte, tokens, context (tokens of a window), where the convention has them word_perplexity and
  // byte_perplexity. Error as eval/perplexity.h has them.
  Measurement measure_perplexity(const std::filesystem::path& model, const std::filesystem::path& text,
                                 size_t most_bytes, const std::string& convention);
  // 0-shot, of the first `limit` questions (0: all). Numbers: questions, and each metric by its name, its standard
  // error by the name + "_stderr". Error as eval/task_data.h has them.
  Measurement measure_task(const std::filesystem::path& model, const std::filesystem::path& data,
                           const std::string& task, size_t limit);

 private:
  struct Loaded;
  Loaded& open(const std::filesystem::path& path);

  Threads& threads_;
  std::unique_ptr<Loaded> loaded_;
};

// The conventions in which a report measures perplexity, by eval/perplexity.h's names, and the tasks that the published
// tables have, by eval/tasks.h's.
std::vector<std::string> report_conventions();
std::vector<std::string> report_tasks();

}  // namespace tern
