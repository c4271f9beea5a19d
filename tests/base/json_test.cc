#include "base/json.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "base/rng.h"
#include "support/errors.h"
#include "support/sanitized.h"

namespace tern {
namespace {

using nlohmann::json;
using nlohmann::ordered_json;

// A value of few levels whose objects often name a field twice.
std::string random_text(Rng& random, int levels) {
  switch (random.below(levels > 0 ? 8 : 6)) {
    case 0:
      return "null";
    case 1:
      return "true";
    case 2:
      return std::to_string(random.next());
    case 3:
      return "-" + std::to_string(random.below(100));
    case 4:
      return "1.5e" + std::to_string(random.below(300));
    case 5:
      return "\"a\\u00e9\\n" + std::to_string(random.below(100)) + "\"";
    default:
      break;
  }
  const bool object = random.below(2) == 0;
  std::string text(1, object ? '{' : '[');
  const uint64_t size = random.below(6);
  for (uint64_t i = 0; i < size; ++i) {
    if (i > 0) text += ", ";
    if (object) text += "\"" + std::string(1, static_cast<char>('a' + random.below(4))) + "\": ";
    text += random_text(random, levels - 1);
  }
  return text + (object ? "}" : "]");
}

TEST(Json, ValuesAreThoseOfTheLibrary) {
  Rng random(3);
  for (int i = 0; i < 3000; ++i) {
    const std::string text = random_text(random, 5);
    EXPECT_EQ(parse_ordered_json(text), ordered_json::parse(text)) << text;
    EXPECT_EQ(json_text(parse_ordered_json(text)), ordered_json::parse(text).dump()) << text;
    EXPECT_EQ(parse_json(text), json::parse(text)) << text;
    const std::string cut = text.substr(0, random.below(text.size()));
    const auto expected = ordered_json::parse(cut, nullptr, false);
    EXPECT_EQ(try_parse_ordered_json(cut).is_discarded(), expected.is_discarded()) << cut;
    EXPECT_EQ(try_parse_json(cut).is_discarded(), expected.is_discarded()) << cut;
  }
}

TEST(Json, ErrorsSayWhereAndWhat) {
  for (const char* text :
       {"", "{", "[1,]", "{\"a\":1,}", "\"\xFF\"", "nul", "1e999", "[1] 2", "{1:2}", "\"\\ud800\""}) {
    test::expect_error([&] { parse_ordered_json(text); }, "not valid JSON");
    test::expect_error([&] { parse_json(text); }, "not valid JSON");
    EXPECT_TRUE(try_parse_ordered_json(text).is_discarded()) << text;
  }
  test::expect_error([] { parse_json("[1,\n2"); }, "(5 bytes): parse error at line 2, column 2");
}

TEST(Json, LevelsAreCounted) {
  const auto nested = [](int levels) { return std::string(levels, '[') + "1" + std::string(levels, ']'); };
  EXPECT_NO_THROW(parse_ordered_json(nested(64), 64));
  test::expect_error([&] { parse_ordered_json(nested(65), 64); }, "more than 64 levels deep");
  test::expect_error([&] { parse_json("{\"a\": " + nested(64) + "}", 64); }, "more than 64 levels deep");
  EXPECT_TRUE(try_parse_ordered_json(nested(65), 64).is_discarded());
  EXPECT_EQ(parse_json("[[1], [2], [[3]]]", 3).size(), 3u);
  constexpr int kMany = kSanitized ? 100000 : 1000000;
  EXPECT_TRUE(parse_ordered_json(nested(kMany)).is_array());
  EXPECT_TRUE(try_parse_json(std::string(kMany, '[')).is_discarded());
}

// Hours if each of a million names were compared with those before it.
TEST(Json, AnObjectOfManyFields) {
  constexpr int kFields = kSanitized ? 100000 : 1000000;
  std::string text = "{";
  for (int i = 0; i < kFields; ++i) text += "\"" + std::to_string(i) + "\":" + std::to_string(i) + ",";
  text += "\"7\":-1}";
  const ordered_json object = parse_ordered_json(text);
  ASSERT_EQ(object.size(), kFields);
  EXPECT_EQ(object["7"], -1);
  EXPECT_EQ(std::prev(object.end()).key(), std::to_string(kFields - 1));
}

}  // namespace
}  // namespace tern
