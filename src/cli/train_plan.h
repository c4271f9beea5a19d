// `tern train --dry-run`: a run's plan as text or JSON on standard output.
#pragma once

#include "train/plan.h"

namespace tern {

void print_plan(const TrainPlan& plan, bool json);

}  // namespace tern
