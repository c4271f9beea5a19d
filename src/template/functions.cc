// Functions that every template may call.
#include <ctime>

#include "base/text.h"
#include "template/tables.h"

namespace tern::jinja {
namespace {

Value range(Interpreter& in, const Value&, const Arguments& a) {
  constexpr size_t kLongest = 100'000;  // as Jinja's sandbox
  const auto args = bind(a, {"start", "stop", "step"}, 1);
  const bool only_stop = args[1].is_undefined();
  const int64_t start = only_stop ? 0 : integer_argument(args[0], "start");
  const int64_t stop = integer_argument(only_stop ? args[0] : args[1], "stop");
  const int64_t step = integer_or(args[2], "step", 1);
  if (step == 0) fail("expected a step other than zero");
  List items;
  for (int64_t i = start; step > 0 ? i < stop : i > stop;) {
    if (items.size() == kLongest) fail("expected a range of at most {} numbers, it has more", kLongest);
    items.push_back(Value::integer(i));
    if (__builtin_add_overflow(i, step, &i)) break;
  }
  in.heap().budget().step(items.size() / 16);
  return in.heap().list(std::move(items));
}

Map named_arguments(const Arguments& a) {
  Map map;
  for (const auto& named : a.named) map.emplace_back(Value::view(named.first), named.second);
  return map;
}

Value name_space(Interpreter& in, const Value&, const Arguments& a) {
  Map map;
  if (!a.positional.empty()) {
    if (a.positional.size() != 1 || !a.positional[0].is_map()) fail("expected NAME=VALUE arguments or one mapping");
    map = a.positional[0].entries();
  }
  for (const auto& entry : named_arguments(a)) map.push_back(entry);
  return in.heap().name_space(std::move(map));
}

Value dict(Interpreter& in, const Value&, const Arguments& a) {
  Map map;
  if (!a.positional.empty()) {
    if (a.positional.size() != 1 || !a.positional[0].is_map()) fail("expected NAME=VALUE arguments or one mapping");
    for (const auto& entry : a.positional[0].entries()) {
      bool replaced = false;
      for (const auto& named : a.named) replaced |= entry.first.is_string() && entry.first.text() == named.first;
      map.push_back(entry);
      if (!replaced) continue;
      for (const auto& named : a.named) {
        if (entry.first.text() == named.first) map.back().second = named.second;
      }
    }
  }
  for (const auto& entry : named_arguments(a)) {
    if (find(map, entry.first, in.heap().budget()) == nullptr) map.push_back(entry);
  }
  return in.heap().map(std::move(map));
}

Value joiner(Interpreter& in, const Value&, const Arguments& a) {
  const auto args = bind(a, {"sep"});
  Object object;
  object.type = Object::Type::kJoiner;
  object.name = "joiner";
  object.self = args[0].is_undefined() ? Value::view(", ") : args[0];
  return Value::object(in.make_object(object));
}

Value raise_exception(Interpreter&, const Value&, const Arguments& a) {
  const Value message = bind(a, {"message"}, 1)[0];
  fail("the template refuses: {}", message.is_string() ? quote(message.text()) : std::string(kind_name(message)));
}

Value strftime_now(Interpreter& in, const Value&, const Arguments& a) {
  const std::string_view form = text_argument(bind(a, {"format"}, 1)[0], "format");
  Text text(in.heap());
  for (size_t i = 0; i < form.size(); ++i) {
    if (form[i] != '%') {
      text.add(1, form[i]);
      continue;
    }
    constexpr std::string_view kKnown = "aAbBcdDeFgGHIjmMnpRsStTuUVwWxXyY%";
    const char directive = ++i < form.size() ? form[i] : '\0';
    // Some have modifiers ("%-d") in glibc's version, which is Python's on Linux.
    std::string one = "%";
    if ((directive == '-' || directive == '_') && i + 1 < form.size()) {
      one += directive;
      ++i;
    }
    if (i >= form.size() || kKnown.find(form[i]) == std::string_view::npos)
      fail("expected a known directive after '%', found {}", quote(form.substr(std::min(i, form.size()), 1)));
    one += form[i];
    std::array<char, 128> buffer;
    const size_t size = std::strftime(buffer.data(), buffer.size(), one.c_str(), &in.now());
    text.add({buffer.data(), size});
  }
  return text.value();
}

constexpr std::array<NamedBuiltin, 6> kFunctions{{
    {"range", range},
    {"namespace", name_space},
    {"dict", dict},
    {"joiner", joiner},
    {"raise_exception", raise_exception},
    {"strftime_now", strftime_now},
}};

}  // namespace

Builtin find_function(std::string_view name) { return find_in(kFunctions, name); }

}  // namespace tern::jinja
