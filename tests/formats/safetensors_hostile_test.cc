// What a hostile safetensors header can claim (README and tensor.rs of huggingface/safetensors list the rules): each
// rule that is broken is refused in one line, in time and memory proportional to the file.
#include <gtest/gtest.h>

#include "formats/safetensors.h"
#include "support.h"

namespace tern::test {
namespace {

std::string file_of(std::string_view header, size_t data_bytes = 0) {
  ByteWriter writer;
  writer.write(uint64_t{header.size()});
  writer.write_text(header);
  writer.write_text(std::string(data_bytes, '\0'));
  return writer.text();
}

void open(std::string_view content) {
  const ExactBytes exact(content);
  SafetensorsFile file(exact.bytes(), "test.safetensors");
}

void expect_refused(std::string_view header, size_t data_bytes, std::string_view part) {
  expect_error([&] { open(file_of(header, data_bytes)); }, part);
}

std::string entry(std::string_view shape, std::string_view offsets, std::string_view type = "F32") {
  return R"({"a":{"dtype":")" + std::string(type) + R"(","shape":)" + std::string(shape) + R"(,"data_offsets":)" +
         std::string(offsets) + "}}";
}

TEST(SafetensorsHostile, HeaderLengthIsBeyondTheLimitOrTheFile) {
  for (const uint64_t length : {~uint64_t{0}, uint64_t{1} << 63, uint64_t{100'000'001}, uint64_t{1000}}) {
    ByteWriter writer;
    writer.write(length);
    writer.write_text("{}");
    expect_error([&] { open(writer.text()); }, "header length " + std::to_string(length) + ": expected at most");
  }
}

TEST(SafetensorsHostile, ShapesMultiplyToNothing) {
  expect_refused(entry("[4294967296,4294967296]", "[0,0]"), 0, "tensor 'a': number of elements");
  expect_refused(entry("[18446744073709551615,18446744073709551615,2]", "[0,0]"), 0, "tensor 'a': number of elements");
  expect_refused(entry("[4611686018427387904]", "[0,0]"), 0, "tensor 'a': tensor size");
  expect_refused(entry("[2305843009213693953]", "[0,4]", "I64"), 4, "tensor 'a': tensor size");
}

TEST(SafetensorsHostile, OffsetsReachBehindTheFile) {
  expect_refused(entry("[2]", "[0,8]"), 4, "only 4 bytes of data; is the file truncated?");
  expect_refused(entry("[2]", "[0,18446744073709551615]"), 8, "is the file truncated?");
  expect_refused(entry("[2]", "[18446744073709551608,0]"), 8, "end before they begin");
  expect_refused(entry("[2]", "[18446744073709551607,18446744073709551615]"), 8, "expected to begin at 0");
}

TEST(SafetensorsHostile, HolesAndOverlapsHideData) {
  const auto two = [](std::string_view a, std::string_view b) {
    return R"({"a":{"dtype":"U8","shape":[4],"data_offsets":)" + std::string(a) +
           R"(},"b":{"dtype":"U8","shape":[4],"data_offsets":)" + std::string(b) + "}}";
  };
  expect_refused(two("[0,4]", "[8,12]"), 12, "tensor 'b': data_offsets [8, 12]: expected to begin at 4");
  expect_refused(two("[0,4]", "[0,4]"), 4, "expected to begin at 4");
  expect_refused(two("[0,4]", "[4,8]"), 9, "expected 8 bytes of data, as the header says, got 9");
  EXPECT_NO_THROW(open(file_of(two("[4,8]", "[0,4]"), 8)));
}

TEST(SafetensorsHostile, NumbersThatAreNone) {
  for (const char* number : {"-1", "-0.0", "1e3", "1.0", "18446744073709551616", "1e400", "\"4\"", "null", "true"}) {
    EXPECT_NE(error_of([&] { open(file_of(entry("[" + std::string(number) + "]", "[0,4]"), 4)); }), "") << number;
    EXPECT_NE(error_of([&] { open(file_of(entry("[1]", "[0," + std::string(number) + "]"), 4)); }), "") << number;
  }
}

TEST(SafetensorsHostile, TheHeaderIsNoUtf8) {
  expect_refused("{\"\xC0\x80\":{}}", 0, "not valid JSON");
  expect_refused("{\"\xED\xA0\x80\":{}}", 0, "not valid JSON");
  expect_refused(R"({"\uD800":{}})", 0, "not valid JSON");
}

// A million names are refused or read in one pass; the smallest tensor takes no data at all.
TEST(SafetensorsHostile, ManyTensorsWithoutData) {
  constexpr int kCount = 40000;
  std::string header = "{";
  for (int i = 0; i < kCount; ++i) {
    header += (i > 0 ? ",\"" : "\"") + std::to_string(i) + R"(":{"dtype":"U8","shape":[0],"data_offsets":[0,0]})";
  }
  const std::string text = file_of(header + "}");
  const SafetensorsFile file(as_bytes(text), "test.safetensors");
  EXPECT_EQ(file.tensors().size(), static_cast<size_t>(kCount));
  expect_refused(header + R"(,"7":{"dtype":"U8","shape":[0],"data_offsets":[0,0]}})", 0,
                 "header key '7' appears twice");
}

TEST(SafetensorsHostile, NamesThatBreakALine) {
  const std::string message =
      error_of([] { open(file_of("{\"a\\nb\\u0001\":{\"dtype\":\"X\",\"shape\":[],\"data_offsets\":[0,0]}}")); });
  EXPECT_NE(message.find("tensor 'a\\x0Ab\\x01'"), std::string::npos) << message;
}

}  // namespace
}  // namespace tern::test
