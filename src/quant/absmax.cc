#include "quant/absmax.h"

#include <algorithm>
#include <cassert>
#include <cmath>

namespace tern {

float quantize_absmax(VecView<const float> x, VecView<int8_t> q) {
  assert(x.size() == q.size());
  float largest = 1e-5f;
  for (float value : x) largest = std::max(largest, std::fabs(value));
  const float scale = 127.0f / largest;
  for (size_t i = 0; i < x.size(); ++i) {
    q[i] = static_cast<int8_t>(std::clamp(std::nearbyint(x[i] * scale), -128.0f, 127.0f));
  }
  return largest / 127.0f;
}

}  // namespace tern
