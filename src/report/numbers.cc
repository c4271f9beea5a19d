#include "report/numbers.h"

#include <fmt/core.h>

#include <cmath>

namespace tern {

std::string number_text(double value) {
  const double size = std::abs(value);
  if (size == 0) return "0";
  int decimals = 2;
  for (double bound = 1; decimals < 8 && size < bound; bound /= 10) ++decimals;
  for (double bound = 10; decimals > 0 && size >= bound; bound *= 10) --decimals;
  return fmt::format("{:.{}f}", value, decimals);
}

std::string ratio_text(double ratio) { return fmt::format("{:.2f}x", ratio); }

std::string bytes_text(size_t bytes) {
  const auto size = static_cast<double>(bytes);
  return size < 1e9 ? number_text(size / 1e6) + " MB" : number_text(size / 1e9) + " GB";
}

std::string percent_text(double share) { return fmt::format("{:.0f}%", 100 * share); }

}  // namespace tern
