#include "eval/tasks.h"

#include <nlohmann/json.hpp>

#include <array>

#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "base/text.h"
#include "eval/harness_task.h"
#include "eval/task_yaml.h"
#include "template/syntax.h"
#include "tokenizer/json_fields.h"

namespace tern {
namespace {

using nlohmann::json;

constexpr std::array kKeys = {"task",      "version", "alias",    "files",       "answers", "each",
                              "choices",   "labels",  "answer",   "description", "context", "continuation",
                              "delimiter", "clean",   "acc_norm", "fewshot"};
constexpr std::array kShotKeys = {"count", "files", "sampler", "excludes_question", "target_delimiter", "delimiter"};

template <size_t N>
void check_keys(const json& object, const std::array<const char*, N>& keys, const std::string& where) {
  for (const auto& entry : expect_object(object, where).items()) {
    if (std::find(keys.begin(), keys.end(), entry.key()) == keys.end()) {
      fail("{}: unknown key {}", where, quote(entry.key()));
    }
  }
}

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
  if (!task.each.source.empty()) {
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

ShotSampler sampler_at(const json& object, const std::string& where) {
  const std::string name = text_at(object, "sampler", where, "random");
  if (name == "random") return ShotSampler::kRandom;
  if (name == "first_n") return ShotSampler::kFirst;
  fail("{}.sampler: unknown {}, expected random or first_n", where, quote(name));
}

ShotRules shot_rules_at(const json& task, const std::string& delimiter, const std::string& where) {
  const json* object = find_field(task, "fewshot");
  ShotRules rules;
  rules.target_delimiter = delimiter;
  if (object == nullptr) return rules;
  const std::string place = where + ".fewshot";
  check_keys(*object, kShotKeys, place);
  if (const json* count = find_field(*object, "count"); count != nullptr) {
    if (!count->is_number_unsigned()) fail("{}.count: expected a number from 0 on, it is {}", place, describe(*count));
    rules.count = count->get<size_t>();
  }
  rules.files = texts_at(*object, "files", place);
  rules.sampler = sampler_at(*object, place);
  rules.excludes_question = flag(*object, "excludes_question", rules.files.empty(), place);
  rules.target_delimiter = text_at(*object, "target_delimiter", place, delimiter.c_str());
  rules.delimiter = text_at(*object, "delimiter", place, rules.delimiter.c_str());
  return rules;
}

TaskDefinition task_from_json(const json& object, const std::string& where) {
  check_keys(object, kKeys, where);
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
  task.alias = text_at(object, "alias", where, "");
  if (const json* version = find_field(object, "version"); version != nullptr) {
    if (!version->is_number()) fail("{}.version: expected a number, it is {}", where, describe(*version));
    task.version = version->get<double>();
  }
  task.files = texts_at(object, "files", where);
  if (task.files.empty()) fail("{}.files: expected at least one place to look for the data", where);
  task.answers_suffix = text_at(object, "answers", where, "");
  if (const std::string each = text_at(object, "each", where, ""); !each.empty()) {
    task.each = make_template("{{ (" + each + ") | tojson }}", task.name, "each", where);
  }
  task.choices = templates("choices");
  task.labels = templates("labels");
  task.delimiter = text_at(object, "delimiter", where, " ");
  task.has_norm = flag(object, "acc_norm", true, where);
  const std::string cleaning = text_at(object, "clean", where, "");
  if (cleaning == "wikihow") task.cleaning = TextCleaning::kWikiHow;
  if (!cleaning.empty() && cleaning != "wikihow")
    fail("{}.clean: unknown {}, expected wikihow", where, quote(cleaning));
  check_choices(task, where);
  task.shots = shot_rules_at(object, task.delimiter, where);
  task.description = make_template(text_at(object, "description", where, ""), task.name, "description", where);
  task.context = required("context");
  if (task.is_choice()) task.answer = required("answer");
  const bool says_continuation = !task.is_choice() || find_field(object, "continuation") != nullptr;
  task.continuation =
      says_continuation ? required("continuation") : make_template("{{choice}}", task.name, "continuation", where);
  return task;
}

bool is_yaml(std::string_view name) { return name.ends_with(".yaml") || name.ends_with(".yml"); }

}  // namespace

TaskDefinition parse_task(std::string_view text, const std::string& where) {
  const json object = with_context(where, [&] { return parse_json(text); });
  return task_from_json(is_harness_task(object) ? from_harness_task(object, where) : object, where);
}

TaskDefinition read_task(const std::filesystem::path& path) {
  const std::string text = read_file(path);
  return parse_task(is_yaml(path.string()) ? json_of_yaml(text, path.string()) : text, path.string());
}

TaskDefinition find_task(const std::string& name) {
  if (name.ends_with(".json") || is_yaml(name)) return read_task(name);
  std::string names;
  for (const TaskDefinition& task : builtin_tasks()) {
    if (task.name == name || (!task.alias.empty() && task.alias == name)) return task;
    names += (names.empty() ? "" : ", ") + task.name;
  }
  fail("unknown task {}, expected {}, or a JSON or YAML file that defines one", quote(name), names);
}

}  // namespace tern
