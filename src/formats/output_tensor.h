// A tensor about to be written: its description, and a function that produces its bytes when their turn comes, so that
// a model is never held twice. Both writers (GGUF, safetensors) take it.
#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/file.h"
#include "tensor/named_tensor.h"

namespace tern {

using ByteSink = std::function<void(Bytes)>;

struct OutputTensor {
  std::string name;
  DType type = DType::kF32;
  std::vector<size_t> shape;  // outermost first
  // Calls the sink any number of times with the tensor's bytes in order: exactly byte_size() bytes in all.
  std::function<void(const ByteSink& sink)> produce;

  // Bytes of the whole tensor; Error on overflow or when a row does not hold whole blocks of `type`.
  size_t byte_size() const;
};

// A tensor whose bytes exist already; they must live until the file is written.
OutputTensor output_tensor(NamedTensor tensor);

// Appends the tensor's bytes to `file`; Error naming `path` when it produces more or fewer than byte_size().
void write_tensor_data(const OutputTensor& tensor, const std::filesystem::path& path, AtomicFile& file);

}  // namespace tern
