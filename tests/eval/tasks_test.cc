// Definitions of tasks, what scores amount to, and the tasks' real data.
#include "eval/tasks.h"

#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <map>
#include <nlohmann/json.hpp>

#include "base/file.h"
#include "base/rng.h"
#include "eval/task_result.h"
#include "support/errors.h"
#include "support/models.h"
#include "support/paths.h"
#include "support/temporary_directory.h"
#include "tokenizer/basic_vocabularies.h"

namespace tern::test {
namespace {

TEST(TaskDefinitions, TheBuiltInOnesAreFoundByTheirNames) {
  const std::vector<TaskDefinition> tasks = builtin_tasks();
  EXPECT_EQ(tasks.size(), 11u);
  for (const TaskDefinition& task : tasks) EXPECT_EQ(find_task(task.name), task);
  EXPECT_EQ(find_task("siqa"), find_task("social_iqa"));
  EXPECT_FALSE(find_task("lambada_openai").is_choice());
  expect_error([] { find_task("mmlu"); }, "unknown task 'mmlu', expected arc_easy, arc_challenge, hellaswag,");
}

TEST(TaskDefinitions, AJsonFileDefinesANewOne) {
  const TemporaryDirectory folder;
  write_file(folder / "letters.json", R"({"task": "letters", "files": ["a.jsonl", "data.csv"], "delimiter": "",
      "context": "{{q}} =", "choices": ["{{a}}", "{{b}}"], "labels": ["x", "y"], "answer": "{{gold | lower}}"})");
  write_file(folder / "data.csv", "q,a,b,gold\n1,one,eins,Y\n");
  const TaskDefinition task = find_task((folder / "letters.json").string());
  EXPECT_EQ(task.name, "letters");
  const TaskData data = read_questions(task, folder.path());
  ASSERT_EQ(data.questions.size(), 1u);
  EXPECT_EQ(data.questions[0].answer, 1u);
  EXPECT_EQ(data.questions[0].choices[1], (ChoiceText{"1 =", "eins", 4}));
}

TEST(TaskDefinitions, WhatIsNoneSaysWhatIsWrong) {
  const auto expect = [](const std::string& json, const std::string& part) {
    expect_error([&] { parse_task(json, "t.json"); }, "t.json" + part);
  };
  const std::string begin = R"({"task": "t", "files": "f.csv", "context": "c", )";
  expect("{", ": not valid JSON");
  expect("[]", ": expected an object, it is an array");
  expect(R"({"files": "f"})", ": expected the field 'task', it is missing");
  expect(R"({"task": "t", "context": "", "choices": ["a", "b"], "answer": "0"})",
         ".files: expected at least one place");
  expect(R"({"task": "t", "files": "f", "choices": ["a", "b"], "answer": "0"})", ": expected the field 'context'");
  expect(begin + R"("choices": ["a"], "answer": "0"})", ".choices: expected at least two, there is one");
  expect(begin + R"("choices": ["a", "b"]})", ": expected the field 'answer'");
  expect(begin + R"("choices": ["a", "b"], "labels": ["x"], "answer": "0"})",
         ".labels: expected one for each of 2 choices, there are 1");
  expect(begin + R"("each": "e", "choices": ["a", "b"], "answer": "0"})",
         ".choices: with 'each' expected one template");
  expect(begin + R"("each": "e", "choices": "a", "labels": ["a", "b"], "answer": "0"})",
         ".labels: with 'each' expected at most one");
  expect(begin + R"("choices": ["{{a", "b"], "answer": "0"})", ".choices: line 1: expected");
  expect(begin + R"("choices": ["a", 3], "answer": "0"})", ".choices[1]: expected a text, it is 3");
  expect(begin + R"("colour": "red"})", ": unknown key 'colour'");
  expect(begin + R"("clean": "all", "continuation": "a"})", ".clean: unknown 'all', expected wikihow");
  expect(begin + "\"delimiter\": \"\"}", ": expected the field 'continuation'");
}

TaskData data_of(std::vector<Question> questions) {
  const size_t rows = questions.size();
  return {"file", rows, 0, std::move(questions)};
}

Question question_of(std::initializer_list<size_t> lengths, size_t answer) {
  Question question{1, {}, answer};
  for (size_t length : lengths) question.choices.push_back({"", "", length});
  return question;
}

TEST(TaskResults, AccuracyAndItsStandardErrorByTheirDefinitions) {
  const TaskDefinition task = find_task("arc_easy");
  const TaskData data =
      data_of({question_of({1, 10}, 1), question_of({2, 2}, 0), question_of({2, 2}, 1), question_of({0, 2}, 0)});
  // -10/10 beats -2/1; equal ones: the first; nothing at all is never the best a character.
  const std::vector<std::vector<ChoiceScore>> scores{
      {{-2, false}, {-10, false}}, {{-3, true}, {-3, true}}, {{-3, true, 5}, {-3, true, 0}}, {{-1, true}, {-9, true}}};
  const TaskResult result = task_result(task, data, scores);
  ASSERT_EQ(result.metrics.size(), 2u);
  EXPECT_EQ(result.metrics[0].name, "acc");
  EXPECT_DOUBLE_EQ(result.metrics[0].value, 0.5);
  EXPECT_DOUBLE_EQ(*result.metrics[0].standard_error, std::sqrt(1.0 / 3 / 4));
  EXPECT_EQ(result.metrics[1].name, "acc_norm");
  EXPECT_DOUBLE_EQ(result.metrics[1].value, 0.5);
  EXPECT_EQ(best_choice(data.questions[0], scores[0], true), 1u);
  EXPECT_EQ(best_choice(data.questions[3], scores[3], true), 1u);
  EXPECT_EQ(result.cut_choices, 1u);
  const TaskResult one = task_result(task, data_of({data.questions[0]}), std::span(scores).first(1));
  EXPECT_FALSE(one.metrics[0].standard_error.has_value());
}

TEST(TaskResults, ASingleContinuationHasAPerplexity) {
  const TaskData data = data_of({question_of({0}, 0), question_of({0}, 0)});
  const std::vector<std::vector<ChoiceScore>> scores{{{-1, true}}, {{-3, false}}};
  const TaskResult result = task_result(find_task("lambada_openai"), data, scores);
  ASSERT_EQ(result.metrics.size(), 2u);
  EXPECT_DOUBLE_EQ(result.metrics[0].value, 0.5);
  EXPECT_EQ(result.metrics[1].name, "perplexity");
  EXPECT_DOUBLE_EQ(result.metrics[1].value, std::exp(2.0));
  EXPECT_DOUBLE_EQ(*result.metrics[1].standard_error, std::exp(2.0));  // sd sqrt(2), divided by sqrt(2)
  EXPECT_FALSE(result.metrics[1].higher_is_better);
}

// The real data under TERN_DATA. HellaSwag and BoolQ lie there in other forms: they are brought into their publishers'.
class RealTasks : public testing::Test {
 protected:
  void SetUp() override {
    if (!std::filesystem::exists(data_path("eval"))) GTEST_SKIP() << data_path("eval") << " is not there (TERN_DATA)";
    make_directories(folder_ / "winogrande");
    std::filesystem::copy_file(data_path("eval/winogrande/dev.noqid.jsonl"), folder_ / "winogrande/dev.jsonl");
    make_directories(folder_ / "boolq");
    std::string lines;
    std::string_view rest;
    const std::string text = read_file(data_path("eval/boolq/boolq.foundry.jsonl"));
    for (rest = text; !rest.empty(); rest.remove_prefix(std::min(rest.size(), rest.find('\n') + 1))) {
      const auto row = nlohmann::json::parse(rest.substr(0, rest.find('\n')));
      const std::string query = row["query"];
      const size_t middle = query.rfind("\nQuestion: ");
      ASSERT_NE(middle, std::string::npos);
      const std::string question = query.substr(middle + 11);
      lines += nlohmann::json({{"passage", query.substr(9, middle - 9)},
                               {"question", question.substr(0, question.size() - 1)},
                               {"label", row["gold"] == 1}})
                   .dump() +
               "\n";
    }
    write_file(folder_ / "boolq/val.jsonl", lines);
  }

  TaskData read(const TaskDefinition& task) const {
    const bool is_adapted = task.name == "winogrande" || task.name == "boolq";
    return read_questions(task, is_adapted ? folder_.path() : data_path("eval"));
  }

  TemporaryDirectory folder_;
};

constexpr std::array kRealTasks = {"arc_easy", "arc_challenge", "openbookqa", "boolq", "piqa", "winogrande"};

TEST_F(RealTasks, HaveAsManyQuestionsAsTheirPublishersSay) {
  const std::map<std::string, size_t> counts{{"arc_easy", 2376},      {"arc_challenge", 1172}, {"openbookqa", 500},
                                             {"boolq", 3270},         {"piqa", 1838},          {"winogrande", 1267},
                                             {"lambada_openai", 5153}};
  for (const auto& [name, count] : counts) EXPECT_EQ(read(find_task(name)).questions.size(), count) << name;
}

// Scores by a rule; what knows the answers is always right, what guesses is right by chance.
TEST_F(RealTasks, AnOracleIsAlwaysRightAndAGuesserByChance) {
  Rng rng(11);
  for (const char* name : kRealTasks) {
    SCOPED_TRACE(name);
    const TaskDefinition task = find_task(name);
    const TaskData data = read(task);
    std::vector<std::vector<ChoiceScore>> known, guessed;
    double chance = 0, variance = 0;
    for (const Question& question : data.questions) {
      const auto k = static_cast<double>(question.choices.size());
      chance += 1 / k;
      variance += 1 / k * (1 - 1 / k);
      known.emplace_back();
      guessed.emplace_back();
      for (size_t i = 0; i < question.choices.size(); ++i) {
        known.back().push_back({i == question.answer ? -1e-3 : -1e6, false});
        guessed.back().push_back({-rng.uniform(), false});
      }
    }
    const auto n = static_cast<double>(data.questions.size());
    for (const Metric& metric : task_result(task, data, known).metrics) EXPECT_EQ(metric.value, 1.0) << metric.name;
    EXPECT_NEAR(task_result(task, data, guessed).metrics[0].value, chance / n, 3 * std::sqrt(variance) / n);
  }
}

// A model of random weights knows nothing of the answers, though it has its habits (of "no" and "yes" it always takes
// the same, of choices the short ones): it is as often right as its choices, dealt out to the questions at random.
TEST_F(RealTasks, ARandomModelGuesses) {
  Threads threads(1);
  ModelConfig config = small_configs().front().config;
  config.vocab = 257;
  config.context = 512;
  const Model model = test_model(config, 3, threads);
  const Tokenizer tokenizer(byte_vocabulary());
  constexpr size_t kQuestions = 60;
  for (const char* name : kRealTasks) {
    SCOPED_TRACE(name);
    const TaskDefinition task = find_task(name);
    TaskData data = read(task);
    data.questions.resize(kQuestions);
    const auto scores = ChoiceScorer(model, threads).score(encode_questions(tokenizer, data));
    std::array<double, 8> answers{}, taken{};
    for (size_t q = 0; q < kQuestions; ++q) {
      answers[data.questions[q].answer] += 1.0 / kQuestions;
      taken[best_choice(data.questions[q], scores[q], false)] += 1.0 / kQuestions;
    }
    double chance = 0;
    for (size_t k = 0; k < answers.size(); ++k) chance += answers[k] * taken[k];
    const double error = std::sqrt(chance * (1 - chance) / kQuestions);
    EXPECT_NEAR(task_result(task, data, scores).metrics[0].value, chance, 3 * error);
  }
  TaskData words = read(find_task("lambada_openai"));
  words.questions.resize(kQuestions);
  const auto scores = ChoiceScorer(model, threads).score(encode_questions(tokenizer, words));
  EXPECT_EQ(task_result(find_task("lambada_openai"), words, scores).metrics[0].value, 0);
}

}  // namespace
}  // namespace tern::test
