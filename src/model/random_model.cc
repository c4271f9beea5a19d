#include "model/random_model.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <vector>

#include "base/rng.h"
#include "quant/absmean.h"
#include "tensor/float16.h"

namespace tern {
namespace {

constexpr size_t kTableSize = size_t{1} << 16;
constexpr size_t kCombinations = 81;  // of four trits
constexpr uint8_t kZeroCodes = 0x55;  // four trits 0

// Draws from `table` with sixteen random bits each: four of a random number.
template <class T>
void fill_random(const std::vector<T>& table, Rng rng, T* out, size_t n) {
  size_t i = 0;
  for (; i + 4 <= n; i += 4) {
    const uint64_t bits = rng.next();
    for (size_t j = 0; j < 4; ++j) out[i + j] = table[(bits >> (16 * j)) & 0xFFFF];
  }
  const uint64_t bits = rng.next();
  for (size_t j = 0; i + j < n; ++j) out[i + j] = table[(bits >> (16 * j)) & 0xFFFF];
}

// Bytes of four codes, each as often as independent trits would have it.
std::vector<uint8_t> code_table(double zero_share) {
  const std::array<double, 3> share = {(1 - zero_share) / 2, zero_share, (1 - zero_share) / 2};
  std::vector<uint8_t> table(kTableSize);
  double cumulative = 0;
  size_t begin = 0;
  for (size_t combination = 0; combination < kCombinations; ++combination) {
    double probability = 1;
    unsigned byte = 0;
    size_t rest = combination;
    for (unsigned field = 0; field < 4; ++field) {
      probability *= share[rest % 3];
      byte |= static_cast<unsigned>(rest % 3) << (2 * field);
      rest /= 3;
    }
    cumulative += probability;
    const auto end = std::min(kTableSize, static_cast<size_t>(std::lround(cumulative * double{kTableSize})));
    std::fill(table.data() + begin, table.data() + end, static_cast<uint8_t>(byte));
    begin = end;
  }
  std::fill(table.data() + begin, table.data() + kTableSize, table[begin - 1]);
  return table;
}

// bfloat16 bits of numbers spread evenly over (-limit, limit).
std::vector<uint16_t> uniform_table(double limit) {
  std::vector<uint16_t> table(kTableSize);
  for (size_t i = 0; i < kTableSize; ++i) {
    const double place = (static_cast<double>(i) + 0.5) / (double{kTableSize} / 2) - 1;
    table[i] = to_bfloat16(static_cast<float>(place * limit)).bits;
  }
  return table;
}

// Missing rows and columns of a panel are code 1 (kernels/kernels.h).
void clear_missing_codes(size_t valid_rows, size_t cols, size_t k_blocks, uint8_t* panel) {
  for (size_t b = 0; b < k_blocks && valid_rows < kPanel; ++b) {
    std::fill(panel + b * kTernaryBlockBytes + valid_rows * 4, panel + (b + 1) * kTernaryBlockBytes, kZeroCodes);
  }
  uint8_t* last = panel + (k_blocks - 1) * kTernaryBlockBytes;
  for (size_t column = cols - (k_blocks - 1) * 16; column < 16; ++column) {
    const size_t field = column / 4;
    for (size_t r = 0; r < kPanel; ++r) {
      uint8_t& byte = last[r * 4 + column % 4];
      byte = static_cast<uint8_t>((byte & ~(3u << (2 * field))) | (1u << (2 * field)));
    }
  }
}

void fill_ternary(const std::vector<uint8_t>& table, uint64_t seed, size_t tensor, double zero_share, Threads& threads,
                  TernaryMatrix& matrix) {
  matrix.scale = stored_scale(static_cast<float>(1 / std::sqrt((1 - zero_share) * static_cast<double>(matrix.cols))));
  threads.for_ranges(matrix.rows, kTriplePanel, [&](size_t begin, size_t end) {
    matrix.set_rows(begin, end, [&](size_t first, TernaryMatrix& codes) {
      for (size_t r = 0; r < codes.rows; r += kPanel) {
        uint8_t* panel = codes.panels.data() + r / kPanel * codes.panel_bytes();
        fill_random(table, Rng(seed, tensor, (first + r) / kPanel), panel, codes.panel_bytes());
        clear_missing_codes(std::min(kPanel, codes.rows - r), codes.cols, codes.k_blocks, panel);
      }
    });
  });
}

void fill_dense(uint64_t seed, size_t tensor, Threads& threads, DenseMatrix& matrix) {
  // Variance 1 / cols.
  const std::vector<uint16_t> table = uniform_table(std::sqrt(3 / static_cast<double>(matrix.cols)));
  const size_t panels = round_up_to_panel(matrix.rows) / kPanel;
  threads.for_ranges(panels, 1, [&](size_t begin, size_t end) {
    for (size_t p = begin; p < end; ++p) {
      uint16_t* panel = matrix.bf16.data() + p * matrix.panel_size();
      fill_random(table, Rng(seed, tensor, p), panel, matrix.panel_size());
      const size_t valid = std::min(kPanel, matrix.rows - p * kPanel);
      for (size_t k = 0; k < matrix.cols && valid < kPanel; ++k) {
        std::fill(panel + k * kPanel + valid, panel + (k + 1) * kPanel, uint16_t{0});
      }
    }
  });
}

}  // namespace

Model random_model(const ModelConfig& config, uint64_t seed, Threads& threads, TernaryLayout layout) {
  Model model = make_model(config, DType::kBF16, layout);
  const double zero_share = config.weights == WeightKind::kTernary ? kRandomZeroShare : 0;
  const std::vector<uint8_t> codes = code_table(zero_share);
  const std::vector<TensorSpec> specs = model_tensors(config);
  for (size_t i = 0; i < specs.size(); ++i) {
    const TensorSpec& spec = specs[i];
    if (spec.is_norm()) {
      std::fill_n(model.weights.norm(spec).data(), spec.cols, 1.0f);
    } else if (!spec.is_linear()) {
      fill_dense(seed, i, threads, model.weights.dense(spec));
    } else if (config.weights == WeightKind::kFull) {
      fill_dense(seed, i, threads, model.weights.linear(spec).dense);
    } else {
      fill_ternary(codes, seed, i, zero_share, threads, model.weights.linear(spec).ternary);
    }
  }
  return model;
}

}  // namespace tern
