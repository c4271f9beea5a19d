// Optimizers: what they remember of each parameter between updates, and the update.
//
// AdamW (Loshchilov and Hutter 2019) for all parameters, or Muon (Jordan et al. 2024, train/muon.h) for the matrices of
// the linear layers with AdamW for embedding, head and norms. Weight decay is decoupled and applies to the linear
// layers' matrices only.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/threads.h"
#include "train/communicator.h"
#include "train/parameters.h"
#include "train/shards.h"

namespace tern {

enum class OptimizerKind : uint8_t { kAdamW, kMuon };

std::string_view optimizer_name(OptimizerKind kind);   // "adamw", "muon"
OptimizerKind parse_optimizer(std::string_view name);  // Error for other names

struct OptimizerOptions {
  float beta1 = 0.9f;
  float beta2 = 0.95f;
  float epsilon = 1e-8f;
  float clip_norm = 1.0f;          // of all gradients together; 0: no clipping
  float momentum = 0.95f;          // Muon's
  size_t newton_schulz_steps = 5;  // Muon's
};

// The Euclidean norm of all gradients, of which every process has its shard's. Sums in a fixed order, the same for any
// shards of shard_ranges().
double gradient_norm(const Parameters& gradients, std::span<const ParameterRange> shards, Communicator& processes,
                     Threads& threads);
// Of all of them.
double gradient_norm(const Parameters& gradients, Threads& threads);

// What an optimizer remembers of a tensor, or of the part of it that lies in the optimizer's range.
struct OptimizerTensor {
  std::string name;   // "adam_m.layers.0.attn_q"
  size_t tensor = 0;  // index in specs()
  size_t begin = 0;   // of the values in the tensor
  std::span<float> values;
};

class Optimizer {
 public:
  // For the parameters in `range` alone, so that several processes can hold a part each: an update of all parts gives
  // the same bits as one of the whole. The borders of a range must not cut a linear layer.
  Optimizer(OptimizerKind kind, const ModelConfig& config, ParameterRange range);
  // For all parameters.
  Optimizer(OptimizerKind kind, const ModelConfig& config);

  OptimizerKind kind() const { return kind_; }
  // Its memory, tensor by tensor: zero before the first update. Checkpoints keep it with updates().
  std::vector<OptimizerTensor> tensors();
  // The names and tensors that optimizers for all parts have together, in order.
  std::vector<std::pair<std::string, size_t>> all_names() const;
  size_t bytes() const { return (first_.size() + second_.size()) * sizeof(float); }
  int64_t updates() const { return updates_; }
  void set_updates(int64_t updates) { updates_ = updates; }

  // One update of the range. `gradient_norm` is that of all gradients, by which they are clipped.
  void update(const OptimizerOptions& options, double learning_rate, double weight_decay, double gradient_norm,
              const Parameters& gradients, Threads& threads, Parameters& masters);

 private:
  // The elements [begin, end) of a tensor, and where their memory begins in first_ and (AdamW) second_.
  struct Memory {
    TensorPiece piece;
    size_t first, second;
    bool muon;
  };

  OptimizerKind kind_;
  std::vector<TensorSpec> specs_;
  std::vector<Memory> pieces_;
  Buffer<float> first_;   // AdamW's first moments, Muon's momentum
  Buffer<float> second_;  // AdamW's second moments
  int64_t updates_ = 0;
};

// Bytes that an optimizer for all parameters remembers.
size_t optimizer_bytes(OptimizerKind kind, const ModelConfig& config);

}  // namespace tern
