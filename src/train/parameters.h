// Everything that training keeps for each parameter (masters, gradients, moments) lies in one f32 buffer a kind, by
// layer, in the order of model_tensors(). A process that holds a part of the masters touches that part's memory alone,
// and the system gives no memory for what nobody touches.
#pragma once

#include <vector>

#include "base/threads.h"
#include "model/tensors.h"
#include "model/weights.h"
#include "tensor/buffer.h"
#include "tensor/view.h"
#include "train/shards.h"

namespace tern {

class Parameters {
 public:
  explicit Parameters(const ModelConfig& config);

  const std::vector<TensorSpec>& specs() const { return specs_; }
  size_t layers() const { return layers_; }
  size_t count() const { return data_.size(); }
  ParameterRange all() const { return {0, data_.size()}; }
  Buffer<float>& data() { return data_; }
  const Buffer<float>& data() const { return data_; }

  MatView<float> mat(size_t index);
  MatView<const float> mat(size_t index) const;
  // The tensor of a role (in a layer); it must exist in the configuration.
  MatView<float> mat(TensorRole role, size_t layer = 0) { return mat(index_of(role, layer)); }
  VecView<float> vec(TensorRole role, size_t layer = 0) { return mat(role, layer).row_view(0); }

 private:
  size_t index_of(TensorRole role, size_t layer) const;

  std::vector<TensorSpec> specs_;
  std::vector<size_t> offsets_;
  size_t layers_ = 0;
  size_t layer_tensors_ = 0;  // tensors in one layer
  Buffer<float> data_;
};

// Initial masters: norms 1; every matrix normal with standard deviation 0.02 (LLaMA, GPT-2), those that write to the
// residual stream (o, down) divided by sqrt(2 L) (Radford et al. 2019, section 2.3). Depends on nothing but seed and
// shape. Sets those in `range` and touches no memory of the others.
void initialize(uint64_t seed, ParameterRange range, Threads& threads, Parameters& masters);

// What packing does to the trits of all linear layers.
struct TritCounts {
  size_t trits = 0;  // 0 for a full-precision model
  size_t zeros = 0;
  size_t flips = 0;  // those that differ from the trits packed before

  double zero_fraction() const { return trits == 0 ? 0 : static_cast<double>(zeros) / static_cast<double>(trits); }
  double flip_fraction() const { return trits == 0 ? 0 : static_cast<double>(flips) / static_cast<double>(trits); }
};

// Packs the masters into the weights that the forward pass reads: ternary once a step; full layers, embedding and head
// rounded to bf16 but kept in f32, whose panels multiply faster and give the same bits. The linear layers of a
// full-precision model with a quantized_share become R + share (Q - R), R rounded to bf16, Q what `target` packs. Those
// in `range` alone, whose borders are those of shard_ranges().
TritCounts pack_weights(const Parameters& masters, ParameterRange range, WeightKind target, Threads& threads,
                        Model& model);

}  // namespace tern
