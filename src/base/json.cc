#include "base/json.h"

#include <algorithm>
#include <functional>
#include <nlohmann/json.hpp>
#include <span>
#include <vector>

#include "base/error.h"
#include "base/text.h"

namespace tern {

using nlohmann::json;
using nlohmann::ordered_json;

namespace {

template <class Json>
struct Member {
  std::string name;  // of an object's
  Json value;
};

// Of members with one name the last counts, in the place of the first. An ordered_json's own insertion compares each
// name with all before it: time that grows with the square of what a stranger may send.
ordered_json::object_t object_of(std::span<Member<ordered_json>> members) {
  struct Name {
    size_t hash, index;
  };
  std::vector<Name> names(members.size());
  for (size_t i = 0; i < names.size(); ++i) names[i] = {std::hash<std::string>()(members[i].name), i};
  std::sort(names.begin(), names.end(), [&](const Name& a, const Name& b) {
    if (a.hash != b.hash) return a.hash < b.hash;
    const int compared = members[a.index].name.compare(members[b.index].name);
    return compared != 0 ? compared < 0 : a.index < b.index;
  });
  std::vector<size_t> repeats;
  for (size_t i = 1, first = 0; i < names.size(); ++i) {
    if (names[i].hash != names[first].hash || members[names[i].index].name != members[names[first].index].name) {
      first = i;
      continue;
    }
    members[names[first].index].value = std::move(members[names[i].index].value);
    repeats.push_back(names[i].index);
  }
  std::sort(repeats.begin(), repeats.end());
  ordered_json::object_t object;
  object.reserve(members.size());
  for (size_t i = 0, skipped = 0; i < members.size(); ++i) {
    if (skipped < repeats.size() && repeats[skipped] == i) {
      ++skipped;
    } else {
      object.emplace_back(std::move(members[i].name), std::move(members[i].value));
    }
  }
  return object;
}

json::object_t object_of(std::span<Member<json>> members) {
  json::object_t object;
  for (Member<json>& member : members) object.insert_or_assign(std::move(member.name), std::move(member.value));
  return object;
}

// Makes a value of the library's events. What open objects hold so far lies in one stack, so that each is made once.
template <class Json>
class Builder {
 public:
  explicit Builder(int deepest) : deepest_(deepest) {}

  // Why the text is none.
  bool too_deep() const { return too_deep_; }
  const std::string& problem() const { return problem_; }
  Json take() { return std::move(root_); }

  bool null() { return add(nullptr); }
  bool boolean(bool value) { return add(value); }
  bool number_integer(int64_t value) { return add(value); }
  bool number_unsigned(uint64_t value) { return add(value); }
  bool number_float(double value, const std::string&) { return add(value); }
  bool string(std::string& value) { return add(std::move(value)); }
  bool binary(typename Json::binary_t&) { return false; }  // no text holds any

  bool start_array(size_t) { return open(false); }
  bool start_object(size_t) { return open(true); }
  bool key(std::string& name) {
    members_.push_back({std::move(name), nullptr});
    return true;
  }
  bool end_array() { return close(std::move(open_.back().array)); }
  bool end_object() {
    const size_t first = open_.back().first_member;
    Json object = object_of(std::span(members_).subspan(first));
    members_.resize(first);
    return close(std::move(object));
  }

  bool parse_error(size_t, const std::string&, const typename Json::exception& error) {
    // "[json.exception.parse_error.101] parse error at line 1, ...": without the library's number.
    std::string_view message = error.what();
    if (const size_t end = message.find("] "); end != std::string_view::npos) message.remove_prefix(end + 2);
    problem_ = printable(message);
    return false;
  }

 private:
  struct Open {
    bool is_object;
    size_t first_member;           // of an object
    typename Json::array_t array;  // the values so far
  };

  bool open(bool is_object) {
    too_deep_ = open_.size() >= static_cast<size_t>(deepest_);
    if (!too_deep_) open_.push_back({is_object, members_.size(), {}});
    return !too_deep_;
  }
  bool close(Json value) {
    open_.pop_back();
    return add(std::move(value));
  }
  bool add(Json value) {
    if (open_.empty()) {
      root_ = std::move(value);
    } else if (open_.back().is_object) {
      members_.back().value = std::move(value);
    } else {
      open_.back().array.push_back(std::move(value));
    }
    return true;
  }

  int deepest_;
  std::vector<Open> open_;
  std::vector<Member<Json>> members_;  // of the open objects
  Json root_;
  std::string problem_;
  bool too_deep_ = false;
};

template <class Json>
Json parse(std::string_view text, int deepest) {
  Builder<Json> builder(deepest);
  if (Json::sax_parse(text, &builder)) return builder.take();
  if (builder.too_deep()) fail("more than {} levels deep", deepest);
  fail("not valid JSON ({} bytes): {}", text.size(), builder.problem());
}

template <class Json>
Json try_parse(std::string_view text, int deepest) {
  Builder<Json> builder(deepest);
  return Json::sax_parse(text, &builder) ? builder.take() : Json(Json::value_t::discarded);
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

json try_parse_json(std::string_view text) { return try_parse<json>(text, kAnyDepth); }

ordered_json try_parse_ordered_json(std::string_view text, int deepest) {
  return try_parse<ordered_json>(text, deepest);
}

std::string json_text(const json& value, int indent) {
  return value.dump(indent, ' ', false, json::error_handler_t::replace);
}

std::string json_text(const ordered_json& value, int indent) {
  return value.dump(indent, ' ', false, ordered_json::error_handler_t::replace);
}

}  // namespace tern
