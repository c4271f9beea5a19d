// What the tests of linear layers share.
#pragma once

#include "ops/linear.h"

namespace tern::test {

// The first tokens of the input become the rows of x.
inline void set_input(MatView<const float> x, LinearInput& input) {
  for (size_t n = 0; n < x.rows; ++n) input.set_row(n, x.row_view(n));
}

}  // namespace tern::test
