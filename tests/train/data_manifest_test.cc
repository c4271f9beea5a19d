#include "train/data_manifest.h"

#include <gtest/gtest.h>

#include "support/errors.h"

namespace tern::test {
namespace {

TEST(DataManifest, RoundTripsAndRefusesAnythingElse) {
  const DataManifest manifest{
      {{"a \"b\"", 0.7, {{"train-1.tok", 0, 12, 0xFEDCBA9876543210u}, {"/x/y.tok", 3, 4, 5}}}, {"c", 1e-3, {}}},
      {{"valid-1.tok", 7, 8, 9}},
      {{"train-1.marks.tok", 0, 1, 2}},
      {{"valid-1.marks.tok", 3, 4, 5}}};
  const std::string json = manifest_to_json(manifest);
  EXPECT_EQ(manifest_from_json(json, "data.json"), manifest);
  for (size_t size = 0; size + 2 < json.size(); ++size) {
    expect_error([&] { manifest_from_json(std::string_view(json).substr(0, size), "data.json"); }, "data.json: ");
  }
  const auto with = [&](const std::string& from, const std::string& to) {
    std::string text = json;
    text.replace(text.find(from), from.size(), to);
    return text;
  };
  expect_error([&] { manifest_from_json(with("0.7", "0"), "data.json"); }, "expected a weight above 0, got 0");
  expect_error([&] { manifest_from_json(with("12", "-12"), "data.json"); }, "expected a whole number, got -12");
  expect_error([&] { manifest_from_json(with("fedc", "nope"), "data.json"); }, "expected a checksum, got 'nope");
  expect_error([&] { manifest_from_json(with("\"valid\"", "\"other\""), "data.json"); }, "expected the list");
  expect_error([&] { manifest_from_json("[]", "data.json"); }, "expected the list");
}

}  // namespace
}  // namespace tern::test
