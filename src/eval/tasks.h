// What a task of questions with known answers is: which files, how a row of them becomes texts to score, what counts.
// Everything about a task is data; the built-in ones are written as anybody's are (docs/evaluation.md).
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace tern {

// What becomes of a text after its template is rendered.
enum class TextCleaning : uint8_t {
  kNone,
  // HellaSwag's in lm-evaluation-harness: no white space around, " [title]" becomes ". ", no "[...]" on a line, and
  // two spaces become one, once.
  kWikiHow,
};

// A text's template (Jinja) and what it is, "TASK.KEY", for messages.
struct TextTemplate {
  std::string source;
  std::string where;

  bool operator==(const TextTemplate&) const = default;
};

// The templates know the fields of a row by their names; `item` is an element of the list that `each` names, `choice`
// the text of a choice.
struct TaskDefinition {
  std::string name;
  std::vector<std::string> files;  // places below the data folder; the first that exists is read
  std::string answers_suffix;      // empty, or: "X.jsonl" has its answers, a line each, in "X" + suffix: field `answer`
  std::string each;                // empty, or a list in the row, "a.b": a choice for each element
  std::vector<TextTemplate> choices;  // with `each` one; else one a choice; none: a single continuation to predict
  std::vector<TextTemplate> labels;   // the same; empty: "0", "1", ...
  TextTemplate answer;                // the label of the right choice
  TextTemplate context;
  TextTemplate continuation;    // "{{choice}}" unless it is said
  std::string delimiter = " ";  // between context and continuation, a part of the latter
  TextCleaning cleaning = TextCleaning::kNone;
  bool has_norm = true;  // whether acc_norm is reported

  bool is_choice() const { return !choices.empty(); }
  bool operator==(const TaskDefinition&) const = default;
};

// arc_easy, arc_challenge, hellaswag, boolq, openbookqa, piqa, winogrande, lambada_openai, sciq, social_iqa.
std::vector<TaskDefinition> builtin_tasks();

// The definition in a JSON file. Error, beginning with the path, for what is none.
TaskDefinition read_task(const std::filesystem::path& path);
// The same of a text, `where` beginning the errors.
TaskDefinition parse_task(std::string_view text, const std::string& where);

// A built-in task by its name, or the file that `name` is when it ends in .json. Error listing the names.
TaskDefinition find_task(const std::string& name);

}  // namespace tern
