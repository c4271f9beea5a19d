#include "train/schedule.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "base/error.h"
#include "base/text.h"

namespace tern {
namespace {

int64_t part_of(int64_t steps, double fraction) { return static_cast<int64_t>(fraction * static_cast<double>(steps)); }

}  // namespace

double Schedule::learning_rate(int64_t step) const {
  const bool second = kind == ScheduleKind::kTwoStage && step >= steps / 2;
  const double stage_peak = second ? second_peak : peak;
  if (step < warmup) return stage_peak * static_cast<double>(step + 1) / static_cast<double>(warmup);
  if (kind == ScheduleKind::kConstant || steps <= warmup) return stage_peak;
  int64_t begin = warmup;  // of the fall
  if (kind == ScheduleKind::kWsd) begin = std::max(warmup, steps - part_of(steps, decay_fraction));
  if (step < begin || steps <= begin) return stage_peak;
  const double left = static_cast<double>(steps - step) / static_cast<double>(steps - begin);  // 1 to 0
  if (kind == ScheduleKind::kCosine) {
    return end + (stage_peak - end) * 0.5 * (1.0 + std::cos(std::numbers::pi * (1.0 - left)));
  }
  return end + (stage_peak - end) * static_cast<double>(steps - step) / static_cast<double>(steps - begin);
}

double Schedule::weight_decay_at(int64_t step) const {
  if (weight_decay_until > 0) return step < part_of(steps, weight_decay_until) ? weight_decay : 0.0;
  return kind == ScheduleKind::kTwoStage && step >= steps / 2 ? 0.0 : weight_decay;
}

void validate(const Schedule& s) {
  if (s.steps < 1) fail("train: steps is {}, expected 1 or more", s.steps);
  if (s.warmup < 0 || s.warmup > s.steps) {
    fail("train: warmup is {}, expected 0 to the number of steps, {}", s.warmup, s.steps);
  }
  if (!(s.peak > 0) || !std::isfinite(s.peak)) fail("train: lr is {}, expected a number above 0", s.peak);
  const auto below_peak = [&](const char* name, double rate) {
    if (!(rate >= 0 && rate <= s.peak)) fail("train: {} is {}, expected 0 to lr, {}", name, rate, s.peak);
  };
  below_peak("lr_end", s.end);
  if (s.kind == ScheduleKind::kTwoStage) {
    below_peak("lr_second", s.second_peak);
    if (s.second_peak < s.end) fail("train: lr_second is {}, expected lr_end, {}, or more", s.second_peak, s.end);
  }
  const auto fraction = [](const char* name, double value) {
    if (!(value >= 0 && value <= 1)) fail("train: {} is {}, expected 0 to 1", name, value);
  };
  fraction("decay_fraction", s.decay_fraction);
  fraction("weight_decay_until", s.weight_decay_until);
  if (!(s.weight_decay >= 0) || !std::isfinite(s.weight_decay)) {
    fail("train: weight_decay is {}, expected 0 or more", s.weight_decay);
  }
}

std::string_view schedule_name(ScheduleKind kind) {
  switch (kind) {
    case ScheduleKind::kTwoStage:
      return "two-stage";
    case ScheduleKind::kLinear:
      return "linear";
    case ScheduleKind::kCosine:
      return "cosine";
    case ScheduleKind::kWsd:
      return "wsd";
    case ScheduleKind::kConstant:
      return "constant";
  }
  return "";
}

ScheduleKind parse_schedule(std::string_view name) {
  for (ScheduleKind kind : {ScheduleKind::kTwoStage, ScheduleKind::kLinear, ScheduleKind::kCosine, ScheduleKind::kWsd,
                            ScheduleKind::kConstant}) {
    if (schedule_name(kind) == name) return kind;
  }
  fail("unknown schedule {}, expected two-stage, linear, cosine, wsd or constant", quote(name));
}

}  // namespace tern
