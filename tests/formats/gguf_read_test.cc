#include "formats/gguf_read.h"

#include <gtest/gtest.h>

#include <limits>

#include "gguf_hand_made.h"
#include "support.h"
#include "support/paths.h"

namespace tern {
namespace {

using test::expect_error;
using test::expect_refused;
using test::HandMade;
using test::open;
using test::put_string;

// One file with every kind of value and tensor.
HandMade small_file() {
  HandMade file;
  file.entry("general.architecture", 8, [](ByteWriter& w) { put_string(w, "bitnet"); });
  file.entry("t.u8", 0, [](ByteWriter& w) { w.write(uint8_t{200}); });
  file.entry("t.i8", 1, [](ByteWriter& w) { w.write(int8_t{-3}); });
  file.entry("t.u16", 2, [](ByteWriter& w) { w.write(uint16_t{60000}); });
  file.entry("t.i16", 3, [](ByteWriter& w) { w.write(int16_t{-300}); });
  file.entry_u32("t.u32", 4000000000u);
  file.entry("t.i32", 5, [](ByteWriter& w) { w.write(int32_t{-70000}); });
  file.entry("t.f32", 6, [](ByteWriter& w) { w.write(0.5f); });
  file.entry("t.bool", 7, [](ByteWriter& w) { w.write(uint8_t{1}); });
  file.entry("t.u64", 10, [](ByteWriter& w) { w.write(std::numeric_limits<uint64_t>::max()); });
  file.entry("t.i64", 11, [](ByteWriter& w) { w.write(std::numeric_limits<int64_t>::min()); });
  file.entry("t.f64", 12, [](ByteWriter& w) { w.write(0.25); });
  file.entry("t.strings", 9, [](ByteWriter& w) {
    w.write(uint32_t{8});
    w.write(uint64_t{3});
    put_string(w, "a");
    put_string(w, "");
    put_string(w, "\xFF\n");
  });
  file.entry("t.floats", 9, [](ByteWriter& w) {
    w.write(uint32_t{6});
    w.write(uint64_t{2});
    w.write(1.5f);
    w.write(-2.0f);
  });
  file.entry("t.ints", 9, [](ByteWriter& w) {
    w.write(uint32_t{1});
    w.write(uint64_t{2});
    w.write(int8_t{-1});
    w.write(int8_t{5});
  });
  file.tensor("a", {8, 3, 2}, 0, 0);     // 192 bytes
  file.tensor("b", {16}, 1, 192);        // 32 bytes
  file.tensor("c", {16, 1}, 30, 224);    // 32 bytes
  file.tensor("d", {256, 2}, 34, 256);   // 108 bytes, 20 of padding
  file.tensor("e", {256, 16}, 35, 384);  // 1056 bytes: no padding at the end
  file.data.assign(384 + 1056, '\1');
  return file;
}

TEST(GgufRead, TypedValues) {
  const std::string text = small_file().text();
  const GgufFile file(as_bytes(text), "test.gguf");
  EXPECT_EQ(file.version(), 3u);
  EXPECT_EQ(file.alignment(), 32u);
  EXPECT_EQ(file.metadata().size(), 15u);
  EXPECT_EQ(file.metadata()[0].key, "general.architecture");
  EXPECT_EQ(file.string("general.architecture"), "bitnet");
  EXPECT_EQ(file.u32("t.u8"), 200u);
  EXPECT_EQ(file.u32("t.u16"), 60000u);
  EXPECT_EQ(file.u32("t.u32"), 4000000000u);
  EXPECT_EQ(file.i64("t.i8"), -3);
  EXPECT_EQ(file.i64("t.i16"), -300);
  EXPECT_EQ(file.i64("t.i32"), -70000);
  EXPECT_EQ(file.u64("t.u64"), std::numeric_limits<uint64_t>::max());
  EXPECT_EQ(file.i64("t.i64"), std::numeric_limits<int64_t>::min());
  EXPECT_EQ(file.f32("t.f32"), 0.5f);
  EXPECT_EQ(file.f32("t.f64"), 0.25f);
  EXPECT_TRUE(file.boolean("t.bool"));
  EXPECT_EQ(file.strings("t.strings"), (std::vector<std::string>{"a", "", "\xFF\n"}));
  EXPECT_EQ(file.floats("t.floats"), (std::vector<float>{1.5f, -2.0f}));
  EXPECT_EQ(file.integers("t.ints"), (std::vector<int64_t>{-1, 5}));
  EXPECT_EQ(describe(*file.find_value("general.architecture")), "'bitnet'");
  EXPECT_EQ(describe(*file.find_value("t.i64")), "-9223372036854775808");
  EXPECT_EQ(describe(*file.find_value("t.strings")), "[string, 3 items]");
}

TEST(GgufRead, OptionalValues) {
  const std::string text = small_file().text();
  const GgufFile file(as_bytes(text), "test.gguf");
  EXPECT_EQ(file.optional_u32("t.u32"), 4000000000u);
  EXPECT_EQ(file.optional_u32("none"), std::nullopt);
  EXPECT_EQ(file.optional_f32("none"), std::nullopt);
  EXPECT_EQ(file.optional_boolean("t.bool"), true);
  EXPECT_EQ(file.optional_string("none"), std::nullopt);
  EXPECT_EQ(file.optional_strings("t.strings")->size(), 3u);
  EXPECT_EQ(file.optional_floats("none"), std::nullopt);
  EXPECT_EQ(file.optional_integers("t.ints")->size(), 2u);
  expect_error([&] { (void)file.optional_u32("t.f32"); }, "expected an integer, got f32");
}

TEST(GgufRead, WrongTypesAreNamed) {
  const std::string text = small_file().text();
  const GgufFile file(as_bytes(text), "test.gguf");
  expect_error([&] { (void)file.u32("none"); }, "test.gguf: metadata 'none' is missing");
  expect_error([&] { (void)file.u32("t.i8"); }, "metadata 't.i8': expected 0 to 4294967295, got -3");
  expect_error([&] { (void)file.u32("t.u64"); }, "got 18446744073709551615");
  expect_error([&] { (void)file.i64("t.u64"); }, "got 18446744073709551615");
  expect_error([&] { (void)file.u32("t.bool"); }, "expected an integer, got bool");
  expect_error([&] { (void)file.f32("t.u32"); }, "expected f32, got u32");
  expect_error([&] { (void)file.boolean("t.u8"); }, "expected bool, got u8");
  expect_error([&] { (void)file.string("t.strings"); }, "expected one value, got an array of string");
  // The element type of the tokenizer's arrays, read as another one, was a published vulnerability.
  expect_error([&] { (void)file.floats("t.ints"); }, "expected an array of f32, got an array of i8");
  expect_error([&] { (void)file.integers("t.floats"); }, "expected an array of integers, got an array of f32");
  expect_error([&] { (void)file.strings("t.ints"); }, "expected an array of strings, got an array of i8");
  expect_error([&] { (void)file.strings("t.u8"); }, "expected an array, got u8");
}

TEST(GgufRead, TensorsAreOutermostFirst) {
  const std::string text = small_file().text();
  const GgufFile file(as_bytes(text), "test.gguf");
  ASSERT_EQ(file.tensors().size(), 5u);
  const NamedTensor& a = file.tensors()[0];
  EXPECT_EQ(a.name, "a");
  EXPECT_EQ(a.type, DType::kF32);
  EXPECT_EQ(a.shape, (std::vector<size_t>{2, 3, 8}));
  EXPECT_EQ(a.data.size(), 192u);
  const NamedTensor* e = file.find("e");
  ASSERT_NE(e, nullptr);
  EXPECT_EQ(e->type, DType::kTQ2_0);
  EXPECT_EQ(e->shape, (std::vector<size_t>{16, 256}));
  EXPECT_EQ(e->data.data() + e->data.size(), as_bytes(text).data() + text.size());
  EXPECT_EQ(file.find("d")->type, DType::kTQ1_0);
  EXPECT_EQ(file.find("d")->data.size(), 108u);
  EXPECT_EQ(file.find("c")->type, DType::kBF16);
  EXPECT_EQ(file.find("b")->type, DType::kF16);
  EXPECT_EQ(file.find("none"), nullptr);
}

TEST(GgufRead, EveryPrefixIsRefused) {
  test::expect_prefixes_fail(small_file().text(), [](Bytes bytes) { GgufFile file(bytes, "test.gguf"); });
}

TEST(GgufRead, EveryBitFlipIsRefusedOrReadable) {
  const size_t refused = test::refused_bit_flips(small_file().text(), [](Bytes bytes) {
    const GgufFile file(bytes, "test.gguf");
    for (const GgufEntry& entry : file.metadata()) (void)describe(entry.value);
    for (const NamedTensor& tensor : file.tensors()) {
      ASSERT_EQ(tensor.data.size(), dtype_bytes(tensor.type, tensor.elements()));
      ASSERT_GE(tensor.data.data(), bytes.data());
      ASSERT_LE(tensor.data.data() + tensor.data.size(), bytes.data() + bytes.size());
    }
  });
  EXPECT_GT(refused, 1000u);
}

// The cases below carry the names of llama.cpp's test-gguf and mirror the classes of its published vulnerabilities.

TEST(GgufReadBadCase, HEADER_BAD_MAGIC) {
  HandMade file;
  file.magic = "GGML";
  expect_refused(file, "expected the magic 'GGUF', got 'GGML'");
}

TEST(GgufReadBadCase, HEADER_BAD_VERSION_1) {
  HandMade file;
  file.version = 1;
  expect_refused(file, "version 1 is not supported");
}

TEST(GgufReadBadCase, HEADER_BAD_VERSION_FUTURE) {
  HandMade file;
  file.version = 4;
  expect_refused(file, "version 4 is newer");
}

TEST(GgufReadBadCase, HEADER_BIG_ENDIAN) {
  HandMade file;
  file.version = 0x03000000;
  expect_refused(file, "big-endian");
}

TEST(GgufReadBadCase, HEADER_BAD_N_TENSORS) {
  HandMade file;
  file.tensor_count = std::numeric_limits<uint64_t>::max();
  expect_refused(file, "number of tensors: expected at most 1048576, got 18446744073709551615");
  file.tensor_count = 1000000;
  expect_refused(file, "cannot fit");
}

TEST(GgufReadBadCase, HEADER_BAD_N_KV) {
  HandMade file;
  file.entry_count = std::numeric_limits<uint64_t>::max();
  expect_refused(file, "number of metadata entries: expected at most 65536");
  file.entry_count = 65536;
  expect_refused(file, "cannot fit");
}

TEST(GgufReadBadCase, HEADER_EMPTY) {
  expect_error([] { open(""); }, "magic: expected 4 bytes at offset 0, 0 are left");
  const std::string text = HandMade{}.text();  // no entries and no tensors: a valid file
  const GgufFile file(as_bytes(text), "test.gguf");
  EXPECT_TRUE(file.metadata().empty());
  EXPECT_TRUE(file.tensors().empty());
  HandMade version_2;
  version_2.version = 2;
  EXPECT_NO_THROW(open(version_2.text()));
}

TEST(GgufReadBadCase, KV_BAD_KEY_SIZE) {
  HandMade file;
  ByteWriter entry;
  entry.write(std::numeric_limits<uint64_t>::max());
  entry.write_text("key0123456789");
  file.entries.push_back(entry.text());
  expect_refused(file, "metadata key: expected at most 65535 bytes, got 18446744073709551615");
  HandMade empty;
  empty.entry_u32("", 1);
  expect_refused(empty, "metadata key 0 is empty");
}

TEST(GgufReadBadCase, KV_BAD_TYPE) {
  HandMade file;
  file.entry("k", 13, [](ByteWriter& w) { w.write(uint64_t{0}); });
  expect_refused(file, "metadata 'k': unknown metadata type 13");
  HandMade element;
  element.entry("k", 9, [](ByteWriter& w) {
    w.write(uint32_t{0xFFFFFFFF});
    w.write(uint64_t{0});
  });
  expect_refused(element, "unknown metadata type 4294967295");
}

TEST(GgufReadBadCase, KV_BAD_BOOL) {
  HandMade file;
  file.entry("k", 7, [](ByteWriter& w) { w.write(uint8_t{2}); });
  expect_refused(file, "metadata 'k': bool: expected 0 or 1, got 2");
}

TEST(GgufReadBadCase, KV_BAD_STRING_SIZE) {
  HandMade file;
  file.entry("k", 8, [](ByteWriter& w) { w.write(std::numeric_limits<uint64_t>::max() - 7); });
  expect_refused(file, "metadata 'k': string: expected at most");
}

TEST(GgufReadBadCase, KV_BAD_ARRAY_SIZE) {
  for (const uint32_t type : {0u, 4u, 7u, 8u, 12u}) {
    HandMade file;
    file.entry("k", 9, [&](ByteWriter& w) {
      w.write(type);
      w.write(uint64_t{1} << 61);  // times 8 bytes wraps around to 0
      w.write(uint64_t{0});
    });
    expect_refused(file, "metadata 'k': array");
  }
}

TEST(GgufReadBadCase, KV_NESTED_ARRAY) {
  HandMade file;
  file.entry("k", 9, [](ByteWriter& w) {
    w.write(uint32_t{9});
    w.write(uint64_t{1});
    w.write(uint32_t{0});
    w.write(uint64_t{0});
  });
  expect_refused(file, "metadata 'k': nested arrays are not supported");
}

TEST(GgufReadBadCase, KV_DUPLICATE_KEY) {
  HandMade file;
  file.entry_u32("k", 1).entry_u32("k", 2);
  expect_refused(file, "metadata key 'k' appears twice");
}

TEST(GgufReadBadCase, KV_BAD_ALIGN) {
  for (const uint32_t alignment : {0u, 1u, 4u, 13u, 48u, 1u << 21, 1u << 31}) {
    HandMade file;
    file.entry_u32("general.alignment", alignment);
    expect_refused(file, "expected a power of two from 8 to 1048576");
  }
  HandMade typed;
  typed.entry("general.alignment", 10, [](ByteWriter& w) { w.write(uint64_t{32}); });
  expect_refused(typed, "expected u32, got u64");
}

TEST(GgufReadBadCase, TENSORS_BAD_NAME_SIZE) {
  HandMade file;
  file.tensor(std::string(64, 'x'), {8}, 0, 0);
  file.data.assign(32, '\0');
  expect_refused(file, "tensor name: expected at most 63 bytes, got 64");
  HandMade longest;
  longest.tensor(std::string(63, 'x'), {8}, 0, 0);
  longest.data.assign(32, '\0');
  EXPECT_NO_THROW(open(longest.text()));
  HandMade empty;
  empty.tensor("", {8}, 0, 0);
  empty.data.assign(32, '\0');
  expect_refused(empty, "the name of tensor 0 is empty");
}

TEST(GgufReadBadCase, TENSORS_BAD_N_DIMS) {
  HandMade file;
  file.tensor("t", {8, 1, 1, 1, 1}, 0, 0);
  file.data.assign(32, '\0');
  expect_refused(file, "tensor 't': expected at most 4 dimensions, got 5");
  HandMade huge;
  ByteWriter info;
  put_string(info, "t");
  info.write(uint32_t{0xFFFFFFFF});
  info.write(uint64_t{1});
  info.write(uint64_t{1});
  huge.tensors.push_back(info.text());
  expect_refused(huge, "got 4294967295");
}

TEST(GgufReadBadCase, TENSORS_BAD_SHAPE) {
  HandMade file;
  file.tensor("t", {8, 0}, 0, 0);
  file.data.assign(32, '\0');
  expect_refused(file, "tensor 't': dimension 1 is 0");
  for (const uint32_t type : {34u, 35u}) {
    HandMade block;
    block.tensor("t", {128, 2}, type, 0);
    block.data.assign(96, '\0');
    expect_refused(block, "needs a multiple of 256");
  }
  for (const uint32_t type : {2u, 8u}) {
    HandMade block;
    block.tensor("t", {48, 2}, type, 0);
    block.data.assign(128, '\0');
    expect_refused(block, "needs a multiple of 32");
  }
}

TEST(GgufReadBadCase, TENSORS_NE_TOO_BIG) {
  HandMade file;  // the product of the dimensions, or of it and the type's size, wraps around
  file.tensor("t", {uint64_t{1} << 32, uint64_t{1} << 32}, 0, 0);
  file.data.assign(32, '\0');
  expect_refused(file, "tensor 't': number of elements");
  HandMade bytes;
  bytes.tensor("t", {uint64_t{1} << 62}, 0, 0);
  bytes.data.assign(32, '\0');
  expect_refused(bytes, "tensor 't': tensor size");
  HandMade negative;
  negative.tensor("t", {std::numeric_limits<uint64_t>::max()}, 1, 0);
  negative.data.assign(32, '\0');
  expect_refused(negative, "tensor 't': tensor size");
}

TEST(GgufReadBadCase, TENSORS_BAD_TYPE) {
  HandMade file;
  file.tensor("t", {8}, 0xFFFFFFFF, 0);
  file.data.assign(32, '\0');
  expect_refused(file,
                 "tensor 't': unknown tensor type 4294967295, expected one of F32 (0), F16 (1), Q4_0 (2), Q8_0 (8), "
                 "Q4_K (12), Q5_K (13), Q6_K (14), BF16 (30), TQ1_0 (34), TQ2_0 (35), I2_S (36)");
  HandMade known;
  known.tensor("t", {256}, 10, 0);
  known.data.assign(256, '\0');
  expect_refused(known, "tensor 't': tensor type 10 (Q2_K) is not supported, expected one of");
}

TEST(GgufReadBadCase, TENSORS_BAD_OFFSET) {
  for (const uint64_t offset : {uint64_t{64}, uint64_t{1} << 40, std::numeric_limits<uint64_t>::max() - 31}) {
    HandMade file;
    file.tensor("t", {8}, 0, offset);
    file.data.assign(32, '\0');
    expect_refused(file, "tensor 't': expected 32 bytes at offset");
  }
  HandMade overlap;
  overlap.tensor("s", {16}, 0, 0).tensor("t", {8}, 0, 32);
  overlap.data.assign(96, '\0');
  expect_refused(overlap, "tensors 's' and 't' overlap: [0, 64) and [32, 64)");
  HandMade same;
  same.tensor("s", {8}, 0, 0).tensor("t", {8}, 0, 0);
  same.data.assign(96, '\0');
  expect_refused(same, "overlap");
}

TEST(GgufReadBadCase, TENSORS_DUPLICATE_NAME) {
  HandMade file;
  file.tensor("t", {8}, 0, 0).tensor("t", {8}, 0, 32);
  file.data.assign(64, '\0');
  expect_refused(file, "tensor 't' appears twice");
}

TEST(GgufReadBadCase, TENSORS_BAD_ALIGN) {
  HandMade file;
  file.tensor("t", {8}, 0, 8);
  file.data.assign(64, '\0');
  expect_refused(file, "tensor 't': offset 8 is not a multiple of the alignment 32");
}

TEST(GgufReadBadCase, TENSORS_INCONSISTENT_ALIGN) {
  HandMade file;  // the file says 64, its offsets follow 32
  file.alignment = 64;
  file.entry_u32("general.alignment", 64);
  file.tensor("s", {8}, 0, 0).tensor("t", {8}, 0, 32);
  file.data.assign(64, '\0');
  expect_refused(file, "offset 32 is not a multiple of the alignment 64");
}

TEST(GgufReadBadCase, TENSORS_CUSTOM_ALIGN) {
  for (const uint32_t alignment : {8u, 64u, 4096u}) {
    HandMade file;
    file.alignment = alignment;
    file.entry_u32("general.alignment", alignment);
    file.tensor("s", {2}, 0, 0).tensor("t", {2}, 0, alignment);
    file.data.assign(alignment + 8, '\3');
    const std::string text = file.text();
    const GgufFile opened(as_bytes(text), "test.gguf");
    EXPECT_EQ(opened.alignment(), alignment);
    EXPECT_EQ(opened.find("t")->data.data(), as_bytes(text).data() + text.size() - 8);
  }
}

TEST(GgufReadBadCase, DATA_NOT_ENOUGH_DATA) {
  HandMade file;
  file.tensor("t", {8}, 0, 0);
  file.data.assign(31, '\0');
  expect_refused(file, "expected 32 bytes at offset 0 of the data, which has 31 bytes; is the file truncated?");
  HandMade exabyte;  // an exabyte of weights in a file of a few bytes
  exabyte.tensor("t", {uint64_t{1} << 40, uint64_t{1} << 20}, 35, 0);
  exabyte.data.assign(64, '\0');
  expect_refused(exabyte, "is the file truncated?");
}

TEST(GgufRead, HostileNamesStayOnOneLine) {
  HandMade file;
  file.tensor("a\nb\x01\xFF", {8}, 99, 0);
  file.data.assign(32, '\0');
  expect_refused(file, "tensor 'a\\x0Ab\\x01\\xFF': unknown tensor type 99");
}

TEST(GgufRead, SurvivesMoving) {
  const test::TemporaryDirectory directory;
  const std::string text = small_file().text();
  write_file(directory / "a.gguf", text);
  GgufFile first(directory / "a.gguf");
  const GgufFile second(std::move(first));
  EXPECT_EQ(second.u32("t.u8"), 200u);
  EXPECT_EQ(second.find("a")->data[0], std::byte{1});
}

TEST(GgufRead, MissingFileIsNamed) {
  expect_error([] { GgufFile file("/nonexistent/a.gguf"); }, "/nonexistent/a.gguf: cannot open for reading");
}

TEST(GgufRead, RealVocabulary) {
  const std::filesystem::path path = data_path("tok/llama.cpp/ggml-vocab-gpt-2.gguf");
  if (!std::filesystem::exists(path)) GTEST_SKIP() << path << " is absent";
  const GgufFile file(path);
  EXPECT_EQ(file.string("general.architecture"), "gpt2");
  EXPECT_EQ(file.u32("gpt2.context_length"), 1024u);
  EXPECT_EQ(file.strings("tokenizer.ggml.tokens").size(), 50257u);
  EXPECT_EQ(file.strings("tokenizer.ggml.tokens")[0], "!");
  EXPECT_EQ(file.integers("tokenizer.ggml.token_type").size(), 50257u);
  EXPECT_EQ(file.strings("tokenizer.ggml.merges").size(), 50000u);
  EXPECT_TRUE(file.tensors().empty());
}

}  // namespace
}  // namespace tern
