#include "template/named_templates.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <nlohmann/json.hpp>

#include "base/file.h"
#include "support/errors.h"
#include "support/paths.h"
#include "template/chat_template.h"
#include "template/hf_template.h"

namespace tern {
namespace {

using Json = nlohmann::ordered_json;

bool is_plain(const Json& conversation) {
  if (conversation.size() != 1) return false;
  for (const Json& message : conversation.at("messages")) {
    if (message.size() != 2 || !message.at("content").is_string()) return false;
  }
  return true;
}

// Each says what Jinja made of the template that the models of its name come with.
TEST(NamedTemplates, RenderAsTheModelsTemplates) {
  const Json golden = Json::parse(read_file(source_path("tests/golden/chat/cases.json")));
  for (const std::string name : {"bitnet", "chatml", "falcon3", "llama2", "llama3", "qwen"}) {
    const ChatTemplate chat(find_named_template(name).value());
    size_t compared = 0;
    for (const Json& expected : golden.at("model_cases")) {
      const Json& conversation = golden.at("conversations").at(expected.at("conversation").get<std::string>());
      if (expected.at("model") != name || !is_plain(conversation)) continue;
      if (conversation.at("messages").empty() && name != "chatml") continue;  // nobody asks for it
      std::vector<ChatMessage> messages;
      for (const Json& message : conversation.at("messages"))
        messages.push_back({message.at("role").get<std::string>(), message.at("content").get<std::string>()});
      ChatRendering rendering;
      rendering.bos_token = "<|begin_of_text|>";
      rendering.eos_token = "<|end_of_text|>";
      rendering.add_generation_prompt = expected.at("prompt").get<bool>();
      if (expected.contains("error"))
        test::expect_error([&] { chat.render(messages, rendering); }, "roles must alternate");
      else
        EXPECT_EQ(chat.render(messages, rendering), expected.at("text")) << expected.at("name");
      ++compared;
    }
    EXPECT_GE(compared, 8u) << name;
  }
}

TEST(NamedTemplates, PlainGoesOnWhereAMessageEnds) {
  const ChatTemplate chat(find_named_template("plain").value());
  const std::vector<ChatMessage> messages = {
      {"system", "A tale."}, {"user", "Once "}, {"assistant", "upon a time.\n"}, {"user", "The dog"}};
  EXPECT_EQ(chat.render(messages, {}), "A tale.\n\nOnce upon a time.\n\n\nThe dog");
}

TEST(NamedTemplates, TheFaultyOneIsKnown) {
  const Json golden = Json::parse(read_file(source_path("tests/golden/chat/cases.json")));
  for (const auto& entry : golden.at("models").items())
    EXPECT_EQ(is_faulty_bitnet_template(entry.value().get<std::string>()), entry.key() == "bitnet-gguf") << entry.key();
  EXPECT_FALSE(find_named_template("nobody").has_value());
  EXPECT_NE(template_names().find("falcon3, llama2"), std::string::npos);
}

TEST(HfTemplate, ATextOrAListOfNamedOnes) {
  const auto parse = [](const std::string& text) { return parse_hf_chat_template(text, "t.json"); };
  EXPECT_EQ(parse(R"({"chat_template": "a{{ 1 }}"})"), "a{{ 1 }}");
  EXPECT_EQ(parse(R"({"chat_template": [{"name": "tools", "template": "t"}, {"name": "default", "template": "d"}]})"),
            "d");
  EXPECT_EQ(parse(R"({"chat_template": [{"name": "tools", "template": "t"}]})"), std::nullopt);
  EXPECT_EQ(parse(R"({"chat_template": null})"), std::nullopt);
  EXPECT_EQ(parse("{}"), std::nullopt);
  test::expect_error([&] { parse("[]"); }, "t.json: expected a JSON object");
  test::expect_error([&] { parse(R"({"chat_template": 3})"); }, "expected a text or a list, it is number");
  test::expect_error([&] { parse(R"({"chat_template": [{"name": "default"}]})"); }, "name and template");
  test::expect_error([&] { parse(R"({"chat_template": ["x"]})"); }, "name and template");
}

TEST(HfTemplate, TheFileComesBeforeTheConfiguration) {
  const std::filesystem::path folder = std::filesystem::path(testing::TempDir()) / "tern_hf_template";
  std::filesystem::remove_all(folder);
  std::filesystem::create_directories(folder);
  EXPECT_EQ(read_hf_chat_template(folder), std::nullopt);
  write_file(folder / "tokenizer_config.json",
             with_hf_chat_template(R"({"add_bos_token": true})", "from {{ 'json' }}"));
  EXPECT_EQ(read_hf_chat_template(folder), "from {{ 'json' }}");
  EXPECT_NE(read_file(folder / "tokenizer_config.json").find("\"add_bos_token\": true"), std::string::npos);
  write_file(folder / "chat_template.jinja", "from the file\n");
  EXPECT_EQ(read_hf_chat_template(folder), "from the file\n");
  std::filesystem::remove_all(folder);
}

}  // namespace
}  // namespace tern
