// Writing GGUF version 3 files (ggml, docs/gguf.md): alignment 32, tensors one after the other in the order they were
// added, each padded with zeros to the alignment. llama.cpp's reader asks for exactly that.
#pragma once

#include <filesystem>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "formats/gguf_types.h"
#include "formats/output_tensor.h"

namespace tern {

// Collects metadata and tensors, then writes the file in one go. Every add function checks at once: Error for an empty,
// too long or repeated key or tensor name, and for a shape that GGUF cannot hold.
class GgufWriter {
 public:
  // Metadata, in the order of the calls. "general.alignment" is refused: the alignment is always 32.
  void add_u32(std::string_view key, uint32_t value);
  void add_u64(std::string_view key, uint64_t value);
  void add_i32(std::string_view key, int32_t value);
  void add_f32(std::string_view key, float value);
  void add_bool(std::string_view key, bool value);
  void add_string(std::string_view key, std::string_view value);
  void add_strings(std::string_view key, std::span<const std::string> values);
  void add_floats(std::string_view key, std::span<const float> values);
  void add_i32s(std::string_view key, std::span<const int32_t> values);
  // A value of another file, copied as it is.
  void add_value(std::string_view key, const GgufValue& value);

  // 1 to 4 dimensions, all above 0.
  void add_tensor(OutputTensor tensor);
  void add_tensor(NamedTensor tensor) { add_tensor(output_tensor(std::move(tensor))); }

  // Writes through AtomicFile: after an Error an earlier file at `path` is unchanged.
  void write(const std::filesystem::path& path) const;

 private:
  void begin_entry(std::string_view key, GgufType type);
  void begin_array(std::string_view key, GgufType type, size_t count);
  void write_string(std::string_view text);

  ByteWriter metadata_;
  std::set<std::string, std::less<>> keys_;
  std::vector<OutputTensor> tensors_;
  std::set<std::string, std::less<>> tensor_names_;
};

}  // namespace tern
