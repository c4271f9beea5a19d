#include "report/jobs.h"

#include <algorithm>

#include "base/cpu.h"
#include "infer/decoder.h"
#include "model/shapes.h"
#include "report/capacity.h"
#include "report/layer_plan.h"
#include "report/numbers.h"
#include "report/published.h"

namespace tern {
namespace {

// The decoder that reads the longest prompt: tokens are decoded in less.
DecoderSize prompt_decoder(const ModelConfig& config) {
  const size_t positions = std::min(kPrefillTokens, config.context);
  return {1, positions, positions, kInferenceKvType};
}

DecoderSize batch_decoder(size_t batch, KvType kv_type) { return {batch, kThroughputPositions, batch, kv_type}; }

// Few layers would stay in the last-level cache, as the whole model does not.
size_t least_weights() { return 2 * last_level_cache_bytes(); }

Measurement plan_measurement(const LayerPlan& plan) {
  Measurement m;
  m.problem = plan.problem;
  if (!plan.layers.empty()) {
    m.numbers["few"] = static_cast<double>(plan.layers.front());
    m.numbers["more"] = static_cast<double>(plan.layers.back());
  }
  return m;
}

// The numbers of layers in a plan: none, one or two.
std::vector<size_t> planned_layers(const Measurement& plan) {
  if (!plan.has("few")) return {};
  const auto few = static_cast<size_t>(plan.at("few")), more = static_cast<size_t>(plan.at("more"));
  return few == more ? std::vector<size_t>{few} : std::vector<size_t>{few, more};
}

std::string layers_label(size_t layers, const ModelConfig& config) {
  return layers == config.layers ? "" : fmt::format(", {} of {} layers", layers, config.layers);
}

void add_model_jobs(const ReportOptions& options, const SpeedMeter& meter, const std::string& shape, WeightKind kind,
                    Measurements& all, std::vector<Job>& jobs) {
  const std::string name = model_name(shape, kind);
  const ModelConfig config = find_shape(shape, kind);
  if (!all.contains(plan_name(name))) {
    all[plan_name(name)] =
        plan_measurement(plan_model(config, prompt_decoder(config), options.model_memory, least_weights()));
  }
  const std::vector<size_t> planned = planned_layers(all[plan_name(name)]);
  for (const size_t layers : planned) {
    const size_t most = planned.back();
    jobs.push_back({layers_name(name, layers),
                    fmt::format("{} {}{}", shape, weight_kind_name(kind), layers_label(layers, config)),
                    [=, &meter] { return measure_model(config, layers, most, meter); }});
  }
}

// The batch that is measured: the largest one of the budget as far as memory and time allow.
size_t measured_batch(const ReportOptions& options, const ModelConfig& config, KvType kv_type, size_t largest,
                      const MachineRates& rates) {
  const double rate = config.weights == WeightKind::kFull ? rates.float_peak : rates.integer_peak;
  const double layer_macs = static_cast<double>(linear_parameter_count(config)) / static_cast<double>(config.layers);
  // A few passes of two tokens through about three layers in the time of a test.
  constexpr double kPassesTimesLayers = 24, kLikelyShare = 0.3;
  const double in_time = options.test_seconds * kLikelyShare * rate / (kPassesTimesLayers * layer_macs);
  constexpr double kFewest = 8, kMost = 1e6;
  size_t batch = std::min(largest, static_cast<size_t>(std::clamp(in_time, kFewest, kMost)));
  while (batch > 1 && measured_bytes(config, 2, batch_decoder(batch, kv_type)) > options.model_memory) {
    batch = batch * 3 / 4;
  }
  return batch;
}

void add_batch_jobs(const ReportOptions& options, const SpeedMeter& meter, WeightKind kind, KvType kv_type,
                    Measurements& all, std::vector<Job>& jobs) {
  const std::string& shape = options.throughput_shape;
  const ModelConfig config = find_shape(shape, kind);
  const std::string name = batch_name(shape, kind, kv_type);
  Measurement& plan = all[plan_name(name)];
  if (plan == Measurement{}) {
    const Capacity capacity = largest_batch(config, kThroughputPositions, kv_type, options.memory_budget);
    if (capacity.sequences > 0) {
      const size_t batch = measured_batch(options, config, kv_type, capacity.sequences, meter.machine.best());
      const DecoderSize decoder = batch_decoder(batch, kv_type);
      // One and three layers do: every weight serves many tokens, wherever it is read from.
      const size_t few = measured_bytes(config, std::min<size_t>(4, config.layers), decoder);
      plan = plan_measurement(plan_model(config, decoder, std::min(options.model_memory, few), 0));
      plan.numbers["batch"] = static_cast<double>(batch);
    } else {
      plan.problem = fmt::format("{} of weights do not fit {}", bytes_text(capacity.weight_bytes),
                                 bytes_text(options.memory_budget));
    }
  }
  for (const size_t layers : planned_layers(plan)) {
    const auto batch = static_cast<size_t>(plan.at("batch"));
    jobs.push_back(
        {layers_name(name, layers),
         fmt::format("{} {}, {} sequences, {} keys and values{}", shape, weight_kind_name(kind), batch,
                     kv_type_name(kv_type), layers_label(layers, config)),
         [=, &meter] { return measure_batch(config, layers, batch, kThroughputPositions / 2, kv_type, meter); }});
  }
}

}  // namespace

std::string model_name(const std::string& shape, WeightKind kind) {
  return fmt::format("speed/{}/{}", shape, weight_kind_name(kind));
}

std::string batch_name(const std::string& shape, WeightKind kind, KvType kv_type) {
  return fmt::format("batch/{}/{}/{}", shape, weight_kind_name(kind), kv_type_name(kv_type));
}

std::string layers_name(const std::string& model, size_t layers) { return fmt::format("{}/{}", model, layers); }

std::string plan_name(const std::string& model) { return "layers of " + model; }

std::string perplexity_name(const std::filesystem::path& model, const std::string& convention) {
  return fmt::format("perplexity/{}/{}", convention, model.string());
}

std::string task_name(const std::filesystem::path& model, const std::string& task) {
  return fmt::format("task/{}/{}", task, model.string());
}

std::vector<Job> make_jobs(const ReportOptions& options, const SpeedMeter& meter, QualityMeter& quality,
                           Measurements& all) {
  std::vector<Job> jobs;
  for (const std::string& shape : options.shapes) {
    for (const WeightKind kind : kReportKinds) add_model_jobs(options, meter, shape, kind, all, jobs);
  }
  for (const WeightKind kind : kReportKinds) {
    for (const KvType kv_type : kReportKvTypes) add_batch_jobs(options, meter, kind, kv_type, all, jobs);
  }
  for (const std::filesystem::path& model : options.models) {
    if (!options.text.empty()) {
      for (const std::string& convention : report_conventions()) {
        jobs.push_back({perplexity_name(model, convention),
                        fmt::format("perplexity of {} ({})", model.string(), convention), [=, &options, &quality] {
                          return quality.measure_perplexity(model, options.text, options.text_bytes, convention);
                        }});
      }
    }
    if (!options.data.empty()) {
      for (const std::string& task : options.tasks) {
        jobs.push_back({task_name(model, task), fmt::format("{} of {}", task, model.string()), [=, &options, &quality] {
                          return quality.measure_task(model, options.data, task, options.question_limit);
                        }});
      }
    }
  }
  return jobs;
}

}  // namespace tern
