#include "base/json.h"

#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/text.h"

namespace tern {

using nlohmann::json;
using nlohmann::ordered_json;

namespace {

template <class Json>
Json parse(std::string_view text, int deepest) {
  const auto refuse_depth = [deepest](int depth, typename Json::parse_event_t, Json&) {
    if (depth > deepest) fail("more than {} levels deep", deepest);
    return true;
  };
  try {
    return deepest == kAnyDepth ? Json::parse(text) : Json::parse(text, refuse_depth);
  } catch (const typename Json::exception& error) {
    // "[json.exception.parse_error.101] parse error at line 1, ...": without the library's number.
    std::string_view message = error.what();
    if (const size_t end = message.find("] "); end != std::string_view::npos) message.remove_prefix(end + 2);
    fail("not valid JSON ({} bytes): {}", text.size(), printable(message));
  }
}

template <class Json>
Json parse_object(std::string_view text, std::string_view where) {
  Json value = with_context(std::string(where), [&] { return parse<Json>(text, kAnyDepth); });
  if (!value.is_object()) fail("{}: expected a JSON object, it is {}", where, value.type_name());
  return value;
}

}  // namespace

json parse_json(std::string_view text, int deepest) { return parse<json>(text, deepest); }

ordered_json parse_ordered_json(std::string_view text, int deepest) { return parse<ordered_json>(text, deepest); }

json parse_json_object(std::string_view text, std::string_view where) { return parse_object<json>(text, where); }

ordered_json parse_ordered_json_object(std::string_view text, std::string_view where) {
  return parse_object<ordered_json>(text, where);
}

json try_parse_json(std::string_view text) { return json::parse(text, nullptr, false); }

ordered_json try_parse_ordered_json(std::string_view text, int deepest) {
  if (deepest == kAnyDepth) return ordered_json::parse(text, nullptr, false);
  bool too_deep = false;
  ordered_json value = ordered_json::parse(
      text,
      [&](int depth, ordered_json::parse_event_t, ordered_json&) {
        too_deep = too_deep || depth > deepest;
        return !too_deep;
      },
      false);
  return too_deep ? ordered_json(ordered_json::value_t::discarded) : value;
}

std::string json_text(const json& value, int indent) {
  return value.dump(indent, ' ', false, json::error_handler_t::replace);
}

std::string json_text(const ordered_json& value, int indent) {
  return value.dump(indent, ' ', false, ordered_json::error_handler_t::replace);
}

}  // namespace tern
