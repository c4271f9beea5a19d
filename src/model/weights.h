// A model's weights as the forward pass reads them, and the model: configuration, weights, rotation table.
#pragma once

#include <functional>
#include <vector>

#include "base/file.h"
#include "base/threads.h"
#include "model/config.h"
#include "model/tensors.h"
#include "ops/head.h"
#include "ops/linear.h"
#include "ops/matrix.h"
#include "ops/rope.h"
#include "tensor/buffer.h"

namespace tern {

struct LayerWeights {
  Buffer<float> attn_norm;                                 // (D)
  Buffer<float> q_input_norm, k_input_norm, v_input_norm;  // (D), empty without input_norms
  Linear q, k, v;                                          // (H*E, D), (G*E, D), (G*E, D)
  Buffer<float> q_norm, k_norm;                            // (E), empty without qk_norms
  Buffer<float> attn_sub_norm;                             // (H*E), empty without sub_norms
  Linear o;                                                // (D, H*E)
  Buffer<float> attn_post_norm;                            // (D), empty without post_norms
  Buffer<float> ffn_norm;                                  // (D)
  Buffer<float> gate_input_norm, up_input_norm;            // (D), empty without input_norms
  Linear gate, up;                                         // (F, D)
  Buffer<float> ffn_sub_norm;                              // (F), empty without sub_norms
  Linear down;                                             // (D, F)
  Buffer<float> ffn_post_norm;                             // (D), empty without post_norms
};

struct Weights {
  Buffer<uint8_t> trits;        // of all linear layers: the panels of the matrices below lie in it
  DenseMatrix token_embedding;  // (V, D)
  std::vector<LayerWeights> layers;
  Buffer<float> output_norm;  // (D)
  DenseMatrix output;         // (V, D), empty when the head is tied

  // The parts that a TensorSpec names; the spec must be of the fitting group.
  Linear& linear(const TensorSpec& spec);
  const Linear& linear(const TensorSpec& spec) const;
  Buffer<float>& norm(const TensorSpec& spec);
  const Buffer<float>& norm(const TensorSpec& spec) const;
  DenseMatrix& dense(const TensorSpec& spec);
  const DenseMatrix& dense(const TensorSpec& spec) const;
};

// A read-only model; shared by any number of decoders.
struct Model {
  std::vector<MappedFile> files;  // that borrowed matrices lie in
  ModelConfig config;
  Weights weights;
  RopeTable rope;
  RopeTable window_rope;  // of windowed layers; empty without them
  Head logit_head;        // how logits come from head(): exact unless set_head() says otherwise
  // Of a full-precision model that training makes ternary little by little: its linear layers read x + share (Q(x) - x)
  // and hold weights that are as far on their way.
  float quantized_share = 0;

  const RopeTable& rope_of(size_t layer) const { return config.has_window(layer) ? window_rope : rope; }
  const DenseMatrix& head() const { return config.tied_head ? weights.token_embedding : weights.output; }
  DenseMatrix& head() { return config.tied_head ? weights.token_embedding : weights.output; }
};

// A model of the configuration's shape with all other parts allocated: linear layers of the configuration's kind,
// embedding and head in `dense_type` (bf16 for models of tern, f32 for files that hold f32). The trits of all layers
// lie in one piece of memory, so that the system can give huge pages; it gives them as they are set.
Model make_model(const ModelConfig& config, DType dense_type, TernaryLayout layout = TernaryLayout::kCodes);

// How inference holds the trits when nobody says: triples where codes would not stay in the last-level cache, because
// reading is then what takes the time; else codes.
TernaryLayout default_ternary_layout(const ModelConfig& config);

// Packs the trits of all linear layers that way, one matrix after the other; nothing for a full-precision model.
void set_ternary_layout(TernaryLayout layout, Threads& threads, Model& model);

// The head that generation takes when nobody says: screened for vocabularies of 32,000 tokens and more, where the head
// is a good part of the bytes that a token reads, else exact.
HeadKind default_head(const ModelConfig& config);

// Makes the model compute its logits by another head, from the weights it holds. For inference: a model that is trained
// or packed anew keeps the exact one. Error for a head that the model cannot have, which then keeps its own.
void set_head(const HeadOptions& options, Threads& threads, Model& model);

// Fills the tensor named by `spec` from real weights (spec.rows, spec.cols), as the forward pass wants them. The head
// must be exact.
void set_tensor(const TensorSpec& spec, MatView<const float> values, Threads& threads, Model& model);

}  // namespace tern
