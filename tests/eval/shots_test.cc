// Examples before a question: which rows, and how they are joined.
#include "eval/shots.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "base/file.h"
#include "eval/task_data.h"
#include "support/errors.h"
#include "support/temporary_directory.h"

namespace tern::test {
namespace {

// The numbers are CPython 3.11's: random.Random(seed).getrandbits(32) and .sample(range(n), count).
TEST(PythonRandom, IsPythons) {
  const auto words = [](uint64_t seed) {
    PythonRandom random(seed);
    std::vector<uint32_t> all{random.next(), random.next(), random.next()};
    for (int i = 0; i < 999; ++i) random.next();
    all.push_back(random.next());
    return all;
  };
  EXPECT_EQ(words(0), (std::vector<uint32_t>{3626764237, 1654615998, 3255389356, 1494123482}));
  EXPECT_EQ(words(1234), (std::vector<uint32_t>{4150886329, 3342196574, 1892932127, 1697475992}));
  EXPECT_EQ(words((uint64_t{1} << 40) + 5), (std::vector<uint32_t>{2166296868, 2220160828, 1153647273, 266003576}));
}

TEST(PythonRandom, SamplesAsPythonDoes) {
  PythonRandom random(1234);
  using Drawn = std::vector<size_t>;
  EXPECT_EQ(random.sample(10, 3), (Drawn{7, 1, 0}));
  EXPECT_EQ(random.sample(22, 2), (Drawn{2, 18}));
  EXPECT_EQ(random.sample(2251, 6), (Drawn{143, 343, 403, 1452, 969, 71}));
  EXPECT_EQ(random.sample(64, 6), (Drawn{3, 50, 1, 22, 41, 39}));
  EXPECT_EQ(random.sample(86, 6), (Drawn{61, 78, 59, 19, 11, 23}));
  EXPECT_EQ(random.sample(5, 5), (Drawn{0, 4, 2, 1, 3}));
  EXPECT_EQ(random.sample(1, 1), Drawn{0});
  EXPECT_EQ(random.sample(100000, 10), (Drawn{87458, 70921, 61066, 8987, 78835, 88490, 11656, 67507, 75891, 6024}));
}

class ShotFiles : public testing::Test {
 protected:
  static std::string row(size_t i) {
    return R"({"q": "q)" + std::to_string(i) + R"(", "a": "a)" + std::to_string(i) + R"(", "gold": )" +
           std::to_string(i % 2) + "}\n";
  }
  void write(const std::string& name, size_t begin, size_t end) {
    std::string lines;
    for (size_t i = begin; i < end; ++i) lines += row(i);
    write_file(folder_ / name, lines);
  }
  static TaskDefinition task(const std::string& shots, const std::string& more = "") {
    return parse_task(R"({"task": "own", "files": "test.jsonl", "context": "{{q}}?", "choices": ["{{a}}", "no {{a}}"],
                          "answer": "{{gold}}", )" +
                          more + R"("fewshot": {)" + shots + "}}",
                      "own.json");
  }
  std::vector<std::string> contexts(const TaskDefinition& definition, const ShotOptions& options, size_t limit = 0) {
    std::vector<std::string> all;
    for (const Question& q : read_questions(definition, folder_.path(), limit, options).questions) {
      EXPECT_EQ(q.choices[0].context, q.choices[1].context);
      all.push_back(q.choices[0].context);
    }
    return all;
  }

  TemporaryDirectory folder_;
};

using Texts = std::vector<std::string>;

TEST_F(ShotFiles, AreDrawnFromTheirOwnFile) {
  write("test.jsonl", 0, 2);
  write("train.jsonl", 10, 20);
  const TaskDefinition own = task(R"("files": "train.jsonl")");
  // random.Random(1234): sample(range(10), 2) is [7, 1], then [0, 1].
  EXPECT_EQ(contexts(own, {2}), (Texts{"q17? no a17\n\nq11? no a11\n\nq0?", "q10? a10\n\nq11? no a11\n\nq1?"}));
  EXPECT_EQ(contexts(own, {2}, 1).size(), 1u);
  EXPECT_NE(contexts(own, {2, 1}), contexts(own, {2, 1234}));
  EXPECT_EQ(contexts(own, {0}), (Texts{"q0?", "q1?"}));
  EXPECT_EQ(contexts(own, {}), (Texts{"q0?", "q1?"}));
  EXPECT_EQ(read_questions(own, folder_.path(), 0, {2}).shots, 2u);
}

TEST_F(ShotFiles, JoinedAsTheTaskSays) {
  write("test.jsonl", 0, 1);
  write("train.jsonl", 10, 12);
  const TaskDefinition own =
      task(R"("files": "train.jsonl", "sampler": "first_n", "count": 2, "target_delimiter": "=", "delimiter": ";")",
           R"("description": "About {{q}}: ", )");
  EXPECT_EQ(contexts(own, {}), Texts{"About q0: q10?=a10;q11?=no a11;q0?"});
  EXPECT_EQ(contexts(own, {0}), Texts{"About q0: q0?"});
  EXPECT_EQ(contexts(own, {1}), Texts{"About q0: q10?=a10;q0?"});
}

TEST_F(ShotFiles, AQuestionIsNotAmongItsOwn) {
  write("test.jsonl", 0, 6);
  for (const char* sampler : {"random", "first_n"}) {
    const TaskDefinition own = task(R"("sampler": ")" + std::string(sampler) + "\"");
    const std::vector<std::string> all = contexts(own, {5});
    for (size_t q = 0; q < all.size(); ++q) {
      for (size_t i = 0; i < 6; ++i) {
        const size_t at = all[q].find("q" + std::to_string(i) + "?");
        ASSERT_NE(at, std::string::npos);
        EXPECT_EQ(at + 3 == all[q].size(), i == q) << all[q];
      }
    }
  }
  // One more than asked for is drawn: sample(range(6), 3) of random.Random(1234).
  EXPECT_EQ(contexts(task(""), {2}, 1), Texts{"q3? no a3\n\nq4? a4\n\nq0?"});
  EXPECT_EQ(contexts(task(R"("excludes_question": false)"), {6}, 1)[0].size(), 6 * 8 + 3 * 3 + 3);
}

TEST_F(ShotFiles, RowsThatAreThereTwiceAreDrawnAnew) {
  write_file(folder_ / "test.jsonl", row(0) + row(0) + row(0) + row(1));
  for (const std::string& context : contexts(task(""), {1}, 3)) EXPECT_EQ(context, "q1? no a1\n\nq0?");
  expect_error([&] { contexts(task(""), {2}); }, "test.jsonl: expected 2 rows that differ from the question");
}

TEST_F(ShotFiles, WhatIsMissingIsSaid) {
  write("test.jsonl", 0, 2);
  const TaskDefinition own = task(R"("files": ["train.jsonl", "a/train.jsonl"])");
  expect_error([&] { contexts(own, {1}); },
               "expected the examples of own there (train.jsonl, a/train.jsonl), there is none");
  EXPECT_EQ(contexts(own, {0}).size(), 2u);
  write("train.jsonl", 0, 2);
  expect_error([&] { contexts(own, {3}); },
               "train.jsonl: expected at least 3 rows to take 3 examples from, there are 2");
  expect_error([&] { contexts(task(""), {2}); }, "test.jsonl: expected at least 3 rows to take 2 examples from");
  write_file(folder_ / "train.jsonl", row(0) + R"({"q": "q", "a": "a", "gold": 7})");
  expect_error([&] { contexts(own, {2}); }, "train.jsonl: line 2: the answer is '7', expected one of the choices");
  expect_error([] { task(R"("sampler": "last")"); }, "own.json.fewshot.sampler: unknown 'last'");
  expect_error([] { task(R"("count": -1)"); }, "own.json.fewshot.count: expected a number from 0 on, it is -1");
  expect_error([] { task(R"("shots": 1)"); }, "own.json.fewshot: unknown key 'shots'");
}

// What the harness's LAMBADA and WinoGrande make of a shot.
TEST_F(ShotFiles, OfTheOddTasks) {
  make_directories(folder_ / "lambada");
  write_file(folder_ / "lambada/lambada_test_openai.jsonl", "{\"text\": \"a b c\"}\n");
  const Question last = read_questions(find_task("lambada_openai"), folder_.path(), 0, {1}).questions.at(0);
  EXPECT_EQ(last.choices[0].context, "a b  c\n\na b");
  EXPECT_EQ(last.choices[0].continuation, " c");
  make_directories(folder_ / "winogrande");
  const std::string sentence = R"({"sentence": "x _ y.", "option1": "A", "option2": "B", "answer": ")";
  write_file(folder_ / "winogrande/dev.jsonl", sentence + "1\"}\n");
  write_file(folder_ / "winogrande/train_xl.jsonl", sentence + "2\"}\n" + sentence + "2\"}\n");
  const Question blank = read_questions(find_task("winogrande"), folder_.path(), 0, {1}).questions.at(0);
  EXPECT_EQ(blank.choices[0].context, "x B y.\n\nx A");
  EXPECT_EQ(blank.choices[1].context, "x B y.\n\nx B");
}

}  // namespace
}  // namespace tern::test
