#include "support/fixture.h"

#include <cstring>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "support/paths.h"

namespace tern::test {
namespace {

nlohmann::json at(const SafetensorsFile& file, std::string_view entry, std::string_view pointer) {
  const nlohmann::json json = nlohmann::json::parse(file.metadata().at(std::string(entry)));
  return json.at(nlohmann::json::json_pointer(std::string(pointer)));
}

}  // namespace

Fixture::Fixture(std::string_view name) : file_(source_path("tests/fixtures/" + std::string(name) + ".safetensors")) {}

const NamedTensor& Fixture::find(std::string_view tensor, DType type) const {
  const NamedTensor* found = file_.find(tensor);
  if (found == nullptr || found->type != type) {
    fail("{}: no {} tensor '{}'", file_.name(), dtype_info(type).name, tensor);
  }
  return *found;
}

Matrix Fixture::floats(std::string_view tensor) const {
  const NamedTensor& found = find(tensor, DType::kF32);
  const size_t cols = found.shape.back();
  Matrix matrix(found.elements() / cols, cols);
  std::memcpy(matrix.values.data(), found.data.data(), found.data.size());
  return matrix;
}

float Fixture::scalar(std::string_view tensor) const { return floats(tensor).values.at(0); }

std::vector<int32_t> Fixture::ints(std::string_view tensor) const {
  const NamedTensor& found = find(tensor, DType::kI32);
  std::vector<int32_t> values(found.elements());
  std::memcpy(values.data(), found.data.data(), found.data.size());
  return values;
}

double Fixture::number(std::string_view entry, std::string_view pointer) const {
  return at(file_, entry, pointer).get<double>();
}

std::vector<double> Fixture::numbers(std::string_view entry, std::string_view pointer) const {
  return at(file_, entry, pointer).get<std::vector<double>>();
}

std::string Fixture::text(std::string_view entry, std::string_view pointer) const {
  return at(file_, entry, pointer).get<std::string>();
}

bool Fixture::flag(std::string_view entry, std::string_view pointer) const {
  return at(file_, entry, pointer).get<bool>();
}

double Fixture::allowance(std::string_view tensor) const {
  return 8 * number("tolerance", std::string("/").append(tensor)) + 8 * 0x1p-23 * max_abs(floats(tensor).row());
}

void expect_near(const Fixture& fixture, const std::string& tensor, std::span<const float> actual) {
  EXPECT_TRUE(within(fixture.floats(tensor).row(), actual, fixture.allowance(tensor))) << tensor;
}

}  // namespace tern::test
