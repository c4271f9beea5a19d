#include "report/energy_model.h"

#include <array>

namespace tern {
namespace {

constexpr double kJoulesPerPicojoule = 1e-12;

}  // namespace

// arXiv 2310.11453, table 2, column 45 nm.
const ProcessNode k45nm = {"45 nm", {0.9, 3.7}, {0.4, 1.1}, {0.03, 0.2}};
// The same, column 7 nm; the rows FP16 and INT8 again in arXiv 2504.12285, table 4.
const ProcessNode k7nm = {"7 nm", {0.38, 1.31}, {0.16, 0.34}, {0.007, 0.07}};

double float_product_pj(const ProductSize& size, const OperationEnergy& energy) {
  return size.m * (size.n - 1) * size.p * energy.add_pj + size.m * size.n * size.p * energy.multiply_pj;
}

double ternary_product_pj(const ProductSize& size, const ProcessNode& node) {
  return size.m * (size.n - 1) * size.p * node.int8.add_pj +
         (size.m * size.p + size.m * size.n) * node.fp16.multiply_pj;
}

double product_ratio(const ProcessNode& node) { return (node.fp16.add_pj + node.fp16.multiply_pj) / node.int8.add_pj; }

double linear_joules(const EnergyShape& shape, double tokens, const ProcessNode& node, bool is_ternary) {
  const auto product = [&](double n, double p) {
    const ProductSize size = {tokens, n, p};
    return is_ternary ? ternary_product_pj(size, node) : float_product_pj(size, node.fp16);
  };
  const double q_dim = shape.heads * shape.head_dim;
  const double kv_dim = shape.kv_heads * shape.head_dim;
  const double attention = product(shape.dim, q_dim) + 2 * product(shape.dim, kv_dim) + product(q_dim, shape.dim);
  const double feed_forward = (shape.ffn_matrices - 1) * product(shape.dim, shape.ffn) + product(shape.ffn, shape.dim);
  return shape.layers * (attention + feed_forward) * kJoulesPerPicojoule;
}

double attention_joules(const EnergyShape& shape, double tokens, const ProcessNode& node) {
  const double scores = float_product_pj({tokens, shape.head_dim, tokens}, node.fp16);
  const double sums = float_product_pj({tokens, tokens, shape.head_dim}, node.fp16);
  return shape.layers * shape.heads * (scores + sums) * kJoulesPerPicojoule;
}

double pass_joules(const EnergyShape& shape, double tokens, const ProcessNode& node, bool is_ternary) {
  return linear_joules(shape, tokens, node, is_ternary) + attention_joules(shape, tokens, node);
}

double linear_ratio(const EnergyShape& shape, double tokens, const ProcessNode& node) {
  return linear_joules(shape, tokens, node, false) / linear_joules(shape, tokens, node, true);
}

double pass_ratio(const EnergyShape& shape, double tokens, const ProcessNode& node) {
  return pass_joules(shape, tokens, node, false) / pass_joules(shape, tokens, node, true);
}

std::span<const PublishedEnergyRatio> figure3() {
  // {name, dim, layers, heads, kv heads, head dim, ffn, matrices}
  static constexpr std::array<PublishedEnergyRatio, 5> kRatios = {{
      {{"1.3B", 2048, 24, 32, 32, 64, 8192, 2}, 18.6},
      {{"3B", 2560, 32, 32, 32, 80, 10240, 2}, 21.7},
      {{"7B", 4096, 32, 32, 32, 128, 16384, 2}, 29.1},
      {{"13B", 5120, 40, 40, 40, 128, 20480, 2}, 32.9},
      {{"70B", 8192, 80, 64, 64, 128, 32768, 2}, 41.2},
  }};
  return kRatios;
}

std::span<const PublishedJoules> b2b4t_energy() {
  // Shapes: config.json of each model.
  static constexpr std::array<PublishedJoules, 6> kJoules = {{
      {{"LLaMA 3.2 1B", 2048, 16, 32, 8, 64, 8192, 3}, false, 0.258},
      {{"Gemma 3 1B", 1152, 26, 4, 1, 256, 6912, 3}, false, 0.186},
      {{"Qwen2.5 1.5B", 1536, 28, 12, 2, 128, 8960, 3}, false, 0.347},
      {{"SmolLM2 1.7B", 2048, 24, 32, 32, 64, 8192, 3}, false, 0.425},
      {{"MiniCPM 2B", 2304, 40, 36, 36, 64, 5760, 3}, false, 0.649},
      {{"BitNet b1.58 2B4T", 2560, 30, 20, 5, 128, 6912, 3}, true, 0.028},
  }};
  return kJoules;
}

}  // namespace tern
