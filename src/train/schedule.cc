#include "train/schedule.h"

#include "base/error.h"
#include "base/text.h"

namespace tern {

double Schedule::learning_rate(int64_t step) const {
  const bool second = kind == ScheduleKind::kTwoStage && step >= steps / 2;
  const double stage_peak = second ? second_peak : peak;
  if (step < warmup) return stage_peak * static_cast<double>(step + 1) / static_cast<double>(warmup);
  if (kind == ScheduleKind::kConstant || steps <= warmup) return stage_peak;
  return end + (stage_peak - end) * static_cast<double>(steps - step) / static_cast<double>(steps - warmup);
}

double Schedule::weight_decay_at(int64_t step) const {
  return kind == ScheduleKind::kTwoStage && step >= steps / 2 ? 0.0 : weight_decay;
}

std::string_view schedule_name(ScheduleKind kind) {
  switch (kind) {
    case ScheduleKind::kTwoStage:
      return "two-stage";
    case ScheduleKind::kLinear:
      return "linear";
    case ScheduleKind::kConstant:
      return "constant";
  }
  return "";
}

ScheduleKind parse_schedule(std::string_view name) {
  for (ScheduleKind kind : {ScheduleKind::kTwoStage, ScheduleKind::kLinear, ScheduleKind::kConstant}) {
    if (schedule_name(kind) == name) return kind;
  }
  fail("unknown schedule {}, expected two-stage, linear or constant", quote(name));
}

}  // namespace tern
