#include "eval/harness_task.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>
#include <optional>

#include "base/error.h"
#include "base/json.h"
#include "base/text.h"
#include "tokenizer/json_fields.h"

namespace tern {
namespace {

using nlohmann::json;

constexpr std::array kUsed = {
    "task",          "output_type",    "dataset_kwargs", "training_split", "test_split",        "validation_split",
    "fewshot_split", "fewshot_config", "num_fewshot",    "description",    "fewshot_delimiter", "target_delimiter",
    "doc_to_text",   "doc_to_choice",  "doc_to_target",  "metric_list",    "metadata"};
constexpr std::array kPassedOver = {"tag",          "group",   "task_alias",           "dataset_path",
                                    "dataset_name", "repeats", "should_decontaminate", "doc_to_decontamination_query"};

template <size_t N>
bool is_among(const std::string& key, const std::array<const char*, N>& keys) {
  return std::find(keys.begin(), keys.end(), key) != keys.end();
}

bool is_name(const std::string& text) {
  const auto is_letter = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; };
  const auto is_inner = [&](char c) { return is_letter(c) || (c >= '0' && c <= '9'); };
  return !text.empty() && is_letter(text[0]) && std::all_of(text.begin(), text.end(), is_inner);
}

class HarnessTask {
 public:
  HarnessTask(const json& object, const std::string& where) : object_(object), where_(where) {}

  json convert() const {
    for (const auto& entry : object_.items()) {
      if (!is_among(entry.key(), kUsed) && !is_among(entry.key(), kPassedOver)) {
        fail("{}: the key {} of lm-evaluation-harness means nothing to tern", where_, quote(entry.key()));
      }
    }
    json task = {{"task", text_at(object_, "task")}, {"context", template_at("doc_to_text")}};
    if (const auto description = optional_text("description")) task["description"] = *description;
    if (const json* metadata = find_field(object_, "metadata"); metadata != nullptr) {
      const json* version = find_field(expect_object(*metadata, where_ + ".metadata"), "version");
      if (version != nullptr && version->is_number()) task["version"] = *version;
    }
    const std::string delimiter = optional_text("target_delimiter").value_or(" ");
    const std::string type = text_at(object_, "output_type");
    if (type == "multiple_choice") {
      set_choices(task);
      task["answer"] = template_at("doc_to_target");
      task["delimiter"] = delimiter;
    } else if (type == "loglikelihood") {
      // Only the shots have the delimiter.
      task["continuation"] = template_at("doc_to_target");
      task["delimiter"] = "";
    } else {
      fail("{}.output_type: expected multiple_choice or loglikelihood, it is {}", where_, quote(type));
    }
    task["acc_norm"] = reports_norm();
    set_files(delimiter, task);
    return task;
  }

 private:
  std::string text_at(const json& object, const char* key) const {
    return expect_text(require(object, key, where_), where_ + "." + key);
  }
  std::optional<std::string> optional_text(const char* key) const {
    const json* value = find_field(object_, key);
    if (value == nullptr) return {};
    return expect_text(*value, where_ + "." + key);
  }

  // A field's name means the field, a number itself.
  std::string template_at(const char* key) const {
    const json& value = require(object_, key, where_);
    if (value.is_number_integer()) return json_text(value);
    const std::string& text = expect_text(value, where_ + "." + key);
    return is_name(text) ? "{{" + text + "}}" : text;
  }

  void set_choices(json& task) const {
    const json& choices = require(object_, "doc_to_choice", where_);
    if (choices.is_array()) {
      task["choices"] = choices;
      return;
    }
    std::string each = expect_text(choices, where_ + ".doc_to_choice");
    if (!is_name(each)) {
      const bool is_expression = each.starts_with("{{") && each.find("}}") == each.size() - 2;
      if (!is_expression) fail("{}.doc_to_choice: expected a list, a field or one {{{{expression}}}}", where_);
      each = each.substr(2, each.size() - 4);
    }
    task["each"] = each;
    task["choices"] = "{{item}}";
  }

  bool reports_norm() const {
    const json* metrics = find_field(object_, "metric_list");
    if (metrics == nullptr) return true;
    bool has_norm = false;
    for (const json& entry : expect_array(*metrics, where_ + ".metric_list")) {
      const std::string metric = text_at(expect_object(entry, where_ + ".metric_list"), "metric");
      if (metric != "acc" && metric != "acc_norm" && metric != "perplexity") {
        fail("{}.metric_list: expected acc, acc_norm and perplexity alone, there is {}", where_, quote(metric));
      }
      has_norm = has_norm || metric == "acc_norm";
    }
    return has_norm;
  }

  std::string file_of(const std::string& split) const {
    const json& kwargs = expect_object(require(object_, "dataset_kwargs", where_), where_ + ".dataset_kwargs");
    const json& files = require(kwargs, "data_files", where_ + ".dataset_kwargs");
    const std::string place = where_ + ".dataset_kwargs.data_files";
    if (files.is_string() && split == "train") return files.get<std::string>();
    return expect_text(require(expect_object(files, place), split.c_str(), place), place + "." + split);
  }

  // The harness takes questions from the test split, else the validation split, and shots from the split that is
  // said, else training, validation, test. It leaves a question out of its shots when the split that is said for
  // these is the test split, or neither is said.
  void set_files(const std::string& delimiter, json& task) const {
    const auto test = optional_text("test_split");
    const auto validation = optional_text("validation_split");
    const auto training = optional_text("training_split");
    const json* config = find_field(object_, "fewshot_config");
    std::optional<std::string> said = optional_text("fewshot_split");
    json shots = {{"delimiter", optional_text("fewshot_delimiter").value_or("\n\n")}, {"target_delimiter", delimiter}};
    if (config != nullptr) {
      for (const auto& entry : expect_object(*config, where_ + ".fewshot_config").items()) {
        const std::string value = text_at(*config, entry.key().c_str());
        if (entry.key() == "split") {
          said = value;
        } else if (entry.key() == "sampler") {
          shots["sampler"] = value == "default" ? "random" : value;
        } else {
          fail("{}.fewshot_config: expected split and sampler alone, there is {}", where_, quote(entry.key()));
        }
      }
    }
    const auto first = [](std::initializer_list<const std::optional<std::string>*> splits) -> std::string {
      for (const auto* split : splits) {
        if (split->has_value()) return **split;
      }
      return "";
    };
    const std::string questions = first({&test, &validation});
    if (questions.empty()) fail("{}: expected a test_split or a validation_split", where_);
    task["files"] = {file_of(questions)};
    shots["files"] = {file_of(first({&said, &training, &validation, &test}))};
    shots["excludes_question"] = said == test;
    if (const json* count = find_field(object_, "num_fewshot"); count != nullptr) shots["count"] = *count;
    task["fewshot"] = shots;
  }

  const json& object_;
  const std::string& where_;
};

}  // namespace

bool is_harness_task(const json& object) {
  return object.is_object() && (object.contains("doc_to_text") || object.contains("output_type"));
}

json from_harness_task(const json& object, const std::string& where) { return HarnessTask(object, where).convert(); }

}  // namespace tern
