#include "template/chat_template.h"

#include "base/error.h"
#include "template/interpreter.h"

namespace tern {

using jinja::Heap;
using jinja::Map;
using jinja::Value;

struct ChatTemplate::Parts {
  std::string source;
  std::string where;
  jinja::Limits limits;
  jinja::Block block;
};

ChatTemplate::ChatTemplate(std::string source, std::string where, const jinja::Limits& limits) {
  auto parts = std::make_unique<Parts>();
  parts->source = std::move(source);
  parts->where = std::move(where);
  parts->limits = limits;
  with_context(parts->where, [&] { parts->block = jinja::parse_template(parts->source, limits); });
  parts_ = std::move(parts);
}

ChatTemplate::~ChatTemplate() = default;
ChatTemplate::ChatTemplate(ChatTemplate&&) noexcept = default;
ChatTemplate& ChatTemplate::operator=(ChatTemplate&&) noexcept = default;

const std::string& ChatTemplate::source() const { return parts_->source; }
const std::string& ChatTemplate::where() const { return parts_->where; }

std::string ChatTemplate::render(const std::function<Map(Heap& heap)>& variables, const std::tm& now) const {
  return with_context(parts_->where, [&] {
    Heap heap(parts_->limits);
    return jinja::Interpreter(heap, now).render(parts_->block, variables(heap));
  });
}

std::string ChatTemplate::render(std::span<const ChatMessage> messages, const ChatRendering& rendering) const {
  const auto variables = [&](Heap& heap) {
    jinja::List list;
    for (const ChatMessage& message : messages) {
      list.push_back(heap.map(
          {{Value::view("role"), Value::view(message.role)}, {Value::view("content"), Value::view(message.content)}}));
    }
    Map map{{Value::view("messages"), heap.list(std::move(list))},
            {Value::view("tools"), Value::none()},
            {Value::view("documents"), Value::none()},
            {Value::view("add_generation_prompt"), Value::boolean(rendering.add_generation_prompt)}};
    // A token that a tokenizer does not have is not defined, as in transformers.
    if (!rendering.bos_token.empty()) map.emplace_back(Value::view("bos_token"), Value::view(rendering.bos_token));
    if (!rendering.eos_token.empty()) map.emplace_back(Value::view("eos_token"), Value::view(rendering.eos_token));
    return map;
  };
  return render(variables, rendering.now);
}

}  // namespace tern
