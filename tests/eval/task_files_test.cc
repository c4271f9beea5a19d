// Definitions of tasks in YAML, and in lm-evaluation-harness's terms.
#include <gtest/gtest.h>

#include "base/file.h"
#include "base/rng.h"
#include "eval/task_data.h"
#include "eval/task_yaml.h"
#include "support/errors.h"
#include "support/temporary_directory.h"

namespace tern::test {
namespace {

constexpr const char* kYaml = R"(# The same as in JSON.
task: letters
files: [a.jsonl, data.csv]
context: "{{q}}\nis"
choices:
  - "{{a}}"
  - |
    no {{b}}
labels: ['0', "1"]
answer: "{{gold}}"
acc_norm: false
fewshot:
  count: 3
  sampler: first_n
)";

constexpr const char* kJson = R"({"task": "letters", "files": ["a.jsonl", "data.csv"], "context": "{{q}}\nis",
  "choices": ["{{a}}", "no {{b}}\n"], "labels": ["0", "1"], "answer": "{{gold}}", "acc_norm": false,
  "fewshot": {"count": 3, "sampler": "first_n"}})";

TEST(YamlTasks, AreTheSameAsJson) {
  const TemporaryDirectory folder;
  write_file(folder / "a.yaml", kYaml);
  write_file(folder / "b.yml", kYaml);
  write_file(folder / "c.json", kJson);
  const TaskDefinition task = find_task((folder / "c.json").string());
  EXPECT_EQ(find_task((folder / "a.yaml").string()), task);
  EXPECT_EQ(find_task((folder / "b.yml").string()), task);
  EXPECT_EQ(task.shots.count, 3u);
}

TEST(YamlTasks, PlainScalarsAreWhatJsonWouldSay) {
  EXPECT_EQ(json_of_yaml("a: 1\nb: -2.5\nc: true\nd: null\ne: ~\nf: yes\ng: '1'\nh: 01\ni:\nj: !!str 5\n", "x"),
            R"({"a":1,"b":-2.5,"c":true,"d":null,"e":null,"f":"yes","g":"1","h":"01","i":null,"j":"5"})");
  EXPECT_EQ(json_of_yaml("- &x [1]\n- *x\n- {}\n", "x"), "[[1],[1],{}]");
}

TEST(YamlTasks, DamagedOnesSayTheLine) {
  const auto expect = [](const std::string& text, const std::string& part) {
    expect_error([&] { json_of_yaml(text, "t.yaml"); }, "t.yaml: " + part);
  };
  expect("task: a\nfiles: [b\ncontext: c\n", "line 3: not valid YAML: ");
  expect("task: 'a\nfiles: 'b'\n", "line 2: not valid YAML: ");
  expect("a: b: c\n", "line 1: not valid YAML: ");
  expect("a: 1\nb: 2\na: 3\n", "line 3: the key 'a' is there twice");
  expect("? [a]\n: 1\n", "line 1: expected a name as key");
  expect("a: 1\nb: !function utils.f\n", "line 2: the tag '!function', expected none");
  expect("a: *b\n", "line 1: not valid YAML: ");
  expect("a: &x [*x]\n", "line 1: ");
  expect("a: \xFF\n", "expected UTF-8");
  std::string wide = "a0: &a0 [1, 1, 1, 1, 1, 1, 1, 1, 1, 1]\n";
  for (int i = 1; i < 9; ++i) {
    const std::string before = "*a" + std::to_string(i - 1);
    wide += "a" + std::to_string(i) + ": &a" + std::to_string(i) + " [" + before;
    for (int k = 0; k < 9; ++k) wide += ", " + before;
    wide += "]\n";
  }
  expect(wide, "expected at most 100000 values");
  expect(std::string(40, '[') + std::string(40, ']'), "line 1: expected at most 32 levels");
}

TEST(YamlTasks, CutOrChangedAnywhereTheyAreAnErrorOrATask) {
  const std::string good = kYaml;
  // Found by fuzzing: the library takes it for UTF-16.
  constexpr std::string_view kWide("\r\0\0\0\0)\0\0.#,:null,\":r\0", 21);
  expect_error([&] { json_of_yaml(kWide, "t.yaml"); }, "expected UTF-8, the text has other bytes");
  const auto convert = [](const std::string& text) {
    try {
      json_of_yaml(text, "t.yaml");
    } catch (const Error&) {}
  };
  for (size_t size = 0; size < good.size(); ++size) convert(good.substr(0, size));
  Rng rng(5);
  constexpr std::string_view kMarks = "-:?#&*!|>'\"%@`,[]{}~\n\t \\<";
  for (int i = 0; i < 2000; ++i) {
    std::string text = good;
    for (int k = 0; k < 3; ++k) text[rng.below(text.size())] = kMarks[rng.below(kMarks.size())];
    convert(text);
  }
}

TEST(YamlTasks, ErrorsOfTheDefinitionNameTheFile) {
  const TemporaryDirectory folder;
  write_file(folder / "bad.yaml", "task: a\nfiles: b\ncontext: c\ncolour: red\n");
  expect_error([&] { find_task((folder / "bad.yaml").string()); }, "bad.yaml: unknown key 'colour'");
  write_file(folder / "one.yaml", "task: a\nfiles: b\ncontext: c\nchoices: [a]\nanswer: '0'\n");
  expect_error([&] { find_task((folder / "one.yaml").string()); }, "one.yaml.choices: expected at least two");
  expect_error([] { parse_task(R"({"task": "a", "version": "new"})", "t"); }, "t.version: expected a number");
}

constexpr const char* kHarness = R"(
tag: mine
task: theirs
dataset_path: json
dataset_name: null
dataset_kwargs:
  data_files: {train: train.jsonl, valid: data.jsonl}
output_type: multiple_choice
training_split: train
validation_split: valid
test_split: null
doc_to_text: "Q: {{question}}\nA:"
doc_to_choice: "{{[first, second]}}"
doc_to_target: label
metric_list:
  - metric: acc
    aggregation: mean
    higher_is_better: true
metadata:
  version: 1.0
)";

class HarnessTasks : public testing::Test {
 protected:
  void SetUp() override {
    const std::string rest = R"(, "first": "one", "second": "two"})";
    write_file(folder_ / "data.jsonl", R"({"question": "q", "list": ["x", "yy"], "label": 1)" + rest);
    write_file(folder_ / "train.jsonl", R"({"question": "t", "list": ["z", "w"], "label": 0)" + rest + "\n" +
                                            R"({"question": "t", "list": ["z", "w"], "label": 0)" + rest);
  }
  Question question(std::string yaml, std::initializer_list<std::pair<const char*, const char*>> changes = {},
                    size_t shots = 0) {
    for (const auto& [from, to] : changes) yaml.replace(yaml.find(from), std::string(from).size(), to);
    write_file(folder_ / "theirs.yaml", yaml);
    return read_questions(find_task((folder_ / "theirs.yaml").string()), folder_.path(), 0, {shots}).questions.at(0);
  }

  TemporaryDirectory folder_;
};

TEST_F(HarnessTasks, SimpleOnesAreUnderstood) {
  const Question q = question(kHarness);
  EXPECT_EQ(q.choices[1], (ChoiceText{"Q: q\nA:", " two", 3}));
  EXPECT_EQ(q.answer, 1u);
  const TaskDefinition task = find_task((folder_ / "theirs.yaml").string());
  EXPECT_EQ(task.name, "theirs");
  EXPECT_EQ(task.version, 1.0);
  EXPECT_FALSE(task.has_norm);
  EXPECT_TRUE(task.shots.excludes_question);
  EXPECT_EQ(question(kHarness, {}, 1).choices[0].context, "Q: t\nA: one\n\nQ: q\nA:");
}

TEST_F(HarnessTasks, FieldsListsNumbersAndTexts) {
  const Question list = question(kHarness, {{"\"{{[first, second]}}\"", "list"},
                                            {"doc_to_target: label", "doc_to_target: \"{{list[1]}}\""},
                                            {"doc_to_text: \"Q: {{question}}\\nA:\"", "doc_to_text: question"}});
  EXPECT_EQ(list.choices[1], (ChoiceText{"q", " yy", 2}));
  const Question fixed = question(kHarness, {{"\"{{[first, second]}}\"", "[\"no\", \"yes\"]"},
                                             {"doc_to_target: label", "doc_to_target: 1\ntarget_delimiter: ''"}});
  EXPECT_EQ(fixed.choices[1], (ChoiceText{"Q: q\nA:", "yes", 3}));
  EXPECT_EQ(fixed.answer, 1u);
}

TEST_F(HarnessTasks, OfASingleContinuation) {
  const Question q = question(kHarness,
                              {{"multiple_choice", "loglikelihood"},
                               {"doc_to_target: label", "doc_to_target: \" {{second}}\""},
                               {"doc_to_choice: \"{{[first, second]}}\"", ""}},
                              1);
  ASSERT_EQ(q.choices.size(), 1u);
  EXPECT_EQ(q.choices[0].continuation, " two");
  EXPECT_EQ(q.choices[0].context, "Q: t\nA:  two\n\nQ: q\nA:");
}

TEST_F(HarnessTasks, WhatTheyCannotSayIsRefused) {
  const auto expect = [&](const char* from, const char* to, const std::string& part) {
    expect_error([&] { question(kHarness, {{from, to}}); }, "theirs.yaml" + part);
  };
  expect("multiple_choice", "generate_until", ".output_type: expected multiple_choice or loglikelihood, it is 'gen");
  expect("tag: mine", "process_docs: !function utils.f", ": line 2: the tag '!function'");
  expect("tag: mine", "use_prompt: x", ": the key 'use_prompt' of lm-evaluation-harness means nothing to tern");
  expect("metric: acc", "metric: f1", ".metric_list: expected acc, acc_norm and perplexity alone, there is 'f1'");
  expect("test_split: null", "test_split: test", ".dataset_kwargs.data_files: expected the field 'test'");
  expect("validation_split: valid", "", ": expected a test_split or a validation_split");
  expect("\"{{[first, second]}}\"", "\"{{a}}, {{b}}\"",
         ".doc_to_choice: expected a list, a field or one {{expression}}");
  expect("test_split: null", "fewshot_config: {samples: x}", ".fewshot_config: expected split and sampler alone");
  expect("task: theirs", "", ": expected the field 'task'");
}

}  // namespace
}  // namespace tern::test
