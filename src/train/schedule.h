// Learning rate and weight decay over the run. Steps are counted from 0.
#pragma once

#include <cstdint>
#include <string_view>

namespace tern {

enum class ScheduleKind : uint8_t {
  // The authors' recipe, read from the curves of "Training Tips, Code and FAQ", Figures 1c and 1d: two linear schedules
  // over
  // the whole run, the second with a lower peak; at half the run the rate jumps from the first to the second, and
  // weight
  // decay from its value to 0.
  kTwoStage,
  kLinear,    // one linear schedule, weight decay all along
  kConstant,  // after the warm-up
};

struct Schedule {
  ScheduleKind kind = ScheduleKind::kTwoStage;
  int64_t steps = 0;
  int64_t warmup = 0;
  double peak = 0;         // of the first stage
  double second_peak = 0;  // of the second stage
  double end = 0;          // at the last step
  double weight_decay = 0;

  double learning_rate(int64_t step) const;
  double weight_decay_at(int64_t step) const;
};

std::string_view schedule_name(ScheduleKind kind);   // "two-stage", "linear", "constant"
ScheduleKind parse_schedule(std::string_view name);  // Error for other names

}  // namespace tern
