// GGUF files of a small model, of which single parts can be replaced.
#pragma once

#include <filesystem>
#include <functional>
#include <map>
#include <string>

#include "formats/gguf_read.h"
#include "formats/gguf_write.h"
#include "model/load.h"
#include "model/save.h"
#include "support/errors.h"
#include "support/models.h"
#include "support/temporary_directory.h"
#include "tokenizer/basic_vocabularies.h"

namespace tern::test {

// Widths that every type holds, 257 tokens: bytes and <|endoftext|>.
inline ModelConfig block_config(WeightKind weights = WeightKind::kTernary) {
  ModelConfig config;
  config.vocab = 257;
  config.dim = 256;
  config.layers = 1;
  config.heads = 4;
  config.kv_heads = 2;
  config.head_dim = 64;
  config.ffn = 256;
  config.context = 32;
  config.weights = weights;
  return config;
}

// What takes the place of parts of a file. A null function leaves the part out; keys and tensors that the file does not
// have are added at its end.
struct Edits {
  std::map<std::string, std::function<void(GgufWriter&, const std::string& key)>> metadata;
  std::map<std::string, NamedTensor> tensors;
};

inline void rewrite_gguf(const std::filesystem::path& from, const std::filesystem::path& to, Edits edits) {
  const GgufFile file(from);
  GgufWriter writer;
  for (const GgufEntry& entry : file.metadata()) {
    const std::string key(entry.key);
    const auto edit = edits.metadata.find(key);
    if (edit == edits.metadata.end()) {
      writer.add_value(key, entry.value);
      continue;
    }
    if (edit->second) edit->second(writer, key);
    edits.metadata.erase(edit);
  }
  for (const auto& [key, add] : edits.metadata) {
    if (add) add(writer, key);
  }
  for (const NamedTensor& tensor : file.tensors()) {
    const auto edit = edits.tensors.find(tensor.name);
    if (edit == edits.tensors.end()) {
      writer.add_tensor(tensor);
      continue;
    }
    if (!edit->second.shape.empty()) writer.add_tensor(edit->second);
    edits.tensors.erase(edit);
  }
  for (const auto& [name, tensor] : edits.tensors) writer.add_tensor(tensor);
  writer.write(to);
}

}  // namespace tern::test
