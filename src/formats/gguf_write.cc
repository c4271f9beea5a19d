#include "formats/gguf_write.h"

#include <algorithm>
#include <array>
#include <utility>

#include "base/error.h"
#include "base/text.h"

namespace tern {
namespace {

size_t padding(size_t size) { return (kGgufDefaultAlignment - size % kGgufDefaultAlignment) % kGgufDefaultAlignment; }

void write_tensor_info(const OutputTensor& tensor, uint64_t offset, ByteWriter& writer) {
  writer.write(uint64_t{tensor.name.size()});
  writer.write_text(tensor.name);
  writer.write(static_cast<uint32_t>(tensor.shape.size()));
  for (auto extent = tensor.shape.rbegin(); extent != tensor.shape.rend(); ++extent) writer.write(uint64_t{*extent});
  writer.write(gguf_tensor_type_id(tensor.type));
  writer.write(offset);
}

}  // namespace

void GgufWriter::write_string(std::string_view text) {
  metadata_.write(uint64_t{text.size()});
  metadata_.write_text(text);
}

void GgufWriter::begin_entry(std::string_view key, GgufType type) {
  if (key.empty() || key.size() > kGgufMaxKeyBytes) {
    fail("metadata key {}: expected 1 to {} bytes, got {}", quote(key), kGgufMaxKeyBytes, key.size());
  }
  if (key == kGgufAlignmentKey) fail("metadata {} is set by the writer ({})", quote(key), kGgufDefaultAlignment);
  if (!keys_.emplace(key).second) fail("metadata key {} is added twice", quote(key));
  write_string(key);
  metadata_.write(static_cast<uint32_t>(type));
}

void GgufWriter::begin_array(std::string_view key, GgufType type, size_t count) {
  begin_entry(key, GgufType::kArray);
  metadata_.write(static_cast<uint32_t>(type));
  metadata_.write(uint64_t{count});
}

void GgufWriter::add_u32(std::string_view key, uint32_t value) {
  begin_entry(key, GgufType::kU32);
  metadata_.write(value);
}

void GgufWriter::add_u64(std::string_view key, uint64_t value) {
  begin_entry(key, GgufType::kU64);
  metadata_.write(value);
}

void GgufWriter::add_i32(std::string_view key, int32_t value) {
  begin_entry(key, GgufType::kI32);
  metadata_.write(value);
}

void GgufWriter::add_f32(std::string_view key, float value) {
  begin_entry(key, GgufType::kF32);
  metadata_.write(value);
}

void GgufWriter::add_bool(std::string_view key, bool value) {
  begin_entry(key, GgufType::kBool);
  metadata_.write(static_cast<uint8_t>(value ? 1 : 0));
}

void GgufWriter::add_string(std::string_view key, std::string_view value) {
  begin_entry(key, GgufType::kString);
  write_string(value);
}

void GgufWriter::add_strings(std::string_view key, std::span<const std::string> values) {
  begin_array(key, GgufType::kString, values.size());
  for (const std::string& value : values) write_string(value);
}

void GgufWriter::add_floats(std::string_view key, std::span<const float> values) {
  begin_array(key, GgufType::kF32, values.size());
  metadata_.write_bytes(std::as_bytes(values));
}

void GgufWriter::add_i32s(std::string_view key, std::span<const int32_t> values) {
  begin_array(key, GgufType::kI32, values.size());
  metadata_.write_bytes(std::as_bytes(values));
}

void GgufWriter::add_value(std::string_view key, const GgufValue& value) {
  if (value.is_array) {
    begin_array(key, value.type, value.count);
  } else {
    begin_entry(key, value.type);
  }
  metadata_.write_bytes(value.data);
}

void GgufWriter::add_tensor(OutputTensor tensor) {
  if (tensor.name.empty() || tensor.name.size() > kGgufMaxNameBytes) {
    fail("tensor name {}: expected 1 to {} bytes, got {}", quote(tensor.name), kGgufMaxNameBytes, tensor.name.size());
  }
  if (tensor.shape.empty() || tensor.shape.size() > kGgufMaxDims) {
    fail("tensor {}: expected 1 to {} dimensions, got {}", quote(tensor.name), kGgufMaxDims, tensor.shape.size());
  }
  if (std::find(tensor.shape.begin(), tensor.shape.end(), size_t{0}) != tensor.shape.end()) {
    fail("tensor {}: a dimension is 0, expected at least 1", quote(tensor.name));
  }
  with_context("tensor " + quote(tensor.name), [&] { gguf_tensor_type_id(tensor.type); });
  tensor.byte_size();  // throws when the shape does not fit the type
  if (!tensor_names_.insert(tensor.name).second) fail("tensor {} is added twice", quote(tensor.name));
  tensors_.push_back(std::move(tensor));
}

void GgufWriter::write(const std::filesystem::path& path) const {
  ByteWriter header;
  header.write_text(kGgufMagic);
  header.write(kGgufVersion);
  header.write(uint64_t{tensors_.size()});
  header.write(uint64_t{keys_.size()});
  header.write_text(metadata_.text());
  uint64_t offset = 0;
  for (const OutputTensor& tensor : tensors_) {
    write_tensor_info(tensor, offset, header);
    const size_t size = tensor.byte_size();
    offset = checked_add(offset, checked_add(size, padding(size), "file size"), "file size");
  }
  header.pad_to(kGgufDefaultAlignment);

  constexpr std::array<std::byte, kGgufDefaultAlignment> kZeros{};
  AtomicFile file(path);
  file.write(header.text());
  for (const OutputTensor& tensor : tensors_) {
    write_tensor_data(tensor, path, file);
    file.write(Bytes(kZeros).first(padding(file.size())));
  }
  file.commit();
}

}  // namespace tern
