#include "formats/gguf_types.h"

#include <array>
#include <optional>

#include "base/error.h"
#include "base/text.h"

namespace tern {
namespace {

struct TensorTypeRow {
  uint32_t id;
  std::string_view name;      // as ggml spells it
  std::optional<DType> type;  // absent: known by name only
  std::string_view why{};     // it cannot be read, beyond that nobody wrote it
};

constexpr std::string_view kTileOrder =
    "the order of its weights follows the kernel it was made for, which the file does not name; convert the original "
    "checkpoint, or to I2_S";

// The one table of tensor type numbers (ggml.h; 36 to 39 as bitnet.cpp has them, from 133 on ik_llama.cpp). A type that
// tern learns to read gets its DType here.
constexpr std::array<TensorTypeRow, 41> kTensorTypes{{
    {0, "F32", DType::kF32},
    {1, "F16", DType::kF16},
    {2, "Q4_0", DType::kQ4_0},
    {3, "Q4_1", {}},
    {6, "Q5_0", {}},
    {7, "Q5_1", {}},
    {8, "Q8_0", DType::kQ8_0},
    {9, "Q8_1", {}},
    {10, "Q2_K", {}},
    {11, "Q3_K", {}},
    {12, "Q4_K", DType::kQ4K},
    {13, "Q5_K", DType::kQ5K},
    {14, "Q6_K", DType::kQ6K},
    {15, "Q8_K", {}},
    {16, "IQ2_XXS", {}},
    {17, "IQ2_XS", {}},
    {18, "IQ3_XXS", {}},
    {19, "IQ1_S", {}},
    {20, "IQ4_NL", {}},
    {21, "IQ3_S", {}},
    {22, "IQ2_S", {}},
    {23, "IQ4_XS", {}},
    {24, "I8", {}},
    {25, "I16", {}},
    {26, "I32", {}},
    {27, "I64", {}},
    {28, "F64", {}},
    {29, "IQ1_M", {}},
    {30, "BF16", DType::kBF16},
    {34, "TQ1_0", DType::kTQ1_0},
    {35, "TQ2_0", DType::kTQ2_0},
    {36, "I2_S", DType::kI2S},
    {37, "I8_S of bitnet.cpp", {}, "it holds activations and is in no file"},
    {38, "TL1 of bitnet.cpp", {}, kTileOrder},
    {39, "TL2 of bitnet.cpp, or MXFP4", {}, kTileOrder},
    {40, "NVFP4", {}},
    {41, "Q1_0", {}},
    {42, "Q2_0", {}},
    {134, "IQ1_BN of ik_llama.cpp", {}},
    {135, "IQ2_BN of ik_llama.cpp", {}},
    {335, "IQ2_BN_R4 of ik_llama.cpp", {}},
}};

std::string readable_types() {
  std::string list;
  for (const TensorTypeRow& row : kTensorTypes) {
    if (row.type) list += fmt::format("{}{} ({})", list.empty() ? "" : ", ", row.name, row.id);
  }
  return list;
}

template <class T>
std::string number_text(const GgufValue& value) {
  return fmt::format("{}", ByteReader(value.data).read<T>("metadata value"));
}

}  // namespace

std::string_view gguf_type_name(GgufType type) {
  switch (type) {
    case GgufType::kU8:
      return "u8";
    case GgufType::kI8:
      return "i8";
    case GgufType::kU16:
      return "u16";
    case GgufType::kI16:
      return "i16";
    case GgufType::kU32:
      return "u32";
    case GgufType::kI32:
      return "i32";
    case GgufType::kF32:
      return "f32";
    case GgufType::kBool:
      return "bool";
    case GgufType::kString:
      return "string";
    case GgufType::kArray:
      return "array";
    case GgufType::kU64:
      return "u64";
    case GgufType::kI64:
      return "i64";
    case GgufType::kF64:
      return "f64";
  }
  return "unknown";
}

size_t gguf_type_bytes(GgufType type) {
  switch (type) {
    case GgufType::kU8:
    case GgufType::kI8:
    case GgufType::kBool:
      return 1;
    case GgufType::kU16:
    case GgufType::kI16:
      return 2;
    case GgufType::kU32:
    case GgufType::kI32:
    case GgufType::kF32:
      return 4;
    case GgufType::kU64:
    case GgufType::kI64:
    case GgufType::kF64:
      return 8;
    case GgufType::kString:
    case GgufType::kArray:
      return 0;
  }
  return 0;
}

std::string describe(const GgufValue& value) {
  if (value.is_array) return fmt::format("[{}, {} items]", gguf_type_name(value.type), value.count);
  switch (value.type) {
    case GgufType::kU8:
      return number_text<uint8_t>(value);
    case GgufType::kI8:
      return number_text<int8_t>(value);
    case GgufType::kU16:
      return number_text<uint16_t>(value);
    case GgufType::kI16:
      return number_text<int16_t>(value);
    case GgufType::kU32:
      return number_text<uint32_t>(value);
    case GgufType::kI32:
      return number_text<int32_t>(value);
    case GgufType::kF32:
      return number_text<float>(value);
    case GgufType::kU64:
      return number_text<uint64_t>(value);
    case GgufType::kI64:
      return number_text<int64_t>(value);
    case GgufType::kF64:
      return number_text<double>(value);
    case GgufType::kBool:
      return ByteReader(value.data).read<uint8_t>("metadata value") != 0 ? "true" : "false";
    case GgufType::kString: {
      ByteReader reader(value.data);
      const auto size = reader.read<uint64_t>("string length");
      return quote(reader.take_text(size, "string"));
    }
    case GgufType::kArray:
      break;
  }
  return "unknown";
}

DType gguf_tensor_type(uint32_t id) {
  for (const TensorTypeRow& row : kTensorTypes) {
    if (row.id != id) continue;
    if (row.type) return *row.type;
    fail("tensor type {} ({}) is not supported{}{}, expected one of {}", id, row.name, row.why.empty() ? "" : ": ",
         row.why, readable_types());
  }
  fail("unknown tensor type {}, expected one of {}", id, readable_types());
}

uint32_t gguf_tensor_type_id(DType type) {
  for (const TensorTypeRow& row : kTensorTypes) {
    if (row.type == type) return row.id;
  }
  fail("tensor type {} cannot be stored in a GGUF file, expected one of {}", dtype_info(type).name, readable_types());
}

}  // namespace tern
