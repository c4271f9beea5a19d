#include "eval/question.h"

#include <nlohmann/json.hpp>

#include <algorithm>

#include "base/error.h"
#include "base/json.h"
#include "base/text.h"
#include "template/interpreter.h"
#include "template/json_value.h"
#include "template/letters.h"

namespace tern {
namespace {

using jinja::Value;
using nlohmann::ordered_json;

struct Compiled {
  jinja::Block block;
  std::string where;

  explicit Compiled(const TextTemplate& text) : block(jinja::parse_template(text.source, {})), where(text.where) {}
};

std::string render(jinja::Heap& heap, const Compiled& text, const jinja::Map& variables) {
  return with_context(text.where, [&] { return jinja::Interpreter(heap, {}, true).render(text.block, variables); });
}

std::string listed(const std::vector<std::string>& labels) {
  std::string list;
  for (const std::string& label : labels) list += (list.empty() ? "" : ", ") + quote(label);
  return list;
}

size_t find_text(const std::vector<std::string>& texts, const std::string& text) {
  return static_cast<size_t>(std::find(texts.begin(), texts.end(), text) - texts.begin());
}

}  // namespace

struct QuestionMaker::Templates {
  std::vector<Compiled> choices;
  std::vector<Compiled> labels;
  Compiled each;
  Compiled answer;
  Compiled description;
  Compiled context;
  Compiled continuation;

  explicit Templates(const TaskDefinition& task)
      : choices(task.choices.begin(), task.choices.end()),
        labels(task.labels.begin(), task.labels.end()),
        each(task.each),
        answer(task.answer),
        description(task.description),
        context(task.context),
        continuation(task.continuation) {}
};

namespace {

ChoiceText make_choice(const TaskDefinition& task, const Compiled& context, const Compiled& continuation,
                       jinja::Heap& heap, jinja::Map variables, const std::string& choice) {
  variables.emplace_back(Value::view("choice"), Value::view(choice));
  ChoiceText text;
  text.context = clean_text(render(heap, context, variables), task.cleaning);
  text.continuation = task.delimiter + render(heap, continuation, variables);
  text.length = jinja::length(choice);
  return text;
}

// What `each` says: the elements that choices are made of.
jinja::List elements(const Compiled& each, jinja::Heap& heap, const jinja::Map& fields) {
  const auto list = try_parse_ordered_json(render(heap, each, fields));
  if (!list.is_array()) fail("{}: expected a list of choices, found {}", each.where, list.type_name());
  if (list.size() < 2) fail("{}: expected at least two choices, found {}", each.where, list.size());
  return jinja::from_json(list, heap).items();
}

}  // namespace

QuestionMaker::QuestionMaker(const TaskDefinition& task)
    : task_(task), templates_(std::make_unique<const Templates>(task)) {}

QuestionMaker::~QuestionMaker() = default;

Question QuestionMaker::question(const ordered_json& row) const {
  const Templates& t = *templates_;
  jinja::Heap heap;
  const Value fields = jinja::from_json(row, heap);
  Question question;
  if (!task_.is_choice()) {
    question.choices.push_back(make_choice(task_, t.context, t.continuation, heap, fields.entries(), ""));
    return question;
  }
  const bool has_each = !task_.each.source.empty();
  // Without `each` the elements only count.
  const jinja::List items = has_each ? elements(t.each, heap, fields.entries()) : jinja::List(t.choices.size());
  std::vector<std::string> choices, labels;
  for (size_t i = 0; i < items.size(); ++i) {
    jinja::Map variables = fields.entries();
    if (has_each) variables.emplace_back(Value::view("item"), items[i]);
    choices.push_back(clean_text(render(heap, t.choices[has_each ? 0 : i], variables), task_.cleaning));
    question.choices.push_back(make_choice(task_, t.context, t.continuation, heap, variables, choices.back()));
    labels.push_back(t.labels.empty() ? std::to_string(i) : render(heap, t.labels[has_each ? 0 : i], variables));
  }
  const std::string answer = render(heap, t.answer, fields.entries());
  question.answer = find_text(labels, answer);
  if (question.answer == labels.size() && t.labels.empty()) question.answer = find_text(choices, answer);
  if (question.answer == labels.size()) {
    fail("the answer is {}, expected one of the choices {}", quote(answer), listed(labels));
  }
  return question;
}

std::string QuestionMaker::description(const ordered_json& row) const {
  if (task_.description.source.empty()) return "";
  jinja::Heap heap;
  return render(heap, templates_->description, jinja::from_json(row, heap).entries());
}

std::string QuestionMaker::shot(const ordered_json& row) const {
  const Question shown = question(row);
  const ChoiceText& right = shown.choices[shown.answer];
  return right.context + task_.shots.target_delimiter + right.continuation.substr(task_.delimiter.size()) +
         task_.shots.delimiter;
}

}  // namespace tern
