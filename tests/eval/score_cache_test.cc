// Scores that a file keeps: found again bit for bit, never another model's, and what a kill leaves.
#include "eval/score_cache.h"

#include <gtest/gtest.h>

#include "base/file.h"
#include "model/random_model.h"
#include "small_model.h"
#include "support/errors.h"
#include "support/numbers.h"
#include "support/temporary_directory.h"

namespace tern::test {
namespace {

constexpr ChoiceScore kFirst{-1.25e-3, true, 0};
constexpr ChoiceScore kSecond{-123.456789, false, 0};

class ScoreFile : public testing::Test {
 protected:
  ScoreFile() : path_(folder_ / "scores") {
    ScoreCache cache(path_, 7);
    cache.add(1, kFirst);
    cache.add(~uint64_t{0}, kSecond);
    cache.flush();
    cache.add(3, kFirst);  // never written
    whole_ = read_file(path_);
  }
  TemporaryDirectory folder_;
  std::filesystem::path path_;
  std::string whole_;
};

TEST_F(ScoreFile, KeepsWhatWasFlushed) {
  const ScoreCache cache(path_, 7);
  EXPECT_EQ(cache.find(1), kFirst);
  EXPECT_EQ(cache.find(~uint64_t{0}), kSecond);
  EXPECT_EQ(cache.find(3), std::nullopt);
}

TEST_F(ScoreFile, AnotherModelFindsNothingAndLosesNothing) {
  {
    ScoreCache cache(path_, 8);
    EXPECT_EQ(cache.find(1), std::nullopt);
    cache.add(1, kSecond);
    cache.flush();
  }
  EXPECT_EQ(ScoreCache(path_, 7).find(1), kFirst);
  EXPECT_EQ(ScoreCache(path_, 8).find(1), kSecond);
}

TEST_F(ScoreFile, CutAnywhereItKeepsItsWholeLines) {
  const size_t header = whole_.find('\n') + 1;
  const size_t record = (whole_.size() - header) / 2;
  for (size_t size = 0; size <= whole_.size(); ++size) {
    write_file(path_, whole_.substr(0, size));
    {
      ScoreCache cache(path_, 7);
      EXPECT_EQ(cache.find(1).has_value(), size >= header + record) << size;
      EXPECT_EQ(cache.find(~uint64_t{0}).has_value(), size == whole_.size()) << size;
      cache.add(5, kFirst);
      cache.flush();
    }
    EXPECT_EQ(ScoreCache(path_, 7).find(5), kFirst) << size;
  }
}

TEST_F(ScoreFile, ADamagedLineIsNamed) {
  const size_t header = whole_.find('\n') + 1;
  for (const size_t at : {header, header + 20, header + 45, header + 51, header + 55}) {
    std::string damaged = whole_;
    damaged[at] = damaged[at] == '0' ? '1' : '0';
    write_file(path_, damaged);
    expect_error([&] { ScoreCache(path_, 7); }, "scores: line 2: expected a record of scores, it is damaged");
  }
  write_file(path_, whole_ + "abc\n");
  expect_error([&] { ScoreCache(path_, 7); }, "scores: line 4: expected a record of 62 bytes, it has 4");
}

TEST_F(ScoreFile, OtherFilesAreLeftAlone) {
  write_file(path_, "my notes");
  expect_error([&] { ScoreCache(path_, 7); }, "scores: expected a file of evaluation scores, it is something else");
  EXPECT_EQ(read_file(path_), "my notes");
  expect_error([&] { ScoreCache(folder_.path(), 7); }, "cannot open for writing");
  std::filesystem::remove(path_);
  const ScoreCache cache(path_, 7);
  expect_error([&] { ScoreCache(path_, 7); }, "scores: cannot lock it: another process uses it");
}

TEST(ScoringHash, IsTheModels) {
  Threads one(1), two(2);
  for (const WeightKind kind : {WeightKind::kTernary, WeightKind::kFull}) {
    ModelConfig config = small_config(33);
    config.weights = kind;
    const uint64_t hash = scoring_hash(random_model(config, 1, one), KvType::kF32, one);
    EXPECT_EQ(scoring_hash(random_model(config, 1, two), KvType::kF32, two), hash);
    EXPECT_NE(scoring_hash(random_model(config, 2, one), KvType::kF32, one), hash);
    EXPECT_NE(scoring_hash(random_model(config, 1, one), KvType::kInt8, one), hash);
    Model model = random_model(config, 1, one);
    model.weights.output_norm.data()[3] += 1e-6F;
    EXPECT_NE(scoring_hash(model, KvType::kF32, one), hash);
    config.rope_theta *= 2;
    EXPECT_NE(scoring_hash(random_model(config, 1, one), KvType::kF32, one), hash);
  }
}

// An evaluation that was interrupted after its first questions computes only the others.
TEST(ScoreCache, AnInterruptedEvaluationGoesOn) {
  const TemporaryDirectory folder;
  Threads threads(1);
  const ModelConfig config = small_config(33);
  const Model model = random_model(config, 1, threads);
  std::vector<std::vector<ChoiceTokens>> questions;
  for (size_t q = 0; q < 6; ++q) {
    const std::vector<int32_t> context = random_tokens(60 + q, config.vocab, q + 1);
    questions.push_back({{context, random_tokens(3, config.vocab, 50 + q)}, {context, {static_cast<int32_t>(q)}}});
  }
  const auto expected = ChoiceScorer(model, threads).score(questions);
  const uint64_t hash = scoring_hash(model, KvType::kF32, threads);
  struct Run {
    size_t questions, cached_choices;
  };
  for (const Run run : {Run{2, 0}, Run{6, 4}, Run{6, 12}}) {
    ScoreCache cache(folder / "scores", hash);
    ChoiceScorer scorer(model, threads);
    scorer.use(cache);
    const auto scores = scorer.score(std::span(questions).first(run.questions));
    EXPECT_TRUE(std::equal(scores.begin(), scores.end(), expected.begin()));  // bit for bit, what was cut too
    EXPECT_EQ(scorer.cached_choices(), run.cached_choices);
    EXPECT_EQ(scorer.tokens_read() == 0, run.cached_choices == 12);
  }
  EXPECT_GT(expected[5][0].cut, 0u);
}

}  // namespace
}  // namespace tern::test
