// Times of a token's choice among the logits of a large vocabulary (Llama 3's size): flat ones, as of random weights,
// and peaked ones, as of a trained model that is nearly sure.
#include <benchmark/benchmark.h>

#include <string>
#include <vector>

#include "infer/sampler.h"

namespace tern {
namespace {

std::vector<float> logits(bool peaked) {
  std::vector<float> result(128256);
  Rng random(1);
  for (float& logit : result) logit = static_cast<float>(peaked ? 2 * random.normal() - 5 : random.normal());
  for (int i = 0; peaked && i < 200; ++i) {
    result[random.below(result.size())] = static_cast<float>(5 + 15 * random.uniform());
  }
  return result;
}

void sample(benchmark::State& state, SamplerOptions options, bool peaked) {
  const std::vector<float> values = logits(peaked);
  Sampler sampler(options);
  for (auto _ : state) benchmark::DoNotOptimize(sampler.sample(values, {}));
}

SamplerOptions options(float temperature, size_t top_k, float top_p, float min_p) {
  SamplerOptions result;
  result.temperature = temperature;
  result.top_k = top_k;
  result.top_p = top_p;
  result.min_p = min_p;
  return result;
}

void add_benchmarks(const char* name, const SamplerOptions& options) {
  for (const bool peaked : {false, true}) {
    const auto full_name = std::string(name) + (peaked ? "/peaked" : "/flat");
    benchmark::RegisterBenchmark(full_name.c_str(), sample, options, peaked)->Unit(benchmark::kMicrosecond);
  }
}

}  // namespace
}  // namespace tern

int main(int argc, char** argv) {
  benchmark::Initialize(&argc, argv);
  tern::add_benchmarks("greedy", tern::options(0, 0, 1, 0));
  tern::add_benchmarks("all", tern::options(1, 0, 1, 0));
  tern::add_benchmarks("top_p_0.95", tern::options(1, 0, 0.95f, 0));
  tern::add_benchmarks("min_p_0.05", tern::options(1, 0, 1, 0.05f));
  tern::add_benchmarks("top_k_40", tern::options(1, 40, 0.95f, 0));
  tern::add_benchmarks("top_k_1000", tern::options(1, 1000, 1, 0));
  tern::add_benchmarks("top_k_50000", tern::options(1, 50000, 1, 0));
  benchmark::RunSpecifiedBenchmarks();
}
