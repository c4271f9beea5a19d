// From the packed weights of a Model to tensors as files hold them; shared by the writers of the single formats.
#pragma once

#include <cstdint>
#include <string>

#include "formats/output_tensor.h"
#include "model/weights.h"

namespace tern {

// The matrix or norm of `spec` under `name` as rows of `type`: f32, f16, bf16; q8_0 for real numbers; tq1_0, tq2_0,
// i2_s for trits. With `neighbour_rope` q's and k's rows stand in the order of GGUF's "llama". The model must outlive
// the result. Error naming the tensor when its width does not fit the type. Of a ternary layer with
// TritScale::kSeparate the rows are trits times 1.
enum class TritScale : uint8_t { kWithTrits, kSeparate };
OutputTensor stored_rows(const Model& model, const TensorSpec& spec, std::string name, DType type, bool neighbour_rope,
                         TritScale scale = TritScale::kWithTrits);

// A norm's gains, each less `offset`.
OutputTensor stored_norm(const Buffer<float>& gain, float offset, std::string name, DType type);

// The trits of a linear layer as Hugging Face's packed uint8 (out/4, in).
OutputTensor stored_packed(const TernaryMatrix& matrix, std::string name);

// A scale as a tensor of one number, in a type that holds it.
OutputTensor stored_scale(float scale, std::string name, DType type);

// Whether trits with this scale are exact in a type that holds trits or plain numbers.
bool holds_scale(DType type, float scale);

// Numbers in `type` (f32, f16, bf16, q8_0), appended to `bytes`. Error for a number that f16 does not reach.
void append_numbers(VecView<const float> values, DType type, std::vector<std::byte>& bytes);

}  // namespace tern
