#include "train/parameters.h"

#include <algorithm>
#include <cassert>
#include <cmath>

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

void round_matrix(MatView<const float> values, Threads& threads, MatView<float> rounded) {
  threads.for_ranges(values.rows, 1, [&](size_t begin, size_t end) {
    std::vector<uint16_t> bits(values.cols);
    for (size_t r = begin; r < end; ++r) {
      kernels().round_bf16(values.row(r), values.cols, bits.data());
      kernels().expand_bf16(bits.data(), values.cols, rounded.row(r));
    }
  });
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

void initialize(uint64_t seed, Threads& threads, Parameters& masters) {
  const double residual_deviation = kInitDeviation / std::sqrt(2.0 * static_cast<double>(masters.layers()));
  for (size_t i = 0; i < masters.specs().size(); ++i) {
    const TensorSpec& spec = masters.specs()[i];
    const MatView<float> values = masters.mat(i);
    if (spec.is_norm()) {
      std::fill_n(values.data, values.cols, 1.0f);
      continue;
    }
    const bool residual = spec.role == TensorRole::kAttnOutput || spec.role == TensorRole::kFfnDown;
    const double deviation = residual ? residual_deviation : kInitDeviation;
    threads.for_ranges(values.rows, 1, [&](size_t begin, size_t end) {
      for (size_t r = begin; r < end; ++r) {
        Rng rng(seed, kInitStream + i, r);
        for (float& value : values.row_view(r)) value = static_cast<float>(deviation * rng.normal());
      }
    });
  }
}

void pack_weights(const Parameters& masters, Threads& threads, Model& model) {
  Buffer<float> rounded;
  for (size_t i = 0; i < masters.specs().size(); ++i) {
    const TensorSpec& spec = masters.specs()[i];
    MatView<const float> values = masters.mat(i);
    if (!spec.is_norm() && !(spec.is_linear() && model.config.weights != WeightKind::kFull)) {
      if (rounded.size() < spec.elements()) rounded = Buffer<float>(spec.elements());
      round_matrix(values, threads, rounded.mat(spec.rows, spec.cols));
      values = rounded.mat(spec.rows, spec.cols);
    }
    set_tensor(spec, values, threads, model);
  }
}

}  // namespace tern
