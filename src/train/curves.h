// Curves out of metrics.jsonl, also out of one that is still being written.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <filesystem>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "base/plot.h"

namespace tern {

// What points stand at: steps, or something counted by them, or a number of the same line.
struct CurveAxis {
  enum Kind : uint8_t { kSteps, kTokens, kSeconds, kNumber };

  CurveAxis(Kind k, std::string n = "") : kind(k), name(std::move(n)) {}
  std::string label() const;  // "steps", "tokens", "seconds of training steps", or the name

  Kind kind;
  std::string name;  // of the number
};
CurveAxis parse_curve_axis(std::string_view name);  // "step", "tokens", "seconds"; else a number's name

// One number of one run. A line {"step": s, METRIC: y} is a point of training after s + 1 steps, a line
// {"steps": n, "valid_METRIC": y} one of validation after n steps; other lines and keys have no part in it. On an axis
// of numbers every line with METRIC or "valid_METRIC" that has the axis' number too is a point.
class RunCurve {
 public:
  // `path` is a training directory or a file like its metrics.jsonl; neither has to be there yet. Tokens and seconds
  // are counted by the tokens of a step, which run.json beside the file says.
  RunCurve(const std::filesystem::path& path, std::string metric, CurveAxis axis);

  // Takes in what the file has more than at the last call, or all of it when it is another file by now. A last line
  // that is not finished yet is left for later. Returns whether there was something new. Error for a file that is not
  // there, and, naming the line, for one that is no JSON object, steps that go backwards, and a METRIC that is no
  // finite number.
  bool read();

  const std::filesystem::path& file() const { return file_; }
  const std::vector<PlotPoint>& training() const { return training_; }
  const std::vector<PlotPoint>& validation() const { return validation_; }
  bool empty() const { return training_.empty() && validation_.empty(); }
  int64_t steps() const { return steps_; }  // after which the last line was written
  // Whether the run has come to its end: a validation after as many steps as run.json asks for.
  bool finished() const;
  // Error naming the numbers that the file has, when `metric` is none of them.
  void expect_points() const;

 private:
  void start_over();
  void take_line(std::string_view text);
  void take_steps(const nlohmann::json& line);
  std::optional<double> place(const nlohmann::json& line) const;
  void load_plan();

  std::filesystem::path file_;
  std::string metric_;
  CurveAxis axis_;
  std::optional<double> step_tokens_;  // from run.json, once it is there
  int64_t planned_steps_ = 0;
  dev_t device_ = 0;
  ino_t inode_ = 0;
  size_t read_bytes_ = 0;
  size_t lines_ = 0;
  int64_t steps_ = 0;
  int64_t validated_steps_ = 0;
  double seconds_ = 0;
  std::vector<PlotPoint> training_;
  std::vector<PlotPoint> validation_;
  std::set<std::string> names_;  // of the numbers seen, as --metric takes them
};

}  // namespace tern
