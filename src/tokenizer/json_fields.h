// Looking into JSON of others: each function is an Error that says where, what was expected and what is there.
#pragma once

#include <cstddef>
#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>

namespace tern {

// The value in messages.
std::string describe(const nlohmann::json& value);

const nlohmann::json& expect_object(const nlohmann::json& value, std::string_view where);
const nlohmann::json& expect_array(const nlohmann::json& value, std::string_view where);
const std::string& expect_text(const nlohmann::json& value, std::string_view where);
// A token id below `size`.
int32_t expect_id(const nlohmann::json& value, size_t size, std::string_view where);

// The field of an object: nullptr when it is absent or null; an Error then; `otherwise` then.
const nlohmann::json* find_field(const nlohmann::json& object, const char* key);
const nlohmann::json& require(const nlohmann::json& object, const char* key, std::string_view where);
bool flag(const nlohmann::json& object, const char* key, bool otherwise, std::string_view where);
// The text in the field "type" of an object.
const std::string& type_of(const nlohmann::json& object, std::string_view where);

}  // namespace tern
