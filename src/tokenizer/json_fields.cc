#include "tokenizer/json_fields.h"

#include <fmt/core.h>

#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/json.h"
#include "base/text.h"

namespace tern {

using nlohmann::json;

std::string describe(const json& value) {
  if (value.is_string()) return quote(value.get_ref<const std::string&>());
  if (value.is_number() || value.is_boolean()) return json_text(value);
  return fmt::format("{}{}", value.is_array() || value.is_object() ? "an " : "", value.type_name());
}

const json& expect_object(const json& value, std::string_view where) {
  if (!value.is_object()) fail("{}: expected an object, it is {}", where, describe(value));
  return value;
}

const json& expect_array(const json& value, std::string_view where) {
  if (!value.is_array()) fail("{}: expected an array, it is {}", where, describe(value));
  return value;
}

const std::string& expect_text(const json& value, std::string_view where) {
  if (!value.is_string()) fail("{}: expected a text, it is {}", where, describe(value));
  return value.get_ref<const std::string&>();
}

const json* find_field(const json& object, const char* key) {
  const auto found = object.find(key);
  return found == object.end() || found->is_null() ? nullptr : &*found;
}

const json& require(const json& object, const char* key, std::string_view where) {
  const json* value = find_field(object, key);
  if (value == nullptr) fail("{}: expected the field '{}', it is missing", where, key);
  return *value;
}

bool flag(const json& object, const char* key, bool otherwise, std::string_view where) {
  const json* value = find_field(object, key);
  if (value == nullptr) return otherwise;
  if (!value->is_boolean()) fail("{}.{}: expected true or false, it is {}", where, key, describe(*value));
  return value->get<bool>();
}

int32_t expect_id(const json& value, size_t size, std::string_view where) {
  if (!value.is_number_unsigned() || value.get<uint64_t>() >= size) {
    fail("{}: expected an id below {} (the number of tokens; ids have no gaps), it is {}", where, size,
         describe(value));
  }
  return static_cast<int32_t>(value.get<uint64_t>());
}

const std::string& type_of(const json& object, std::string_view where) {
  return expect_text(require(expect_object(object, where), "type", where), where);
}

}  // namespace tern
