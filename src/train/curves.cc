#include "train/curves.h"

#include <sys/stat.h>

#include <cerrno>
#include <cmath>
#include <cstring>

#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "base/text.h"
#include "model/load.h"
#include "train/options.h"
#include "train/trainer.h"

namespace tern {
namespace {

using Json = nlohmann::json;

constexpr std::string_view kValidPrefix = "valid_";
constexpr int64_t kMostSteps = int64_t{1} << 53;  // what a double counts exactly

// The number at `key`, if it is there; true and false are 1 and 0.
std::optional<double> number_at(const Json& line, const std::string& key) {
  const auto found = line.find(key);
  if (found == line.end()) return std::nullopt;
  const double value = found->is_boolean()  ? (found->get<bool>() ? 1 : 0)
                       : found->is_number() ? found->get<double>()
                                            : std::nan("");
  if (!std::isfinite(value)) {
    fail("\"{}\" is {}, expected a finite number", key,
         quote(found->dump(-1, ' ', true, Json::error_handler_t::replace)));
  }
  return value;
}

std::optional<int64_t> steps_at(const Json& line, const char* key) {
  const auto found = line.find(key);
  if (found == line.end()) return std::nullopt;
  const bool counts = found->is_number_unsigned() && found->get<uint64_t>() < static_cast<uint64_t>(kMostSteps);
  if (!counts) {
    fail("\"{}\" is {}, expected a whole number from 0 on", key,
         quote(found->dump(-1, ' ', true, Json::error_handler_t::replace)));
  }
  return found->get<int64_t>();
}

}  // namespace

CurveAxis parse_curve_axis(std::string_view name) {
  if (name == "step") return CurveAxis::kSteps;
  if (name == "tokens") return CurveAxis::kTokens;
  if (name == "seconds") return CurveAxis::kSeconds;
  return {CurveAxis::kNumber, std::string(name)};
}

std::string CurveAxis::label() const {
  switch (kind) {
    case kSteps:
      return "steps";
    case kTokens:
      return "tokens";
    case kSeconds:
      return "seconds of training steps";
    case kNumber:
      return name;
  }
  return "";
}

RunCurve::RunCurve(const std::filesystem::path& path, std::string metric, CurveAxis axis)
    : file_(path.extension() == ".jsonl" || std::filesystem::is_regular_file(path) ? path : path / kMetricsFile),
      metric_(std::move(metric)),
      axis_(std::move(axis)) {}

void RunCurve::load_plan() {
  if (step_tokens_) return;
  const std::filesystem::path path = file_.parent_path() / kRunConfigFile;
  if (!std::filesystem::exists(path)) return;
  const TrainOptions options = options_from_json(read_file(path), path.string(), TrainOptions{});
  step_tokens_ = static_cast<double>(options.shape().tokens());
  planned_steps_ = options.schedule.steps;
}

void RunCurve::start_over() {
  read_bytes_ = lines_ = 0;
  steps_ = validated_steps_ = 0;
  seconds_ = 0;
  training_.clear();
  validation_.clear();
}

bool RunCurve::read() {
  struct stat info {};
  if (::stat(file_.c_str(), &info) != 0) fail("{}: cannot open for reading: {}", file_.string(), std::strerror(errno));
  const bool other = info.st_dev != device_ || info.st_ino != inode_ || static_cast<size_t>(info.st_size) < read_bytes_;
  if (!other && static_cast<size_t>(info.st_size) == read_bytes_) return false;
  if (other) start_over();
  device_ = info.st_dev;
  inode_ = info.st_ino;
  load_plan();
  if ((axis_.kind == CurveAxis::kTokens || axis_.kind == CurveAxis::kSeconds) && !step_tokens_) {
    fail("{}: expected {} beside it, which says how many tokens a step has; there is none", file_.string(),
         kRunConfigFile);
  }
  const MappedFile mapped(file_);
  const Bytes bytes = mapped.bytes().subspan(std::min(read_bytes_, mapped.bytes().size()));
  std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  bool news = other;
  while (!text.empty()) {
    const size_t end = text.find('\n');
    const bool finished = end != std::string_view::npos;
    const std::string_view line = text.substr(0, end);
    // The writer was stopped inside this line, or is still at it.
    if (!finished && !Json::accept(line)) break;
    ++lines_;
    news = true;
    with_context(fmt::format("{}: line {}", file_.string(), lines_), [&] { take_line(line); });
    text.remove_prefix(line.size() + (finished ? 1 : 0));
    read_bytes_ += line.size() + (finished ? 1 : 0);
    // Its end, when that comes, is no line of its own.
    if (!finished) --lines_;
  }
  return news;
}

// Where the line's numbers stand, if it says so.
std::optional<double> RunCurve::place(const Json& line) const {
  if (axis_.kind == CurveAxis::kNumber) return number_at(line, axis_.name);
  if (!line.contains("step") && !line.contains("steps")) return std::nullopt;
  switch (axis_.kind) {
    case CurveAxis::kTokens:
      return static_cast<double>(steps_) * *step_tokens_;
    case CurveAxis::kSeconds:
      return seconds_;
    default:
      return static_cast<double>(steps_);
  }
}

void RunCurve::take_steps(const Json& line) {
  const std::optional<int64_t> step = steps_at(line, "step");
  const std::optional<int64_t> validated = step ? std::nullopt : steps_at(line, "steps");
  if (!step && !validated) return;
  const int64_t steps = step ? *step + 1 : *validated;
  if (steps < steps_) fail("a line of {} steps comes after one of {}", steps, steps_);
  steps_ = steps;
  if (step && axis_.kind == CurveAxis::kSeconds) {
    const std::optional<double> speed = number_at(line, "tokens_per_second");
    if (!speed || !(*speed > 0)) fail("expected \"tokens_per_second\" above 0, which seconds are counted by");
    seconds_ += *step_tokens_ / *speed;
  }
  if (validated) validated_steps_ = *validated;
}

void RunCurve::take_line(std::string_view text) {
  if (text.find_first_not_of(" \t\r") == std::string_view::npos) return;
  const Json line = try_parse_json(text);
  if (!line.is_object()) fail("expected a JSON object, got {}", quote(text));
  take_steps(line);
  const std::optional<double> x = place(line);
  if (!x && axis_.kind != CurveAxis::kNumber) return;
  for (const auto& [key, value] : line.items()) {
    const bool valid = key.starts_with(kValidPrefix);
    if (key != "step" && key != "steps" && value.is_number())
      names_.insert(valid ? key.substr(kValidPrefix.size()) : key);
  }
  if (!x) return;
  const bool validation = line.contains("steps") && !line.contains("step");
  if (const auto y = number_at(line, metric_)) (validation ? validation_ : training_).push_back({*x, *y});
  if (const auto y = number_at(line, std::string(kValidPrefix) + metric_)) validation_.push_back({*x, *y});
}

bool RunCurve::finished() const { return planned_steps_ > 0 && validated_steps_ >= planned_steps_; }

void RunCurve::expect_points() const {
  if (!empty()) return;
  std::string names;
  for (const std::string& name : names_) names += (names.empty() ? "" : ", ") + name;
  if (names.empty()) fail("{}: expected lines with \"step\" or \"steps\" and numbers, there are none", file_.string());
  const std::string beside = axis_.kind == CurveAxis::kNumber ? " beside " + quote(axis_.name) : "";
  fail("{}: no number {}{} in it; there are {}", file_.string(), quote(metric_), beside, names);
}

}  // namespace tern
