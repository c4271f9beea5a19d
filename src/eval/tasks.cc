#include "eval/tasks.h"

#include <nlohmann/json.hpp>

#include <array>

#include "base/error.h"
#include "base/file.h"
#include "base/text.h"
#include "template/syntax.h"
#include "tokenizer/json_fields.h"

namespace tern {
namespace {

using nlohmann::json;

// Files by the names of their publishers' archives. Prompts are those of lm-evaluation-harness 0.4.
constexpr std::array kBuiltinTasks = {
    R"({"task": "arc_easy",
        "files": ["arc/ARC-Easy-Test.jsonl", "ARC-Easy/ARC-Easy-Test.jsonl", "ARC-V1-Feb2018-2/ARC-Easy/ARC-Easy-Test.jsonl",
                  "ARC-Easy-Test.jsonl"],
        "context": "Question: {{question.stem}}\nAnswer:",
        "each": "question.choices", "choices": "{{item.text}}", "labels": "{{item.label}}", "answer": "{{answerKey}}"})",
    R"({"task": "arc_challenge",
        "files": ["arc/ARC-Challenge-Test.jsonl", "ARC-Challenge/ARC-Challenge-Test.jsonl",
                  "ARC-V1-Feb2018-2/ARC-Challenge/ARC-Challenge-Test.jsonl", "ARC-Challenge-Test.jsonl"],
        "context": "Question: {{question.stem}}\nAnswer:",
        "each": "question.choices", "choices": "{{item.text}}", "labels": "{{item.label}}", "answer": "{{answerKey}}"})",
    R"({"task": "hellaswag",
        "files": ["hellaswag/hellaswag_val.jsonl", "hellaswag_val.jsonl"],
        "context": "{{activity_label}}: {{ctx_a}} {{ctx_b.capitalize()}}",
        "each": "endings", "choices": "{{item}}", "answer": "{{label}}", "clean": "wikihow"})",
    R"({"task": "boolq",
        "files": ["boolq/val.jsonl", "BoolQ/val.jsonl"],
        "context": "{{passage}}\nQuestion: {{question}}?\nAnswer:",
        "choices": ["no", "yes"], "labels": ["False", "True"], "answer": "{{label}}", "acc_norm": false})",
    R"({"task": "openbookqa",
        "files": ["openbookqa/test.jsonl", "OpenBookQA-V1-Sep2018/Data/Main/test.jsonl"],
        "context": "{{question.stem}}",
        "each": "question.choices", "choices": "{{item.text}}", "labels": "{{item.label}}",
        "answer": "{{answerKey.strip()}}"})",
    R"({"task": "piqa",
        "files": ["piqa/valid.jsonl", "piqa/dev.jsonl", "physicaliqa-train-dev/dev.jsonl"], "answers": "-labels.lst",
        "context": "Question: {{goal}}\nAnswer:", "choices": ["{{sol1}}", "{{sol2}}"], "answer": "{{answer}}"})",
    R"({"task": "winogrande",
        "files": ["winogrande/dev.jsonl", "winogrande_1.1/dev.jsonl"],
        "choices": ["{{option1}}", "{{option2}}"], "labels": ["1", "2"], "answer": "{{answer}}",
        "context": "{{sentence[:sentence.index('_')]}}{{choice}}",
        "continuation": "{{sentence[sentence.index('_') + 1:].strip()}}", "acc_norm": false})",
    R"({"task": "lambada_openai",
        "files": ["lambada/lambada_test_openai.jsonl", "lambada/lambada_test.jsonl", "lambada_test.jsonl"],
        "context": "{{text.split(' ')[:-1] | join(' ')}}", "continuation": "{{text.split(' ')[-1]}}"})",
    R"({"task": "sciq",
        "files": ["sciq/test.json", "SciQ dataset-2 3/test.json"],
        "context": "{{support.lstrip()}}\nQuestion: {{question}}\nAnswer:",
        "choices": ["{{distractor1}}", "{{distractor2}}", "{{distractor3}}", "{{correct_answer}}"], "answer": "3"})",
    R"({"task": "social_iqa",
        "files": ["siqa/dev.jsonl", "socialiqa-train-dev/dev.jsonl"], "answers": "-labels.lst",
        "context": "Q: {{context}} {{question}}\nA:", "choices": ["{{answerA}}", "{{answerB}}", "{{answerC}}"],
        "labels": ["1", "2", "3"], "answer": "{{answer}}", "acc_norm": false})",
};

constexpr std::array kKeys = {"task",   "files",   "answers",      "each",      "choices", "labels",
                              "answer", "context", "continuation", "delimiter", "clean",   "acc_norm"};

std::string text_at(const json& object, const char* key, const std::string& where, const char* otherwise) {
  const json* value = find_field(object, key);
  return value == nullptr ? otherwise : expect_text(*value, where + "." + key);
}

// A template that does parse. Errors of parsing say where it stands, errors of rendering of which task it is.
TextTemplate make_template(std::string source, const std::string& task, const std::string& key,
                           const std::string& where) {
  with_context(where + "." + key, [&] { jinja::parse_template(source, {}); });
  return {std::move(source), task + "." + key};
}

// A text, or a list of texts; none when there is no such field.
std::vector<std::string> texts_at(const json& object, const char* key, const std::string& where) {
  const json* value = find_field(object, key);
  if (value == nullptr) return {};
  if (value->is_string()) return {value->get<std::string>()};
  std::vector<std::string> texts;
  for (const json& item : expect_array(*value, where + "." + key)) {
    texts.push_back(expect_text(item, fmt::format("{}.{}[{}]", where, key, texts.size())));
  }
  return texts;
}

void check_choices(const TaskDefinition& task, const std::string& where) {
  if (!task.each.empty()) {
    if (task.choices.size() != 1) {
      fail("{}.choices: with 'each' expected one template, there are {}", where, task.choices.size());
    }
    if (task.labels.size() > 1) {
      fail("{}.labels: with 'each' expected at most one template, there are {}", where, task.labels.size());
    }
    return;
  }
  if (task.choices.size() == 1) fail("{}.choices: expected at least two, there is one", where);
  if (!task.labels.empty() && task.labels.size() != task.choices.size()) {
    fail("{}.labels: expected one for each of {} choices, there are {}", where, task.choices.size(),
         task.labels.size());
  }
}

TaskDefinition task_from_json(const json& object, const std::string& where) {
  expect_object(object, where);
  for (const auto& entry : object.items()) {
    if (std::find(kKeys.begin(), kKeys.end(), entry.key()) == kKeys.end()) {
      fail("{}: unknown key {}", where, quote(entry.key()));
    }
  }
  TaskDefinition task;
  task.name = expect_text(require(object, "task", where), where + ".task");
  const auto templates = [&](const char* key) {
    std::vector<TextTemplate> all;
    for (std::string& text : texts_at(object, key, where)) {
      all.push_back(make_template(std::move(text), task.name, key, where));
    }
    return all;
  };
  const auto required = [&](const char* key) {
    const std::string& text = expect_text(require(object, key, where), where + "." + key);
    return make_template(text, task.name, key, where);
  };
  task.files = texts_at(object, "files", where);
  if (task.files.empty()) fail("{}.files: expected at least one place to look for the data", where);
  task.answers_suffix = text_at(object, "answers", where, "");
  task.each = text_at(object, "each", where, "");
  task.choices = templates("choices");
  task.labels = templates("labels");
  task.delimiter = text_at(object, "delimiter", where, " ");
  task.has_norm = flag(object, "acc_norm", true, where);
  const std::string cleaning = text_at(object, "clean", where, "");
  if (cleaning == "wikihow") task.cleaning = TextCleaning::kWikiHow;
  if (!cleaning.empty() && cleaning != "wikihow")
    fail("{}.clean: unknown {}, expected wikihow", where, quote(cleaning));
  check_choices(task, where);
  task.context = required("context");
  if (task.is_choice()) task.answer = required("answer");
  const bool says_continuation = !task.is_choice() || find_field(object, "continuation") != nullptr;
  task.continuation =
      says_continuation ? required("continuation") : make_template("{{choice}}", task.name, "continuation", where);
  return task;
}

}  // namespace

TaskDefinition parse_task(std::string_view text, const std::string& where) {
  const json object = with_context(where, [&] { return parse_json(text); });
  return task_from_json(object, where);
}

TaskDefinition read_task(const std::filesystem::path& path) { return parse_task(read_file(path), path.string()); }

std::vector<TaskDefinition> builtin_tasks() {
  std::vector<TaskDefinition> tasks;
  for (const char* text : kBuiltinTasks) tasks.push_back(parse_task(text, "built-in task"));
  return tasks;
}

TaskDefinition find_task(const std::string& name) {
  if (name.ends_with(".json")) return read_task(name);
  std::string names;
  for (const TaskDefinition& task : builtin_tasks()) {
    if (task.name == name) return task;
    names += (names.empty() ? "" : ", ") + task.name;
  }
  fail("unknown task {}, expected {}, or a JSON file that defines one", quote(name), names);
}

}  // namespace tern
