#include "template/json_value.h"

#include <limits>
#include <nlohmann/json.hpp>

namespace tern::jinja {
namespace {

Value convert(const nlohmann::ordered_json& json, Heap& heap, size_t depth) {
  heap.budget().check_depth(depth, "JSON");
  if (json.is_null()) return Value::none();
  if (json.is_boolean()) return Value::boolean(json.get<bool>());
  if (json.is_number_unsigned() && json.get<uint64_t>() > static_cast<uint64_t>(std::numeric_limits<int64_t>::max())) {
    fail("JSON: expected integers of 64 bits, found {}", json.get<uint64_t>());
  }
  if (json.is_number_integer()) return Value::integer(json.get<int64_t>());
  if (json.is_number_float()) return Value::real(json.get<double>());
  if (json.is_string()) return heap.string(json.get<std::string>());
  if (json.is_array()) {
    List items;
    for (const auto& item : json) items.push_back(convert(item, heap, depth + 1));
    return heap.list(std::move(items));
  }
  if (!json.is_object()) fail("JSON: expected a value of JSON, found {}", json.type_name());
  Map map;
  for (const auto& entry : json.items())
    map.emplace_back(heap.string(entry.key()), convert(entry.value(), heap, depth + 1));
  return heap.map(std::move(map));
}

}  // namespace

Value from_json(const nlohmann::ordered_json& json, Heap& heap) { return convert(json, heap, 0); }

}  // namespace tern::jinja
