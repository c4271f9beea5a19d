// Which layers of a model are measured where the whole of it would take too much memory, and what the whole would take.
#pragma once

#include <string>
#include <vector>

#include "model/memory.h"

namespace tern {

// What a model is measured with (infer/decoder.h).
struct DecoderSize {
  size_t sequences = 1;
  size_t positions = 0;  // of each sequence
  size_t max_batch = 1;  // tokens at once
  KvType kv_type = kInferenceKvType;
};

// What a measured model of `layers` layers takes: weights as inference packs them, and the decoder. Error when a number
// does not fit.
size_t measured_bytes(ModelConfig config, size_t layers, const DecoderSize& decoder);
// Of the weights alone, as inference packs them with the head it chooses.
WeightBytes inference_weight_bytes(const ModelConfig& config);

struct LayerPlan {
  std::vector<size_t> layers;  // one: all of the model's; two: to scale from; none: not measured
  std::string problem;         // why not
};

// All layers where what is measured fits into `limit` bytes; else two numbers of them, the smaller one's weights no
// less than `least` bytes (so that they come from memory, as the whole model's would) where that is possible.
LayerPlan plan_model(const ModelConfig& config, const DecoderSize& decoder, size_t limit, size_t least);

// What two numbers of layers, a < b, tell about all: what grows with the layers, and what does not (embedding, head).
//   layer = (t_b - t_a) / (b - a),  fixed = t_a - a layer,  t_L = fixed + L layer
// Where noise makes one of these negative it is 0 and the other accounts for t_b.
struct LayerCost {
  double fixed = 0;
  double layer = 0;
  bool is_noisy = false;  // one of them would have been negative

  double of(size_t layers) const { return fixed + static_cast<double>(layers) * layer; }
};
LayerCost layer_cost(size_t a, double cost_a, size_t b, double cost_b);

}  // namespace tern
