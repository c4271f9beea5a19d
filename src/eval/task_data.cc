#include "eval/task_data.h"

#include <nlohmann/json.hpp>

#include <algorithm>

#include "base/error.h"
#include "base/text.h"
#include "eval/task_rows.h"
#include "formats/byte_stream.h"
#include "template/interpreter.h"
#include "template/json_value.h"
#include "template/letters.h"

namespace tern {
namespace {

namespace fs = std::filesystem;
using jinja::Value;

struct Compiled {
  jinja::Block block;
  std::string where;
};

Compiled compile(const TextTemplate& text) { return {jinja::parse_template(text.source, {}), text.where}; }

std::vector<Compiled> compile(const std::vector<TextTemplate>& texts) {
  std::vector<Compiled> compiled;
  for (const TextTemplate& text : texts) compiled.push_back(compile(text));
  return compiled;
}

size_t code_points(std::string_view text) {
  size_t count = 0;
  for (size_t at = 0; at < text.size(); at += decode_utf8(text, at).size) ++count;
  return count;
}

// Without each "[...]" that stands on one line.
std::string without_brackets(std::string_view text) {
  std::string result;
  while (!text.empty()) {
    const size_t open = std::min(text.find('['), text.size());
    result += text.substr(0, open);
    text.remove_prefix(open);
    const size_t end = text.find_first_of("]\n");
    if (end != std::string_view::npos && text[end] == ']') {
      text.remove_prefix(end + 1);
    } else if (!text.empty()) {
      result += '[';
      text.remove_prefix(1);
    }
  }
  return result;
}

std::string replaced(std::string_view text, std::string_view from, std::string_view to) {
  std::string result;
  for (size_t at = text.find(from); at != std::string_view::npos; at = text.find(from)) {
    result.append(text.substr(0, at)).append(to);
    text.remove_prefix(at + from.size());
  }
  return result.append(text);
}

// Rows become questions by the task's templates.
class QuestionMaker {
 public:
  explicit QuestionMaker(const TaskDefinition& task)
      : task_(task),
        choices_(compile(task.choices)),
        labels_(compile(task.labels)),
        answer_(compile(task.answer)),
        context_(compile(task.context)),
        continuation_(compile(task.continuation)) {}

  Question make(const nlohmann::ordered_json& row) const {
    jinja::Heap heap;
    const Value fields = jinja::from_json(row, heap);
    Question question;
    if (!task_.is_choice()) {
      question.choices.push_back(make_choice(heap, fields.entries(), ""));
      return question;
    }
    const jinja::List items = items_of(heap, fields);
    std::vector<std::string> labels;
    for (size_t i = 0; i < items.size(); ++i) {
      jinja::Map variables = fields.entries();
      if (!task_.each.empty()) variables.emplace_back(Value::view("item"), items[i]);
      const Compiled& text = choices_[task_.each.empty() ? i : 0];
      question.choices.push_back(make_choice(heap, variables, cleaned(heap, text, variables)));
      labels.push_back(labels_.empty() ? std::to_string(i)
                                       : render(heap, labels_[task_.each.empty() ? i : 0], variables));
    }
    const std::string answer = render(heap, answer_, fields.entries());
    const auto found = std::find(labels.begin(), labels.end(), answer);
    if (found == labels.end()) fail("the answer is {}, expected one of the choices {}", quote(answer), listed(labels));
    question.answer = static_cast<size_t>(found - labels.begin());
    return question;
  }

 private:
  // An element for each choice; without `each` they only count.
  jinja::List items_of(jinja::Heap& heap, const Value& fields) const {
    if (task_.each.empty()) return jinja::List(choices_.size());
    jinja::Interpreter interpreter(heap, {}, true);
    const Value list = interpreter.path(fields, Value::view(task_.each));
    if (!list.is_sequence()) {
      fail("expected a list of choices in the field '{}', found {}", task_.each, jinja::kind_name(list));
    }
    if (list.items().size() < 2) fail("expected at least two choices, found {}", list.items().size());
    return list.items();
  }

  ChoiceText make_choice(jinja::Heap& heap, jinja::Map variables, const std::string& choice) const {
    variables.emplace_back(Value::view("choice"), Value::view(choice));
    ChoiceText text;
    text.context = cleaned(heap, context_, variables);
    text.continuation = task_.delimiter + render(heap, continuation_, variables);
    text.length = code_points(choice);
    return text;
  }

  std::string cleaned(jinja::Heap& heap, const Compiled& text, const jinja::Map& variables) const {
    return clean_text(render(heap, text, variables), task_.cleaning);
  }

  static std::string render(jinja::Heap& heap, const Compiled& text, const jinja::Map& variables) {
    return with_context(text.where, [&] { return jinja::Interpreter(heap, {}, true).render(text.block, variables); });
  }

  static std::string listed(const std::vector<std::string>& labels) {
    std::string list;
    for (const std::string& label : labels) list += (list.empty() ? "" : ", ") + quote(label);
    return list;
  }

  const TaskDefinition& task_;
  std::vector<Compiled> choices_;
  std::vector<Compiled> labels_;
  Compiled answer_;
  Compiled context_;
  Compiled continuation_;
};

fs::path data_file(const TaskDefinition& task, const fs::path& folder) {
  std::string places;
  for (const std::string& file : task.files) {
    for (const char* suffix : {"", ".gz", ".zst"}) {
      if (fs::exists(folder / (file + suffix))) return folder / (file + suffix);
    }
    places += (places.empty() ? "" : ", ") + file;
  }
  fail("{}: expected the data of {} there ({}), there is none", folder.string(), task.name, places);
}

// The lines of the answers' file become the rows' fields `answer`.
void add_answers(const TaskDefinition& task, const fs::path& file, TaskRows& rows) {
  const std::string name(without_compression_suffix(file.filename().string()));
  const fs::path path = file.parent_path() / (name.substr(0, name.rfind('.')) + task.answers_suffix);
  const std::string text = read_text(path);
  const std::vector<std::string_view> lines = text_lines(text);
  if (lines.size() != rows.rows.size()) {
    fail("{}: expected an answer a line for the {} rows of {}, there are {} lines", path.string(), rows.rows.size(),
         file.string(), lines.size());
  }
  for (size_t i = 0; i < lines.size(); ++i) {
    if (!is_valid_utf8(lines[i])) fail("{}: line {}: expected UTF-8, it has other bytes", path.string(), i + 1);
    rows.rows[i]["answer"] = std::string(jinja::strip(lines[i], "", true, jinja::Ends::kBoth));
  }
}

}  // namespace

std::string clean_text(std::string_view text, TextCleaning cleaning) {
  if (cleaning == TextCleaning::kNone) return std::string(text);
  const std::string titled = replaced(jinja::strip(text, "", true, jinja::Ends::kBoth), " [title]", ". ");
  return replaced(without_brackets(titled), "  ", " ");
}

std::vector<Question> make_questions(const TaskDefinition& task, const TaskRows& rows, const std::string& where,
                                     size_t limit) {
  const QuestionMaker maker(task);
  const size_t count = limit == 0 ? rows.rows.size() : std::min(limit, rows.rows.size());
  std::vector<Question> questions;
  for (size_t i = 0; i < count; ++i) {
    const std::string place = fmt::format("{}: {} {}", where, rows.unit, rows.lines[i]);
    questions.push_back(with_context(place, [&] { return maker.make(rows.rows[i]); }));
    questions.back().line = rows.lines[i];
  }
  return questions;
}

TaskData read_questions(const TaskDefinition& task, const fs::path& folder, size_t limit) {
  TaskData data;
  data.file = data_file(task, folder);
  TaskRows rows = read_rows(data.file);
  if (!task.answers_suffix.empty()) add_answers(task, data.file, rows);
  data.rows = rows.rows.size();
  data.questions = make_questions(task, rows, data.file.string(), limit);
  return data;
}

}  // namespace tern
