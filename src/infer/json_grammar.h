// The rules of JSON's own texts in GBNF, for json_schema.h.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace tern {

// Of items or characters, as far as a schema can say.
inline constexpr size_t kMostJsonRepetitions = 4096;
// Beyond it not every integer is a double.
inline constexpr double kMostJsonInteger = 999'999'999'999'999;

// Definitions of value, object, array, string, number, integer, boolean, null, char (one of a string), plain-char (one
// that is written as it is), ws (little white space, so that no answer is all spaces), date, time, date-time, uuid.
std::string_view json_rules();

// "text" in quotes.
std::string gbnf_literal(std::string_view text);
// One character in a class, and a class of it alone.
std::string gbnf_character(char32_t character);
std::string gbnf_class(const std::string& character);

// The integers from low to high.
std::string integers_between(int64_t low, int64_t high);

}  // namespace tern
