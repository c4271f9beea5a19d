#include "train/metrics.h"

#include <cerrno>
#include <cstring>

#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/file.h"
#include "base/json.h"

namespace tern {
namespace {

// Keeps the lines of steps made before `first_step`: {"step": s} with s < first_step, {"steps": s} with s <= first_step
// and s < all_steps, because a run validates after its last step whenever it is called.
std::string kept_lines(std::string_view text, int64_t first_step, int64_t all_steps) {
  std::string kept;
  while (!text.empty()) {
    const size_t end = text.find('\n');
    if (end == std::string_view::npos) break;  // the writer was killed inside this line
    const std::string_view line = text.substr(0, end + 1);
    text.remove_prefix(end + 1);
    const nlohmann::json json = try_parse_json(line);
    if (!json.is_object()) continue;
    const bool step_made =
        json.contains("step") && json["step"].is_number_integer() && json["step"].get<int64_t>() < first_step;
    const bool validated = json.contains("steps") && json["steps"].is_number_integer() &&
                           json["steps"].get<int64_t>() <= first_step && json["steps"].get<int64_t>() < all_steps;
    if (step_made || validated) kept += line;
  }
  return kept;
}

}  // namespace

MetricsLog::MetricsLog(const std::filesystem::path& path, int64_t first_step, int64_t all_steps) : path_(path) {
  write_file(path, std::filesystem::exists(path) ? kept_lines(read_file(path), first_step, all_steps) : std::string());
  file_ = std::fopen(path.c_str(), "a");
  if (file_ == nullptr) fail("{}: cannot open for writing: {}", path.string(), std::strerror(errno));
}

MetricsLog::~MetricsLog() { std::fclose(file_); }

void MetricsLog::add(const StepMetrics& m) {
  nlohmann::ordered_json json = {{"step", m.step},
                                 {"loss", m.loss},
                                 {"lr", m.learning_rate},
                                 {"weight_decay", m.weight_decay},
                                 {"grad_norm", m.gradient_norm},
                                 {"tokens_per_second", m.tokens_per_second},
                                 {"peak_share", m.peak_share}};
  if (m.trits.trits > 0) {
    json["zeros"] = m.trits.zero_fraction();
    json["flips"] = m.trits.flip_fraction();
  }
  if (m.z_loss > 0) json["z_loss"] = m.z_loss;
  if (m.divergence > 0) json["divergence"] = m.divergence;
  if (m.relations > 0) json["relations"] = m.relations;
  if (m.skipped) json["skipped"] = true;
  write_line(json_text(json));
}

void MetricsLog::add_validation(int64_t steps, const LossSum& loss) {
  const nlohmann::ordered_json json = {{"steps", steps}, {"valid_loss", loss.mean()}, {"valid_tokens", loss.tokens}};
  write_line(json_text(json));
}

void MetricsLog::write_line(const std::string& line) {
  const bool written = std::fputs((line + "\n").c_str(), file_) >= 0 && std::fflush(file_) == 0;
  if (!written) fail("{}: write failed: {}", path_.string(), std::strerror(errno));
  if (on_line) on_line(line);
}

}  // namespace tern
