// The energy that the arithmetic of a forward pass takes, by the model of the BitNet papers: so many additions and
// multiplications, each at a price. Nothing else is in it: no memory traffic, no norms, no softmax, no embedding or
// head. Energies are in picojoules unless a name says joules.
#pragma once

#include <span>
#include <string_view>

namespace tern {

struct OperationEnergy {
  double add_pj = 0;
  double multiply_pj = 0;
};

struct ProcessNode {
  std::string_view name;
  OperationEnergy fp32, fp16, int8;
};

// The operations' energies as BitNet (arXiv 2310.11453, table 2) lists them, after Horowitz (ISSCC 2014) for 45 nm and
// Zhang et al. (PokeBNN, arXiv 2112.00133) for 7 nm.
inline constexpr std::string_view kEnergySources =
    "arXiv 2310.11453, table 2; FP16 and INT8 at 7 nm again in arXiv 2504.12285, table 4. They took them from M. "
    "Horowitz, Computing's energy problem (ISSCC 2014), for 45 nm, and from Y. Zhang et al., PokeBNN (arXiv "
    "2112.00133), for 7 nm.";
extern const ProcessNode k45nm;
extern const ProcessNode k7nm;

// (m, n) times (n, p): m tokens, n inputs, p outputs.
struct ProductSize {
  double m = 0, n = 0, p = 0;
};

// m (n - 1) p additions and m n p multiplications.
double float_product_pj(const ProductSize& size, const OperationEnergy& energy);
// m (n - 1) p additions of int8 and, for the scales, m p + m n multiplications in FP16.
double ternary_product_pj(const ProductSize& size, const ProcessNode& node);

// What a multiply-add of FP16 costs over an addition of int8: the ratio that products of matrices tend to as their
// sides grow. 71.4 at 7 nm.
double product_ratio(const ProcessNode& node);

// The matrices of a model whose energy is counted.
struct EnergyShape {
  std::string_view name;
  double dim = 0, layers = 0;
  double heads = 0, kv_heads = 0, head_dim = 0;
  double ffn = 0;
  double ffn_matrices = 3;  // 3 with a gate (LLaMA), 2 without
};

// One pass over `tokens` tokens. The products with the cached keys and values are FP16 in both kinds of model, of every
// token with all `tokens` positions: the papers' numbers come out only without a causal mask.
double linear_joules(const EnergyShape& shape, double tokens, const ProcessNode& node, bool is_ternary);
double attention_joules(const EnergyShape& shape, double tokens, const ProcessNode& node);
double pass_joules(const EnergyShape& shape, double tokens, const ProcessNode& node, bool is_ternary);
// Full precision over ternary: of all of the pass, and of its linear layers alone.
double linear_ratio(const EnergyShape& shape, double tokens, const ProcessNode& node);
double pass_ratio(const EnergyShape& shape, double tokens, const ProcessNode& node);

// Tokens of the passes whose energy the papers report.
inline constexpr double kEnergyTokens = 512;

// The shapes behind figure 3 of arXiv 2402.17764, which does not list them. Reconstructed: of those of BitNet
// (arXiv 2310.11453, table 5: 12 dim^2 parameters a layer, no gate), whose 3B is 2560 wide with 32 layers, the model
// above gives the figure's ratios to within 0.3%; of the shapes that the paper's models have (3B: 3200 wide, 26
// layers) it does not.
struct PublishedEnergyRatio {
  EnergyShape shape;
  double ratio = 0;  // end to end, 7 nm
};
std::span<const PublishedEnergyRatio> figure3();

// Table 1 of arXiv 2504.12285: joules of a pass at 7 nm, with the shapes that these models publish.
struct PublishedJoules {
  EnergyShape shape;
  bool is_ternary = false;
  double joules = 0;
};
std::span<const PublishedJoules> b2b4t_energy();

}  // namespace tern
