// From the packed weights of a Model to tensors as files hold them; shared by the writers of the single formats.
#pragma once

#include <cstdint>
#include <string>

#include "formats/output_tensor.h"
#include "model/weights.h"

namespace tern {

// The matrix or norm of `spec` under `name` as plain rows of `type` (f32, f16, bf16, tq1_0, tq2_0); row r of the file
// is row row_of(r) of ours. Of a ternary layer with TritScale::kSeparate the rows are trits times 1. The model must
// outlive the result.
enum class TritScale : uint8_t { kWithTrits, kSeparate };
OutputTensor stored_rows(const Model& model, const TensorSpec& spec, std::string name, DType type, bool neighbour_rope,
                         TritScale scale = TritScale::kWithTrits);

// The trits of a linear layer as Hugging Face's packed uint8 (out/4, in).
OutputTensor stored_packed(const TernaryMatrix& matrix, std::string name);

// A scale as a tensor of one number, in a type that holds it.
OutputTensor stored_scale(float scale, std::string name, DType type);

// Whether a tensor of that type (f32, f16, bf16, tq1_0, tq2_0) holds the scale of trits exactly.
bool holds_scale(DType type, float scale);

// Plain numbers in `type` (f32, f16, bf16), appended to `bytes`.
void append_numbers(VecView<const float> values, DType type, std::vector<std::byte>& bytes);

}  // namespace tern
