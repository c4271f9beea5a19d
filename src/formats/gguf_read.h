// Reading GGUF files, versions 2 and 3 (ggml, docs/gguf.md). Everything is validated on opening, before it is used:
// after the constructor returned, every tensor lies inside the file, no two overlap, and no metadata value reaches out
// of it.
#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/file.h"
#include "formats/gguf_types.h"
#include "tensor/named_tensor.h"

namespace tern {

// The path of shard `number` (from 1) of a split file that begins with `first`, NAME-00001-of-0000N.gguf. Error for a
// first shard of another name.
std::filesystem::path gguf_shard_path(const std::filesystem::path& first, uint32_t number, uint32_t count);

struct GgufEntry {
  std::string_view key;  // lies in the file
  GgufValue value;
};

// An open GGUF file: metadata and tensors, both in file order. Keys, values and tensor data are views into the file and
// live as long as this object (or as long as the bytes given to it). Move-only; const members may be called by many
// threads.
//
// A split file (llama.cpp's gguf-split: split.no, split.count, split.tensors.count) is opened by its first shard, whose
// metadata are the model's; tensors are those of all shards in their order.
//
// Limits beyond those of the format: 65,536 metadata entries, 1,048,576 tensors, alignment 8 to 1 MiB, no nested
// arrays.
class GgufFile {
 public:
  // Maps the file, and the other shards of a split one, NAME-00002-of-0000N.gguf beside NAME-00001-of-0000N.gguf. Error
  // ("PATH: what, expected, actual") when one cannot be read or breaks a rule of the format, is not the first shard, or
  // does not belong to it.
  explicit GgufFile(const std::filesystem::path& path);
  // The same over bytes in memory, which must outlive this object; `name` stands for the path in messages. A shard is
  // taken alone.
  GgufFile(Bytes bytes, std::string name);

  // Hands over the maps, which all views of this object go on looking at; none over bytes in memory.
  std::vector<MappedFile> take_maps() { return std::move(maps_); }

  const std::string& name() const { return name_; }
  uint32_t version() const { return version_; }
  size_t alignment() const { return alignment_; }  // bytes; tensor data starts at multiples of it

  const std::vector<GgufEntry>& metadata() const { return metadata_; }
  const GgufValue* find_value(std::string_view key) const;  // null when absent
  bool has(std::string_view key) const { return find_value(key) != nullptr; }

  // Typed values. Error naming the key when it is absent or of another type. Integer getters take any integer type
  // whose value fits; f32 and floats take f32 and f64.
  uint32_t u32(std::string_view key) const;
  uint64_t u64(std::string_view key) const;
  int64_t i64(std::string_view key) const;
  float f32(std::string_view key) const;
  bool boolean(std::string_view key) const;
  std::string string(std::string_view key) const;
  std::vector<std::string> strings(std::string_view key) const;
  std::vector<float> floats(std::string_view key) const;
  std::vector<int64_t> integers(std::string_view key) const;

  // The same, empty when the key is absent (a wrong type is an Error all the same).
  std::optional<uint32_t> optional_u32(std::string_view key) const;
  std::optional<float> optional_f32(std::string_view key) const;
  std::optional<bool> optional_boolean(std::string_view key) const;
  std::optional<std::string> optional_string(std::string_view key) const;
  std::optional<std::vector<std::string>> optional_strings(std::string_view key) const;
  std::optional<std::vector<float>> optional_floats(std::string_view key) const;
  std::optional<std::vector<int64_t>> optional_integers(std::string_view key) const;

  // Shapes are outermost first: the file's order reversed.
  const std::vector<NamedTensor>& tensors() const { return tensors_; }
  const NamedTensor* find(std::string_view tensor_name) const;  // null when absent

 private:
  // A file or shard alone.
  explicit GgufFile(MappedFile map, std::string name);
  void parse();
  void add_shards(const std::filesystem::path& path);
  void add_shard(const std::filesystem::path& path, uint32_t number, uint32_t count);
  void parse_metadata(ByteReader& reader, uint64_t count);
  void parse_tensors(ByteReader& reader, uint64_t count);
  const GgufValue& scalar(std::string_view key) const;
  const GgufValue& array(std::string_view key) const;
  [[noreturn]] void fail_type(std::string_view key, std::string_view expected, const GgufValue& value) const;
  template <class T>
  T integer(std::string_view key) const;

  std::vector<MappedFile> maps_;
  Bytes bytes_;
  std::string name_;
  uint32_t version_ = 0;
  size_t alignment_ = kGgufDefaultAlignment;
  std::vector<GgufEntry> metadata_;
  std::map<std::string_view, size_t> metadata_index_;  // ordered: no crafted set of keys makes it slow
  std::vector<NamedTensor> tensors_;
  std::map<std::string_view, size_t> tensor_index_;
};

}  // namespace tern
