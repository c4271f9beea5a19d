// Python's random.Random as far as choosing examples takes it: what lm-evaluation-harness draws, drawn again.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace tern {

// The Mersenne Twister MT19937 (Matsumoto and Nishimura 1998), seeded as random.Random(seed) seeds it: by the array of
// the seed's 32-bit words, lowest first.
class PythonRandom {
 public:
  explicit PythonRandom(uint64_t seed);

  uint32_t next();
  // randrange(n): uniform in [0, n) for 0 < n < 2^32, by rejection of the leading bits.
  size_t below(size_t n);
  // random.sample(range(n), count): different numbers in the order drawn; count <= n.
  std::vector<size_t> sample(size_t n, size_t count);

 private:
  static constexpr size_t kWords = 624;

  void seed_word(uint32_t word);
  void twist();

  std::array<uint32_t, kWords> state_;
  size_t at_ = kWords;
};

}  // namespace tern
