// Numbers as a report shows them.
#pragma once

#include <cstddef>
#include <string>

namespace tern {

// Three significant digits, without an exponent: "1234", "12.3", "0.0123".
std::string number_text(double value);
// "1.23x".
std::string ratio_text(double ratio);
// In decimal units, as the papers have them: "812 MB", "2.38 GB".
std::string bytes_text(size_t bytes);
// "45%".
std::string percent_text(double share);

}  // namespace tern
