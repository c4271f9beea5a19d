// Templates come out of files: whatever they say, rendering ends soon, in little memory, with a text or an Error.
#include <gtest/gtest.h>

#include "support/errors.h"
#include "template/chat_template.h"
#include "template/json_value.h"

#include <nlohmann/json.hpp>

namespace tern {
namespace {

jinja::Limits small_limits() {
  jinja::Limits limits;
  limits.source_bytes = 4 << 20;
  limits.steps = 200'000;
  limits.memory_bytes = 16 << 20;
  limits.output_bytes = 1 << 20;
  return limits;
}

std::string error_of(const std::string& source, const jinja::Limits& limits = small_limits()) {
  return test::error_of([&] { ChatTemplate(source, "T", limits).render(std::vector<ChatMessage>{}, {}); });
}

std::string repeated(const std::string& text, size_t count) {
  std::string result;
  for (size_t i = 0; i < count; ++i) result += text;
  return result;
}

TEST(HostileTemplates, AMillionLevelsOfAnythingAreAnError) {
  constexpr size_t kMany = 1'000'000;
  const std::vector<std::pair<std::string, std::string>> nestings = {
      {"(", ")"},    {"[", "]"},        {"{1:", "}"},         {"-", ""},      {"not ", ""}, {"a(", ")"}, {"a[", "]"},
      {"x|f(", ")"}, {"x is f [", "]"}, {"1 if 1 else ", ""}, {"a if (", ")"}};
  for (const auto& nesting : nestings) {
    const size_t levels = nesting.first == "(" ? kMany : kMany / 20;
    const std::string source = "{{ " + repeated(nesting.first, levels) + "1" + repeated(nesting.second, levels) + " }}";
    EXPECT_NE(error_of(source).find("levels"), std::string::npos) << nesting.first;
  }
  // Without brackets: trees that lean to one side.
  for (const std::string tail : {"+1", " and 1", " or 1", "|f", ".a", "[0]", "()", "**1", " if 1"}) {
    EXPECT_NE(error_of("{{ 1" + repeated(tail, 20'000) + " }}").find("levels"), std::string::npos) << tail;
  }
  for (const std::string block :
       {"{% if 1 %}", "{% for a in b %}", "{% macro m() %}", "{% set a %}", "{% filter f %}", "{% with %}"}) {
    EXPECT_NE(error_of(repeated(block, 20'000)).find("levels"), std::string::npos) << block;
  }
  EXPECT_NE(error_of("{% set " + repeated("(", kMany / 20) + repeated(")", kMany / 20) + "=1 %}").find("levels"),
            std::string::npos);
}

// CVE-2024-34359: templates that went from a text to its class and on to any function of Python. Here an attribute is a
// method of the value or nothing (more of them, as Jinja's sandbox answers, are in tests/golden/chat).
TEST(HostileTemplates, CVE_2024_34359_NothingLeadsOutOfTheTemplate) {
  for (const std::string way :
       {"''.__class__.__mro__[1].__subclasses__()", "().__class__.__base__.__subclasses__()",
        "(''|attr('__class__'))['__mro__']", "joiner.__init__.__globals__['os'].popen('id')",
        "self.__init__.__globals__", "namespace.__init__.__globals__", "cycler.__init__.__globals__",
        "lipsum.__globals__['os']", "__import__('os')", "'{0.__class__.__mro__}'.format(1)",
        "raise_exception.__globals__['os']", "get_flashed_messages.__globals__"}) {
    EXPECT_FALSE(error_of("{{ " + way + " }}").empty()) << way;
    EXPECT_FALSE(error_of("{% set a = " + way + " %}{{ a }}").empty()) << way;
  }
  for (const std::string statement :
       {"{% include '/etc/passwd' %}", "{% import '/etc/passwd' as p %}", "{% extends '/etc/passwd' %}"}) {
    EXPECT_FALSE(error_of(statement).empty()) << statement;
  }
}

TEST(HostileTemplates, FlatChainsMayBeLong) {
  EXPECT_EQ(ChatTemplate("{{ ''" + repeated("~'a'", 10'000) + " }}").render(std::vector<ChatMessage>{}, {}),
            repeated("a", 10'000));
  const std::string many = "{% if 0 %}a" + repeated("{% elif 0 %}b", 10'000) + "{% else %}c{% endif %}";
  EXPECT_EQ(ChatTemplate(many).render(std::vector<ChatMessage>{}, {}), "c");
}

TEST(HostileTemplates, EndlessWorkEnds) {
  const std::string loops =
      "{% for a in range(1000) %}{% for b in [1, 2, 3, 4, 5, 6, 7, 8, 9] * 10 %}{{ -b }}{% endfor %}{% endfor %}";
  EXPECT_NE(error_of(loops).find("at most 200000 steps"), std::string::npos);
  const std::string calls = "{% macro f(x) %}{{ f(x) }}{% endmacro %}{{ f(1) }}";
  EXPECT_NE(error_of(calls).find("levels"), std::string::npos);
  const std::string two = "{% macro f(x) %}{% if x %}{{ f(x - 1) }}{{ f(x - 1) }}{% endif %}{% endmacro %}{{ f(40) }}";
  EXPECT_NE(error_of(two).find("at most"), std::string::npos);
  const std::string nested = repeated("{% if 1 %}", 100) + "{{ f() }}" + repeated("{% endif %}", 100);
  EXPECT_NE(error_of("{% macro f() %}" + nested + "{% endmacro %}{{ f() }}").find("levels"), std::string::npos);
  EXPECT_NE(error_of("{% for i in [1] recursive %}{{ loop([1]) }}{% endfor %}").find("levels"), std::string::npos);
}

// However deep macros call each other, each is named once.
TEST(HostileTemplates, ErrorsOfMacrosThatCallThemselvesAreShort) {
  const std::string one = error_of("{% macro f(x) %}{{ f(x) }}{% endmacro %}{{ f(1) }}");
  EXPECT_EQ(one.find("f: "), one.rfind("f: ")) << one;
  const std::string reason = "{{ raise_exception('because') }}";
  EXPECT_NE(error_of("{% macro f(x) %}{% if x %}{{ g(x - 1) }}{% endif %}" + reason +
                     "{% endmacro %}{% macro g(x) %}{{ f(x) }}{% endmacro %}{{ g(20) }}")
                .find("line 1: g: f: "),
            std::string::npos);
}

TEST(HostileTemplates, MemoryIsBounded) {
  const std::vector<std::string> sources = {
      "{{ 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa' * 1000000000000 }}",
      "{{ ([1] * 1000000) * 1000000 }}",
      "{% set n = namespace(s='aaaaaaaa') %}{% for i in range(60) %}{% set n.s = n.s + n.s %}{% endfor %}",
      "{% set n = namespace(s=['a']) %}{% for i in range(60) %}{% set n.s = n.s + n.s %}{% endfor %}",
      "{% set n = namespace(s=['a']) %}{% for i in range(60) %}{% set n.s = [n.s, n.s] %}{% endfor %}{{ n.s }}",
      "{% set n = namespace(s=['a']) %}{% for i in range(60) %}{% set n.s = [n.s, n.s] %}{% endfor %}{{ n.s | tojson "
      "}}",
      "{% set s = 'a' * 1000000 %}{{ ([s] * 100000) | join }}",
      "{% set s = 'a' * 1000000 %}{{ s | replace('', s) }}",
      "{% set s = 'a' * 1000000 %}{% for i in range(1000) %}{{ s }}{% endfor %}",
      "{{ '%1000s' * 1000000 }}",
      "{{ range(100000) | map('string') | map('center', 1000000) | list }}",
      "{% for i in range(100000) %}{{ range(100000) | list | length }}{% endfor %}"};
  for (const std::string& source : sources) EXPECT_NE(error_of(source).find("at most"), std::string::npos) << source;
}

TEST(HostileTemplates, DeepValuesAreErrorsWhereTheyAreWalked) {
  const std::string deep = "{% set n = namespace(s=[]) %}{% for i in range(5000) %}{% set n.s = [n.s] %}{% endfor %}";
  EXPECT_EQ(ChatTemplate(deep, "T", small_limits()).render(std::vector<ChatMessage>{}, {}), "");
  for (const std::string use :
       {"{{ n.s }}", "{{ n.s | tojson }}", "{{ n.s == [n.s] }}", "{{ [n.s] == [[n.s]] }}", "{{ n.s < [n.s] }}"}) {
    const std::string other =
        "{% set o = namespace(s=[]) %}{% for i in range(5000) %}{% set o.s = [o.s] %}{% endfor %}";
    const std::string twin = use == "{{ n.s }}" || use == "{{ n.s | tojson }}" ? use : "{{ n.s == o.s }}";
    EXPECT_NE(error_of(deep + other + twin).find("levels"), std::string::npos) << use;
  }
}

TEST(HostileTemplates, OutputIsBounded) {
  const std::string source = "{% for i in range(2000) %}" + std::string(1000, 'a') + "{% endfor %}";
  EXPECT_NE(error_of(source).find("at most 1048576 bytes of output"), std::string::npos);
}

TEST(HostileTemplates, SourcesThatAreTooLongAreErrors) {
  EXPECT_NE(error_of(std::string(300'000, 'a'), jinja::Limits{}).find("at most 262144 bytes"), std::string::npos);
}

TEST(HostileTemplates, CutAnywhereATemplateIsATextOrAnError) {
  const std::string whole =
      "{# c #}{%- set a = namespace(x=[1, 'two', {'k': 3.5}]) -%}\n{% for i in a.x[::-1] if i is defined %}{{ "
      "loop.index ~ "
      "i|string|upper }}{% else %}{% raw %}{{{% endraw %}{% endfor %}{% macro m(p, q=1) %}{{ p if q > 0 else 'x\\n' }}"
      "{% endmacro %}{{ m(2, q=3) }}\n";
  size_t errors = 0;
  for (size_t size = 0; size <= whole.size(); ++size) {
    try {
      ChatTemplate(whole.substr(0, size)).render(std::vector<ChatMessage>{}, {});
    } catch (const Error&) {
      ++errors;
    }
  }
  EXPECT_GT(errors, whole.size() / 2);
  EXPECT_EQ(ChatTemplate(whole).render(std::vector<ChatMessage>{}, {}), "1{'K': 3.5}2TWO312");
}

TEST(JsonValues, NumbersAndLevelsBeyondTheLimitsAreErrors) {
  const auto convert = [](const std::string& text) {
    jinja::Heap heap;
    jinja::from_json(nlohmann::ordered_json::parse(text), heap);
  };
  convert("[-9223372036854775808, 9223372036854775807, 1.5, null, true, {\"a\": []}]");
  test::expect_error([&] { convert("18446744073709551615"); }, "64 bits");
  test::expect_error([&] { convert(std::string(300, '[') + std::string(300, ']')); }, "levels");
}

}  // namespace
}  // namespace tern
