// From the packed weights of a Model to tensors as files hold them; shared by the writers of the single formats.
#pragma once

#include <string>

#include "formats/output_tensor.h"
#include "model/weights.h"

namespace tern {

// The matrix or norm of `spec` under `name` as plain rows of `type` (f32, f16, bf16, tq1_0, tq2_0); row r of the file
// is row row_of(r) of ours. The model must outlive the result.
OutputTensor stored_rows(const Model& model, const TensorSpec& spec, std::string name, DType type, bool neighbour_rope);

// The trits of a linear layer as Hugging Face's packed uint8 (out/4, in), and their scale as one bf16.
OutputTensor stored_packed(const TernaryMatrix& matrix, std::string name);
OutputTensor stored_packed_scale(const TernaryMatrix& matrix, std::string name);

// Plain numbers in `type` (f32, f16, bf16), appended to `bytes`.
void append_numbers(VecView<const float> values, DType type, std::vector<std::byte>& bytes);

}  // namespace tern
