// From tensors as files hold them to the packed weights of a Model; shared by the loaders of the single formats.
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "base/threads.h"
#include "model/load.h"
#include "model/weights.h"
#include "tensor/named_tensor.h"

namespace tern {

// One stored tensor and what its format says about it.
struct StoredTensor {
  NamedTensor tensor;
  // Hugging Face packed uint8 (out/4, in): what multiplies the trits.
  std::optional<float> packed_scale = std::nullopt;
  // Rows of q and k in GGUF's "llama" order, where rotary pairs are neighbours, instead of half a head apart.
  bool neighbour_rope = false;
  // GGUF's separate scale of a ternary matrix, which multiplies what the tensor itself says.
  float scale = 1.0f;
  // Added to each number of a norm: Gemma's files hold gains less 1.
  float offset = 0.0f;
  // Of a linear layer's master weights: they become trits by absmean, whatever numbers they are, with this scale.
  std::optional<MasterScale> masters = std::nullopt;
};

// The one number of a scale's tensor; Error naming it unless it is finite and above 0.
float read_scale(const NamedTensor& tensor);

// Whether the tensor holds trits (TQ1_0, TQ2_0, I2_S, packed uint8) rather than real numbers; one stored row of them,
// and its scale (0: a row of zeros that says nothing). Error naming the row for a code or scale that means nothing.
bool holds_trits(const StoredTensor& stored);
float decode_trits(const StoredTensor& stored, size_t row, VecView<int8_t> trits);

// Error naming the tensor when its shape is not the spec's. Loaders check all tensors before the model is allocated, so
// that a damaged configuration cannot ask for more memory than the file's own size suggests.
void check_stored_shape(const TensorSpec& spec, const StoredTensor& stored);

// Error for the numbers of a ternary or binary layer in Q4_0 or a K type: trits that were rounded to them are other
// numbers, which would be quantized again to another scale.
void check_ternary_type(const NamedTensor& tensor);

// Checks the stored shape and packs the tensor into its place in the model. For a linear layer of a
// ternary or binary model: trits (TQ1_0, TQ2_0, I2_S, packed uint8) are taken as they are; real numbers that are all
// -g, 0 or +g are trits with the scale g; master weights, and other real numbers, are quantized as training does it.
// Error naming the tensor for a shape or type that does not fit, or numbers that are not finite; those of rows that
// stay in the file are load_tensors()' to check.
void load_tensor(const TensorSpec& spec, const StoredTensor& stored, Threads& threads, Model& model);

// The tensor's numbers, (rows, cols) in the order that the forward pass wants, whatever they are stored as. Checks
// shape and numbers alike. `head_dim` is the configuration's.
Buffer<float> read_numbers(const TensorSpec& spec, const StoredTensor& stored, size_t head_dim, Threads& threads);

// The stored tensors of all specs of a configuration, in their order.
using FindStored = std::function<StoredTensor(const TensorSpec&)>;

// A model from its stored tensors, whose shapes have been checked: allocates, loads, makes the head. Error when the
// memory for the weights is not there.
Model load_tensors(const ModelConfig& config, DType dense_type, const FindStored& find, const ChooseForm& choose_form,
                   Threads& threads);

// The type that embedding, head and full-precision layers of a model from this tensor should have: bf16 for bf16 files,
// f32 for all others (f16 and f32 are exact in it).
DType dense_type_for(const NamedTensor& tensor);

}  // namespace tern
