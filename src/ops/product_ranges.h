// How a matrix product is split among threads.
#pragma once

#include <algorithm>
#include <cstddef>

#include "base/threads.h"
#include "kernels/kernels.h"

namespace tern {

inline constexpr size_t kTokenGrain = 12;         // a multiple of every tile of the dense products
inline constexpr size_t kTernaryTokenGrain = 16;  // and of the ternary ones

// Enough tokens to split a product by them.
inline bool many_tokens(size_t tokens, const Threads& threads) {
  return tokens >= 2 * kTokenGrain * static_cast<size_t>(threads.count());
}

// Multiply-adds that one thread has done before another has woken up, taken its part and reported back.
inline constexpr size_t kLeastProducts = size_t{1} << 15;

// The fewest outputs worth a range of their own when each takes `products` multiply-adds.
inline size_t least_outputs(size_t products) { return kLeastProducts / std::max(size_t{1}, products); }

// Splits an (N, outputs) product over `depth` columns: by tokens when there are many, else by panels of outputs.
// Neither changes a bit. Calls body(first token, end token, first output, end output).
template <class Body>
void for_product_ranges(size_t tokens, size_t outputs, size_t depth, Threads& threads, const Body& body) {
  if (many_tokens(tokens, threads)) {
    threads.for_ranges(tokens, kTokenGrain, [&](size_t begin, size_t end) { body(begin, end, size_t{0}, outputs); });
  } else {
    threads.for_shared_ranges({outputs, kPanel, least_outputs(tokens * depth)},
                              [&](size_t begin, size_t end) { body(size_t{0}, tokens, begin, end); });
  }
}

}  // namespace tern
