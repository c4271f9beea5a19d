#include "infer/batcher.h"

#include <gtest/gtest.h>

#include <cmath>
#include <map>

#include "base/rng.h"
#include "infer/session.h"
#include "support/errors.h"
#include "support/models.h"
#include "tokenizer/basic_vocabularies.h"

namespace tern {
namespace {

ModelConfig batcher_config() {
  ModelConfig c;
  c.vocab = 257;
  c.dim = 32;
  c.layers = 2;
  c.heads = 4;
  c.kv_heads = 2;
  c.head_dim = 8;
  c.ffn = 48;
  c.context = 96;
  return c;
}

struct Answer {
  std::vector<int32_t> tokens;
  std::vector<TokenLogprobs> logprobs, prompt;
  size_t cached = 0;
  bool ended = false;
  BatchEnd end = BatchEnd::kLength;
};

class BatcherTest : public testing::Test {
 protected:
  static BatchRequest request(std::vector<int32_t> prompt, size_t max_tokens, uint64_t seed = 1) {
    BatchRequest r;
    r.prompt = std::move(prompt);
    r.max_tokens = max_tokens;
    r.sampling.seed = seed;
    r.sampling.temperature = seed % 3 == 0 ? 0.0f : 1.0f;
    return r;
  }

  static std::vector<int32_t> random_prompt(uint64_t seed, size_t size) {
    Rng rng(seed, 7, 0);
    std::vector<int32_t> prompt(size);
    for (int32_t& token : prompt) token = static_cast<int32_t>(rng.uniform() * 256);
    return prompt;
  }

  // Of many lengths, some of which begin alike.
  static std::vector<BatchRequest> many_requests(size_t count) {
    std::vector<BatchRequest> requests;
    const auto common = random_prompt(99, 30);
    for (uint64_t i = 0; i < count; ++i) {
      auto prompt = random_prompt(i, 1 + i * 7 % 40);
      if (i % 2 == 0) prompt.insert(prompt.begin(), common.begin(), common.end());
      requests.push_back(request(prompt, 1 + i * 5 % 20, i));
    }
    return requests;
  }

  size_t next_batch_ = 0;

  std::map<std::pair<uint64_t, size_t>, Answer> run(Batcher& batcher) {
    std::map<std::pair<uint64_t, size_t>, Answer> answers;
    while (batcher.step([&](const BatchEvent& event) {
      Answer& answer = answers[{event.request, event.choice}];
      EXPECT_FALSE(answer.ended);
      if (event.kind == BatchEvent::Kind::kPrompt) {
        answer.prompt = event.prompt;
        answer.cached = event.cached_tokens;
      } else if (event.kind == BatchEvent::Kind::kToken) {
        answer.tokens.push_back(event.token);
        answer.logprobs.push_back(event.logprobs);
      } else {
        answer.ended = true;
        answer.end = event.end;
      }
    })) {}
    return answers;
  }

  Answer run_alone(const BatchRequest& request, Batcher::Options options = {}) {
    Batcher batcher(model_, options, threads_);
    const uint64_t id = batcher.add(request);
    return run(batcher)[{id, 0}];
  }

  Threads threads_{2};
  Model model_ = test::test_model(batcher_config(), 5, threads_);
};

TEST_F(BatcherTest, AnswersAsASessionDoes) {
  Tokenizer tokenizer(byte_vocabulary());
  for (const BatchRequest& r : many_requests(12)) {
    Session session(model_, tokenizer, 0, threads_, kInferenceKvType);
    Session::Request alone;
    alone.prompt = r.prompt;
    alone.max_tokens = r.max_tokens;
    alone.sampling = r.sampling;
    BatchRequest batched = r;
    batched.stop_tokens = {256};
    Answer answer = run_alone(batched);
    if (answer.end == BatchEnd::kStopToken) answer.tokens.pop_back();
    EXPECT_EQ(answer.tokens, session.generate(alone).tokens);
    EXPECT_TRUE(answer.ended);
  }
}

// A model that knows nothing follows a grammar, greedily or not, and says the same when it has to make room and begins
// again; its neighbours are as free as before.
TEST_F(BatcherTest, AnswersHaveTheirFormats) {
  const Tokenizer tokenizer(byte_vocabulary());
  const TokenTrie trie(tokenizer);
  const Grammar letters = compile_grammar("root ::= \"[\" [a-c]{1,40} \"]\"");
  const Grammar crosses = compile_grammar("root ::= \"\" | \"x\" root");
  std::vector<BatchRequest> requests;
  for (uint64_t i = 0; i < 24; ++i) {
    BatchRequest r = request(random_prompt(i, 1 + i * 7 % 40), 50, i);
    r.stop_tokens = {256};
    if (i % 4 < 2) r.format = {i % 4 == 0 ? &letters : &crosses, &trie, false};
    requests.push_back(std::move(r));
  }
  Batcher batcher(model_, {8, 0, 7, 16, 9, kInferenceKvType, true}, threads_);
  std::vector<uint64_t> ids;
  for (const BatchRequest& r : requests) ids.push_back(batcher.add(r));
  auto together = run(batcher);
  EXPECT_GT(batcher.state().preemptions, 0u);
  for (size_t i = 0; i < requests.size(); ++i) {
    Answer& answer = together[{ids[i], 0}];
    const Answer alone = run_alone(requests[i]);
    EXPECT_EQ(answer.tokens, alone.tokens);
    EXPECT_EQ(answer.end, alone.end);
    if (!answer.tokens.empty() && answer.tokens.back() == 256) answer.tokens.pop_back();
    const std::string text = tokenizer.decode(answer.tokens);
    if (i % 4 == 0) {
      EXPECT_EQ(answer.end, BatchEnd::kStopToken);
      EXPECT_EQ(text.find_first_not_of("abc", 1), text.size() - 1);
      EXPECT_EQ(text.front(), '[');
      EXPECT_EQ(text.back(), ']');
    } else if (i % 4 == 1) {
      EXPECT_EQ(text, std::string(text.size(), 'x'));
    }
  }
}

// However few tokens an answer may have, in the number asked for or in the context, it is whole, or refused at once.
TEST_F(BatcherTest, AnswersWithFormatsAreNeverCut) {
  const Tokenizer tokenizer(byte_vocabulary());
  const TokenTrie trie(tokenizer);
  const Grammar list = compile_grammar("root ::= \"[\" ([a-c]{2} \",\")* \"]\"");
  for (size_t tokens = 1; tokens <= 12; ++tokens) {
    for (const bool by_context : {false, true}) {
      Batcher::Options options{4, 0, 16, 16, 0, kInferenceKvType, true};
      options.context = by_context ? 8 : 0;
      Batcher batcher(model_, options, threads_);
      // The last token of a full context is not read.
      BatchRequest r = request(random_prompt(tokens, by_context ? 9 - std::min<size_t>(tokens, 8) : 8), tokens, tokens);
      r.sampling.temperature = 2;
      r.format = {&list, &trie, false};
      if (by_context) r.max_tokens = 100;
      const size_t most = by_context ? std::min<size_t>(tokens, 8) : tokens;
      if (most < 2) {
        test::expect_error([&] { batcher.add(r); }, "takes 2 tokens, max_tokens and the context leave 1");
        continue;
      }
      const uint64_t id = batcher.add(r);
      const Answer answer = run(batcher)[{id, 0}];
      EXPECT_EQ(answer.end, BatchEnd::kStopToken);
      EXPECT_LE(answer.tokens.size(), most);
      EXPECT_EQ(answer.tokens.size() % 3, 2u);
      EXPECT_EQ(tokenizer.decode(answer.tokens).back(), ']');
    }
  }
}

// A vocabulary that lacks what has to come.
TEST_F(BatcherTest, AFormatThatNoTokenCanFollow) {
  Vocabulary v = byte_vocabulary();
  v.tokens[200].type = TokenType::kUnused;
  v.tokens[200].bytes = "unused";
  v.algorithm = TokenAlgorithm::kSpm;
  v.merges.clear();
  const Tokenizer tokenizer(std::move(v));
  const TokenTrie trie(tokenizer);
  for (const auto& [grammar, size, reason] :
       {std::tuple{"root ::= \"a\\u0208\"", size_t{1}, BatchEnd::kNoToken},
        std::tuple{"root ::= \"\" | \"\\u0208\"", size_t{0}, BatchEnd::kStopToken}}) {
    BatchRequest r = request({65, 66}, 10);
    const Grammar compiled = compile_grammar(grammar);
    r.format = {&compiled, &trie, false};
    const Answer answer = run_alone(r);
    EXPECT_EQ(answer.tokens.size(), size);
    EXPECT_EQ(answer.end, reason);
  }
}

// Whatever is beside a request, however its prompt is cut, with few pages (so that some make room for others), kept
// beginnings or not.
TEST_F(BatcherTest, AnswersDoNotDependOnTheCompany) {
  const auto requests = many_requests(50);
  std::vector<Answer> alone;
  for (const BatchRequest& r : requests) alone.push_back(run_alone(r));
  uint64_t preemptions = 0;
  for (const Batcher::Options& options : {Batcher::Options{4, 0, 16, 16, 0, kInferenceKvType, true},
                                          Batcher::Options{8, 0, 7, 16, 9, kInferenceKvType, true},
                                          Batcher::Options{8, 0, 64, 32, 5, kInferenceKvType, false},
                                          Batcher::Options{16, 0, 256, 64, 0, kInferenceKvType, true}}) {
    Batcher batcher(model_, options, threads_);
    std::map<std::pair<uint64_t, size_t>, Answer> answers;
    std::vector<uint64_t> ids;
    size_t next = 0;
    const auto add = [&] {
      if (next < requests.size()) ids.push_back(batcher.add(requests[next++]));
    };
    for (int i = 0; i < 6; ++i) add();
    while (batcher.step([&](const BatchEvent& event) {
      Answer& answer = answers[{event.request, event.choice}];
      if (event.kind == BatchEvent::Kind::kToken) answer.tokens.push_back(event.token);
      if (event.kind == BatchEvent::Kind::kEnd) {
        answer.ended = true;
        answer.end = event.end;
        ++next_batch_;
      }
    })) {
      for (; next_batch_ > 0; --next_batch_) add();
    }
    ASSERT_EQ(ids.size(), requests.size());
    for (size_t i = 0; i < ids.size(); ++i) {
      const Answer& answer = answers[{ids[i], 0}];
      EXPECT_TRUE(answer.ended);
      EXPECT_EQ(answer.tokens, alone[i].tokens) << "request " << i;
      EXPECT_EQ(answer.end, alone[i].end);
    }
    preemptions += batcher.state().preemptions;
    EXPECT_EQ(batcher.state().used_pages, 0u);
  }
  EXPECT_GT(preemptions, 0u);
}

TEST_F(BatcherTest, ChoicesAreRequestsWithTheNextSeeds) {
  BatchRequest several = request(random_prompt(3, 40), 12, 1);
  several.choices = 3;
  Batcher batcher(model_, {}, threads_);
  const uint64_t id = batcher.add(several);
  auto answers = run(batcher);
  for (uint64_t k = 0; k < 3; ++k) {
    BatchRequest one = several;
    one.choices = 1;
    one.sampling.seed = several.sampling.seed + k;
    const Answer alone = run_alone(one);
    const Answer& answer = answers[{id, k}];
    EXPECT_EQ(answer.tokens, alone.tokens);
    EXPECT_TRUE(answer.ended);
  }
  EXPECT_GE(batcher.state().cached_tokens, 2u * 39);  // the others read the last token alone
}

TEST_F(BatcherTest, ABeginningIsReadOnce) {
  Batcher batcher(model_, {}, threads_);
  const auto prompt = random_prompt(1, 80);
  batcher.add(request(prompt, 4));
  const Answer first = run(batcher)[{1, 0}];
  const uint64_t read = batcher.state().prompt_tokens;
  EXPECT_EQ(read, 80u);
  batcher.add(request(prompt, 4));
  const Answer second = run(batcher)[{2, 0}];
  EXPECT_EQ(second.tokens, first.tokens);
  EXPECT_EQ(second.cached, 79u);
  EXPECT_EQ(batcher.state().prompt_tokens, read + 1);
}

TEST_F(BatcherTest, LogprobsAreTheDistributions) {
  BatchRequest r = request(random_prompt(4, 70), 3, 3);
  r.logprobs = r.prompt_logprobs = true;
  r.top_logprobs = 257;
  const Answer answer = run_alone(r);
  ASSERT_EQ(answer.prompt.size(), 70u);
  EXPECT_TRUE(answer.prompt[0].top.empty());
  ASSERT_EQ(answer.logprobs.size(), 3u);
  std::vector<TokenLogprobs> all(answer.prompt.begin() + 1, answer.prompt.end());
  all.insert(all.end(), answer.logprobs.begin(), answer.logprobs.end());
  std::vector<int32_t> tokens(r.prompt.begin() + 1, r.prompt.end());
  tokens.insert(tokens.end(), answer.tokens.begin(), answer.tokens.end());
  for (size_t i = 0; i < all.size(); ++i) {
    double sum = 0;
    for (const auto& [token, logprob] : all[i].top) {
      sum += std::exp(static_cast<double>(logprob));
      if (token == tokens[i]) {
        EXPECT_EQ(logprob, all[i].logprob);
      }
    }
    EXPECT_NEAR(sum, 1, 1e-4);
    EXPECT_GE(all[i].top.front().second, all[i].top.back().second);
  }
  EXPECT_EQ(answer.tokens[0], answer.logprobs[0].top.front().first);  // greedy
}

// A prompt's scores are the same when its beginning was scored before, and are kept for the next one.
// Requests with scores have the exact head's, beside others that have the model's own head.
TEST_F(BatcherTest, ScoresComeOfTheExactHead) {
  ModelConfig config = batcher_config();
  config.vocab = 600;
  const Model exact = test::test_model(config, 5, threads_);
  std::vector<BatchRequest> requests = many_requests(24);
  for (size_t i = 0; i < requests.size(); ++i) {
    requests[i].logprobs = i % 3 == 1;
    requests[i].prompt_logprobs = i % 6 == 4;
    requests[i].top_logprobs = i % 4;
  }
  const auto answers_of = [&](const Model& model, bool together) {
    std::vector<Answer> answers;
    Batcher batcher(model, {}, threads_);
    std::vector<uint64_t> ids;
    for (const BatchRequest& r : requests) {
      ids.push_back(batcher.add(r));
      if (!together) answers.push_back(run(batcher)[{ids.back(), 0}]);
    }
    if (!together) return answers;
    auto all = run(batcher);
    for (const uint64_t id : ids) answers.push_back(all[{id, 0}]);
    return answers;
  };
  const std::vector<Answer> expected = answers_of(exact, false);
  for (const HeadKind kind : {HeadKind::kInt8, HeadKind::kScreened}) {
    Model model = test::test_model(config, 5, threads_);
    set_head({kind, 0}, threads_, model);
    const std::vector<Answer> alone = answers_of(model, false), together = answers_of(model, true);
    for (size_t i = 0; i < requests.size(); ++i) {
      EXPECT_EQ(together[i].tokens, alone[i].tokens) << i;
      EXPECT_EQ(together[i].logprobs, alone[i].logprobs) << i;
      if (!requests[i].logprobs && !requests[i].prompt_logprobs) continue;
      EXPECT_EQ(together[i].tokens, expected[i].tokens) << i;
      EXPECT_EQ(together[i].logprobs, expected[i].logprobs) << i;
      EXPECT_EQ(together[i].prompt, expected[i].prompt) << i;
    }
  }
}

TEST_F(BatcherTest, ScoresAreKept) {
  const auto scored = [](std::vector<int32_t> prompt) {
    BatchRequest r = request(std::move(prompt), 1, 3);
    r.logprobs = r.prompt_logprobs = true;
    r.top_logprobs = 1;
    return r;
  };
  auto prompt = random_prompt(6, 75);
  Batcher batcher(model_, Batcher::Options{4, 0, 32, 16, 0, kInferenceKvType, true}, threads_);
  batcher.add(scored(prompt));
  run(batcher);
  prompt.resize(60);
  for (const int32_t last : {3, 4, 5}) {
    prompt.push_back(last);
    const uint64_t before = batcher.state().prompt_tokens;
    const uint64_t id = batcher.add(scored(prompt));
    const Answer answer = run(batcher)[{id, 0}];
    EXPECT_LE(batcher.state().prompt_tokens - before, 4u);
    const Answer alone = run_alone(scored(prompt));
    EXPECT_EQ(answer.prompt, alone.prompt);
    EXPECT_EQ(answer.logprobs, alone.logprobs);
    EXPECT_EQ(answer.prompt.size(), prompt.size());
  }
}

TEST_F(BatcherTest, ScoresWithoutAnAnswer) {
  BatchRequest r = request(random_prompt(6, 20), 0);
  r.prompt_logprobs = true;
  const Answer answer = run_alone(r);
  EXPECT_TRUE(answer.ended);
  EXPECT_TRUE(answer.tokens.empty());
  EXPECT_EQ(answer.prompt.size(), 20u);
  EXPECT_LT(answer.prompt[19].logprob, 0);
}

TEST_F(BatcherTest, CancelledRequestsLeaveNothing) {
  Batcher batcher(model_, Batcher::Options{2, 0, 16, 16, 0, kInferenceKvType, true}, threads_);
  std::vector<uint64_t> ids;
  for (uint64_t i = 0; i < 5; ++i) ids.push_back(batcher.add(request(random_prompt(i, 30), 60, i)));
  for (int i = 0; i < 4; ++i) batcher.step([](const BatchEvent&) {});
  for (const size_t i : {0, 1, 3, 4}) batcher.cancel(ids[i]);
  EXPECT_EQ(batcher.state().used_pages, 0u);
  const auto answers = run(batcher);
  EXPECT_EQ(answers.size(), 1u);
  EXPECT_EQ(answers.begin()->first.first, ids[2]);
  batcher.cancel(ids[2]);
  batcher.cancel(12345);
  EXPECT_EQ(batcher.state().used_pages, 0u);
}

// While a long prompt is read, an answer goes on in every pass, and a short prompt's begins within a few.
TEST_F(BatcherTest, LongPromptsLetOthersGoOn) {
  Batcher batcher(model_, Batcher::Options{4, 0, 8, 16, 0, kInferenceKvType, true}, threads_);
  const uint64_t first = batcher.add(request(random_prompt(1, 4), 40, 3));
  batcher.step([](const BatchEvent&) {});
  const uint64_t longest = batcher.add(request(random_prompt(2, 90), 2, 3));
  const uint64_t shorter = batcher.add(request(random_prompt(3, 4), 2, 3));
  size_t passes = 0, shorter_began = 0, longest_began = 0;
  while (longest_began == 0) {
    ++passes;
    size_t of_first = 0;
    ASSERT_TRUE(batcher.step([&](const BatchEvent& event) {
      if (event.kind != BatchEvent::Kind::kToken) return;
      of_first += event.request == first;
      if (event.request == shorter && shorter_began == 0) shorter_began = passes;
      if (event.request == longest) longest_began = passes;
    }));
    EXPECT_EQ(of_first, 1u);
  }
  EXPECT_LE(shorter_began, 2u);
  EXPECT_GE(longest_began, 10u);
}

// Prompts that end in a pass have it for themselves, and long ones a little of every second one.
TEST_F(BatcherTest, LongPromptsWaitForShortOnesButNotForever) {
  constexpr size_t kPiece = 16, kLittle = kPiece / 4, kShort = 3;
  Batcher batcher(model_, Batcher::Options{4, 0, kPiece, 16, 0, kInferenceKvType, false}, threads_);
  const auto read_in_a_pass = [&] {
    const uint64_t before = batcher.state().prompt_tokens;
    EXPECT_TRUE(batcher.step([](const BatchEvent&) {}));
    return batcher.state().prompt_tokens - before;
  };
  batcher.add(request(random_prompt(2, 90), 1, 3));
  EXPECT_EQ(read_in_a_pass(), 2 * kPiece);
  for (int seed = 3; seed < 7; ++seed) {
    batcher.add(request(random_prompt(seed, kShort), 1, 3));
    EXPECT_EQ(read_in_a_pass(), seed % 2 == 1 ? kShort : kShort + kLittle);
  }
  EXPECT_EQ(read_in_a_pass(), 2 * kPiece);
}

TEST_F(BatcherTest, EndsAtAStopTokenTheLengthAndTheContext) {
  BatchRequest r = request(random_prompt(8, 10), 500, 3);
  const Answer full = run_alone(r);
  EXPECT_EQ(full.end, BatchEnd::kContext);
  EXPECT_EQ(full.tokens.size(), 96u - 10 + 1);
  r.max_tokens = 4;
  EXPECT_EQ(run_alone(r).end, BatchEnd::kLength);
  r.stop_tokens = {full.tokens[2]};
  const Answer stopped = run_alone(r);
  EXPECT_EQ(stopped.end, BatchEnd::kStopToken);
  EXPECT_EQ(stopped.tokens.back(), full.tokens[2]);
}

TEST_F(BatcherTest, RefusesWhatItCannotHold) {
  Batcher batcher(model_, Batcher::Options{2, 0, 16, 16, 3, kInferenceKvType, true}, threads_);
  test::expect_error([&] { batcher.add(request({}, 1)); }, "the prompt has no tokens");
  test::expect_error([&] { batcher.add(request(random_prompt(1, 97), 1)); }, "the context holds 96");
  test::expect_error([&] { batcher.add(request(random_prompt(1, 40), 30)); },
                     "5 pages of keys and values, there are 3");
  test::expect_error([&] { batcher.add(request({300}, 1)); }, "token 300");
}

}  // namespace
}  // namespace tern
