// Learning rate and weight decay over the run. Steps are counted from 0.
#pragma once

#include <cstdint>
#include <string_view>

namespace tern {

enum class ScheduleKind : uint8_t {
  // The authors' recipe, read from the curves of "Training Tips, Code and FAQ", Figures 1c and 1d: two linear schedules
  // over the whole run, the second with a lower peak; at half the run the rate jumps from the first to the second, and
  // weight decay from its value to 0.
  kTwoStage,
  kLinear,    // one linear schedule
  kCosine,    // half a period of the cosine from the peak to the end (Loshchilov and Hutter 2017, without restarts)
  kWsd,       // warm-up, stable, decay (Hu et al. 2024, MiniCPM): the peak, then a line to the end
  kConstant,  // after the warm-up
};

struct Schedule {
  ScheduleKind kind = ScheduleKind::kTwoStage;
  int64_t steps = 0;
  int64_t warmup = 0;           // steps of the linear rise to the peak
  double peak = 0;              // of the first stage
  double second_peak = 0;       // of kTwoStage's second stage
  double end = 0;               // reached after the last step
  double decay_fraction = 0.2;  // the part of the run that kWsd's decay takes
  double weight_decay = 0;
  double weight_decay_until = 0;  // the part of the run that has weight decay; 0: half of it for kTwoStage, else all

  double learning_rate(int64_t step) const;
  double weight_decay_at(int64_t step) const;
};

// Error when numbers do not fit each other.
void validate(const Schedule& schedule);

std::string_view schedule_name(ScheduleKind kind);   // "two-stage", "linear", "cosine", "wsd", "constant"
ScheduleKind parse_schedule(std::string_view name);  // Error for other names

}  // namespace tern
