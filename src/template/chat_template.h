// Chat templates: from the messages of a conversation to the text that a model was trained to go on from. Templates are
// written in Jinja (docs/chat.md says which part of it tern runs) and render as Hugging Face transformers renders them.
#pragma once

#include <ctime>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "template/limits.h"
#include "template/value.h"

namespace tern {

struct ChatMessage {
  std::string role;  // "system", "user", "assistant"
  std::string content;

  bool operator==(const ChatMessage&) const = default;
};

struct ChatRendering {
  std::string bos_token;  // texts of the special tokens, empty when there are none
  std::string eos_token;
  bool add_generation_prompt = true;
  std::tm now{};  // of strftime_now()
};

// Immutable after construction; may render in many threads at once.
class ChatTemplate {
 public:
  // Error ("WHERE: line N: expected ..., found ...") for what is no template. `where` also begins the errors of
  // rendering.
  explicit ChatTemplate(std::string source, std::string where = "chat template", const jinja::Limits& limits = {});
  ~ChatTemplate();
  ChatTemplate(ChatTemplate&&) noexcept;
  ChatTemplate& operator=(ChatTemplate&&) noexcept;

  const std::string& source() const;
  const std::string& where() const;

  // Error when the template refuses the conversation (raise_exception), makes a mistake, or breaks a limit.
  std::string render(std::span<const ChatMessage> messages, const ChatRendering& rendering) const;

  // The same with any variables: `variables` gets the heap that they must live in.
  std::string render(const std::function<jinja::Map(jinja::Heap& heap)>& variables, const std::tm& now) const;

 private:
  struct Parts;
  std::unique_ptr<const Parts> parts_;
};

}  // namespace tern
