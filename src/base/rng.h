// Counter-based random numbers: a value is a hash of (key, counter), so any number of a stream can be had without the
// ones before it, and the stream does not depend on threads or on the order of calls elsewhere.
#pragma once

#include <cmath>
#include <cstdint>
#include <numbers>

namespace tern {

// A bijective mixing of 64 bits (the finalizer of SplitMix64: Steele, Lea, Flood 2014).
inline uint64_t mix_bits(uint64_t x) {
  x ^= x >> 30;
  x *= 0xBF58476D1CE4E5B9u;
  x ^= x >> 27;
  x *= 0x94D049BB133111EBu;
  return x ^ (x >> 31);
}

// The upper 64 bits of a*b.
inline uint64_t multiply_high(uint64_t a, uint64_t b) {
  __extension__ using Wide = unsigned __int128;
  return static_cast<uint64_t>((static_cast<Wide>(a) * b) >> 64);
}

// The stream of (seed, stream, item): e.g. (the run's seed, "initial weights", tensor index).
class Rng {
 public:
  explicit Rng(uint64_t seed, uint64_t stream = 0, uint64_t item = 0)
      : key_(mix_bits(mix_bits(mix_bits(seed + kGolden) + stream * kGolden + 1) + item * kGolden + 2)) {}

  uint64_t next() { return mix_bits(key_ + kGolden * ++counter_); }

  // Uniform in [0, 1), 53 bits.
  double uniform() { return static_cast<double>(next() >> 11) * 0x1p-53; }

  // Uniform integer in [0, bound), bound > 0 (multiply-shift; the bias is below bound / 2^64).
  uint64_t below(uint64_t bound) { return multiply_high(next(), bound); }

  // Standard normal (Box and Muller 1958; one of the pair is dropped so that a value needs exactly two draws).
  double normal() {
    const double radius = std::sqrt(-2.0 * std::log(1.0 - uniform()));
    return radius * std::cos(2.0 * std::numbers::pi * uniform());
  }

 private:
  static constexpr uint64_t kGolden = 0x9E3779B97F4A7C15u;
  uint64_t key_;
  uint64_t counter_ = 0;
};

}  // namespace tern
