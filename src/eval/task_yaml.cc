#include "eval/task_yaml.h"

#include <yaml-cpp/yaml.h>

#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/json.h"
#include "base/text.h"

namespace tern {
namespace {

using nlohmann::ordered_json;

constexpr size_t kMostNodes = 100'000;  // aliases repeat what they name, so that few lines can be many nodes
constexpr size_t kMostLevels = 32;

class Converter {
 public:
  ordered_json convert(const YAML::Node& node) {
    if (++nodes_ > kMostNodes) fail("expected at most {} values", kMostNodes);
    if (level_ == kMostLevels) fail("{}: expected at most {} levels", place(node), kMostLevels);
    ++level_;
    ordered_json value;
    if (node.IsScalar()) value = scalar(node);
    if (node.IsSequence()) value = sequence(node);
    if (node.IsMap()) value = map(node);
    --level_;
    return value;
  }

 private:
  static std::string place(const YAML::Node& node) { return fmt::format("line {}", node.Mark().line + 1); }

  // An escape, or what the library takes for UTF-16, may yet be no character.
  static const std::string& text_of(const YAML::Node& node) {
    if (!is_valid_utf8(node.Scalar())) fail("{}: expected UTF-8, the text has other bytes", place(node));
    return node.Scalar();
  }

  ordered_json sequence(const YAML::Node& node) {
    ordered_json items = ordered_json::array();
    for (const YAML::Node& item : node) items.push_back(convert(item));
    return items;
  }

  ordered_json map(const YAML::Node& node) {
    ordered_json object = ordered_json::object();
    for (const auto& entry : node) {
      if (!entry.first.IsScalar()) fail("{}: expected a name as key", place(entry.first));
      const std::string& key = text_of(entry.first);
      if (object.contains(key)) fail("{}: the key {} is there twice", place(entry.first), quote(key));
      object[key] = convert(entry.second);
    }
    return object;
  }

  static ordered_json scalar(const YAML::Node& node) {
    const std::string& text = text_of(node);
    const std::string& tag = node.Tag();
    const bool is_plain = tag == "?";
    if (!is_plain && tag != "!" && tag != "tag:yaml.org,2002:str") {
      fail("{}: the tag {}, expected none: what it stands for is not data", place(node), quote(tag));
    }
    if (!is_plain) return text;
    if (text == "~") return nullptr;
    const ordered_json value = try_parse_ordered_json(text);
    return value.is_null() || value.is_boolean() || value.is_number() ? value : ordered_json(text);
  }

  size_t nodes_ = 0;
  size_t level_ = 0;
};

}  // namespace

std::string json_of_yaml(std::string_view text, const std::string& where) {
  if (!is_valid_utf8(text)) fail("{}: expected UTF-8, it has other bytes", where);
  return with_context(where, [&] {
    try {
      return json_text(Converter().convert(YAML::Load(std::string(text))));
    } catch (const YAML::Exception& error) {
      fail("line {}: not valid YAML: {}", error.mark.line + 1, error.msg);
    }
  });
}

}  // namespace tern
