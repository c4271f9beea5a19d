// What the kernel tests share: the tables under test, rows of numbers that tend to break kernels, and comparison by
// bits.
//
// Tests are parameterized over the tables by name. One that this processor cannot run shows as SKIPPED, with the
// reason. "Avx512Emulated" is the unmodified source of the AVX-512 table over the intrinsics of avx512_emulation/, so
// that its arithmetic is tested on every machine with AVX2; it says nothing about the compiler's AVX-512 code or the
// processor.
#pragma once

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <initializer_list>
#include <ostream>
#include <span>
#include <string>
#include <vector>

#include "base/cpu.h"
#include "base/rng.h"
#include "kernels/isa_tables.h"
#include "kernels/kernels.h"

namespace tern {

extern const Kernels kAvx512EmulatedKernels;

struct TableParam {
  const char* name;
  const Kernels* table;
  bool (*runs_here)();
  const char* needs;
};

inline std::ostream& operator<<(std::ostream& out, const TableParam& param) { return out << param.name; }

inline const std::vector<TableParam>& all_tables() {
  static const std::vector<TableParam> tables{
      {"Scalar", &kScalarKernels, [] { return true; }, "nothing"},
      {"Avx2", &kAvx2Kernels, [] { return cpu_features().avx2; }, "AVX2 and FMA"},
      {"Avx512", &kAvx512Kernels, [] { return cpu_features().avx512_vnni; }, "AVX-512 F, BW, DQ, VL and VNNI"},
      {"Avx512Emulated", &kAvx512EmulatedKernels, [] { return cpu_features().avx2; }, "AVX2 and FMA"},
  };
  return tables;
}

class KernelTest : public testing::TestWithParam<TableParam> {
 protected:
  void SetUp() override {
    if (GetParam().runs_here()) return;
    GTEST_SKIP() << "this processor (" << cpu_features().model_name << ") lacks what " << GetParam().name
                 << " needs: " << GetParam().needs;
  }
  const Kernels& table() const { return *GetParam().table; }
  const Kernels& scalar() const { return kScalarKernels; }
};

inline std::string table_name(const testing::TestParamInfo<TableParam>& info) { return info.param.name; }

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
