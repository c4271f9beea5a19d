#include "train/parameters.h"

#include <algorithm>
#include <atomic>
#include <bit>
#include <cassert>
#include <cmath>
#include <cstring>

#include "base/profile.h"
#include "base/rng.h"

namespace tern {
namespace {

constexpr uint64_t kInitStream = 1;  // Rng stream of the initial weights
constexpr double kInitDeviation = 0.02;

std::vector<size_t> make_offsets(const std::vector<TensorSpec>& specs) {
  std::vector<size_t> offsets;
  size_t offset = 0;
  for (const TensorSpec& spec : specs) {
    offsets.push_back(offset);
    offset += spec.elements();
  }
  return offsets;
}

// What a row of a real matrix is on the way to a quantized one: row += share * (Q - row), Q row `r` of `quantized`.
struct QuantizedShare {
  const TernaryMatrix& quantized;
  float share;

  void apply(size_t r, VecView<float> row) const {
    std::vector<int8_t> trits(row.size());
    std::vector<float> values(row.size());
    quantized.get_row(r, trits);
    kernels().dequantize_row(trits.data(), row.size(), quantized.scale, values.data());
    for (size_t i = 0; i < row.size(); ++i) row[i] += share * (values[i] - row[i]);
  }
};

// The rows [first, last) of `values`, rounded to bf16 and then mixed where a share is given, into panels of f32.
// `first` is a multiple of kPanel, and `last` too or the last row's.
void pack_rounded(MatView<const float> values, size_t first, size_t last, const QuantizedShare* mixed, Threads& threads,
                  DenseMatrix& matrix) {
  threads.for_ranges(last - first, kPanel, [&](size_t begin, size_t end) {
    std::vector<uint16_t> bits(values.cols);
    std::vector<float> panel(kPanel * values.cols);
    for (size_t row = first + begin; row < first + end; row += kPanel) {
      const size_t rows = std::min(kPanel, first + end - row);
      for (size_t r = 0; r < rows; ++r) {
        float* out = panel.data() + r * values.cols;
        kernels().round_bf16(values.row(row + r), values.cols, bits.data());
        kernels().expand_bf16(bits.data(), values.cols, out);
        if (mixed != nullptr) mixed->apply(row + r, {out, values.cols});
      }
      matrix.set_panel(row, {panel.data(), rows, values.cols});
    }
  });
}

// Adds what the codes of `now` are and how many differ from `before`, which both hold `size` bytes of four 2-bit codes
// (trit + 1). The codes that fill up panels are 0 trits in both.
void count_codes(const uint8_t* before, const uint8_t* now, size_t size, Threads& threads, TritCounts& counts) {
  constexpr uint64_t kLowBits = 0x5555555555555555;
  constexpr size_t kGrain = 4096;
  std::atomic<size_t> zeros{0}, flips{0};
  assert(size % sizeof(uint64_t) == 0);
  threads.for_ranges(size, kGrain, [&](size_t begin, size_t end) {
    size_t range_zeros = 0, range_flips = 0;
    for (size_t i = begin; i < end; i += sizeof(uint64_t)) {
      uint64_t a = 0, b = 0;
      std::memcpy(&a, before + i, sizeof(a));
      std::memcpy(&b, now + i, sizeof(b));
      const uint64_t differ = a ^ b;
      range_zeros += static_cast<size_t>(std::popcount(b & kLowBits));  // 1 is the only code with this bit
      range_flips += static_cast<size_t>(std::popcount((differ | differ >> 1) & kLowBits));
    }
    zeros += range_zeros;
    flips += range_flips;
  });
  counts.zeros += zeros;
  counts.flips += flips;
}

}  // namespace

Parameters::Parameters(const ModelConfig& config)
    : specs_(model_tensors(config)),
      offsets_(make_offsets(specs_)),
      layers_(config.layers),
      layer_tensors_(static_cast<size_t>(std::count_if(
          specs_.begin(), specs_.end(), [](const TensorSpec& s) { return s.in_layer() && s.layer == 0; }))),
      data_(offsets_.back() + specs_.back().elements()) {}

MatView<float> Parameters::mat(size_t index) {
  return {data_.data() + offsets_[index], specs_[index].rows, specs_[index].cols};
}

MatView<const float> Parameters::mat(size_t index) const {
  return {data_.data() + offsets_[index], specs_[index].rows, specs_[index].cols};
}

size_t Parameters::index_of(TensorRole role, size_t layer) const {
  const size_t begin = role == TensorRole::kTokenEmbedding ? 0 : 1 + layer * layer_tensors_;
  for (size_t i = begin; i < specs_.size(); ++i) {
    if (specs_[i].role == role && (!specs_[i].in_layer() || specs_[i].layer == layer)) return i;
  }
  assert(false && "the configuration has no such tensor");
  return specs_.size();
}

void initialize(uint64_t seed, ParameterRange range, Threads& threads, Parameters& masters) {
  const double residual_deviation = kInitDeviation / std::sqrt(2.0 * static_cast<double>(masters.layers()));
  for (const TensorPiece& piece : pieces_of(masters.specs(), range)) {
    const TensorSpec& spec = masters.specs()[piece.tensor];
    const MatView<float> values = masters.mat(piece.tensor);
    if (spec.is_norm()) {
      std::fill_n(values.data, values.cols, 1.0f);
      continue;
    }
    const bool residual = spec.role == TensorRole::kAttnOutput || spec.role == TensorRole::kFfnDown;
    const double deviation = residual ? residual_deviation : kInitDeviation;
    const size_t first = piece.begin / spec.cols;
    threads.for_ranges(piece.size() / spec.cols, 1, [&](size_t begin, size_t end) {
      for (size_t r = first + begin; r < first + end; ++r) {
        Rng rng(seed, kInitStream + piece.tensor, r);
        for (float& value : values.row_view(r)) value = static_cast<float>(deviation * rng.normal());
      }
    });
  }
}

TritCounts pack_weights(const Parameters& masters, ParameterRange range, WeightKind target, Threads& threads,
                        Model& model) {
  const Timed timed(threads, "packing of weights");
  constexpr size_t kCodesPerByte = 4;
  TritCounts counts;
  Buffer<uint8_t> before;
  for (const TensorPiece& piece : pieces_of(masters.specs(), range)) {
    const TensorSpec& spec = masters.specs()[piece.tensor];
    const MatView<const float> values = masters.mat(piece.tensor);
    if (spec.is_norm()) {
      set_tensor(spec, values, threads, model);
    } else if (spec.is_linear() && model.config.weights != WeightKind::kFull) {
      const TernaryMatrix& trits = model.weights.linear(spec).ternary;
      assert(trits.layout == TernaryLayout::kCodes);
      const size_t size = trits.panels.size();
      if (before.size() < size) before = Buffer<uint8_t>(size);
      std::copy_n(trits.panels.data(), size, before.data());
      set_tensor(spec, values, threads, model);
      count_codes(before.data(), trits.panels.data(), size, threads, counts);
      counts.trits += spec.elements();
      counts.zeros -= size * kCodesPerByte - spec.elements();  // what fills up panels
    } else {
      DenseMatrix& matrix = spec.is_linear() ? model.weights.linear(spec).dense : model.weights.dense(spec);
      const size_t first = piece.begin / spec.cols;
      const size_t last = piece.end / spec.cols;
      if (spec.is_linear() && model.quantized_share > 0) {
        const Linear quantized = make_linear(target, values, threads);
        const QuantizedShare mixed{quantized.ternary, model.quantized_share};
        pack_rounded(values, first, last, &mixed, threads, matrix);
      } else {
        pack_rounded(values, first, last, nullptr, threads, matrix);
      }
    }
  }
  return counts;
}

}  // namespace tern
