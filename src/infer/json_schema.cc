#include "infer/json_schema.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <vector>

#include "base/error.h"
#include "base/json.h"
#include "base/text.h"
#include "infer/json_grammar.h"

namespace tern {
namespace {

using Json = nlohmann::ordered_json;

constexpr int kDeepest = 64;
constexpr size_t kMostBytes = 65536;
constexpr size_t kMostCompared = 100'000;
constexpr size_t kLongestName = 256;  // of a property that others must differ from

constexpr std::array kAnnotations = {"title",    "description", "default",  "examples",  "$schema", "$id",
                                     "$comment", "deprecated",  "readOnly", "writeOnly", "$defs",   "definitions"};
constexpr std::array kTypes = {"object", "array", "string", "integer", "number", "boolean", "null"};

// The constraints of each type.
const std::map<std::string, std::set<std::string>>& keywords_by_type() {
  static const std::map<std::string, std::set<std::string>> keywords = {
      {"object", {"properties", "required", "additionalProperties"}},
      {"array", {"items", "minItems", "maxItems"}},
      {"string", {"minLength", "maxLength", "format"}},
      {"integer", {"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"}}};
  return keywords;
}

bool is_annotation(const std::string& key) {
  return std::find(kAnnotations.begin(), kAnnotations.end(), key) != kAnnotations.end();
}

// "integer" is a number too.
bool has_type(const Json& value, const std::string& type) {
  if (type == "object") return value.is_object();
  if (type == "array") return value.is_array();
  if (type == "string") return value.is_string();
  if (type == "boolean") return value.is_boolean();
  if (type == "null") return value.is_null();
  if (!value.is_number()) return false;
  return type == "number" || value.is_number_integer() || std::trunc(value.get<double>()) == value.get<double>();
}

class SchemaCompiler {
 public:
  // Adds to `rules`, whose names are numbered from `count` on.
  SchemaCompiler(const Json& root, std::string& rules, size_t& count) : root_(root), rules_(rules), count_(count) {}

  std::string compile() {
    const std::string root = value_of(root_, "");
    while (!open_references_.empty()) {
      const auto [rule, schema, path] = std::move(open_references_.back());
      open_references_.pop_back();
      rules_ += fmt::format("{} ::= {}\n", rule, value_of(*schema, path));
    }
    return root;
  }

 private:
  // Every text below is an expression of the grammar that can stand anywhere in a sequence.
  std::string add_rule(const std::string& kind, const std::string& body) {
    const std::string name = fmt::format("{}-{}", kind, ++count_);
    rules_ += fmt::format("{} ::= {}\n", name, body);
    return name;
  }

  [[noreturn]] static void refuse(const std::string& path, const std::string& keyword, const std::string& problem) {
    fail("JSON schema, {}: {}: {}", path.empty() ? "at its root" : printable(path), printable(keyword), problem);
  }

  // Its keywords but for annotations.
  static std::vector<std::string> constraints(const Json& schema) {
    std::vector<std::string> keys;
    for (const auto& [key, value] : schema.items()) {
      if (!is_annotation(key)) keys.push_back(key);
    }
    return keys;
  }

  std::string value_of(const Json& schema, const std::string& path) {
    if (schema.is_boolean() && schema.get<bool>()) return "value";
    if (!schema.is_object())
      fail("JSON schema, {}: is {}, expected an object", path.empty() ? "at its root" : printable(path),
           printable(json_text(schema)));
    const std::vector<std::string> keys = constraints(schema);
    check_keywords(schema, keys, path);
    for (const char* whole : {"$ref", "anyOf", "oneOf", "allOf"}) {
      if (!schema.contains(whole)) continue;
      if (keys.size() > 1) {
        refuse(path, whole, fmt::format("beside {} is not supported", quote(keys[0] == whole ? keys[1] : keys[0])));
      }
      return std::string_view(whole) == "$ref" ? reference(schema, path) : alternatives(schema, whole, path);
    }
    for (const char* list : {"enum", "const"}) {
      if (schema.contains(list)) return literals(schema, list, path);
    }
    if (keys.empty()) return "value";
    std::vector<std::string> choices;
    for (const std::string& type : types_of(schema, path)) choices.push_back(value_of_type(schema, type, path));
    return choice(choices);
  }

  static void check_keywords(const Json& schema, const std::vector<std::string>& keys, const std::string& path) {
    for (const std::string& key : keys) {
      const bool general =
          std::set<std::string>{"type", "$ref", "anyOf", "oneOf", "allOf", "enum", "const"}.count(key) > 0;
      const bool of_type = std::any_of(keywords_by_type().begin(), keywords_by_type().end(),
                                       [&](const auto& entry) { return entry.second.count(key) > 0; });
      const bool nothing = schema[key] == false && key == "uniqueItems";
      if (!general && !of_type && !nothing) refuse(path, key, "is not supported");
    }
  }

  static std::string choice(const std::vector<std::string>& choices) {
    return choices.size() == 1 ? choices[0] : fmt::format("({})", fmt::join(choices, " | "));
  }

  // Without a type, that of the first constraint: what it does not speak of would be free, and may be left out.
  static std::vector<std::string> types_of(const Json& schema, const std::string& path) {
    std::vector<std::string> types;
    if (schema.contains("type")) {
      const Json list = schema["type"].is_array() ? schema["type"] : Json::array({schema["type"]});
      for (const Json& type : list) {
        const bool known =
            type.is_string() && std::find(kTypes.begin(), kTypes.end(), type.get<std::string>()) != kTypes.end();
        if (!known)
          refuse(path, "type", fmt::format("is {}, expected {}", printable(json_text(type)), fmt::join(kTypes, ", ")));
        types.push_back(type.get<std::string>());
      }
      if (types.empty()) refuse(path, "type", "has no types");
      return types;
    }
    for (const auto& [type, keywords] : keywords_by_type()) {
      const bool meant =
          std::any_of(keywords.begin(), keywords.end(), [&](const std::string& key) { return schema.contains(key); });
      if (meant) return {type};
    }
    return {"object", "array", "string", "number", "boolean", "null"};
  }

  std::string value_of_type(const Json& schema, const std::string& type, const std::string& path) {
    if (type == "object") return object(schema, path);
    if (type == "array") return array(schema, path);
    if (type == "string") return text(schema, path);
    if (type == "integer") return integer(schema, path);
    if (type == "number") {
      for (const std::string& key : keywords_by_type().at("integer")) {
        if (schema.contains(key)) refuse(path, key, "is supported of integers only");
      }
    }
    return type;
  }

  // One rule a reference, so that schemas may hold themselves; written later, or long chains would nest as deep.
  std::string reference(const Json& schema, const std::string& path) {
    const Json& target = resolve(schema, path);
    const std::string name = schema["$ref"].get<std::string>();
    const auto [entry, added] = references_.emplace(name, "");
    if (added) entry->second = fmt::format("ref-{}", ++count_);
    if (added) open_references_.push_back({entry->second, &target, name});
    return entry->second;
  }

  const Json& resolve(const Json& schema, const std::string& path) const {
    const Json& name = schema["$ref"];
    if (!name.is_string()) refuse(path, "$ref", "expected a text");
    const std::string text = name.get<std::string>();
    if (text.empty() || text[0] != '#') refuse(path, "$ref", fmt::format("{} is not within this schema", quote(text)));
    try {
      return root_.at(Json::json_pointer(text.substr(1)));
    } catch (const Json::exception&) {
      refuse(path, "$ref", fmt::format("there is no {}", quote(text)));
    }
  }

  std::string alternatives(const Json& schema, const std::string& keyword, const std::string& path) {
    const Json& list = schema[keyword];
    if (!list.is_array() || list.empty()) refuse(path, keyword, "expected a list of schemas");
    if (keyword == "allOf" && list.size() > 1) refuse(path, keyword, "more than one schema is not supported");
    std::vector<std::string> choices;
    for (size_t i = 0; i < list.size(); ++i) {
      for (size_t j = 0; keyword == "oneOf" && j < i; ++j) {
        if (!exclude_each_other(list[j], list[i], path, 0)) {
          refuse(path, keyword, fmt::format("schemas {} and {} may both let a value pass, expected anyOf", j, i));
        }
      }
      choices.push_back(value_of(list[i], fmt::format("{}/{}/{}", path, keyword, i)));
    }
    return choice(choices);
  }

  // Whether no value passes both, as far as can be seen from their types, values, and those of properties.
  bool exclude_each_other(const Json& a, const Json& b, const std::string& path, int depth) const {
    if (!a.is_object() || !b.is_object() || depth > kDeepest || ++compared_ > kMostCompared) return false;
    if (a.contains("$ref")) return exclude_each_other(resolve(a, path), b, path, depth + 1);
    if (b.contains("$ref")) return exclude_each_other(a, resolve(b, path), path, depth + 1);
    const Json of_a = values_of(a), of_b = values_of(b);
    if (of_a.is_array() && of_b.is_array()) {
      compared_ += of_a.size() * of_b.size();
      if (compared_ > kMostCompared) return false;
      return std::none_of(of_a.begin(), of_a.end(),
                          [&](const Json& value) { return std::find(of_b.begin(), of_b.end(), value) != of_b.end(); });
    }
    const Json types_a = kinds_of(a, of_a), types_b = kinds_of(b, of_b);
    const bool same_type = std::any_of(types_a.begin(), types_a.end(), [&](const Json& type) {
      return std::find(types_b.begin(), types_b.end(), type) != types_b.end();
    });
    if (!same_type) return true;
    if (types_a != Json::array({"object"}) || types_a != types_b) return false;
    const Json none = Json::object();
    const Json& properties = a.contains("properties") && a["properties"].is_object() ? a["properties"] : none;
    for (const auto& [name, schema] : properties.items()) {
      const bool both = requires_property(a, name) && requires_property(b, name) && b.contains("properties") &&
                        b["properties"].is_object() && b["properties"].contains(name);
      if (both && exclude_each_other(schema, b["properties"][name], path, depth + 1)) return true;
    }
    return false;
  }

  static bool requires_property(const Json& schema, const std::string& name) {
    const auto required = schema.find("required");
    return required != schema.end() && std::find(required->begin(), required->end(), name) != required->end();
  }

  // The values of an enum or const as a list, or null.
  static Json values_of(const Json& schema) {
    if (schema.contains("const")) return Json::array({schema["const"]});
    return schema.contains("enum") && schema["enum"].is_array() ? schema["enum"] : Json(nullptr);
  }

  // Types that are apart from each other: integers count as numbers.
  Json kinds_of(const Json& schema, const Json& values) const {
    Json kinds = Json::array();
    const auto add = [&](const std::string& type) { kinds.push_back(type == "integer" ? "number" : type); };
    if (values.is_array()) {
      for (const Json& value : values) {
        for (const char* type : kTypes) {
          if (has_type(value, type)) add(type);
        }
      }
      return kinds;
    }
    const bool combined = schema.contains("anyOf") || schema.contains("oneOf") || schema.contains("allOf");
    // What has no type lets others pass too.
    if (combined || !schema.contains("type")) return Json(std::vector<std::string>(kTypes.begin(), kTypes.end()));
    for (const std::string& type : types_of(schema, "")) add(type);
    return kinds;
  }

  std::string literals(const Json& schema, const std::string& keyword, const std::string& path) {
    const Json values = values_of(schema);
    if (!values.is_array() || values.empty()) refuse(path, keyword, "expected a list of values");
    for (const std::string& key : constraints(schema)) {
      if (key != keyword && key != "type") refuse(path, key, fmt::format("beside {} is not supported", keyword));
    }
    const std::vector<std::string> types =
        schema.contains("type") ? types_of(schema, path) : std::vector<std::string>{};
    std::vector<std::string> choices;
    for (const Json& value : values) {
      const bool right = types.empty() || std::any_of(types.begin(), types.end(),
                                                      [&](const std::string& type) { return has_type(value, type); });
      if (right) choices.push_back(gbnf_literal(json_text(value)));
    }
    if (choices.empty()) refuse(path, keyword, "no value is of the type");
    return choice(choices);
  }

  static size_t count(const Json& schema, const char* keyword, size_t otherwise, const std::string& path) {
    if (!schema.contains(keyword)) return otherwise;
    const Json& number = schema[keyword];
    const bool right =
        has_type(number, "integer") && number.get<double>() >= 0 && number.get<double>() <= kMostJsonRepetitions;
    if (!right)
      refuse(path, keyword, fmt::format("is {}, expected 0 to {}", printable(json_text(number)), kMostJsonRepetitions));
    return number.get<size_t>();
  }

  // "{least,most}" of a pair of keywords, each lessened by `less` or 0.
  static std::string counts(const Json& schema, const char* least_key, const char* most_key, size_t less,
                            const std::string& path) {
    const size_t least = count(schema, least_key, 0, path);
    const size_t most = count(schema, most_key, SIZE_MAX, path);
    if (most < least) refuse(path, most_key, fmt::format("is below {}", least_key));
    const size_t from = least - std::min(least, less);
    return most == SIZE_MAX ? fmt::format("{{{},}}", from)
                            : fmt::format("{{{},{}}}", from, most - std::min(most, less));
  }

  std::string array(const Json& schema, const std::string& path) {
    const std::string some = counts(schema, "minItems", "maxItems", 1, path);
    if (schema.contains("maxItems") && count(schema, "maxItems", 0, path) == 0) return R"("[" ws "]")";
    const std::string item = schema.contains("items") ? value_of(schema["items"], path + "/items") : "value";
    const std::string list = fmt::format(R"({} ("," ws {}){} ws)", item, item, some);
    const char* may_lack = count(schema, "minItems", 0, path) == 0 ? "?" : "";
    return add_rule("array", fmt::format(R"("[" ws ({}){} "]")", list, may_lack));
  }

  static std::string text(const Json& schema, const std::string& path) {
    if (!schema.contains("format")) {
      return fmt::format(R"("\"" char{} "\"")", counts(schema, "minLength", "maxLength", 0, path));
    }
    for (const char* key : {"minLength", "maxLength"}) {
      if (schema.contains(key)) refuse(path, key, "beside format is not supported");
    }
    for (const char* name : {"date", "time", "date-time", "uuid"}) {
      if (schema["format"] == name) return fmt::format(R"("\"" {} "\"")", name);
    }
    refuse(path, "format",
           fmt::format("{} is not supported, expected date, time, date-time or uuid",
                       printable(json_text(schema["format"]))));
  }

  std::string integer(const Json& schema, const std::string& path) {
    double low = -kMostJsonInteger, high = kMostJsonInteger;
    const auto read = [&](const char* keyword, auto&& apply) {
      if (!schema.contains(keyword)) return;
      if (!schema[keyword].is_number()) refuse(path, keyword, "expected a number");
      apply(schema[keyword].get<double>());
    };
    read("minimum", [&](double bound) { low = std::max(low, std::ceil(bound)); });
    read("exclusiveMinimum", [&](double bound) { low = std::max(low, std::floor(bound) + 1); });
    read("maximum", [&](double bound) { high = std::min(high, std::floor(bound)); });
    read("exclusiveMaximum", [&](double bound) { high = std::min(high, std::ceil(bound) - 1); });
    if (low > high) refuse(path, "minimum", "no integer of at most 15 digits is within the bounds");
    if (low == -kMostJsonInteger && high == kMostJsonInteger) return "integer";
    return add_rule("integer", integers_between(static_cast<int64_t>(low), static_cast<int64_t>(high)));
  }

  struct Property {
    std::string member;  // name, colon and value
    bool required = false;
  };

  std::string object(const Json& schema, const std::string& path) {
    const Json none = Json::object(), nothing = Json::array();
    const Json& listed = schema.contains("properties") ? schema["properties"] : none;
    const Json& required = schema.contains("required") ? schema["required"] : nothing;
    if (!listed.is_object()) refuse(path, "properties", "expected an object");
    const bool names = required.is_array() &&
                       std::all_of(required.begin(), required.end(), [](const Json& name) { return name.is_string(); });
    if (!names) refuse(path, "required", "expected a list of names");
    const bool says_others = schema.contains("additionalProperties");
    const Json others = says_others ? schema["additionalProperties"] : Json(listed.empty());
    const std::string other = others == false ? "" : value_of(others, path + "/additionalProperties");
    std::vector<std::string> taken;
    std::vector<Property> properties;
    const auto add = [&](const std::string& name, const std::string& value, bool needed) {
      taken.push_back(name);
      properties.push_back({fmt::format(R"({} ":" " "? {})", gbnf_literal(json_text(Json(name))), value), needed});
    };
    for (const auto& [name, property] : listed.items()) {
      add(name, value_of(property, path + "/properties/" + name), requires_property(schema, name));
    }
    for (const Json& name : required) {
      if (std::find(taken.begin(), taken.end(), name.get<std::string>()) != taken.end()) continue;
      if (says_others && other.empty())
        refuse(path, "required", fmt::format("{} is no property", quote(name.get<std::string>())));
      add(name.get<std::string>(), says_others ? other : "value", true);
    }
    std::string more;
    if (!other.empty()) {
      const std::string key = taken.empty() ? "string" : other_names(taken);
      more = add_rule("other", fmt::format(R"({} ":" " "? {})", key, other));
    }
    return add_rule("object", fmt::format(R"("{{" ws {} ws "}}")", members(properties, more)));
  }

  // From the last to the first: what may follow when no member came yet, and what when one did.
  std::string members(const std::vector<Property>& properties, const std::string& more) {
    std::string rest = more.empty() ? R"("")" : add_rule("rest", fmt::format(R"(("," ws {})*)", more));
    std::string first = more.empty() ? R"("")" : add_rule("first", fmt::format("({} {})?", more, rest));
    for (size_t i = properties.size(); i-- > 0;) {
      const Property& property = properties[i];
      const std::string begun = fmt::format("{} {}", property.member, rest);
      first = add_rule("first", property.required ? begun : fmt::format("{} | {}", begun, first));
      rest = add_rule("rest", fmt::format(R"(("," ws {}){} {})", property.member, property.required ? "" : "?", rest));
    }
    return first;
  }

  // Names of further members, in quotes and without escapes: none that are taken, whose values would count twice.
  std::string other_names(const std::vector<std::string>& taken) {
    std::set<std::u32string> names;
    for (const std::string& name : taken) {
      std::u32string letters;
      for (size_t at = 0; at < name.size();) {
        const CodePoint point = decode_utf8(name, at);
        letters += point.value;
        at += point.size;
      }
      if (letters.size() > kLongestName) {
        fail("JSON schema: additionalProperties: beside a name of {} characters, expected at most {}", letters.size(),
             kLongestName);
      }
      names.insert(letters);
    }
    return fmt::format(R"("\"" {} "\"")", name_beside({names.begin(), names.end()}, 0));
  }

  // The rest of a name of which `names`, sorted, are those that begin alike, by `depth` letters.
  std::string name_beside(const std::vector<std::u32string>& names, size_t depth) {
    std::string letters, body;
    for (size_t i = 0; i < names.size();) {
      if (names[i].size() == depth) {
        ++i;
        continue;
      }
      const char32_t letter = names[i][depth];
      std::vector<std::u32string> below;
      for (; i < names.size() && names[i][depth] == letter; ++i) below.push_back(names[i]);
      if (letter < 0x20 || letter == '"' || letter == '\\') continue;  // written by an escape
      letters += gbnf_character(letter);
      body += fmt::format("{} {} | ", gbnf_class(gbnf_character(letter)), name_beside(below, depth + 1));
    }
    body += fmt::format("[^\"\\\\\\x00-\\x1F{}] plain-char*", letters);
    if (std::find_if(names.begin(), names.end(), [&](const auto& name) { return name.size() == depth; }) ==
        names.end()) {
      body += R"( | "")";
    }
    return add_rule("name", body);
  }

  const Json& root_;
  std::string& rules_;
  size_t& count_;
  struct Reference {
    std::string rule;
    const Json* schema;
    std::string path;
  };
  std::map<std::string, std::string> references_;  // their rules
  std::vector<Reference> open_references_;         // whose rules are not written yet
  mutable size_t compared_ = 0;                    // values and schemas, for oneOf
};

}  // namespace

std::string SchemaGrammar::add(std::string_view schema) {
  if (schema.size() > kMostBytes) fail("JSON schema: has {} bytes, expected at most {}", schema.size(), kMostBytes);
  const Json root = with_context("JSON schema", [&] { return parse_ordered_json(schema, kDeepest); });
  return SchemaCompiler(root, rules_, count_).compile();
}

std::string SchemaGrammar::rules() const { return rules_ + std::string(json_rules()); }

std::string grammar_of_schema(std::string_view schema) {
  SchemaGrammar grammar;
  const std::string root = grammar.add(schema);
  return fmt::format("root ::= {}\n{}", root, grammar.rules());
}

}  // namespace tern
