// The golden numbers of tests/fixtures, written by tools/oracle (its README describes every file).
#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "formats/safetensors.h"
#include "support/numbers.h"

namespace tern::test {

class Fixture {
 public:
  // Opens tests/fixtures/NAME.safetensors.
  explicit Fixture(std::string_view name);

  // An F32 tensor; its last dimension is a row. Error when there is no such tensor.
  Matrix floats(std::string_view tensor) const;
  float scalar(std::string_view tensor) const;
  // An I32 tensor's numbers.
  std::vector<int32_t> ints(std::string_view tensor) const;

  // What lies at a JSON pointer in a metadata entry: number("config", "/dim"), numbers("tolerance", "/steps/loss").
  double number(std::string_view entry, std::string_view pointer) const;
  std::vector<double> numbers(std::string_view entry, std::string_view pointer) const;
  std::string text(std::string_view entry, std::string_view pointer) const;
  bool flag(std::string_view entry, std::string_view pointer) const;

  // How far another correct implementation may be from each number of the tensor: 8 * its tolerance + 8 * 2^-23 * its
  // largest magnitude (tools/oracle/README.md, "Tolerances").
  double allowance(std::string_view tensor) const;

 private:
  const NamedTensor& find(std::string_view tensor, DType type) const;

  SafetensorsFile file_;
};

// Every number of `actual` is within the tensor's allowance.
void expect_near(const Fixture& fixture, const std::string& tensor, std::span<const float> actual);
inline void expect_near(const Fixture& fixture, const std::string& tensor, const Matrix& actual) {
  expect_near(fixture, tensor, actual.row());
}

}  // namespace tern::test
