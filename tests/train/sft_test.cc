// Conversations: what counts of them, in what order they come, what a run makes of them.
#include "train/sft.h"

#include <gtest/gtest.h>

#include <atomic>
#include <set>

#include "base/file.h"
#include "model/load.h"
#include "support/errors.h"
#include "support/temporary_directory.h"
#include "template/named_templates.h"
#include "tokenizer/basic_vocabularies.h"
#include "train/conversations.h"
#include "train/corpus.h"
#include "train/trainer.h"
#include "train/validation.h"
#include "train_testing.h"

namespace tern::test {
namespace {

// A turn is [role text]; the prompt for an answer is "[a ".
constexpr const char* kPlain =
    "{% for m in messages %}[{{ m.role[0] }} {{ m.content }}]{% endfor %}"
    "{% if add_generation_prompt %}[a {% endif %}";
// The same, but only the last answer is shown with what was thought before it.
constexpr const char* kForgetful =
    "{% for m in messages %}[{{ m.role[0] }} "
    "{% if m.role == 'assistant' and loop.last %}(hm){% endif %}{{ m.content }}]{% endfor %}"
    "{% if add_generation_prompt %}[a {% endif %}";

std::string counted_text(const Sample& sample, const Tokenizer& tokenizer) {
  std::string text;
  for (size_t i = 0; i < sample.size(); ++i) text += sample.counts(i) ? tokenizer.token_bytes(sample.tokens()[i]) : "_";
  return text;
}

TEST(Sft, CountsAnswersAndWhatEndsThem) {
  const Tokenizer tokenizer(byte_vocabulary());
  const std::vector<ChatMessage> messages = {{"user", "Hi"}, {"assistant", "Yes"}, {"user", "So"}, {"assistant", "No"}};
  const std::vector<Sample> samples = encode_conversation(messages, ChatTemplate(kPlain), tokenizer);
  ASSERT_EQ(samples.size(), 1u);
  EXPECT_EQ(tokenizer.decode(samples[0].tokens()), "[u Hi][a Yes][u So][a No]");
  EXPECT_EQ(counted_text(samples[0], tokenizer), "_________Yes]_________No]");
}

// Behind the end of a turn nothing is asked of the model.
TEST(Sft, EndsAnswersWithTheLastSpecialToken) {
  Vocabulary vocabulary = byte_vocabulary();
  const Tokenizer tokenizer(vocabulary);
  ASSERT_FALSE(tokenizer.eos_ids().empty());
  const std::string eos = tokenizer.token_bytes(tokenizer.eos_ids()[0]);
  const ChatTemplate with_end(
      "{% for m in messages %}{{ m.role }}:{{ m.content }}{{ eos_token }}\n{% endfor %}"
      "{% if add_generation_prompt %}assistant:{% endif %}");
  const std::vector<ChatMessage> messages = {{"user", "Hi"}, {"assistant", "Yes"}};
  const std::vector<Sample> samples = encode_conversation(messages, with_end, tokenizer);
  ASSERT_EQ(samples.size(), 1u);
  const Sample& sample = samples[0];
  EXPECT_EQ(sample.back(), '\n');
  EXPECT_FALSE(sample.counts(sample.size() - 1));
  EXPECT_TRUE(sample.counts(sample.size() - 2));
  EXPECT_EQ(sample.tokens()[sample.size() - 2], tokenizer.eos_ids()[0]);
  EXPECT_EQ(sample.targets(), 4u);
}

TEST(Sft, ATemplateThatForgetsMakesASampleOfEveryAnswer) {
  const Tokenizer tokenizer(byte_vocabulary());
  const std::vector<ChatMessage> messages = {{"user", "Hi"}, {"assistant", "Yes"}, {"user", "So"}, {"assistant", "No"}};
  const std::vector<Sample> samples = encode_conversation(messages, ChatTemplate(kForgetful), tokenizer);
  ASSERT_EQ(samples.size(), 2u);
  EXPECT_EQ(counted_text(samples[0], tokenizer), "_________(hm)Yes]");
  EXPECT_EQ(tokenizer.decode(samples[1].tokens()), "[u Hi][a Yes][u So][a (hm)No]");
  EXPECT_EQ(counted_text(samples[1], tokenizer), "______________________(hm)No]");
}

TEST(Sft, NamedTemplatesCountTheirAnswers) {
  const Tokenizer tokenizer(byte_vocabulary());
  const std::vector<ChatMessage> messages = {{"user", "Hi"}, {"assistant", "YES"}, {"user", "So"}, {"assistant", "NO"}};
  for (const char* name : {"bitnet", "chatml", "falcon3", "llama2", "llama3", "plain", "qwen"}) {
    size_t answers = 0;
    for (const Sample& sample : encode_conversation(messages, ChatTemplate(*find_named_template(name)), tokenizer)) {
      const std::string text = counted_text(sample, tokenizer);
      answers += static_cast<size_t>(text.find("YES") != std::string::npos);
      answers += static_cast<size_t>(text.find("NO") != std::string::npos);
      EXPECT_EQ(text.find("Hi"), std::string::npos) << name;
      EXPECT_EQ(text.find("So"), std::string::npos) << name;
    }
    EXPECT_EQ(answers, 2u) << name;
  }
}

TEST(Sft, RefusesLinesThatAreNoConversation) {
  const auto refuse = [](const char* line, const char* part) { expect_error([&] { parse_conversation(line); }, part); };
  refuse("{", "not valid JSON");
  refuse("[1]", "expected an object with a list of \"messages\"");
  refuse("{\"text\":\"a\"}", "expected an object with a list of \"messages\"");
  refuse("{\"messages\":{}}", "expected an object with a list of \"messages\"");
  refuse("{\"messages\":[1]}", "message 1: expected an object");
  refuse(R"({"messages":[{"role":"user","content":"a"},{"content":"b"}]})",
         "message 2: expected \"role\", there is none");
  refuse(R"({"messages":[{"role":"user"}]})", "message 1: expected \"content\"");
  refuse(R"({"messages":[{"role":"user","content":null}]})", "message 1: expected a text as \"content\"");
  refuse(R"({"messages":[{"role":3,"content":"a"}]})", "message 1: expected a text as \"role\"");
  refuse(R"({"messages":[{"role":"user","content":"a"}]})",
         "expected a message of the assistant, there is none among 1");
  refuse(("{\"messages\":" + std::string(200, '[') + std::string(200, ']') + "}").c_str(), "levels deep");
  EXPECT_EQ(parse_conversation(R"({"messages":[{"role":"assistant","content":"x"}],"id":1})"),
            (std::vector<ChatMessage>{{"assistant", "x"}}));
}

TEST(Permuted, IsAPermutation) {
  for (const uint64_t count : {1u, 2u, 3u, 17u, 64u, 1000u}) {
    std::set<uint64_t> seen;
    uint64_t in_place = 0;
    for (uint64_t i = 0; i < count; ++i) {
      const uint64_t to = permuted(i, count, 7);
      EXPECT_LT(to, count);
      seen.insert(to);
      in_place += static_cast<uint64_t>(to == i);
    }
    EXPECT_EQ(seen.size(), count);
    EXPECT_LE(in_place, 4 + count / 8);
  }
  EXPECT_NE(permuted(3, 1000, 7), permuted(3, 1000, 8));
}

// A mask changes only what it leaves out: with a target less, the mean is over the others.
TEST(Sft, MaskedStepIsTheMeanOfWhatCounts) {
  const ModelConfig config = small_configs().front().config;
  Threads threads(2);
  const std::vector<int32_t> a = random_tokens(9, config.vocab, 1), b = random_tokens(5, config.vocab, 2);
  const std::vector<uint8_t> some = {0, 0, 1, 0, 1, 1, 0, 0, 1}, few = {0, 1, 0, 0, 0};
  TrainState state(config, {12, 2, 1}, 3, threads, kFloats), parts(config, {12, 1, 2}, 3, threads, kFloats);
  const std::vector<Sample> samples = {{a, some}, {b, few}};
  const StepResult result = state.compute_gradients(samples, threads);
  const StepResult accumulated = parts.compute_gradients(samples, threads);
  EXPECT_NEAR(result.loss, accumulated.loss, 1e-13);
  EXPECT_EQ(result.tokens, 12u);
  EXPECT_TRUE(
      within(all_of(state.gradients()), all_of(parts.gradients()), 24 * kUnit * max_abs(all_of(state.gradients()))));
  Scorer scorer(config, 12);
  const std::vector<Scorer::Text> texts = {{a, some}, {b, few}};
  const LossSum scored = scorer.score_texts(state.model(), texts, threads);
  EXPECT_EQ(scored.tokens, 5u);
  EXPECT_TRUE(same_bits(scored.mean(), result.loss));
  expect_error(
      [&] {
        state.compute_gradients(std::vector<Sample>(2, {b, {0, 0, 0, 0, 0}}), threads);
      },
      "a step without a token that counts");
}

class SftRun : public testing::Test {
 protected:
  SftRun() {
    std::string lines;
    for (int i = 0; i < 30; ++i) {
      lines += fmt::format(
                   R"({{"messages":[{{"role":"user","content":"{} and {}"}},{{"role":"assistant","content":"{}"}}]}})",
                   i % 5, i % 3, i % 5 + i % 3) +
               "\n";
    }
    write_file(directory / "chat.jsonl", lines);
    write_file(directory / "plain.jinja", kPlain);
    options.data = {(directory / "chat.jsonl").string()};
    options.sft = true;
    options.chat_template = (directory / "plain.jinja").string();
    options.context = 24;
    options.batch = 3;
    options.schedule.steps = 8;
  }

  TemporaryDirectory directory;
  Threads threads{2};
  TrainOptions options = short_run(directory);
};

TEST_F(SftRun, LearnsAndResumesBitForBit) {
  const TrainReport report = start_training(options, directory / "whole", {}, threads);
  EXPECT_EQ(report.valid.tokens, 2u * 2);  // a digit and the end of the turn, of two conversations
  EXPECT_EQ(report.valid_bytes, 2u * 2);
  EXPECT_LT(report.valid.mean(), 4.0);  // ln 257 is 5.55
  std::atomic<bool> stop{false};
  TrainHooks hooks;
  hooks.stop = &stop;
  hooks.on_metrics = [&](std::string_view line) { stop = stop || line.find("\"step\":4") != std::string_view::npos; };
  EXPECT_EQ(start_training(options, directory / "parts", hooks, threads).steps, 5);
  resume_training(directory / "parts", {}, threads);
  EXPECT_TRUE(read_file(directory / "parts" / kCheckpointFile) == read_file(directory / "whole" / kCheckpointFile));
  EXPECT_EQ(load_model(directory / "whole", threads).chat_template, kPlain);
}

TEST_F(SftRun, EveryConversationComesOnceAnEpoch) {
  start_training(options, directory / "run", {}, threads);
  const Tokenizer tokenizer(byte_vocabulary());
  const Corpus corpus(manifest_from_json(read_file(directory / "run" / kDataManifestFile), "data.json"), tokenizer,
                      directory / "run");
  const size_t count = corpus.train_conversations().size();
  EXPECT_EQ(count, 28u);
  const DataLoader loader{corpus.train(), 24, 1, &corpus.train_conversations(), 4};
  const auto epoch = [&](int64_t first) {
    std::multiset<std::string> texts;
    std::vector<std::string> order;
    for (int64_t step = first; step < first + 7; ++step) {
      for (size_t i = 0; i < 4; ++i) order.push_back(tokenizer.decode(loader.sample(step, i).tokens()));
    }
    texts.insert(order.begin(), order.end());
    return std::pair(texts, order);
  };
  EXPECT_EQ(epoch(0).first, epoch(7).first);
  EXPECT_NE(epoch(0).second, epoch(7).second);
}

TEST_F(SftRun, CutsToTheContextAndLeavesOutWhatHasNoAnswerInIt) {
  options.context = 14;  // "[u 0 and 0][a 0]": an answer's digit is the fifteenth character
  start_training(options, directory / "cut", {}, threads);
  const Corpus corpus(manifest_from_json(read_file(directory / "cut" / kDataManifestFile), "data.json"),
                      Tokenizer(byte_vocabulary()), directory / "cut");
  EXPECT_EQ(corpus.train_conversations().sample(0).size(), 15u);
  options.context = 13;
  expect_error([&] { start_training(options, directory / "none", {}, threads); },
               "conversations to train on: expected one with an answer within the context of 13 tokens, none of ");
}

TEST_F(SftRun, RefusesWhatDoesNotFit) {
  const auto refuse = [&](const char* part, const auto& change) {
    TrainOptions wrong = options;
    change(wrong);
    expect_error([&] { start_training(wrong, directory / "wrong", {}, threads); }, part);
    EXPECT_FALSE(std::filesystem::exists(directory / "wrong" / kCheckpointFile));
  };
  refuse("the model has no chat template; expected --chat-template FILE",
         [](TrainOptions& o) { o.chat_template.clear(); });
  refuse("belongs to sft", [](TrainOptions& o) { o.sft = false; });
  refuse("sft keeps its shards in the training directory", [](TrainOptions& o) { o.cache = "x"; });
  refuse("not one made from the data", [](TrainOptions& o) { o.tokenizer = "char"; });
  refuse("without a weight", [](TrainOptions& o) { o.data[0] += ":0.5"; });
  refuse("expected JSON lines of conversations", [&](TrainOptions& o) {
    write_file(directory / "text.txt", "text");
    o.data = {(directory / "text.txt").string()};
  });
  refuse("bad.jsonl: line 2: expected a message of the assistant", [&](TrainOptions& o) {
    write_file(directory / "bad.jsonl", R"({"messages":[{"role":"assistant","content":"x"}]})"
                                        "\n"
                                        R"({"messages":[{"role":"user","content":"x"}]})"
                                        "\n");
    o.data = {(directory / "bad.jsonl").string()};
  });
  refuse("line 1: chat template", [&](TrainOptions& o) {
    write_file(directory / "refuses.jinja", "{{ raise_exception('no') }}");
    o.chat_template = (directory / "refuses.jinja").string();
  });
}

}  // namespace
}  // namespace tern::test
