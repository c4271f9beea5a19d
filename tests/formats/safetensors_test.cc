#include "formats/safetensors.h"

#include <gtest/gtest.h>

#include "base/file.h"
#include "support.h"
#include "support/paths.h"

namespace tern {
namespace {

using test::error_of;
using test::ExactBytes;
using test::expect_error;

std::string file_with(std::string_view header, std::string_view data = "") {
  ByteWriter writer;
  writer.write(uint64_t{header.size()});
  writer.write_text(header);
  writer.write_text(data);
  return writer.text();
}

void read(std::string_view content) {
  const ExactBytes exact(content);
  SafetensorsFile file(exact.bytes(), "test.safetensors");
}

void expect_header_refused(std::string_view header, std::string_view data, std::string_view part) {
  const std::string content = file_with(header, data);
  expect_error([&] { read(content); }, part);
  EXPECT_TRUE(error_of([&] { read(content); }).starts_with("test.safetensors: "));
}

// Three tensors, one of them empty and one a scalar, not in the order of their data.
std::string three_tensors() {
  return file_with(R"({"__metadata__":{"format":"pt","note":"a\nb"},)"
                   R"("b":{"dtype":"BF16","shape":[2,3],"data_offsets":[4,16]},)"
                   R"("a":{"dtype":"F32","shape":[],"data_offsets":[0,4]},)"
                   R"("none":{"dtype":"I64","shape":[0,5],"data_offsets":[4,4]}}   )",
                   "\1\2\3\4\5\6\7\1\2\3\4\5\6\7\1\2");
}

TEST(Safetensors, ReadsTensorsAndMetadata) {
  const std::string text = three_tensors();
  const SafetensorsFile file(as_bytes(text), "test.safetensors");
  ASSERT_EQ(file.tensors().size(), 3u);
  EXPECT_EQ(file.tensors()[0].name, "a");
  EXPECT_EQ(file.tensors()[0].elements(), 1u);
  EXPECT_EQ(file.tensors()[1].name, "none");
  EXPECT_TRUE(file.tensors()[1].data.empty());
  const NamedTensor* b = file.find("b");
  ASSERT_NE(b, nullptr);
  EXPECT_EQ(b->type, DType::kBF16);
  EXPECT_EQ(b->shape, (std::vector<size_t>{2, 3}));
  EXPECT_EQ(b->data.size(), 12u);
  EXPECT_EQ(b->data[0], std::byte{5});
  EXPECT_EQ(file.find("c"), nullptr);
  EXPECT_EQ(file.metadata(), (std::map<std::string, std::string>{{"format", "pt"}, {"note", "a\nb"}}));
}

TEST(Safetensors, EveryPrefixIsRefused) {
  test::expect_prefixes_fail(three_tensors(), [](Bytes bytes) { SafetensorsFile file(bytes, "test"); });
}

TEST(Safetensors, EveryBitFlipIsRefusedOrReadable) {
  const size_t refused = test::refused_bit_flips(three_tensors(), [](Bytes bytes) {
    const SafetensorsFile file(bytes, "test");
    for (const NamedTensor& tensor : file.tensors()) {
      ASSERT_EQ(tensor.data.size(), dtype_bytes(tensor.type, tensor.elements()));
      ASSERT_LE(tensor.data.data() + tensor.data.size(), bytes.data() + bytes.size());
    }
  });
  EXPECT_GT(refused, 500u);
}

TEST(Safetensors, HeaderLength) {
  expect_error([] { read("\1\2\3"); }, "header length: expected 8 bytes");
  ByteWriter huge;
  huge.write(~uint64_t{0});
  huge.write_text("{}");
  expect_error([&] { read(huge.text()); }, "header length 18446744073709551615: expected at most 100000000");
  ByteWriter longer;
  longer.write(uint64_t{3});
  longer.write_text("{}");
  expect_error([&] { read(longer.text()); }, "at most the 2 bytes left");
}

TEST(Safetensors, HeaderForm) {
  EXPECT_NO_THROW(read(file_with("{}")));
  EXPECT_NO_THROW(read(file_with("{}      ")));
  expect_header_refused("", "", "expected the header to begin with '{'");
  expect_header_refused(" {}", "", "expected the header to begin with '{'");
  expect_header_refused("[]", "", "expected the header to begin with '{', got '['");
  expect_header_refused("{}x", "", "not valid JSON");
  expect_header_refused("{", "", "not valid JSON");
  expect_header_refused(std::string_view("{}\0x", 4), "", "zero byte");
  expect_header_refused("{\"\xFF\":{}}", "", "not valid JSON");
  expect_header_refused(R"({"a":1})", "", "header entry 'a': did not expect a number");
  expect_header_refused(R"({"a":[]})", "", "header entry 'a': did not expect an array");
  expect_header_refused(R"({"a":null})", "", "did not expect null");
  expect_header_refused(R"({"a":{}})", "", "tensor 'a': expected dtype, shape and two data_offsets");
  expect_header_refused(R"({"a":{"dtype":"U8","shape":[0]}})", "", "expected dtype, shape and two data_offsets");
  expect_header_refused(R"({"a":{"dtype":"U8","shape":[0],"data_offsets":[0]}})", "", "two data_offsets");
  expect_header_refused(R"({"a":{"dtype":"U8","shape":[0],"data_offsets":[0,0,0]}})", "", "more than 2 numbers");
  expect_header_refused(R"({"a":{"dtype":"U8","shape":[0],"data_offsets":[0,0],"x":1}})", "", "expected only dtype");
  expect_header_refused(R"({"a":{"dtype":"U8","shape":[[0]],"data_offsets":[0,0]}})", "",
                        "did not expect an array in 'shape'");
  expect_header_refused(R"({"a":{"dtype":"U8","shape":["0"],"data_offsets":[0,0]}})", "", "did not expect a string");
  expect_header_refused(R"({"a":{"dtype":"U8","shape":7,"data_offsets":[0,0]}})", "",
                        "did not expect a number in 'shape'");
  expect_header_refused(R"({"a":{"dtype":"U8","shape":[-1],"data_offsets":[0,0]}})", "", "a negative number");
  expect_header_refused(R"({"a":{"dtype":"U8","shape":[1.5],"data_offsets":[0,0]}})", "", "a fraction");
  expect_header_refused(R"({"a":{"dtype":"U8","shape":[18446744073709551616],"data_offsets":[0,0]}})", "",
                        "beyond 64 bits");
  expect_header_refused(R"({"a":{"dtype":["U8"],"shape":[0],"data_offsets":[0,0]}})", "",
                        "did not expect an array in 'dtype'");
  expect_header_refused(R"({"__metadata__":{"a":1}})", "", "header entry '__metadata__': did not expect a number");
  expect_header_refused(R"({"__metadata__":{"a":{}}})", "", "did not expect an object");
}

TEST(Safetensors, DuplicateKeys) {
  const std::string a = R"("a":{"dtype":"U8","shape":[0],"data_offsets":[0,0]})";
  expect_header_refused("{" + a + "," + a + "}", "", "header key 'a' appears twice");
  expect_header_refused(R"({"__metadata__":{},"__metadata__":{}})", "", "header key '__metadata__' appears twice");
  expect_header_refused(R"({"__metadata__":{"k":"1","k":"2"}})", "", "'__metadata__' key 'k' appears twice");
  expect_header_refused(R"({"a":{"dtype":"U8","dtype":"U8","shape":[0],"data_offsets":[0,0]}})", "", "dtype twice");
  expect_header_refused(R"({"a":{"dtype":"U8","shape":[0],"shape":[0],"data_offsets":[0,0]}})", "",
                        "shape appears twice");
}

TEST(Safetensors, DeepNestingIsRefusedWithoutRecursion) {
  const auto nested = [](std::string header, std::string_view level) {
    for (int i = 0; i < 1'000'000; ++i) header += level;
    return header;
  };
  expect_header_refused(nested("{\"a\":", "["), "", "header entry 'a': did not expect an array");
  expect_header_refused(nested("{\"a\":{\"shape\":", "["), "", "did not expect an array in 'shape'");
  expect_header_refused(nested("{\"a\":{\"dtype\":", "{\"a\":"), "", "did not expect an object in 'dtype'");
  expect_header_refused(nested("{\"__metadata__\":", "{\"a\":"), "", "did not expect an object in 'a'");
}

TEST(Safetensors, Offsets) {
  const auto header = [](std::string_view a, std::string_view b) {
    return R"({"a":{"dtype":"U8","shape":[4],"data_offsets":)" + std::string(a) +
           R"(},"b":{"dtype":"U8","shape":[4],"data_offsets":)" + std::string(b) + "}}";
  };
  EXPECT_NO_THROW(read(file_with(header("[0,4]", "[4,8]"), "01234567")));
  expect_header_refused(header("[1,5]", "[5,9]"), "012345678",
                        "tensor 'a': data_offsets [1, 5]: expected to begin at 0");
  expect_header_refused(header("[0,4]", "[5,9]"), "012345678",
                        "tensor 'b': data_offsets [5, 9]: expected to begin at 4");
  expect_header_refused(header("[0,4]", "[2,6]"), "012345", "tensor 'b': data_offsets [2, 6]: expected to begin at 4");
  expect_header_refused(header("[0,4]", "[0,4]"), "01234567", "expected to begin at 4");
  expect_header_refused(header("[0,4]", "[4,9]"), "012345678", "tensor 'b': expected 4 bytes for its shape");
  expect_header_refused(header("[0,4]", "[8,4]"), "01234567", "end before they begin");
  expect_header_refused(header("[0,4]", "[4,8]"), "0123456", "is the file truncated?");
  expect_header_refused(header("[0,4]", "[4,8]"), "012345678", "expected 8 bytes of data, as the header says, got 9");
  expect_header_refused(header("[0,4]", "[4,18446744073709551615]"), "01234567", "is the file truncated?");
}

TEST(Safetensors, ShapeOverflow) {
  expect_header_refused(R"({"a":{"dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,0]}})", "",
                        "tensor 'a': number of elements");
  expect_header_refused(R"({"a":{"dtype":"F32","shape":[4611686018427387904],"data_offsets":[0,0]}})", "",
                        "tensor 'a': tensor size");
  expect_header_refused(R"({"a":{"dtype":"F32","shape":[1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1],"data_offsets":[0,4]}})",
                        "0123", "shape has more than 16 numbers");
}

TEST(Safetensors, UnknownTypeIsNamed) {
  expect_header_refused(
      R"({"a":{"dtype":"F8_E4M3","shape":[1],"data_offsets":[0,1]}})", "0",
      "tensor 'a': type 'F8_E4M3' is not supported, expected one of I64, F32, U32, I32, BF16, F16, I8, U8");
}

TEST(Safetensors, WritesAsTheReferenceDoes) {
  const test::TemporaryDirectory directory;
  const std::string bytes = "0123456789abcdef";
  const auto data = [&](size_t size) { return as_bytes(bytes).first(size); };
  const std::vector<OutputTensor> tensors = {
      output_tensor({"z", DType::kU8, {3}, data(3)}),      output_tensor({"y", DType::kF32, {}, data(4)}),
      output_tensor({"m", DType::kBF16, {1, 2}, data(4)}), output_tensor({"b", DType::kF32, {2}, data(8)}),
      output_tensor({"i", DType::kI64, {0}, data(0)}),
  };
  write_safetensors(directory / "m.safetensors", tensors, {{"format", "pt"}});
  const std::string header = R"({"__metadata__":{"format":"pt"},)"
                             R"("i":{"dtype":"I64","shape":[0],"data_offsets":[0,0]},)"
                             R"("b":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},)"
                             R"("y":{"dtype":"F32","shape":[],"data_offsets":[8,12]},)"
                             R"("m":{"dtype":"BF16","shape":[1,2],"data_offsets":[12,16]},)"
                             R"("z":{"dtype":"U8","shape":[3],"data_offsets":[16,19]}})";
  std::string padded = header;
  while (padded.size() % 8 != 0) padded += ' ';
  EXPECT_EQ(read_file(directory / "m.safetensors"), file_with(padded,
                                                              "012345670123"
                                                              "0123"
                                                              "012"));

  const SafetensorsFile file(directory / "m.safetensors");
  EXPECT_EQ(file.tensors().size(), 5u);
  EXPECT_EQ(file.metadata().at("format"), "pt");
}

TEST(Safetensors, EveryTypeAndOddShapesComeBack) {
  const test::TemporaryDirectory directory;
  const std::vector<DType> types = {DType::kF32, DType::kF16, DType::kBF16, DType::kI8,
                                    DType::kU8,  DType::kI32, DType::kI64,  DType::kU32};
  const std::vector<std::vector<size_t>> shapes = {{}, {1}, {7}, {3, 5}, {2, 3, 4}, {0, 4}};
  std::vector<std::string> contents;
  std::vector<OutputTensor> tensors;
  for (const DType type : types) {
    for (const std::vector<size_t>& shape : shapes) {
      OutputTensor tensor{"t" + std::to_string(tensors.size()), type, shape, {}};
      std::string content;
      for (size_t i = 0; i < tensor.byte_size(); ++i) content += static_cast<char>(i * 11 + tensors.size());
      contents.push_back(content);
      tensor.produce = [content](const ByteSink& sink) {
        for (const char& c : content) sink(as_bytes(std::string_view(&c, 1)));
      };
      tensors.push_back(std::move(tensor));
    }
  }
  write_safetensors(directory / "m.safetensors", tensors, {});
  const SafetensorsFile file(directory / "m.safetensors");
  ASSERT_EQ(file.tensors().size(), tensors.size());
  for (size_t i = 0; i < tensors.size(); ++i) {
    const NamedTensor* tensor = file.find(tensors[i].name);
    ASSERT_NE(tensor, nullptr);
    EXPECT_EQ(tensor->type, tensors[i].type);
    EXPECT_EQ(tensor->shape, tensors[i].shape);
    const Bytes expected = as_bytes(contents[i]);
    EXPECT_TRUE(std::equal(tensor->data.begin(), tensor->data.end(), expected.begin(), expected.end()));
    if (!tensor->data.empty()) {
      EXPECT_EQ(reinterpret_cast<uintptr_t>(tensor->data.data()) % dtype_info(tensor->type).block_bytes, 0u);
    }
  }
}

TEST(Safetensors, WriterRefuses) {
  const test::TemporaryDirectory directory;
  const std::filesystem::path path = directory / "m.safetensors";
  write_file(path, "earlier");
  const auto write = [&](std::vector<OutputTensor> tensors, std::map<std::string, std::string> metadata = {}) {
    write_safetensors(path, tensors, metadata);
  };
  const OutputTensor good{"a", DType::kU8, {2}, [](const ByteSink& sink) { sink(as_bytes("xy")); }};
  expect_error([&] { write({good, good}); }, "tensor 'a' is given twice");
  expect_error([&] { write({{"\xFF", DType::kU8, {2}, good.produce}}); }, "cannot be a tensor's name");
  expect_error([&] { write({{"__metadata__", DType::kU8, {2}, good.produce}}); }, "cannot be a tensor's name");
  expect_error([&] { write({{"a", DType::kTQ1_0, {256}, good.produce}}); }, "type tq1_0 cannot be stored");
  expect_error([&] { write({good}, {{"k", "\xFF"}}); }, "metadata 'k' is not UTF-8");
  expect_error([&] { write({{"\xFF", DType::kU8, {2}, good.produce}}); }, "cannot be a tensor's name");
  expect_error([&] { write({{"a", DType::kU8, {3}, good.produce}}); }, "tensor 'a': expected 3 bytes, got 2");
  expect_error([&] { write({{"a", DType::kU8, {1}, good.produce}}); }, "expected 1 bytes, got at least 2");
  EXPECT_EQ(read_file(path), "earlier");
}

TEST(Safetensors, RealFile) {
  const std::filesystem::path path = data_path("ckpt/verl-tiny-llama/model.safetensors");
  if (!std::filesystem::exists(path)) GTEST_SKIP() << path << " is absent";
  const SafetensorsFile file(path);
  EXPECT_EQ(file.metadata().at("format"), "pt");
  const auto shape = [&](std::string_view name) {
    const NamedTensor* tensor = file.find(name);
    return tensor != nullptr && tensor->type == DType::kBF16 ? tensor->shape : std::vector<size_t>{};
  };
  EXPECT_EQ(file.tensors().size(), 3u + 4 * 9);  // embedding, head, last norm; nine in each of four layers
  EXPECT_EQ(shape("lm_head.weight"), (std::vector<size_t>{16, 128}));
  EXPECT_EQ(shape("model.embed_tokens.weight"), (std::vector<size_t>{16, 128}));
  EXPECT_EQ(shape("model.norm.weight"), (std::vector<size_t>{128}));
  for (int layer = 0; layer < 4; ++layer) {
    const std::string prefix = "model.layers." + std::to_string(layer) + ".";
    EXPECT_EQ(shape(prefix + "mlp.down_proj.weight"), (std::vector<size_t>{128, 344}));
    EXPECT_EQ(shape(prefix + "mlp.gate_proj.weight"), (std::vector<size_t>{344, 128}));
    EXPECT_EQ(shape(prefix + "self_attn.q_proj.weight"), (std::vector<size_t>{128, 128}));
  }
}

}  // namespace
}  // namespace tern
