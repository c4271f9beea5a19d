#include "eval/python_random.h"

#include <algorithm>
#include <bit>
#include <cassert>
#include <numeric>

namespace tern {

// init_genrand() of the authors' mt19937ar.c.
void PythonRandom::seed_word(uint32_t word) {
  state_[0] = word;
  for (uint32_t i = 1; i < kWords; ++i) state_[i] = 1812433253U * (state_[i - 1] ^ (state_[i - 1] >> 30)) + i;
}

// init_by_array() of the same.
PythonRandom::PythonRandom(uint64_t seed) {
  const std::array<uint32_t, 2> key{static_cast<uint32_t>(seed), static_cast<uint32_t>(seed >> 32)};
  const size_t words = key[1] == 0 ? 1 : 2;
  seed_word(19650218U);
  size_t i = 1;
  const auto mix = [&](uint32_t factor) { return state_[i] ^ ((state_[i - 1] ^ (state_[i - 1] >> 30)) * factor); };
  const auto advance = [&] {
    if (++i < kWords) return;
    state_[0] = state_[kWords - 1];
    i = 1;
  };
  for (size_t k = 0; k < kWords; ++k) {
    const size_t j = k % words;
    state_[i] = mix(1664525U) + key[j] + static_cast<uint32_t>(j);
    advance();
  }
  for (size_t k = 0; k < kWords - 1; ++k) {
    state_[i] = mix(1566083941U) - static_cast<uint32_t>(i);
    advance();
  }
  state_[0] = 0x80000000U;
}

void PythonRandom::twist() {
  constexpr size_t kShift = 397;
  for (size_t i = 0; i < kWords; ++i) {
    const uint32_t joined = (state_[i] & 0x80000000U) | (state_[(i + 1) % kWords] & 0x7fffffffU);
    state_[i] = state_[(i + kShift) % kWords] ^ (joined >> 1) ^ ((joined & 1) != 0 ? 0x9908b0dfU : 0U);
  }
  at_ = 0;
}

uint32_t PythonRandom::next() {
  if (at_ == kWords) twist();
  uint32_t y = state_[at_++];
  y ^= y >> 11;
  y ^= (y << 7) & 0x9d2c5680U;
  y ^= (y << 15) & 0xefc60000U;
  return y ^ (y >> 18);
}

size_t PythonRandom::below(size_t n) {
  assert(n > 0 && n < size_t{1} << 32);
  const auto bits = static_cast<int>(std::bit_width(n));
  size_t value = n;
  while (value >= n) value = next() >> (32 - bits);
  return value;
}

std::vector<size_t> PythonRandom::sample(size_t n, size_t count) {
  assert(count <= n);
  // Python copies the population where that takes less memory than a set of what is drawn, and either way draws
  // differently.
  size_t set_size = 21;
  if (count > 5) {
    size_t table = 1;
    while (table < count * 3) table *= 4;
    set_size += table;
  }
  std::vector<size_t> drawn;
  if (n <= set_size) {
    std::vector<size_t> pool(n);
    std::iota(pool.begin(), pool.end(), size_t{0});
    for (size_t left = n; drawn.size() < count; --left) {
      const size_t j = below(left);
      drawn.push_back(pool[j]);
      pool[j] = pool[left - 1];
    }
    return drawn;
  }
  while (drawn.size() < count) {
    const size_t j = below(n);
    if (std::find(drawn.begin(), drawn.end(), j) == drawn.end()) drawn.push_back(j);
  }
  return drawn;
}

}  // namespace tern
