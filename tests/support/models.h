// Small models: those of the fixtures, and random ones of many shapes.
#pragma once

#include <cstdint>
#include <ostream>
#include <string>
#include <vector>

#include "model/weights.h"
#include "support/fixture.h"

namespace tern::test {

// The models that the oracle wrote: "model_ternary", ...
std::vector<std::string> model_fixtures();

ModelConfig config_of(const Fixture& fixture);
// The model with the fixture's masters packed.
Model model_of(const Fixture& fixture, Threads& threads);

struct NamedConfig {
  std::string name;
  ModelConfig config;
};
inline std::ostream& operator<<(std::ostream& out, const NamedConfig& named) { return out << named.name; }

// Tiny shapes in which everything that a graph may have occurs: grouped queries, head sizes 8, 20, 32 and 100, widths
// that fill no block of 16, both activations, with and without sub-norms, tied and free heads, every kind of weights.
std::vector<NamedConfig> small_configs();

// The details that only inference knows: the graphs of Qwen3 and Gemma 3, and those of BitNet's embedding models.
std::vector<NamedConfig> inference_configs();

// Random weights: matrices of a deviation that keeps the activations' size, norms around 1.
Model test_model(const ModelConfig& config, uint64_t seed, Threads& threads);
// The values of one tensor of random_model.
Matrix random_weights(const TensorSpec& spec, uint64_t seed);

}  // namespace tern::test
