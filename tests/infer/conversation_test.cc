#include "infer/conversation.h"

#include <gtest/gtest.h>

#include "base/file.h"
#include "base/text.h"
#include "support/errors.h"
#include "support/models.h"
#include "template/named_templates.h"
#include "tokenizer/basic_vocabularies.h"

namespace tern {
namespace {

constexpr size_t kContext = 160;

ModelConfig config(size_t vocab) {
  ModelConfig c;
  c.vocab = vocab;
  c.dim = 32;
  c.layers = 2;
  c.heads = 4;
  c.kv_heads = 2;
  c.head_dim = 8;
  c.ffn = 48;
  c.context = kContext;
  return c;
}

// The bytes, <|endoftext|>, and tokens that begin and end turns.
Vocabulary chat_vocabulary() {
  Vocabulary v = byte_vocabulary();
  for (const char* name : {"<|im_start|>", "<|im_end|>"}) {
    Token token;
    token.bytes = name;
    token.type = TokenType::kControl;
    v.tokens.push_back(token);
  }
  return v;
}

class ConversationTest : public testing::Test {
 protected:
  Conversation conversation(Session& session, const std::string& name = "chatml") {
    return {session, tokenizer_, choose_chat_template(std::nullopt, name), kContext};
  }

  Threads threads_{2};
  Tokenizer tokenizer_{chat_vocabulary()};
  Model model_ = test::test_model(config(tokenizer_.vocab_size()), 5, threads_);
  Conversation::Options options_ = [] {
    Conversation::Options options;
    options.max_tokens = 8;
    options.sampling.temperature = 0;
    return options;
  }();
};

TEST_F(ConversationTest, ThePromptIsTheRenderedTemplateWithItsSpecialTokens) {
  Session session(model_, tokenizer_, kContext, threads_);
  Conversation chat = conversation(session);
  chat.set_system("S");
  chat.set_messages({{"user", "u"}});
  const std::string text = "<|im_start|>system\nS<|im_end|>\n<|im_start|>user\nu<|im_end|>\n<|im_start|>assistant\n";
  EXPECT_EQ(tokenizer_.decode(chat.prompt_tokens()), text);
  EXPECT_EQ(chat.prompt_tokens().front(), *tokenizer_.token_id("<|im_start|>"));
}

TEST_F(ConversationTest, AnswersAreThoseOfAFreshSessionWithTheWholePrompt) {
  for (const KvType kv : {KvType::kF32, KvType::kBF16, KvType::kInt8}) {
    Session session(model_, tokenizer_, kContext, threads_, kv);
    Conversation chat = conversation(session);
    chat.set_system("Hm.");
    size_t reused = 0;
    for (const std::string text : {"a", "naïve?", "b"}) {
      const Conversation::Turn turn = chat.say(text, options_);
      std::vector<ChatMessage> before = chat.messages();
      before.pop_back();
      Session other(model_, tokenizer_, kContext, threads_, kv);
      Conversation fresh = conversation(other);
      fresh.set_system("Hm.");
      fresh.set_messages(before);
      const std::vector<int32_t> prompt = fresh.prompt_tokens();
      Session::Request request;
      request.prompt = prompt;
      request.max_tokens = options_.max_tokens;
      request.sampling = options_.sampling;
      const std::vector<int32_t> ends = turn_end_tokens(tokenizer_);
      request.more_stop_tokens = ends;
      const Generation expected = other.generate(request);
      EXPECT_EQ(turn.generation.tokens, expected.tokens);
      EXPECT_EQ(turn.generation.prompt_tokens, prompt.size());
      EXPECT_EQ(expected.reused_tokens, 0u);
      EXPECT_TRUE(is_valid_utf8(turn.text));
      EXPECT_GE(turn.generation.reused_tokens, reused);
      reused = turn.generation.prompt_tokens - 15;
    }
    EXPECT_EQ(chat.messages().size(), 6u);
  }
}

TEST_F(ConversationTest, ATurnEndsAtAnyEndToken) {
  Session plain(model_, tokenizer_, kContext, threads_);
  const int32_t first = conversation(plain).say("x", options_).generation.tokens.at(0);
  Vocabulary v = chat_vocabulary();
  std::swap(v.tokens[static_cast<size_t>(first)].bytes, v.tokens.back().bytes);
  std::swap(v.tokens[static_cast<size_t>(first)].type, v.tokens.back().type);
  tokenizer_ = Tokenizer(v);
  // The same model, asked with the same ids, says <|im_end|> at once.
  Session session(model_, tokenizer_, kContext, threads_);
  const std::vector<int32_t> prompt = {10, 20, 30};
  Session::Request request;
  request.prompt = prompt;
  request.max_tokens = 3;
  request.sampling.temperature = 0;
  const int32_t said = session.generate(request).tokens.at(0);
  const std::vector<int32_t> ends = {said};
  request.more_stop_tokens = ends;
  const Generation g = session.generate(request);
  EXPECT_EQ(g.reason, StopReason::kEndToken);
  EXPECT_TRUE(g.tokens.empty());
  EXPECT_EQ(g.reused_tokens, 2u);
  EXPECT_EQ(turn_end_tokens(tokenizer_), (std::vector<int32_t>{first, 256}));
}

TEST_F(ConversationTest, TheOldestMessagesGoWhenTheContextIsFull) {
  Session session(model_, tokenizer_, kContext, threads_);
  Conversation chat = conversation(session);
  chat.set_system("S");
  size_t dropped = 0;
  for (int i = 0; i < 6; ++i) {
    const Conversation::Turn turn = chat.say("message " + std::to_string(i), options_);
    dropped += turn.dropped;
    EXPECT_EQ(turn.dropped % 2, 0u);
    EXPECT_LE(turn.generation.prompt_tokens + turn.generation.tokens.size(), kContext + 1);
  }
  EXPECT_GT(dropped, 0u);
  EXPECT_EQ(chat.messages().size(), 12u);  // nothing is forgotten, only not shown
  const std::string prompt = tokenizer_.decode(chat.prompt_tokens());
  EXPECT_EQ(prompt.rfind("<|im_start|>system\nS<|im_end|>\n<|im_start|>user\n", 0), 0u);
  EXPECT_EQ(prompt.find("message 0"), std::string::npos);
  EXPECT_NE(prompt.find("message 5"), std::string::npos);
}

TEST_F(ConversationTest, AnErrorLeavesTheConversationAsItWas) {
  Session session(model_, tokenizer_, kContext, threads_);
  Conversation chat = conversation(session);
  chat.say("a", options_);
  const std::vector<ChatMessage> before = chat.messages();
  test::expect_error([&] { chat.say(std::string(500, 'x'), options_); }, "the context holds 160");
  EXPECT_EQ(chat.messages(), before);
  EXPECT_NE(tokenizer_.decode(chat.prompt_tokens()).find("user\na<"), std::string::npos);
  Conversation strict(session, tokenizer_, ChatTemplate("{{ raise_exception('never') }}"), kContext);
  test::expect_error([&] { strict.say("a", options_); }, "the template refuses: 'never'");
  EXPECT_TRUE(strict.messages().empty());
  test::expect_error([&] { strict.regenerate(options_); }, "no answer");
}

TEST_F(ConversationTest, RegenerateReplacesTheLastAnswer) {
  Session session(model_, tokenizer_, kContext, threads_);
  Conversation chat = conversation(session);
  options_.sampling.temperature = 2;
  options_.sampling.seed = 1;
  const std::string first = chat.say("a", options_).text;
  options_.sampling.seed = 2;
  const Conversation::Turn second = chat.regenerate(options_);
  EXPECT_NE(second.text, first);
  EXPECT_EQ(chat.messages().size(), 2u);
  EXPECT_EQ(chat.messages().back().content, second.text);
  EXPECT_EQ(second.generation.reused_tokens, second.generation.prompt_tokens - 1);
}

TEST_F(ConversationTest, AnInterruptedAnswerStaysAsFarAsItWent) {
  Session session(model_, tokenizer_, kContext, threads_);
  Conversation chat = conversation(session);
  const std::atomic<bool> stop{true};
  const Conversation::Turn turn = chat.say("a", options_, nullptr, &stop);
  EXPECT_EQ(turn.generation.reason, StopReason::kInterrupted);
  EXPECT_EQ(chat.messages().size(), 2u);
  EXPECT_EQ(chat.say("b", options_).generation.tokens.size(), 8u);
}

TEST_F(ConversationTest, BosComesOnce) {
  Vocabulary v = chat_vocabulary();
  v.add_bos = true;
  const Tokenizer tokenizer(v);
  const int32_t bos = *tokenizer.bos_id();
  EXPECT_EQ(encode_prompt(tokenizer, "a"), (std::vector<int32_t>{bos, 'a'}));
  EXPECT_EQ(encode_prompt(tokenizer, "<|endoftext|>a"), (std::vector<int32_t>{bos, 'a'}));
  EXPECT_EQ(encode_prompt(tokenizer_, "a"), (std::vector<int32_t>{'a'}));
}

TEST(ChooseChatTemplate, TheModelsOwnANamedOneOrAFile) {
  EXPECT_EQ(choose_chat_template("own", "").source(), "own");
  EXPECT_EQ(choose_chat_template("own", "llama3").source(), find_named_template("llama3"));
  const std::string faulty = "{{ 'Human: ' + message['content'] + '\\n\\nBITNETAssistant: ' + eos_token }}";
  EXPECT_EQ(choose_chat_template(faulty, "").source(), find_named_template("bitnet"));
  const std::string path = testing::TempDir() + "/tern_template.jinja";
  write_file(path, faulty);
  EXPECT_EQ(choose_chat_template("own", path).source(), faulty);  // asked for, so taken
  test::expect_error([] { choose_chat_template(std::nullopt, ""); },
                     "no chat template; expected --chat-template FILE or one of bitnet");
  test::expect_error([] { choose_chat_template("own", "/nowhere/x"); }, "one of bitnet, chatml");
  test::expect_error([] { choose_chat_template("{% if %}", ""); }, "the model's chat template: line 1: expected");
}

}  // namespace
}  // namespace tern
