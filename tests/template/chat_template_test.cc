#include "template/chat_template.h"

#include <gtest/gtest.h>

#include "support/errors.h"

namespace tern {
namespace {

std::string render(const std::string& source, const std::vector<ChatMessage>& messages = {}) {
  return ChatTemplate(source).render(messages, {});
}

TEST(ChatTemplate, MessagesAndTokensAreVariables) {
  ChatRendering rendering;
  rendering.bos_token = "<s>";
  const std::vector<ChatMessage> messages = {{"user", "a"}, {"assistant", "b"}};
  const ChatTemplate chat(
      "{{ bos_token }}{% for m in messages %}{{ m.role }}:{{ m['content'] }};{% endfor %}{{ tools }}"
      "{{ eos_token is defined }}{{ add_generation_prompt }}");
  EXPECT_EQ(chat.render(messages, rendering), "<s>user:a;assistant:b;NoneFalseTrue");
  EXPECT_EQ(chat.render(messages, rendering), "<s>user:a;assistant:b;NoneFalseTrue");
}

TEST(ChatTemplate, ErrorsNameTheLineAndWhatWasExpected) {
  const auto error = [](const std::string& source) { return test::error_of([&] { render(source); }); };
  EXPECT_EQ(error("a\n{% if x %}"),
            "chat template: line 2: expected '{% endif %}' for what begins on line 2, found the end of the template");
  EXPECT_EQ(error("\n\n{{ 1 + }}"), "chat template: line 3: expected an expression, found '}}'");
  EXPECT_EQ(error("{{ x.y }}"), "chat template: line 1: expected 'x' to be defined, it is not");
  EXPECT_EQ(error("\n{{ 1 +\n 'a' }}"),
            "chat template: line 2: '+': expected operands that fit together, found integer and string");
  EXPECT_EQ(error("{{ raise_exception('only\nusers') }}"),
            "chat template: line 1: raise_exception: the template refuses: 'only\\x0Ausers'");
  EXPECT_EQ(error("{{ 1 | shuffle }}"),
            "chat template: line 1: expected the name of a filter that tern has, found 'shuffle'");
  EXPECT_EQ(error("{{ 'a' | truncate(1) }}"),
            "chat template: line 1: filter truncate: expected a length of at least 3, found 1");
}

TEST(ChatTemplate, TextsOfMessagesAreNeverRunAsTemplates) {
  EXPECT_EQ(render("{{ messages[0].content }}", {{"user", "{{ 1 + 1 }}{% if %}"}}), "{{ 1 + 1 }}{% if %}");
}

}  // namespace
}  // namespace tern
