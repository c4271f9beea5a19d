// What the kernel tests share: the tables under test, rows of numbers that tend to break kernels, and comparison by
// bits.
//
// Tests are parameterized over the tables by name. One that this processor cannot run shows as SKIPPED, with the
// reason. "avx512_emulated" and the like are the unmodified sources of tables over the intrinsics of emulation/, so
// that their arithmetic is tested on every machine with AVX2; they say nothing about the compiler's code for it or the
// processor.
#pragma once

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <initializer_list>
#include <span>
#include <string>
#include <vector>

#include "base/cpu.h"
#include "base/rng.h"
#include "tests/kernels/emulated_tables.h"

namespace tern {

using TableParam = const InstructionSet*;

// Those of this build and the emulated ones.
inline const std::vector<TableParam>& all_tables() {
  static const std::vector<TableParam> tables = [] {
    std::vector<TableParam> all;
    for (const InstructionSet& isa : instruction_sets()) all.push_back(&isa);
    for (const InstructionSet& isa : emulated_instruction_sets()) all.push_back(&isa);
    return all;
  }();
  return tables;
}

class KernelTest : public testing::TestWithParam<TableParam> {
 protected:
  void SetUp() override {
    if (GetParam()->runs_on(cpu_features())) return;
    GTEST_SKIP() << "this processor (" << cpu_features().model_name << ") lacks what " << table().name
                 << " needs: " << GetParam()->needs;
  }
  const Kernels& table() const { return GetParam()->kernels; }
  const Kernels& scalar() const { return kScalarKernels; }
};

inline std::string table_name(const testing::TestParamInfo<TableParam>& info) { return info.param->kernels.name; }

using Sizes = std::initializer_list<size_t>;
inline constexpr size_t kRowSizes[] = {0,  1,  2,  15, 16,  17,  31,  32,  33,  47,
                                       48, 63, 64, 65, 100, 128, 255, 256, 257, 1000};

// Kinds of rows. Magnitudes are such that no product of three values and no sum of a thousand of them overflows, so
// that nothing becomes NaN (the bits of a NaN are no part of the contract).
enum class Values { kNormal, kZeros, kSignedZeros, kTiny, kHuge, kMixed, kHalves };
inline constexpr Values kAllValues[] = {Values::kNormal, Values::kZeros, Values::kSignedZeros, Values::kTiny,
                                        Values::kHuge,   Values::kMixed, Values::kHalves};

inline std::vector<float> random_row(Values kind, size_t n, uint64_t seed) {
  Rng rng(seed, static_cast<uint64_t>(kind), n);
  std::vector<float> row(n);
  for (float& x : row) {
    const double sample = rng.normal();
    switch (kind) {
      case Values::kNormal:
        x = static_cast<float>(sample);
        break;
      case Values::kZeros:
        x = 0.0f;
        break;
      case Values::kSignedZeros:
        x = sample < 0 ? -0.0f : 0.0f;
        break;
      case Values::kTiny:
        x = static_cast<float>(sample * 1e-30);
        break;  // products are subnormal or zero
      case Values::kHuge:
        x = static_cast<float>(sample * 1e10);
        break;
      case Values::kMixed:
        x = static_cast<float>(sample * std::pow(10.0, 16.0 * rng.uniform() - 8.0));
        break;
      case Values::kHalves:
        x = static_cast<float>(std::nearbyint(sample * 4.0) * 0.5);
        break;  // ties when rounding
    }
  }
  return row;
}

inline std::vector<float> random_row(size_t n, uint64_t seed) { return random_row(Values::kNormal, n, seed); }

// A row of n elements with guards behind it that no kernel may touch: comparing the whole checks them as well.
template <class T>
std::vector<T> guarded(const std::vector<T>& row) {
  std::vector<T> out = row;
  out.resize(row.size() + 24, T{42});
  return out;
}
template <class T>
std::vector<T> guarded(size_t n) {
  return std::vector<T>(n + 24, T{42});
}

template <class T>
testing::AssertionResult same_bits(const std::vector<T>& expected, const std::vector<T>& actual) {
  if (expected.size() != actual.size()) return testing::AssertionFailure() << "sizes differ";
  for (size_t i = 0; i < expected.size(); ++i) {
    if (std::memcmp(&expected[i], &actual[i], sizeof(T)) == 0) continue;
    return testing::AssertionFailure() << "element " << i << " of " << expected.size() << ": expected " << +expected[i]
                                       << ", actual " << +actual[i];
  }
  return testing::AssertionSuccess();
}

inline testing::AssertionResult same_bits(float expected, float actual) {
  return same_bits(std::vector<float>{expected}, std::vector<float>{actual});
}

inline uint16_t bf16_bits(float x) {
  const uint32_t bits = std::bit_cast<uint32_t>(x);
  return static_cast<uint16_t>((bits + 0x7FFFu + ((bits >> 16) & 1u)) >> 16);
}
inline float bf16_value(uint16_t bits) { return std::bit_cast<float>(static_cast<uint32_t>(bits) << 16); }

// The unit roundoff of float: one operation's result is off by at most kUnit of its magnitude.
inline constexpr double kUnit = 0x1p-24;

}  // namespace tern
