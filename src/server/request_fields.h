// Fields of a request's objects: read with their type and bounds, refused by their name. Included by sources only.
#pragma once

#include <fmt/format.h>

#include <string>
#include <type_traits>
#include <utility>

#include "server/openai.h"

namespace tern {

// The fields of an object, each of which may be missing or null.
class Fields {
 public:
  // `prefix`: what stands before their names in refusals, "messages[3]."
  explicit Fields(const Json& object, std::string prefix = "") : object_(object), prefix_(std::move(prefix)) {}

  const Json* find(const char* name) const {
    const auto found = object_.find(name);
    return found == object_.end() || found->is_null() ? nullptr : &*found;
  }

  [[noreturn]] void refuse(const char* name, const std::string& expected) const {
    throw ApiError(400, fmt::format("{}{}: expected {}", prefix_, name, expected), prefix_ + name);
  }

  template <class T>
  void number(const char* name, double least, double most, T& value) const {
    const Json* field = find(name);
    if (field == nullptr) return;
    const std::string expected = std::is_integral_v<T> ? "an integer" : "a number";
    const bool right = std::is_integral_v<T> ? field->is_number_integer() : field->is_number();
    if (!right) refuse(name, fmt::format("{} from {} to {}, not {}", expected, least, most, field->type_name()));
    const auto given = field->get<double>();
    if (!(given >= least && given <= most))
      refuse(name, fmt::format("{} from {} to {}, not {}", expected, least, most, given));
    value = field->get<T>();
  }

  // The fields of a field that must be an object.
  Fields inner(const char* name, const std::string& expected) const {
    const Json* field = find(name);
    if (field == nullptr || !field->is_object()) refuse(name, expected);
    return Fields(*field, fmt::format("{}{}.", prefix_, name));
  }

  void text(const char* name, std::string& value) const {
    const Json* field = find(name);
    if (field == nullptr) return;
    if (!field->is_string()) refuse(name, fmt::format("a text, not {}", field->type_name()));
    value = field->get<std::string>();
  }

  void flag(const char* name, bool& value) const {
    const Json* field = find(name);
    if (field == nullptr) return;
    if (!field->is_boolean()) refuse(name, fmt::format("true or false, not {}", field->type_name()));
    value = field->get<bool>();
  }

 private:
  const Json& object_;
  std::string prefix_;
};

}  // namespace tern
