#include "template/hf_template.h"

#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "base/log.h"
#include "base/text.h"

namespace tern {
namespace {

using Json = nlohmann::ordered_json;

constexpr const char* kKey = "chat_template";

const std::string& text_of(const Json& entry, const char* key, std::string_view where) {
  const auto found = entry.is_object() ? entry.find(key) : entry.end();
  if (!entry.is_object() || found == entry.end() || !found->is_string())
    fail("{}: {}: expected a text or a list of objects with the texts name and template", where, kKey);
  return found->get_ref<const std::string&>();
}

}  // namespace

std::optional<std::string> parse_hf_chat_template(std::string_view tokenizer_config, std::string_view where) {
  const Json json = parse_ordered_json_object(tokenizer_config, where);
  const auto found = json.find(kKey);
  if (found == json.end() || found->is_null()) return std::nullopt;
  if (found->is_string()) return found->get<std::string>();
  if (!found->is_array()) fail("{}: {}: expected a text or a list, it is {}", where, kKey, found->type_name());
  std::string names;
  for (const Json& entry : *found) {
    const std::string& name = text_of(entry, "name", where);
    const std::string& source = text_of(entry, "template", where);
    if (name == "default") return source;
    names += (names.empty() ? "" : ", ") + quote(name);
  }
  log_warning("{}: {}: none of the templates is called 'default' ({}), none is used", where, kKey, names);
  return std::nullopt;
}

std::optional<std::string> read_hf_chat_template(const std::filesystem::path& directory) {
  const std::filesystem::path own = directory / "chat_template.jinja";
  if (std::filesystem::exists(own)) return read_file(own);
  const std::filesystem::path config = directory / "tokenizer_config.json";
  if (!std::filesystem::exists(config)) return std::nullopt;
  return parse_hf_chat_template(read_file(config), config.string());
}

std::string with_hf_chat_template(std::string_view tokenizer_config, const std::string& chat_template) {
  Json json = try_parse_ordered_json(tokenizer_config);
  json[kKey] = chat_template;
  return json_text(json, 2) + "\n";
}

}  // namespace tern
