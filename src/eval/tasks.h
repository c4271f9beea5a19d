// What a task of questions with known answers is: which files, how a row of them becomes texts to score, what counts.
// Everything about a task is data; the built-in ones are written as anybody's are (docs/evaluation.md).
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "eval/clean_text.h"

namespace tern {

// A text's template (Jinja) and what it is, "TASK.KEY", for messages.
struct TextTemplate {
  std::string source;
  std::string where;

  bool operator==(const TextTemplate&) const = default;
};

enum class ShotSampler : uint8_t { kRandom, kFirst };

// Which rows, with their right answers, stand before a question.
struct ShotRules {
  size_t count = 0;                // of them, where the caller does not say
  std::vector<std::string> files;  // places below the data folder as TaskDefinition::files; none: the questions' own
  ShotSampler sampler = ShotSampler::kRandom;
  // Whether a question's own row is left out of its shots; of random ones, one more is drawn then.
  bool excludes_question = true;
  std::string target_delimiter = " ";  // between a shot's context and its answer
  std::string delimiter = "\n\n";      // after each shot

  bool operator==(const ShotRules&) const = default;
};

// The templates know the fields of a row by their names; `item` is an element of the list that `each` names, `choice`
// the text of a choice.
struct TaskDefinition {
  std::string name;
  std::string alias;               // another name to find it by, or empty
  std::optional<double> version;   // of the definition; of a built-in task the harness's
  std::vector<std::string> files;  // places below the data folder; the first that exists is read
  std::string answers_suffix;      // empty, or: "X.jsonl" has its answers, a line each, in "X" + suffix: field `answer`
  TextTemplate each;               // empty, or writes a JSON list: a choice for each element
  std::vector<TextTemplate> choices;  // with `each` one; else one a choice; none: a single continuation to predict
  std::vector<TextTemplate> labels;   // the same; empty: "0", "1", ...
  TextTemplate answer;                // the label of the right choice; without labels also its text
  TextTemplate description;           // in front of the shots
  TextTemplate context;
  TextTemplate continuation;    // "{{choice}}" unless it is said
  std::string delimiter = " ";  // between context and continuation, a part of the latter
  TextCleaning cleaning = TextCleaning::kNone;
  bool has_norm = true;  // whether acc_norm is reported
  ShotRules shots;

  bool is_choice() const { return !choices.empty(); }
  bool operator==(const TaskDefinition&) const = default;
};

// arc_easy, arc_challenge, hellaswag, boolq, openbookqa, piqa, winogrande, lambada_openai, sciq, social_iqa (also
// siqa), copa.
std::vector<TaskDefinition> builtin_tasks();

// The definition in a JSON file, or in a YAML file (its name ends in .yaml or .yml) with the same keys. Those of
// lm-evaluation-harness's task files are understood where they say what a TaskDefinition can (harness_task.h). Error,
// beginning with the path, for what is none.
TaskDefinition read_task(const std::filesystem::path& path);
// The same of a JSON text, `where` beginning the errors.
TaskDefinition parse_task(std::string_view text, const std::string& where);

// A built-in task by its name or alias, or the file that `name` is when it ends in .json, .yaml or .yml. Error listing
// the names.
TaskDefinition find_task(const std::string& name);

}  // namespace tern
