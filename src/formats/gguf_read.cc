#include "formats/gguf_read.h"

#include <algorithm>
#include <bit>
#include <limits>
#include <utility>

#include "base/error.h"
#include "base/text.h"

namespace tern {
namespace {

constexpr uint64_t kMaxMetadataEntries = 1u << 16;
constexpr uint64_t kMaxGgufTensors = 1u << 20;
constexpr size_t kMinAlignment = 8;  // docs/gguf.md: a multiple of 8
constexpr size_t kMaxAlignment = size_t{1} << 20;
// The fewest bytes that one entry can take: u64 length, one character, u32 type, one byte of value; and for a tensor
// u64 length, one character, u32 dimensions, u32 type, u64 offset.
constexpr uint64_t kMinMetadataBytes = 8 + 1 + 4 + 1;
constexpr uint64_t kMinTensorBytes = 8 + 1 + 4 + 4 + 8;

// A u64 length and as many bytes, at most `max_bytes`.
std::string_view read_string(ByteReader& reader, std::string_view what, uint64_t max_bytes) {
  const auto size = reader.read<uint64_t>(what);
  if (size > max_bytes) fail("{}: expected at most {} bytes, got {}", what, max_bytes, size);
  return reader.take_text(size, what);
}

// An entry count that the rest of the file can hold.
uint64_t read_count(ByteReader& reader, std::string_view what, uint64_t max_count) {
  const auto count = reader.read<uint64_t>(what);
  if (count > max_count) fail("{}: expected at most {}, got {}", what, max_count, count);
  return count;
}

GgufType read_type(ByteReader& reader) {
  const auto number = reader.read<uint32_t>("metadata type");
  const auto type = static_cast<GgufType>(number);
  if (gguf_type_name(type) == "unknown") fail("unknown metadata type {}, expected 0 to 12", number);
  return type;
}

// Moves `reader` over `count` elements of `type`, validating them.
void skip_elements(ByteReader& reader, GgufType type, uint64_t count) {
  if (type == GgufType::kString) {
    if (count > reader.remaining() / sizeof(uint64_t)) {
      fail("array of {} strings: only {} bytes are left", count, reader.remaining());
    }
    for (uint64_t i = 0; i < count; ++i) read_string(reader, "string", reader.remaining());
    return;
  }
  const Bytes data = reader.take(checked_mul(count, gguf_type_bytes(type), "array size"), "array");
  if (type != GgufType::kBool) return;
  for (const std::byte value : data) {
    if (value > std::byte{1}) fail("bool: expected 0 or 1, got {}", static_cast<int>(value));
  }
}

GgufValue read_value(ByteReader& reader, Bytes file) {
  GgufValue value;
  value.type = read_type(reader);
  if (value.type == GgufType::kArray) {
    value.is_array = true;
    value.type = read_type(reader);
    if (value.type == GgufType::kArray) fail("nested arrays are not supported");
    value.count = reader.read<uint64_t>("array length");
  }
  const size_t begin = reader.offset();
  skip_elements(reader, value.type, value.count);
  value.data = file.subspan(begin, reader.offset() - begin);
  return value;
}

std::string describe_type(const GgufValue& value) {
  return fmt::format("{}{}", value.is_array ? "an array of " : "", gguf_type_name(value.type));
}

bool is_integer(GgufType type) {
  return type != GgufType::kF32 && type != GgufType::kF64 && type != GgufType::kBool && type != GgufType::kString;
}

struct Integer {
  bool negative = false;
  uint64_t bits = 0;  // two's complement
};

template <class T>
Integer read_integer_as(ByteReader& reader) {
  const T value = reader.read<T>("integer");
  return {std::cmp_less(value, 0), static_cast<uint64_t>(value)};
}

Integer read_integer(ByteReader& reader, GgufType type) {
  switch (type) {
    case GgufType::kU8:
      return read_integer_as<uint8_t>(reader);
    case GgufType::kI8:
      return read_integer_as<int8_t>(reader);
    case GgufType::kU16:
      return read_integer_as<uint16_t>(reader);
    case GgufType::kI16:
      return read_integer_as<int16_t>(reader);
    case GgufType::kU32:
      return read_integer_as<uint32_t>(reader);
    case GgufType::kI32:
      return read_integer_as<int32_t>(reader);
    case GgufType::kI64:
      return read_integer_as<int64_t>(reader);
    default:
      return read_integer_as<uint64_t>(reader);
  }
}

// The number in T, empty when T cannot hold it.
template <class T>
std::optional<T> narrow(Integer number) {
  if (number.negative) {
    const auto value = static_cast<int64_t>(number.bits);
    return std::in_range<T>(value) ? std::optional(static_cast<T>(value)) : std::nullopt;
  }
  return std::in_range<T>(number.bits) ? std::optional(static_cast<T>(number.bits)) : std::nullopt;
}

float read_float(ByteReader& reader, GgufType type) {
  if (type == GgufType::kF64) return static_cast<float>(reader.read<double>("number"));
  return reader.read<float>("number");
}

// One tensor's description as it stands in the file.
struct TensorInfo {
  std::string_view name;
  DType type = DType::kF32;
  std::vector<size_t> shape;  // outermost first
  uint64_t offset = 0;        // bytes, from the start of the data section
  size_t size = 0;            // bytes
};

std::vector<size_t> read_shape(ByteReader& reader) {
  const auto dims = reader.read<uint32_t>("number of dimensions");
  if (dims > kGgufMaxDims) fail("expected at most {} dimensions, got {}", kGgufMaxDims, dims);
  std::vector<size_t> shape(dims);
  for (size_t i = 0; i < dims; ++i) {
    const auto extent = reader.read<uint64_t>("dimension");
    if (extent == 0) fail("dimension {} is 0, expected at least 1", i);
    shape[dims - 1 - i] = extent;
  }
  return shape;
}

void read_layout(ByteReader& reader, size_t alignment, TensorInfo& info) {
  info.shape = read_shape(reader);
  info.type = gguf_tensor_type(reader.read<uint32_t>("tensor type"));
  info.offset = reader.read<uint64_t>("tensor offset");
  if (info.offset % alignment != 0) fail("offset {} is not a multiple of the alignment {}", info.offset, alignment);
  const size_t block = dtype_info(info.type).block_elements;
  const size_t row = info.shape.empty() ? 1 : info.shape.back();
  if (row % block != 0) {
    fail("rows of {} elements: type {} needs a multiple of {}{}", row, dtype_info(info.type).name, block,
         info.type == DType::kI2S ? ", as the published files have it; bitnet.cpp's other layouts are not read" : "");
  }
  size_t elements = 1;
  for (const size_t extent : info.shape) elements = checked_mul(elements, extent, "number of elements");
  info.size = dtype_bytes(info.type, elements);
}

void check_distances(const std::vector<TensorInfo>& infos, size_t alignment) {
  std::vector<const TensorInfo*> order;
  for (const TensorInfo& info : infos) order.push_back(&info);
  std::sort(order.begin(), order.end(), [](const auto* a, const auto* b) { return a->offset < b->offset; });
  for (size_t i = 1; i < order.size(); ++i) {
    const TensorInfo& left = *order[i - 1];
    const TensorInfo& right = *order[i];
    // Type 36 has been the number of other layouts. Those of another size show in the distance to the next tensor.
    if (left.type == DType::kI2S && right.offset > left.offset + left.size + alignment) {
      fail("tensor {}: {} bytes up to the next tensor, I2_S takes {}: another layout under the number of I2_S",
           quote(left.name), right.offset - left.offset, left.size);
    }
    if (left.offset + left.size > right.offset) {
      fail("tensors {} and {} overlap: [{}, {}) and [{}, {})", quote(left.name), quote(right.name), left.offset,
           left.offset + left.size, right.offset, right.offset + right.size);
    }
  }
}

uint32_t read_version(ByteReader& reader) {
  const std::string_view magic = reader.take_text(kGgufMagic.size(), "magic");
  if (magic != kGgufMagic) fail("expected the magic 'GGUF', got {}; is it a GGUF file?", quote(magic));
  const auto version = reader.read<uint32_t>("version");
  if ((version & 0xFFFFu) == 0) fail("version {:#010x}: a big-endian GGUF file is not supported", version);
  if (version == 1) fail("GGUF version 1 is not supported, expected 2 or 3");
  if (version > kGgufVersion) fail("GGUF version {} is newer than this program, expected 2 or 3", version);
  return version;
}

}  // namespace

std::filesystem::path gguf_shard_path(const std::filesystem::path& first, uint32_t number, uint32_t count) {
  const auto suffix = [&](uint32_t shard) { return fmt::format("-{:05}-of-{:05}.gguf", shard, count); };
  const std::string name = first.filename().string();
  const std::string expected = suffix(1);
  if (!name.ends_with(expected)) {
    fail("{}: the first of {} shards, expected a name that ends in {}", first.string(), count, quote(expected));
  }
  return first.parent_path() / (name.substr(0, name.size() - expected.size()) + suffix(number));
}

GgufFile::GgufFile(const std::filesystem::path& path) : GgufFile(MappedFile(path), path.string()) { add_shards(path); }

GgufFile::GgufFile(MappedFile map, std::string name) : GgufFile(map.bytes(), std::move(name)) {
  maps_.push_back(std::move(map));
}

GgufFile::GgufFile(Bytes bytes, std::string name) : bytes_(bytes), name_(std::move(name)) { parse(); }

void GgufFile::parse() {
  with_context(name_, [&] {
    ByteReader reader(bytes_);
    version_ = read_version(reader);
    const uint64_t tensor_count = read_count(reader, "number of tensors", kMaxGgufTensors);
    const uint64_t entry_count = read_count(reader, "number of metadata entries", kMaxMetadataEntries);
    if (tensor_count * kMinTensorBytes + entry_count * kMinMetadataBytes > reader.remaining()) {
      fail("{} tensors and {} metadata entries cannot fit: {} bytes are left", tensor_count, entry_count,
           reader.remaining());
    }
    parse_metadata(reader, entry_count);
    parse_tensors(reader, tensor_count);
  });
}

void GgufFile::add_shards(const std::filesystem::path& path) {
  const uint32_t count = optional_u32(kGgufSplitCountKey).value_or(1);
  if (count <= 1) return;
  const uint32_t index = u32(kGgufSplitIndexKey);
  if (index != 0) {
    fail("{}: shard {} of a split file, expected the first: open the one whose name ends in '-00001-of-{:05}.gguf'",
         name_, uint64_t{index} + 1, count);
  }
  for (uint32_t number = 2; number <= count; ++number) add_shard(gguf_shard_path(path, number, count), number, count);
  const int64_t expected = i64(kGgufSplitTensorsKey);
  if (std::cmp_not_equal(tensors_.size(), expected)) {
    fail("{}: {} is {}, the {} shards hold {}", name_, kGgufSplitTensorsKey, expected, count, tensors_.size());
  }
}

void GgufFile::add_shard(const std::filesystem::path& path, uint32_t number, uint32_t count) {
  if (!std::filesystem::exists(path)) {
    fail("{}: shard {} of {} is missing, expected {}", name_, number, count, quote(path.string()));
  }
  GgufFile shard(MappedFile(path), path.string());
  const uint32_t shard_count = shard.u32(kGgufSplitCountKey);
  const uint32_t index = shard.u32(kGgufSplitIndexKey);
  if (index != number - 1 || shard_count != count) {
    fail("{}: expected shard {} of {}, it is shard {} of {}", shard.name_, number, count, uint64_t{index} + 1,
         shard_count);
  }
  for (const auto& [tensor_name, place] : shard.tensor_index_) {
    if (!tensor_index_.emplace(tensor_name, tensors_.size() + place).second) {
      fail("{}: tensor {} appears in an earlier shard, too", shard.name_, quote(tensor_name));
    }
  }
  for (NamedTensor& tensor : shard.tensors_) tensors_.push_back(std::move(tensor));
  for (MappedFile& map : shard.maps_) maps_.push_back(std::move(map));
}

void GgufFile::parse_metadata(ByteReader& reader, uint64_t count) {
  metadata_.reserve(count);
  for (uint64_t i = 0; i < count; ++i) {
    const std::string_view key = read_string(reader, "metadata key", kGgufMaxKeyBytes);
    if (key.empty()) fail("metadata key {} is empty", i);
    if (!metadata_index_.emplace(key, i).second) fail("metadata key {} appears twice", quote(key));
    with_context("metadata " + quote(key), [&] { metadata_.push_back({key, read_value(reader, bytes_)}); });
  }
  const GgufValue* alignment = find_value(kGgufAlignmentKey);
  if (alignment == nullptr) return;
  if (alignment->is_array || alignment->type != GgufType::kU32) {
    fail("metadata {}: expected u32, got {}", quote(kGgufAlignmentKey), describe_type(*alignment));
  }
  alignment_ = ByteReader(alignment->data).read<uint32_t>("alignment");
  if (!std::has_single_bit(alignment_) || alignment_ < kMinAlignment || alignment_ > kMaxAlignment) {
    fail("metadata 'general.alignment': expected a power of two from {} to {}, got {}", kMinAlignment, kMaxAlignment,
         alignment_);
  }
}

void GgufFile::parse_tensors(ByteReader& reader, uint64_t count) {
  std::vector<TensorInfo> infos(count);
  for (size_t i = 0; i < count; ++i) {
    TensorInfo& info = infos[i];
    info.name = read_string(reader, "tensor name", kGgufMaxNameBytes);
    if (info.name.empty()) fail("the name of tensor {} is empty", i);
    if (!tensor_index_.emplace(info.name, i).second) fail("tensor {} appears twice", quote(info.name));
    with_context("tensor " + quote(info.name), [&] { read_layout(reader, alignment_, info); });
  }
  if (infos.empty()) return;  // a vocabulary without weights need not be padded
  const size_t header = reader.offset();
  reader.skip((alignment_ - header % alignment_) % alignment_, "padding before the tensor data");
  const Bytes data = reader.take(reader.remaining(), "tensor data");
  tensors_.reserve(count);
  for (TensorInfo& info : infos) {
    if (info.offset > data.size() || info.size > data.size() - info.offset) {
      fail("tensor {}: expected {} bytes at offset {} of the data, which has {} bytes; is the file truncated?",
           quote(info.name), info.size, info.offset, data.size());
    }
    tensors_.push_back(
        {std::string(info.name), info.type, std::move(info.shape), data.subspan(info.offset, info.size)});
  }
  check_distances(infos, alignment_);
}

const GgufValue* GgufFile::find_value(std::string_view key) const {
  const auto found = metadata_index_.find(key);
  return found == metadata_index_.end() ? nullptr : &metadata_[found->second].value;
}

const NamedTensor* GgufFile::find(std::string_view tensor_name) const {
  const auto found = tensor_index_.find(tensor_name);
  return found == tensor_index_.end() ? nullptr : &tensors_[found->second];
}

void GgufFile::fail_type(std::string_view key, std::string_view expected, const GgufValue& value) const {
  fail("{}: metadata {}: expected {}, got {}", name_, quote(key), expected, describe_type(value));
}

const GgufValue& GgufFile::scalar(std::string_view key) const {
  const GgufValue* value = find_value(key);
  if (value == nullptr) fail("{}: metadata {} is missing", name_, quote(key));
  if (value->is_array) fail_type(key, "one value", *value);
  return *value;
}

const GgufValue& GgufFile::array(std::string_view key) const {
  const GgufValue* value = find_value(key);
  if (value == nullptr) fail("{}: metadata {} is missing", name_, quote(key));
  if (!value->is_array) fail_type(key, "an array", *value);
  return *value;
}

template <class T>
T GgufFile::integer(std::string_view key) const {
  const GgufValue& value = scalar(key);
  if (!is_integer(value.type)) fail_type(key, "an integer", value);
  ByteReader reader(value.data);
  const std::optional<T> number = narrow<T>(read_integer(reader, value.type));
  if (!number) {
    fail("{}: metadata {}: expected {} to {}, got {}", name_, quote(key), std::numeric_limits<T>::min(),
         std::numeric_limits<T>::max(), describe(value));
  }
  return *number;
}

uint32_t GgufFile::u32(std::string_view key) const { return integer<uint32_t>(key); }
uint64_t GgufFile::u64(std::string_view key) const { return integer<uint64_t>(key); }
int64_t GgufFile::i64(std::string_view key) const { return integer<int64_t>(key); }

float GgufFile::f32(std::string_view key) const {
  const GgufValue& value = scalar(key);
  if (value.type != GgufType::kF32 && value.type != GgufType::kF64) fail_type(key, "f32", value);
  ByteReader reader(value.data);
  return read_float(reader, value.type);
}

bool GgufFile::boolean(std::string_view key) const {
  const GgufValue& value = scalar(key);
  if (value.type != GgufType::kBool) fail_type(key, "bool", value);
  return value.data[0] != std::byte{0};
}

std::string GgufFile::string(std::string_view key) const {
  const GgufValue& value = scalar(key);
  if (value.type != GgufType::kString) fail_type(key, "string", value);
  ByteReader reader(value.data);
  return std::string(read_string(reader, "string", reader.remaining()));
}

std::vector<std::string> GgufFile::strings(std::string_view key) const {
  const GgufValue& value = array(key);
  if (value.type != GgufType::kString) fail_type(key, "an array of strings", value);
  ByteReader reader(value.data);
  std::vector<std::string> items;
  items.reserve(value.count);
  for (uint64_t i = 0; i < value.count; ++i) items.emplace_back(read_string(reader, "string", reader.remaining()));
  return items;
}

std::vector<float> GgufFile::floats(std::string_view key) const {
  const GgufValue& value = array(key);
  if (value.type != GgufType::kF32 && value.type != GgufType::kF64) fail_type(key, "an array of f32", value);
  ByteReader reader(value.data);
  std::vector<float> items;
  items.reserve(value.count);
  for (uint64_t i = 0; i < value.count; ++i) items.push_back(read_float(reader, value.type));
  return items;
}

std::vector<int64_t> GgufFile::integers(std::string_view key) const {
  const GgufValue& value = array(key);
  if (!is_integer(value.type)) fail_type(key, "an array of integers", value);
  ByteReader reader(value.data);
  std::vector<int64_t> items;
  items.reserve(value.count);
  for (uint64_t i = 0; i < value.count; ++i) {
    const std::optional<int64_t> number = narrow<int64_t>(read_integer(reader, value.type));
    if (!number) fail("{}: metadata {}: item {} does not fit in 64 bits with a sign", name_, quote(key), i);
    items.push_back(*number);
  }
  return items;
}

std::optional<uint32_t> GgufFile::optional_u32(std::string_view key) const {
  return has(key) ? std::optional(u32(key)) : std::nullopt;
}
std::optional<float> GgufFile::optional_f32(std::string_view key) const {
  return has(key) ? std::optional(f32(key)) : std::nullopt;
}
std::optional<bool> GgufFile::optional_boolean(std::string_view key) const {
  return has(key) ? std::optional(boolean(key)) : std::nullopt;
}
std::optional<std::string> GgufFile::optional_string(std::string_view key) const {
  return has(key) ? std::optional(string(key)) : std::nullopt;
}
std::optional<std::vector<std::string>> GgufFile::optional_strings(std::string_view key) const {
  return has(key) ? std::optional(strings(key)) : std::nullopt;
}
std::optional<std::vector<float>> GgufFile::optional_floats(std::string_view key) const {
  return has(key) ? std::optional(floats(key)) : std::nullopt;
}
std::optional<std::vector<int64_t>> GgufFile::optional_integers(std::string_view key) const {
  return has(key) ? std::optional(integers(key)) : std::nullopt;
}

}  // namespace tern
