// JSON from text and to text. A file that does either itself compiles nlohmann's parser or serializer again, which
// takes longer than all else in it: here they are compiled once.
#pragma once

#include <limits>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>

namespace tern {

inline constexpr int kAnyDepth = std::numeric_limits<int>::max();

// The value of a JSON text. Error for what is not JSON and for more than `deepest` levels. However deep the text is
// nested, reading it and looking into it takes no stack; copying would. The time is that of sorting an object's fields,
// however many there are. An ordered_json keeps their order; looking for one goes through all.
nlohmann::json parse_json(std::string_view text, int deepest = kAnyDepth);
nlohmann::ordered_json parse_ordered_json(std::string_view text, int deepest = kAnyDepth);

// The object of a JSON text. Error that begins with `where` for anything else.
nlohmann::json parse_json_object(std::string_view text, std::string_view where);
nlohmann::ordered_json parse_ordered_json_object(std::string_view text, std::string_view where);

// parse_json() without a reason: a discarded value (is_discarded()) for what is not JSON, or nested too deep.
nlohmann::json try_parse_json(std::string_view text);
nlohmann::ordered_json try_parse_ordered_json(std::string_view text, int deepest = kAnyDepth);

// On one line without spaces, or indented by so many. Bytes that are not UTF-8 become U+FFFD.
std::string json_text(const nlohmann::json& value, int indent = -1);
std::string json_text(const nlohmann::ordered_json& value, int indent = -1);

}  // namespace tern
