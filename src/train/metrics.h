// metrics.jsonl: one JSON object a line, one for each step and each validation.
#pragma once

#include <cstdio>
#include <filesystem>
#include <functional>
#include <memory>
#include <string_view>

#include "model/score.h"
#include "train/parameters.h"

namespace tern {

struct StepMetrics {
  int64_t step = 0;  // from 0
  double loss = 0;   // nats a token, before the update
  double learning_rate = 0;
  double weight_decay = 0;
  double gradient_norm = 0;
  double tokens_per_second = 0;
  double peak_share = 0;  // of the time a step takes: what it would take at the machine's peak rates (train/cost.h)
  TritCounts trits;       // after the update
  double z_loss = 0;      // weighted
  double divergence = 0;  // from the teacher
  double relations = 0;   // likewise, of relations; not weighted
  size_t tokens = 0;      // that went through the model
  bool skipped = false;   // the update was left out
};

class MetricsLog {
 public:
  // Opens the file for appending. Lines of steps from `first_step` on, which a run that was killed after its checkpoint
  // left behind, the validation after the last of the run's `all_steps`, which is made anew, and a broken last line are
  // taken out first. Error when it cannot be read or written.
  MetricsLog(const std::filesystem::path& path, int64_t first_step, int64_t all_steps);
  ~MetricsLog();
  MetricsLog(const MetricsLog&) = delete;
  MetricsLog& operator=(const MetricsLog&) = delete;

  // Writes a line at once; Error when it cannot be written.
  void add(const StepMetrics& metrics);
  // Likewise: the loss on the validation data after `steps` steps.
  void add_validation(int64_t steps, const LossSum& loss);

  std::function<void(std::string_view line)> on_line;  // called, if set, with every line written, without its end

 private:
  void write_line(const std::string& line);

  std::filesystem::path path_;
  std::FILE* file_;
};

}  // namespace tern
