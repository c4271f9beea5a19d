// Each class of vulnerability that was published for readers of GGUF files (llama.cpp, ollama, gguf-rs, gguf-py), as
// one named test: such a file is refused in one line, before anything of the claimed size is read or allocated. Those
// that need a whole model are in tests/model/gguf_hostile_test.cc, single fields of the format in gguf_read_test.cc.
#include <gtest/gtest.h>

#include <limits>

#include "gguf_hand_made.h"

namespace tern::test {
namespace {

constexpr uint64_t kMax = std::numeric_limits<uint64_t>::max();

HandMade with_tensor(std::vector<uint64_t> dims, uint32_t type, uint64_t offset, size_t data_bytes) {
  HandMade file;
  file.tensor("t", std::move(dims), type, offset);
  file.data.assign(data_bytes, '\0');
  return file;
}

// CVE-2024-21802, -21825, -21836, -23496, -23605: every number that a size is computed from.

TEST(GgufHostile, CVE_2024_21802_DimensionsMultiplyToNothing) {
  const uint64_t half = uint64_t{1} << 32;
  expect_refused(with_tensor({half, half}, 0, 0, 32), "tensor 't': number of elements");
  expect_refused(with_tensor({half, half, 2, 4}, 0, 0, 32), "tensor 't': number of elements");
  expect_refused(with_tensor({kMax, kMax, kMax, kMax}, 0, 0, 32), "tensor 't': number of elements");
  expect_refused(with_tensor({uint64_t{1} << 62}, 0, 0, 32), "tensor 't': tensor size");
}

TEST(GgufHostile, CVE_2024_21825_ArraySizeWraps) {
  for (const uint64_t count : {kMax, kMax / 4 + 1, kMax / 8 + 1, uint64_t{1} << 63, uint64_t{1} << 40}) {
    for (const uint32_t type : {0u, 2u, 4u, 6u, 7u, 8u, 10u, 12u}) {
      HandMade file;
      file.entry("k", 9, [&](ByteWriter& w) {
        w.write(type);
        w.write(count);
        w.write(uint64_t{0});
      });
      expect_refused(file, "metadata 'k': array");
    }
  }
}

TEST(GgufHostile, CVE_2024_21836_TensorCount) {
  for (const uint64_t count : {kMax, kMax / 64 + 1, uint64_t{1} << 32, uint64_t{1} << 20, uint64_t{100}}) {
    HandMade file;
    file.tensor_count = count;
    file.data.assign(8, '\0');
    const std::string message = error_of([&] { open(file.text()); });
    EXPECT_TRUE(message.find("number of tensors") != std::string::npos ||
                message.find("cannot fit") != std::string::npos)
        << message;
  }
}

TEST(GgufHostile, CVE_2024_23496_EntryCount) {
  for (const uint64_t count : {kMax, kMax / 48 + 1, uint64_t{1} << 32, uint64_t{1} << 16, uint64_t{100}}) {
    HandMade file;
    file.entry_count = count;
    file.data.assign(8, '\0');
    const std::string message = error_of([&] { open(file.text()); });
    EXPECT_TRUE(message.find("number of metadata entries") != std::string::npos ||
                message.find("cannot fit") != std::string::npos)
        << message;
  }
}

TEST(GgufHostile, CVE_2024_23605_StringLengthWraps) {
  for (const uint64_t size : {kMax, kMax - 1, kMax - 8, uint64_t{1} << 63, uint64_t{100}}) {
    HandMade value;
    value.entry("k", 8, [&](ByteWriter& w) { w.write(size); });
    expect_refused(value, "metadata 'k': string: expected");
    HandMade element;
    element.entry("k", 9, [&](ByteWriter& w) {
      w.write(uint32_t{8});
      w.write(uint64_t{1});
      w.write(size);
    });
    expect_refused(element, "metadata 'k': string: expected");
    HandMade key;
    ByteWriter entry;
    entry.write(size);
    entry.write(uint64_t{0});
    key.entries.push_back(entry.text());
    expect_refused(key, "metadata key");
    HandMade name;
    name.tensor_count = 1;
    ByteWriter tensor;
    tensor.write(size);
    tensor.write_text(std::string(40, 'x'));
    name.tensors.push_back(tensor.text());
    expect_refused(name, "tensor name");
  }
}

// gguf-rs #15 and the same Talos reports: n_dims is an index.
TEST(GgufHostile, GGUF_RS_15_DimensionCountBeyondFour) {
  for (const uint32_t dims : {5u, 64u, 1u << 31, 0xFFFFFFFFu}) {
    HandMade file;
    ByteWriter info;
    put_string(info, "t");
    info.write(dims);
    for (int i = 0; i < 8; ++i) info.write(uint64_t{1});
    file.tensors.push_back(info.text());
    expect_refused(file, "tensor 't': expected at most 4 dimensions");
  }
}

// CVE-2024-32878, CVE-2024-41130: leaving early, with half of the file read. Under the sanitizers nothing may leak or
// be used before it is made.
TEST(GgufHostile, CVE_2024_41130_EveryEarlyEnd) {
  HandMade file;
  file.entry("s", 8, [](ByteWriter& w) { put_string(w, "text"); });
  file.entry("a", 9, [](ByteWriter& w) {
    w.write(uint32_t{8});
    w.write(uint64_t{2});
    put_string(w, "one");
    put_string(w, "two");
  });
  file.tensor("f", {8}, 0, 0).tensor("q", {32, 2}, 8, 32).tensor("i", {128, 2}, 36, 128);
  file.data.assign(128 + 96, '\0');
  EXPECT_NO_THROW(open(file.text()));
  expect_prefixes_fail(file.text(), [](Bytes bytes) { GgufFile cut(bytes, "test.gguf"); });
}

// CVE-2025-53630: tensors whose sizes add up to 2^64. CVE-2026-27940: the sum wraps only with what is added for each
// tensor's description. No sum is formed here: each tensor has to lie in the file by itself.
TEST(GgufHostile, CVE_2025_53630_SizesAddUpToNothing) {
  HandMade file;
  const uint64_t half = uint64_t{1} << 61;  // elements of 4 bytes: 2^63 bytes
  file.tensor("s", {half}, 0, 0).tensor("t", {half}, 0, uint64_t{1} << 63);
  file.data.assign(64, '\0');
  expect_refused(file, "tensor 's': expected 9223372036854775808 bytes at offset 0 of the data, which has 64 bytes");
}

TEST(GgufHostile, CVE_2026_27940_SizesAddUpToNothingWithOverhead) {
  for (const uint64_t missing : {32u, 64u, 368u, 1024u}) {
    HandMade file;
    file.tensor("s", {8}, 0, 0).tensor("t", {(kMax - missing) / 4}, 0, 32);
    file.data.assign(64, '\0');
    expect_refused(file, "tensor 't': expected");
  }
  // I2_S adds 32 bytes to what its elements take.
  expect_refused(with_tensor({128, kMax / 128}, 36, 0, 64), "tensor 't': expected");
}

// CVE-2026-33298: an exabyte of weights over a few megabytes.
TEST(GgufHostile, CVE_2026_33298_ExabyteTensor) {
  for (const uint32_t type : {0u, 1u, 2u, 8u, 30u, 34u, 35u, 36u}) {
    const std::string message = error_of([&] {
      open(with_tensor({uint64_t{1} << 40, uint64_t{1} << 20}, type, 0, 4 << 20).text());
    });
    EXPECT_NE(message.find("is the file truncated?"), std::string::npos) << message;
  }
}

// CVE-2026-7482: data that begins or ends behind the file.
TEST(GgufHostile, CVE_2026_7482_DataBehindTheFile) {
  for (const uint64_t offset : {uint64_t{32}, uint64_t{64}, uint64_t{1} << 40, uint64_t{1} << 63, kMax - 31}) {
    expect_refused(with_tensor({16}, 0, offset, 64), "tensor 't': expected 64 bytes at offset");
  }
  expect_refused(with_tensor({128}, 36, 0, 63), "tensor 't': expected 64 bytes at offset 0 of the data, which has 63");
}

// llama.cpp #19856: a type as a negative number is an index before the table.
TEST(GgufHostile, LLAMA_CPP_19856_NegativeTypes) {
  for (const uint32_t type : {0xFFFFFFFFu, 0x80000000u, 0x7FFFFFFFu, 43u, 255u}) {
    expect_refused(with_tensor({8}, type, 0, 32), "tensor 't': unknown tensor type");
    HandMade value;
    value.entry("k", type, [](ByteWriter& w) { w.write(uint64_t{0}); });
    expect_refused(value, "metadata 'k': unknown metadata type");
  }
}

// llama.cpp #19919: checking for doubles made loading quadratic. 40,000 entries and tensors are still read at once.
TEST(GgufHostile, LLAMA_CPP_19919_ManyNames) {
  constexpr size_t kCount = 40000;
  HandMade file;
  for (size_t i = 0; i < kCount; ++i) {
    file.entry_u32("key." + std::to_string(i), static_cast<uint32_t>(i));
    file.tensor("tensor." + std::to_string(i), {8}, 0, 32 * i);
  }
  file.data.assign(32 * kCount, '\0');
  {
    const std::string text = file.text();
    const GgufFile opened(as_bytes(text), "test.gguf");
    EXPECT_EQ(opened.u32("key.39999"), 39999u);
    EXPECT_NE(opened.find("tensor.39999"), nullptr);
  }
  file.tensor("tensor.0", {8}, 0, 32 * kCount);
  file.data.assign(32 * (kCount + 1), '\0');
  expect_refused(file, "tensor 'tensor.0' appears twice");
}

// gguf-py #27188: an array of 2^63 elements, each of which takes no byte to miss.
TEST(GgufHostile, GGUF_PY_27188_EndlessArray) {
  for (const uint32_t type : {0u, 7u, 8u, 9u}) {
    HandMade file;
    file.entry("k", 9, [&](ByteWriter& w) {
      w.write(type);
      w.write(uint64_t{1} << 63);
    });
    expect_refused(file, type == 9 ? "nested arrays" : "metadata 'k': array");
  }
}

// llama.cpp #26318: general.alignment of another type.
TEST(GgufHostile, LLAMA_CPP_26318_AlignmentOfAnotherType) {
  for (const uint32_t type : {0u, 5u, 6u, 7u, 10u, 12u}) {
    HandMade file;
    file.entry("general.alignment", type,
               [&](ByteWriter& w) { w.write_text(std::string(gguf_type_bytes(static_cast<GgufType>(type)), '\1')); });
    expect_refused(file, "metadata 'general.alignment': expected u32");
  }
  HandMade text;
  text.entry("general.alignment", 8, [](ByteWriter& w) { put_string(w, "32"); });
  expect_refused(text, "expected u32, got string");
  HandMade list;
  list.entry("general.alignment", 9, [](ByteWriter& w) {
    w.write(uint32_t{4});
    w.write(uint64_t{1});
    w.write(uint32_t{32});
  });
  expect_refused(list, "expected u32, got an array of u32");
}

// Type numbers that mean something else elsewhere are refused by what they are, not by how they fail.

TEST(GgufHostile, I2sIsReadInItsPublishedFormOnly) {
  EXPECT_NO_THROW(open(with_tensor({128, 3}, 36, 0, 128).text()));
  expect_refused(with_tensor({64, 2}, 36, 0, 64),
                 "rows of 64 elements: type i2_s needs a multiple of 128, as the published files have it; bitnet.cpp's "
                 "other layouts are not read");
  expect_refused(with_tensor({8640, 2}, 36, 0, 8640), "rows of 8640 elements: type i2_s needs a multiple of 128");
  HandMade other;  // 4.5 bits a weight: IQ4_NL_4_4, which had the number before
  other.tensor("a", {256, 4}, 36, 0).tensor("b", {256, 4}, 36, 576);
  other.data.assign(2 * 576, '\0');
  expect_refused(other, "tensor 'a': 576 bytes up to the next tensor, I2_S takes 288: another layout");
}

TEST(GgufHostile, TileOrderedTypesAreRefusedWithTheReason) {
  for (const auto& [type, name] :
       {std::pair{38u, "TL1 of bitnet.cpp"}, std::pair{39u, "TL2 of bitnet.cpp, or MXFP4"}}) {
    expect_refused(with_tensor({256, 4}, type, 0, 1024), "tensor type " + std::to_string(type) + " (" + name +
                                                             ") is not supported: the order of its weights follows the "
                                                             "kernel it was made for, which the file does not name");
  }
  expect_refused(with_tensor({256, 4}, 37, 0, 1024), "(I8_S of bitnet.cpp) is not supported: it holds activations");
}

}  // namespace
}  // namespace tern::test
