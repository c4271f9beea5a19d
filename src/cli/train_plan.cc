#include "cli/train_plan.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cstdio>

#include "base/json.h"
#include "base/log.h"
#include "base/plot.h"
#include "base/progress.h"
#include "cli/common.h"
#include "cli/terminal.h"
#include "kernels/kernels.h"

namespace tern {
namespace {

constexpr size_t kPlotPoints = 240;  // steps of the schedule that are shown
constexpr size_t kPlotRows = 14;

double gib(size_t bytes) { return static_cast<double>(bytes) / kGibi; }

// Steps from the first to the last, evenly.
std::vector<int64_t> shown_steps(int64_t steps) {
  const int64_t count = std::min(steps, static_cast<int64_t>(kPlotPoints));
  std::vector<int64_t> shown;
  for (int64_t i = 0; i < count; ++i) shown.push_back(count == 1 ? 0 : i * (steps - 1) / (count - 1));
  return shown;
}

std::string schedule_plot(const Schedule& schedule) {
  Plot plot;
  plot.x_label = "step";
  PlotCurve rate{"learning rate", {}, {}};
  for (const int64_t step : shown_steps(schedule.steps)) {
    rate.line.push_back({static_cast<double>(step), schedule.learning_rate(step)});
  }
  plot.curves.push_back(std::move(rate));
  std::string text;
  for (const std::string& line : draw_terminal(plot, terminal_style(0, kPlotRows))) text += line + "\n";
  return text;
}

// "0.1" or "0.1 up to step 499, then 0".
std::string weight_decay_text(const Schedule& schedule) {
  int64_t last = schedule.steps;
  while (last > 0 && !(schedule.weight_decay_at(last - 1) > 0)) --last;
  if (last == schedule.steps || last == 0) return fmt::format("{}", last == 0 ? 0.0 : schedule.weight_decay);
  return fmt::format("{} up to step {}, then 0", schedule.weight_decay, last - 1);
}

void print_json(const TrainPlan& p) {
  const TrainMemory& m = p.memory;
  const Schedule& s = p.options.schedule;
  nlohmann::ordered_json curve = nlohmann::ordered_json::array();
  for (const int64_t step : shown_steps(s.steps)) {
    curve.push_back({{"step", step}, {"lr", s.learning_rate(step)}, {"weight_decay", s.weight_decay_at(step)}});
  }
  const nlohmann::ordered_json json = {{"parameters", p.parameters},
                                       {"vocab", p.options.model.vocab},
                                       {"steps", s.steps},
                                       {"tokens_per_step", p.options.shape().tokens()},
                                       {"data_bytes", p.data_bytes},
                                       {"memory",
                                        {{"masters", m.masters},
                                         {"gradients", m.gradients},
                                         {"optimizer", m.optimizer},
                                         {"weights", m.weights},
                                         {"activations", m.activations},
                                         {"backward", m.backward},
                                         {"logits", m.logits},
                                         {"teacher", m.teacher},
                                         {"total", m.total()},
                                         {"available", p.available_memory}}},
                                       {"operations_per_step", p.cost.operations()},
                                       {"peak_integer_operations_per_second", 2 * p.peaks.integer_peak},
                                       {"peak_float_operations_per_second", 2 * p.peaks.float_peak},
                                       {"step_seconds", p.step_seconds},
                                       {"step_measured", p.measured},
                                       {"seconds", p.total_seconds()},
                                       {"schedule", curve},
                                       {"kernel", kernels().name}};
  std::fputs((json_text(json, 2) + "\n").c_str(), stdout);
}

}  // namespace

void print_plan(const TrainPlan& p, bool json) {
  if (json) return print_json(p);
  const TrainOptions& o = p.options;
  const ModelConfig& c = o.model;
  const Schedule& s = o.schedule;
  const TrainMemory& m = p.memory;
  const auto tokens = static_cast<double>(o.shape().tokens());
  fmt::print("model             {} weights, {} layers, dim {}, ffn {}, heads {}/{}, vocabulary {}\n",
             weight_kind_name(c.weights), c.layers, c.dim, c.ffn, c.heads, c.kv_heads, c.vocab);
  fmt::print("parameters        {} ({} in linear layers)\n", p.parameters, linear_parameter_count(c));
  fmt::print("data              {:.1f} MB of files; {:.4g} tokens are trained on ({} steps of {})\n",
             static_cast<double>(p.data_bytes) * 1e-6, tokens * static_cast<double>(s.steps), s.steps,
             o.shape().tokens());
  fmt::print("memory            {:.3f} GiB and the corpus ({:.1f} GiB available)\n", gib(m.total()),
             gib(p.available_memory));
  fmt::print("                  masters {:.3f}, gradients {:.3f}, {} {:.3f}, packed weights {:.3f},\n", gib(m.masters),
             gib(m.gradients), optimizer_name(o.optimizer), gib(m.optimizer), gib(m.weights));
  fmt::print("                  activations {:.3f}, backward pass {:.3f}, logits {:.3f}{}\n", gib(m.activations),
             gib(m.backward), gib(m.logits),
             m.teacher > 0 ? fmt::format(", teacher {:.3f}", gib(m.teacher)) : std::string());
  fmt::print("operations        {:.3e} a step, {:.3e} in all\n", p.cost.operations(),
             p.cost.operations() * static_cast<double>(s.steps));
  fmt::print("machine           {:.0f} G integer and {:.0f} G float operations/s at most ({} kernels)\n",
             2e-9 * p.peaks.integer_peak, 2e-9 * p.peaks.float_peak, kernels().name);
  if (p.measured) {
    fmt::print("expected time     {} ({:.3f} s a step, measured: {:.0f} tokens/s, {:.0f}% of peak)\n",
               format_duration(p.total_seconds()), p.step_seconds, tokens / p.step_seconds,
               100 * p.cost.least_seconds(p.peaks) / p.step_seconds);
  } else {
    fmt::print("least time        {} ({:.3f} s a step at the machine's peak; a step was too large to measure)\n",
               format_duration(p.total_seconds()), p.step_seconds);
  }
  fmt::print("schedule          {}, warm-up {} steps, lr {:.3g}{} to {:.3g}, weight decay {}, {}\n\n",
             schedule_name(s.kind), s.warmup, s.peak,
             s.kind == ScheduleKind::kTwoStage ? fmt::format(" and {:.3g}", s.second_peak) : std::string(),
             s.kind == ScheduleKind::kConstant ? s.peak : s.end, weight_decay_text(s), optimizer_name(o.optimizer));
  fmt::print("{}", schedule_plot(s));
}

}  // namespace tern
