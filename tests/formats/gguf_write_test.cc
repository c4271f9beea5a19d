#include "formats/gguf_write.h"

#include <gtest/gtest.h>

#include <numeric>

#include "base/file.h"
#include "formats/gguf_read.h"
#include "support.h"

namespace tern {
namespace {

using test::expect_error;
using namespace std::string_literals;

std::vector<std::byte> counting_bytes(size_t size) {
  std::vector<std::byte> bytes(size);
  for (size_t i = 0; i < size; ++i) bytes[i] = static_cast<std::byte>(i * 7 + 1);
  return bytes;
}

TEST(GgufWrite, GoldenBytes) {
  const test::TemporaryDirectory directory;
  const std::vector<float> values = {1.0f, -2.0f, 0.5f, 3.0f, 4.0f, 5.0f};
  GgufWriter writer;
  writer.add_string("general.architecture", "bitnet");
  writer.add_u32("a.n", 7);
  writer.add_tensor({"w", DType::kF32, {2, 3}, std::as_bytes(std::span(values))});
  writer.add_tensor({"v", DType::kF32, {1}, std::as_bytes(std::span(values).first(1))});
  writer.write(directory / "golden.gguf");

  const std::string expected =
      // magic, version 3, 2 tensors, 2 entries
      "GGUF\x03\0\0\0\x02\0\0\0\0\0\0\0\x02\0\0\0\0\0\0\0"
      // "general.architecture": string (8) "bitnet"
      "\x14\0\0\0\0\0\0\0general.architecture\x08\0\0\0\x06\0\0\0\0\0\0\0"
      "bitnet"
      // "a.n": u32 (4) 7
      "\x03\0\0\0\0\0\0\0"
      "a.n\x04\0\0\0\x07\0\0\0"
      // "w": 2 dimensions, 3 then 2, F32, offset 0
      "\x01\0\0\0\0\0\0\0w\x02\0\0\0\x03\0\0\0\0\0\0\0\x02\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"
      // "v": 1 dimension, F32, offset 32
      "\x01\0\0\0\0\0\0\0v\x01\0\0\0\x01\0\0\0\0\0\0\0\0\0\0\0\x20\0\0\0\0\0\0\0"s;
  ASSERT_EQ(expected.size(), 24u + 46 + 19 + 41 + 33);  // 163: 29 bytes of padding follow
  const std::string data = std::string(29, '\0') +
                           "\0\0\x80\x3F\0\0\0\xC0\0\0\0\x3F\0\0\x40\x40\0\0\x80\x40\0\0\xA0\x40\0\0\0\0\0\0\0\0"
                           "\0\0\x80\x3F"s +
                           std::string(28, '\0');
  EXPECT_EQ(read_file(directory / "golden.gguf"), expected + data);
}

TEST(GgufWrite, EveryValueComesBack) {
  const test::TemporaryDirectory directory;
  GgufWriter writer;
  writer.add_u32("a.u32", 0xFFFFFFFFu);
  writer.add_u64("a.u64", uint64_t{1} << 63);
  writer.add_i32("a.i32", -5);
  writer.add_f32("a.f32", 1e-5f);
  writer.add_bool("a.yes", true);
  writer.add_bool("a.no", false);
  writer.add_string("a.empty", "");
  writer.add_strings("a.strings", std::vector<std::string>{"x", "", "\xC3\xA9\0z"s});
  writer.add_strings("a.none", {});
  writer.add_floats("a.floats", std::vector<float>{0.0f, -1.5f});
  writer.add_i32s("a.i32s", std::vector<int32_t>{-1, 2, 3});
  writer.write(directory / "v.gguf");

  const GgufFile file(directory / "v.gguf");
  EXPECT_EQ(file.u32("a.u32"), 0xFFFFFFFFu);
  EXPECT_EQ(file.u64("a.u64"), uint64_t{1} << 63);
  EXPECT_EQ(file.i64("a.i32"), -5);
  EXPECT_EQ(file.f32("a.f32"), 1e-5f);
  EXPECT_TRUE(file.boolean("a.yes"));
  EXPECT_FALSE(file.boolean("a.no"));
  EXPECT_EQ(file.string("a.empty"), "");
  EXPECT_EQ(file.strings("a.strings"), (std::vector<std::string>{"x", "", "\xC3\xA9\0z"s}));
  EXPECT_TRUE(file.strings("a.none").empty());
  EXPECT_EQ(file.floats("a.floats"), (std::vector<float>{0.0f, -1.5f}));
  EXPECT_EQ(file.integers("a.i32s"), (std::vector<int64_t>{-1, 2, 3}));

  // Copying every value as it is gives the same file.
  GgufWriter copy;
  for (const GgufEntry& entry : file.metadata()) copy.add_value(entry.key, entry.value);
  copy.write(directory / "copy.gguf");
  EXPECT_EQ(read_file(directory / "copy.gguf"), read_file(directory / "v.gguf"));
}

TEST(GgufWrite, EveryTypeAndOddShapesComeBack) {
  const test::TemporaryDirectory directory;
  struct Case {
    DType type;
    std::vector<size_t> shape;
  };
  const std::vector<Case> cases = {{DType::kF32, {1}},        {DType::kF32, {3, 5, 7}},  {DType::kF16, {13}},
                                   {DType::kBF16, {17, 3}},   {DType::kTQ1_0, {1, 256}}, {DType::kTQ1_0, {3, 512}},
                                   {DType::kTQ2_0, {5, 768}}, {DType::kTQ2_0, {256}},    {DType::kF32, {2, 1, 3, 1}}};
  std::vector<std::vector<std::byte>> data;
  GgufWriter writer;
  for (size_t i = 0; i < cases.size(); ++i) {
    const size_t elements =
        std::accumulate(cases[i].shape.begin(), cases[i].shape.end(), size_t{1}, std::multiplies<>());
    data.push_back(counting_bytes(dtype_bytes(cases[i].type, elements)));
    writer.add_tensor({"t" + std::to_string(i), cases[i].type, cases[i].shape, data.back()});
  }
  writer.write(directory / "t.gguf");

  const GgufFile file(directory / "t.gguf");
  EXPECT_EQ(std::filesystem::file_size(directory / "t.gguf") % 32, 0u);
  ASSERT_EQ(file.tensors().size(), cases.size());
  const std::byte* end = nullptr;
  for (size_t i = 0; i < cases.size(); ++i) {
    const NamedTensor& tensor = file.tensors()[i];
    EXPECT_EQ(tensor.type, cases[i].type);
    EXPECT_EQ(tensor.shape, cases[i].shape);
    EXPECT_TRUE(std::equal(tensor.data.begin(), tensor.data.end(), data[i].begin(), data[i].end()));
    // Mapped files begin at a page, so addresses show the alignment; tensors follow each other without holes.
    EXPECT_EQ(reinterpret_cast<uintptr_t>(tensor.data.data()) % 32, 0u);
    if (end != nullptr) {
      EXPECT_LT(tensor.data.data() - end, 32);
    }
    end = tensor.data.data() + tensor.data.size();
  }
}

TEST(GgufWrite, ProducersRunAtWriteTime) {
  const test::TemporaryDirectory directory;
  GgufWriter writer;
  int calls = 0;
  writer.add_tensor(OutputTensor{"w", DType::kF32, {4, 8}, [&](const ByteSink& sink) {
                                   for (uint8_t row = 0; row < 4; ++row) {
                                     ++calls;
                                     const std::vector<std::byte> bytes(32, std::byte{row});
                                     sink(bytes);
                                   }
                                 }});
  EXPECT_EQ(calls, 0);
  writer.write(directory / "w.gguf");
  EXPECT_EQ(calls, 4);
  const GgufFile file(directory / "w.gguf");
  EXPECT_EQ(file.find("w")->data[0], std::byte{0});
  EXPECT_EQ(file.find("w")->data[127], std::byte{3});
}

TEST(GgufWrite, WrongSizeLeavesTheEarlierFile) {
  const test::TemporaryDirectory directory;
  write_file(directory / "w.gguf", "earlier");
  for (const size_t size : {0u, 31u, 33u, 64u}) {
    GgufWriter writer;
    const std::vector<std::byte> bytes(size);
    writer.add_tensor(OutputTensor{"w", DType::kF32, {8}, [&](const ByteSink& sink) { sink(bytes); }});
    expect_error([&] { writer.write(directory / "w.gguf"); }, "tensor 'w': expected 32 bytes, got");
    EXPECT_EQ(read_file(directory / "w.gguf"), "earlier");
  }
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(directory.path()), {}), 1);
}

TEST(GgufWrite, UnwritablePathIsNamed) {
  const test::TemporaryDirectory directory;
  const GgufWriter writer;
  expect_error([&] { writer.write(directory / "none/w.gguf"); }, "none/w.gguf: cannot open for writing");
  expect_error([&] { writer.write(directory / std::string(300, 'x')); }, "cannot open for writing: File name too long");
  expect_error([&] { writer.write(directory.path()); }, "cannot write");
}

TEST(GgufWrite, RefusesWhatNoReaderTakes) {
  GgufWriter writer;
  const auto add = [&](std::string name, DType type, std::vector<size_t> shape) {
    writer.add_tensor(OutputTensor{std::move(name), type, std::move(shape), [](const ByteSink&) {}});
  };
  expect_error([&] { writer.add_u32("", 1); }, "expected 1 to 65535 bytes, got 0");
  expect_error([&] { writer.add_u32(std::string(65536, 'k'), 1); }, "got 65536");
  expect_error([&] { writer.add_u32("general.alignment", 64); }, "set by the writer");
  writer.add_u32("k", 1);
  expect_error([&] { writer.add_f32("k", 1); }, "metadata key 'k' is added twice");
  expect_error([&] { add("", DType::kF32, {1}); }, "tensor name '': expected 1 to 63 bytes, got 0");
  expect_error([&] { add(std::string(64, 't'), DType::kF32, {1}); }, "got 64");
  expect_error([&] { add("t", DType::kF32, {}); }, "expected 1 to 4 dimensions, got 0");
  expect_error([&] { add("t", DType::kF32, {1, 1, 1, 1, 1}); }, "expected 1 to 4 dimensions, got 5");
  expect_error([&] { add("t", DType::kF32, {3, 0}); }, "a dimension is 0");
  expect_error([&] { add("t", DType::kTQ1_0, {256, 128}); }, "tensor 't': rows of 128 elements: type tq1_0 needs");
  expect_error([&] { add("t", DType::kU8, {4}); }, "tensor type u8 cannot be stored in a GGUF file");
  expect_error([&] { add("t", DType::kF32, {size_t{1} << 33, size_t{1} << 33}); }, "number of elements");
  add("t", DType::kF32, {1});
  expect_error([&] { add("t", DType::kF32, {1}); }, "tensor 't' is added twice");
}

}  // namespace
}  // namespace tern
