// Definitions of tasks, what scores amount to, and the tasks' real data.
#include "eval/tasks.h"

#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <cstdio>
#include <map>
#include <nlohmann/json.hpp>
#include <sstream>

#include "base/file.h"
#include "base/rng.h"
#include "eval/task_result.h"
#include "support/errors.h"
#include "support/models.h"
#include "support/paths.h"
#include "support/sanitized.h"
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

struct RealTask {
  const char* name;
  size_t questions;  // as many as its publisher says
};

// What a command prints; nothing where it is not there.
std::string output_of(const std::string& command) {
  std::string text;
  std::FILE* pipe = popen((command + " 2> /dev/null").c_str(), "r");
  if (pipe == nullptr) return text;
  std::array<char, 65536> part{};
  for (size_t n = part.size(); n == part.size();) {
    n = std::fread(part.data(), 1, part.size(), pipe);
    text.append(part.data(), n);
  }
  pclose(pipe);
  return text;
}

// The real data under TERN_DATA. Some lie there in other forms: they are brought into their publishers'.
class RealTasks : public testing::TestWithParam<RealTask> {
 protected:
  void SetUp() override {
    if (!std::filesystem::exists(data_path("eval"))) GTEST_SKIP() << data_path("eval") << " is not there (TERN_DATA)";
    const std::string name = GetParam().name;
    task_ = find_task(name);
    data_folder_ = data_path("eval");
    if (name == "winogrande") adapt("winogrande/dev.jsonl", read_file(data_path("eval/winogrande/dev.noqid.jsonl")));
    if (name == "boolq") adapt("boolq/val.jsonl", boolq_lines());
    if (name != "hellaswag") return;
    if (kSanitized) GTEST_SKIP() << "ten thousand questions, under sanitizers";
    const std::string packed = data_path("eval/hellaswag/hellaswag_val_full.txt.bz2");
    const std::string text = output_of("bzip2 -dc '" + packed + "'");
    if (text.empty()) GTEST_SKIP() << "bzip2 does not unpack " << packed;
    adapt("hellaswag/hellaswag_val.jsonl", hellaswag_lines(text));
  }

  TaskData read() const { return read_questions(task_, data_folder_); }

  // As many questions of each right answer, so that a model which always takes the same one is right by chance.
  TaskData read_balanced(size_t most) const {
    TaskData data = read();
    std::map<size_t, size_t> taken;
    const size_t answers = data.questions.front().choices.size();
    std::erase_if(data.questions, [&](const Question& question) {
      return question.choices.size() != answers || ++taken[question.answer] > most / answers;
    });
    return data;
  }

  TaskDefinition task_;

 private:
  static std::vector<std::string> lines_of(const std::string& text) {
    std::vector<std::string> lines;
    std::istringstream stream(text);
    for (std::string line; std::getline(stream, line);) lines.push_back(line);
    return lines;
  }

  static std::string boolq_lines() {
    std::string lines;
    for (const std::string& line : lines_of(read_file(data_path("eval/boolq/boolq.foundry.jsonl")))) {
      const auto row = nlohmann::json::parse(line);
      const std::string query = row["query"];
      const size_t middle = query.rfind("\nQuestion: ");
      const std::string question = query.substr(middle + 11);
      lines += nlohmann::json({{"passage", query.substr(9, middle - 9)},
                               {"question", question.substr(0, question.size() - 1)},
                               {"label", row["gold"] == 1}})
                   .dump() +
               "\n";
    }
    return lines;
  }

  // Six lines a question: "activity: context", the right one's number, four endings.
  static std::string hellaswag_lines(const std::string& text) {
    std::string lines;
    const std::vector<std::string> rows = lines_of(text);
    for (size_t at = 0; at + 6 <= rows.size(); at += 6) {
      const size_t colon = rows[at].find(": "), space = rows[at].rfind(' ');
      lines += nlohmann::json({{"activity_label", rows[at].substr(0, colon)},
                               {"ctx_a", rows[at].substr(colon + 2, space - colon - 2)},
                               {"ctx_b", rows[at].substr(space + 1)},
                               {"label", std::stoi(rows[at + 1])},
                               {"endings", std::vector<std::string>(rows.begin() + static_cast<ptrdiff_t>(at) + 2,
                                                                    rows.begin() + static_cast<ptrdiff_t>(at) + 6)}})
                   .dump() +
               "\n";
    }
    return lines;
  }

  void adapt(const std::filesystem::path& file, const std::string& lines) {
    const std::filesystem::path path = folder_.path() / file;
    make_directories(path.parent_path());
    write_file(path, lines);
    data_folder_ = folder_.path();
  }

  TemporaryDirectory folder_;
  std::filesystem::path data_folder_;
};

INSTANTIATE_TEST_SUITE_P(All, RealTasks,
                         testing::Values(RealTask{"arc_easy", 2376}, RealTask{"arc_challenge", 1172},
                                         RealTask{"hellaswag", 10042}, RealTask{"openbookqa", 500},
                                         RealTask{"boolq", 3270}, RealTask{"piqa", 1838}, RealTask{"winogrande", 1267},
                                         RealTask{"lambada_openai", 5153}),
                         [](const auto& test) { return std::string(test.param.name); });

TEST_P(RealTasks, HaveAsManyQuestionsAsTheirPublishersSay) { EXPECT_EQ(read().questions.size(), GetParam().questions); }

// How often a guesser is right, and the variance of that.
struct Chance {
  double mean = 0, variance = 0;
};
Chance chance_of(const TaskDefinition& task, const TaskData& data) {
  Chance chance;
  const auto n = static_cast<double>(data.questions.size());
  for (const Question& question : data.questions) {
    const double right = task.is_choice() ? 1 / static_cast<double>(question.choices.size()) : 0;
    chance.mean += right / n;
    chance.variance += right * (1 - right) / n / n;
  }
  return chance;
}

// Scores by a rule; what knows the answers is always right, what guesses is right by chance.
TEST_P(RealTasks, AnOracleIsAlwaysRightAndAGuesserByChance) {
  Rng rng(11);
  const TaskData data = read();
  std::vector<std::vector<ChoiceScore>> known, guessed;
  for (const Question& question : data.questions) {
    known.emplace_back();
    guessed.emplace_back();
    for (size_t i = 0; i < question.choices.size(); ++i) {
      known.back().push_back({i == question.answer ? 0 : -1e6, i == question.answer});
      guessed.back().push_back({-rng.uniform(), false});
    }
  }
  for (const Metric& metric : task_result(task_, data, known).metrics) EXPECT_EQ(metric.value, 1.0) << metric.name;
  const Chance chance = chance_of(task_, data);
  EXPECT_NEAR(task_result(task_, data, guessed).metrics[0].value, chance.mean, 3 * std::sqrt(chance.variance));
}

// A model of random weights knows nothing of the answers; of single words it never says the right one.
TEST_P(RealTasks, ARandomModelGuesses) {
  Threads threads(1);
  ModelConfig config = small_configs().front().config;
  config.vocab = 257;
  config.context = 512;
  const Model model = test_model(config, 3, threads);
  constexpr size_t kQuestions = 60;
  const TaskData data = read_balanced(kQuestions);
  EXPECT_EQ(data.questions.size(), kQuestions);
  const auto scores = ChoiceScorer(model, threads).score(encode_questions(Tokenizer(byte_vocabulary()), data));
  const Chance chance = chance_of(task_, data);
  EXPECT_NEAR(task_result(task_, data, scores).metrics[0].value, chance.mean, 3 * std::sqrt(chance.variance));
}

}  // namespace
}  // namespace tern::test
