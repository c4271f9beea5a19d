// Everything that can be wrong with a model's files, found without running it.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace tern {

// Reads all of what load_model() takes and returns a line for each problem, empty when there is none: what open_model()
// refuses; tensors that are missing, of another shape or type than the configuration asks for, or without a place in
// it; numbers that are NaN, infinite or beyond 65,504 (f16's largest); codes that mean no trit; scales that are not
// finite and above 0, or differ within a matrix; a broken tokenizer; token ids beyond the vocabulary, in a training
// directory those of its shards too; a chat template that is known to be wrong. The first problem of a tensor speaks
// for all of it.
std::vector<std::string> check_model(const std::filesystem::path& path);

}  // namespace tern
