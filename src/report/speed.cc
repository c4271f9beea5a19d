#include "report/speed.h"

#include <algorithm>

#include "base/memory.h"
#include "base/rng.h"
#include "infer/speed.h"
#include "model/random_model.h"
#include "report/layer_plan.h"

namespace tern {
namespace {

constexpr uint64_t kModelSeed = 1;
constexpr size_t kMachineReadings = 3;
constexpr double kLikelyShare = 0.4;  // of the machine's rates that a test reaches: how long it will take
constexpr double kFewestTokens = 4, kMostDecoded = 64, kMostRead = 512;
constexpr size_t kBatchTokens = 2;       // decoded of every sequence
constexpr size_t kBatchRepetitions = 2;  // times as many: a difference of few layers is sought in short passes

struct Repetitions {
  std::vector<double> seconds;
  double head_rows = 0;        // SpeedSamples
  std::vector<double> joules;  // as many, or none
  std::vector<MachineRates> machine;

  double best() const { return *std::min_element(seconds.begin(), seconds.end()); }
};

Repetitions repeat(const Model& model, const SpeedTest& test, KvType kv_type, const SpeedMeter& meter) {
  Repetitions r;
  PackageEnergy::Reading begin;
  const auto end_repetition = [&] {
    if (!begin.empty()) r.joules.push_back(meter.energy.joules_between(begin, meter.energy.read()));
  };
  const auto between = [&] {
    end_repetition();
    r.machine.push_back(meter.machine.measure());
    begin = meter.energy.read();
  };
  SpeedSamples samples = measure_speed(model, test, meter.repetitions, between, meter.threads, kv_type);
  r.seconds = std::move(samples.seconds);
  r.head_rows = samples.head_rows;
  end_repetition();
  r.machine.push_back(meter.machine.measure());
  if (r.joules.size() != r.seconds.size()) r.joules.clear();
  return r;
}

// `rate` units a second; a token takes `per_token` of them.
size_t tokens_in(double seconds, double rate, double per_token, double most) {
  return static_cast<size_t>(std::clamp(seconds * kLikelyShare * rate / per_token, kFewestTokens, most));
}

// The first layers of a model in the form that inference gives the whole one.
Model make_layers(ModelConfig config, size_t layers, Threads& threads) {
  const HeadKind head = default_head(config);
  const TernaryLayout layout = default_ternary_layout(config);
  config.layers = layers;
  Model model = random_model(config, kModelSeed, threads, layout);
  set_head({head, 0}, threads, model);
  return model;
}

}  // namespace

Measurement measure_model(const ModelConfig& config, size_t layers, size_t most_layers, const SpeedMeter& meter) {
  const bool is_peak_known = restart_peak_memory();
  const Model model = make_layers(config, layers, meter.threads);
  const WeightBytes weights = weight_bytes(model);
  const MachineRates& rates = meter.machine.best();
  const bool is_full = config.weights == WeightKind::kFull;
  const auto peak = is_full ? &MachineRates::float_peak : &MachineRates::integer_peak;
  ModelConfig most = config;
  most.layers = most_layers;
  const double seconds = meter.seconds / static_cast<double>(meter.repetitions + 1);
  const double scale = static_cast<double>(most_layers) / static_cast<double>(layers);
  const double room = static_cast<double>(config.context);
  const size_t generate = tokens_in(seconds, rates.read_bandwidth, static_cast<double>(weights.read_by_pass()) * scale,
                                    std::min(kMostDecoded, room));
  const size_t prompt =
      tokens_in(seconds, rates.*peak, static_cast<double>(linear_parameter_count(most)), std::min(kMostRead, room));

  Measurement m;
  const SpeedTest decoding{0, generate, 1};
  const Repetitions decode = repeat(model, decoding, kInferenceKvType, meter);
  const auto generated = static_cast<double>(generate);
  const double bytes = decoded_token_bytes(model.config, weights, decoding, decode.head_rows, kInferenceKvType);
  std::vector<double> reached;
  for (const double s : decode.seconds) reached.push_back(bytes * generated / s);
  m.numbers["decode_tokens"] = generated;
  m.numbers["decode_s"] = decode.best() / generated;
  m.numbers["bandwidth_share"] = share_reached(reached, decode.machine, &MachineRates::read_bandwidth);
  if (!decode.joules.empty()) m.numbers["decode_joules"] = statistics(decode.joules).median / generated;

  const Repetitions prefill = repeat(model, {prompt, 0, 1}, kInferenceKvType, meter);
  const auto read = static_cast<double>(prompt);
  reached.clear();
  for (const double s : prefill.seconds) {
    reached.push_back(static_cast<double>(linear_parameter_count(model.config)) * read / s);
  }
  m.numbers["prompt_tokens"] = read;
  m.numbers["prefill_s"] = prefill.best() / read;
  m.numbers["peak_share"] = share_reached(reached, prefill.machine, peak);
  const size_t most_bytes = peak_memory_bytes();
  if (is_peak_known && most_bytes > MachineMeter::kReadBytes) {
    m.numbers["peak_bytes"] = static_cast<double>(most_bytes - MachineMeter::kReadBytes);
  }
  return m;
}

Measurement measure_batch(const ModelConfig& config, size_t layers, size_t sequences, size_t past, KvType kv_type,
                          const SpeedMeter& meter) {
  const Model model = make_layers(config, layers, meter.threads);
  const SpeedTest test = {0, kBatchTokens, sequences, past};
  SpeedMeter often = meter;
  often.repetitions *= kBatchRepetitions;
  Measurement m;
  m.numbers["pass_s"] = repeat(model, test, kv_type, often).best() / static_cast<double>(kBatchTokens);
  return m;
}

Measurement measure_machine(MachineMeter& machine) {
  for (size_t i = 0; i < kMachineReadings; ++i) machine.measure();
  const MachineRates& best = machine.best();
  Measurement m;
  m.numbers["bandwidth"] = best.read_bandwidth;
  m.numbers["integer_peak"] = best.integer_peak;
  m.numbers["float_peak"] = best.float_peak;
  return m;
}

}  // namespace tern
