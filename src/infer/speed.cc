#include "infer/speed.h"

#include <fmt/chrono.h>

#include <algorithm>
#include <cmath>
#include <ctime>

#include "base/clock.h"
#include "base/error.h"
#include "base/rng.h"

namespace tern {
namespace {

constexpr uint64_t kTokenSeed = 1;

std::vector<int32_t> random_tokens(size_t count, size_t vocab) {
  Rng rng(kTokenSeed);
  std::vector<int32_t> tokens(count);
  for (int32_t& token : tokens) token = static_cast<int32_t>(rng.below(vocab));
  return tokens;
}

void read_prompt(std::span<const int32_t> tokens, size_t past, bool all_logits, Decoder& decoder) {
  for (size_t begin = 0; begin < tokens.size(); begin += decoder.max_batch()) {
    const size_t count = std::min(decoder.max_batch(), tokens.size() - begin);
    Batch batch;
    batch.add(0, past + begin, tokens.subspan(begin, count));
    if (all_logits) {
      batch.want_all_logits();
    } else if (begin + count == tokens.size()) {
      batch.want_last_logits();
    }
    decoder.decode(batch);
  }
}

void decode_tokens(std::span<const int32_t> tokens, size_t sequences, size_t past, Decoder& decoder) {
  for (size_t i = 0; i * sequences < tokens.size(); ++i) {
    Batch batch;
    for (size_t s = 0; s < sequences; ++s) batch.add(s, past + i, tokens.subspan(i * sequences + s, 1));
    batch.want_all_logits();
    decoder.decode(batch);
  }
}

}  // namespace

size_t SpeedTest::max_batch() const { return prompt > 0 ? std::min(prompt, kPrefillTokens) : sequences; }

size_t SpeedTest::max_logits() const { return prompt > 0 && !all_logits ? 1 : max_batch(); }

std::string SpeedTest::name() const {
  if (prompt > 0) return fmt::format("pp{}{}", prompt, all_logits ? " logits" : "");
  return sequences == 1 ? fmt::format("tg{}", generate) : fmt::format("tg{} b{}", generate, sequences);
}

double decoded_token_bytes(const ModelConfig& config, const WeightBytes& weights, const SpeedTest& test,
                           double head_rows, KvType kv_type) {
  const double row = static_cast<double>(weights.head_weights()) / static_cast<double>(config.vocab);
  return static_cast<double>(weights.read_by_pass()) / static_cast<double>(test.sequences) +
         static_cast<double>(kv_bytes_per_token(config, kv_type)) * static_cast<double>(test.generate + 1) / 2 +
         (test.sequences == 1 ? head_rows * row : 0);
}

SpeedSamples measure_speed(const Model& model, const SpeedTest& test, size_t repetitions,
                           const std::function<void()>& between, Threads& threads, KvType kv_type) {
  if (test.positions() > model.config.context) {
    fail("{}: {} tokens, the context holds {}", test.name(), test.positions(), model.config.context);
  }
  SpeedSamples samples;
  samples.started = fmt::format("{:%Y-%m-%dT%H:%M:%SZ}", fmt::gmtime(std::time(nullptr)));
  const std::vector<int32_t> tokens = random_tokens(test.tokens(), model.config.vocab);
  Decoder decoder(model, test.sequences, test.positions(), test.max_batch(), threads, kv_type);
  const auto run_once = [&] {
    if (test.prompt > 0) {
      read_prompt(tokens, test.past, test.all_logits, decoder);
    } else {
      decode_tokens(tokens, test.sequences, test.past, decoder);
    }
  };
  run_once();
  samples.head_rows = static_cast<double>(decoder.head_rows()) / static_cast<double>(test.tokens());
  for (size_t i = 0; i < repetitions; ++i) {
    between();
    const double start = now_s();
    run_once();
    samples.seconds.push_back(now_s() - start);
  }
  return samples;
}

Statistics statistics(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  const auto n = static_cast<double>(values.size());
  const size_t middle = values.size() / 2;
  Statistics s;
  for (const double value : values) s.mean += value / n;
  for (const double value : values) s.deviation += (value - s.mean) * (value - s.mean);
  s.deviation = values.size() > 1 ? std::sqrt(s.deviation / (n - 1)) : 0;
  s.median = values.size() % 2 == 1 ? values[middle] : (values[middle - 1] + values[middle]) / 2;
  return s;
}

double share_reached(std::span<const double> reached, std::span<const MachineRates> machine,
                     double MachineRates::*rate) {
  std::vector<double> shares;
  for (size_t i = 0; i < reached.size(); ++i) {
    shares.push_back(2 * reached[i] / (machine[i].*rate + machine[i + 1].*rate));
  }
  return statistics(std::move(shares)).median;
}

}  // namespace tern
