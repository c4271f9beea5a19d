// tests/golden/chat/cases.json (tools/oracle/chat_templates.py): what Jinja made of them.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/file.h"
#include "support/paths.h"
#include "template/chat_template.h"
#include "template/json_value.h"

namespace tern {
namespace {

using Json = nlohmann::ordered_json;

const Json& golden() {
  static const Json json = Json::parse(read_file(source_path("tests/golden/chat/cases.json")));
  return json;
}

std::tm golden_time() {
  const Json& fields = golden().at("now");
  std::tm now{};
  now.tm_year = fields[0].get<int>() - 1900;
  now.tm_mon = fields[1].get<int>() - 1;
  now.tm_mday = fields[2].get<int>();
  now.tm_hour = fields[3].get<int>();
  now.tm_min = fields[4].get<int>();
  now.tm_sec = fields[5].get<int>();
  now.tm_wday = (fields[6].get<int>() + 1) % 7;  // Python counts from Monday
  now.tm_yday = fields[7].get<int>() - 1;
  return now;
}

// The text, or "error: ..." when there is none.
std::string render(const std::string& source, const Json& variables) {
  try {
    return ChatTemplate(source).render([&](jinja::Heap& heap) { return jinja::from_json(variables, heap).entries(); },
                                       golden_time());
  } catch (const Error& error) {
    EXPECT_EQ(std::string(error.what()).rfind("chat template: line ", 0), 0u) << error.what();
    EXPECT_EQ(std::string(error.what()).find('\n'), std::string::npos) << error.what();
    return std::string("error: ") + error.what();
  }
}

void check(const std::string& source, const Json& variables, const Json& expected) {
  const std::string text = render(source, variables);
  if (expected.contains("error"))
    EXPECT_EQ(text.rfind("error: ", 0), 0u) << source << "\nis an error to Jinja, here: " << text;
  else
    EXPECT_EQ(text, expected.at("text").get<std::string>()) << source;
}

TEST(GoldenTemplates, EveryModelAndConversation) {
  size_t texts = 0;
  for (const Json& expected : golden().at("model_cases")) {
    SCOPED_TRACE(expected.at("name").get<std::string>());
    Json variables = {{"tools", nullptr},
                      {"documents", nullptr},
                      {"bos_token", "<|begin_of_text|>"},
                      {"eos_token", "<|end_of_text|>"},
                      {"add_generation_prompt", expected.at("prompt")}};
    variables.update(golden().at("conversations").at(expected.at("conversation").get<std::string>()));
    check(golden().at("models").at(expected.at("model").get<std::string>()).get<std::string>(), variables, expected);
    texts += expected.contains("text") ? 1 : 0;
  }
  EXPECT_GE(texts, 150u);
}

TEST(GoldenTemplates, EveryPartOfTheLanguage) {
  size_t texts = 0;
  for (const Json& expected : golden().at("small_cases")) {
    check(expected.at("template").get<std::string>(), golden().at("data"), expected);
    texts += expected.contains("text") ? 1 : 0;
  }
  EXPECT_GE(texts, 600u);
}

}  // namespace
}  // namespace tern
