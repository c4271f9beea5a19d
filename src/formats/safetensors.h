// safetensors files (huggingface/safetensors, README "Format"): a u64 header length, a JSON header, then the tensors'
// bytes. The reader is as strict as the reference: offsets contiguous from 0 to the end of the file, no duplicate keys.
#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/file.h"
#include "formats/output_tensor.h"
#include "tensor/named_tensor.h"

namespace tern {

// The longest header that readers accept, in bytes.
inline constexpr size_t kSafetensorsMaxHeader = 100'000'000;

// An open safetensors file. Tensor data are views into the file and live as long as this object (or as long as the
// bytes given to it); files of others need not align them to their type. Move-only; const members may be called by many
// threads.
class SafetensorsFile {
 public:
  // Maps the file. Error ("PATH: what, expected, actual") when it cannot be read or breaks a rule of the format, or
  // when a tensor is of a type other than F32, F16, BF16, I8, U8, I32, I64, U32.
  explicit SafetensorsFile(const std::filesystem::path& path);
  // The same over bytes in memory, which must outlive this object; `name` stands for the path in messages.
  SafetensorsFile(Bytes bytes, std::string name);

  // Hands over the map, which all views of this object go on looking at; nothing where there is none.
  std::optional<MappedFile> take_map() { return std::move(map_); }

  const std::string& name() const { return name_; }
  // In the order of their data. Shapes may be empty (one element) or hold a 0 (no data).
  const std::vector<NamedTensor>& tensors() const { return tensors_; }
  const NamedTensor* find(std::string_view tensor_name) const;                      // null when absent
  const std::map<std::string, std::string>& metadata() const { return metadata_; }  // the entry "__metadata__"

 private:
  void parse();

  std::optional<MappedFile> map_;
  Bytes bytes_;
  std::string name_;
  std::vector<NamedTensor> tensors_;
  std::map<std::string, size_t, std::less<>> index_;
  std::map<std::string, std::string> metadata_;
};

// Writes a safetensors file as the reference does: tensors by type (the most strictly aligned first), then by name,
// header padded with spaces to 8 bytes. Through AtomicFile: after an Error an earlier file at `path` is unchanged.
// Error for a type that the format lacks (block types), a repeated name or one that is not UTF-8, a tensor that
// produces the wrong size.
void write_safetensors(const std::filesystem::path& path, std::span<const OutputTensor> tensors,
                       const std::map<std::string, std::string>& metadata);

}  // namespace tern
