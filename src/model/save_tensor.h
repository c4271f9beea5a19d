// From the packed weights of a Model to tensors as files hold them; shared by the writers of the single formats.
#pragma once

#include <string>

#include "formats/output_tensor.h"
#include "model/weights.h"

namespace tern {

// The matrix or norm of `spec` under `name` as rows of `type`: f32, f16, bf16; q8_0 for real numbers; tq1_0, tq2_0,
// i2_s for trits. With `neighbour_rope` q's and k's rows stand in the order of GGUF's "llama". The model must outlive
// the result. Error naming the tensor when the type does not hold it: its width, or a ternary layer's trits and scale,
// which are stored exactly or not at all.
OutputTensor stored_rows(const Model& model, const TensorSpec& spec, std::string name, DType type, bool neighbour_rope);

// The trits of a linear layer as Hugging Face's packed uint8 (out/4, in), and their scale as one bf16.
OutputTensor stored_packed(const TernaryMatrix& matrix, std::string name);
OutputTensor stored_packed_scale(const TernaryMatrix& matrix, std::string name);

// Whether trits with this scale are exact in a type that holds trits or plain numbers.
bool holds_scale(DType type, float scale);

// Numbers in `type` (f32, f16, bf16, q8_0), appended to `bytes`. Error for a number that f16 does not reach.
void append_numbers(VecView<const float> values, DType type, std::vector<std::byte>& bytes);

}  // namespace tern
