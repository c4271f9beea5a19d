// Calls of tools in what a model writes: read from an answer as it comes, and the grammar of answers that must be some.
//
// Two forms are known. Tagged (Hermes, Qwen, Falcon 3), any number, wherever in the text:
//   <tool_call>
//   {"name": "f", "arguments": {...}}
//   </tool_call>
// Bare (Llama 3.x): the whole answer, behind <|python_tag|> or not, is {"name": "f", "parameters": {...}}, or several
// of these with ; between them. Each form may have either name of the arguments.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "tokenizer/tokenizer.h"

namespace tern {

struct ToolFunction {
  std::string name;
  std::string schema;  // JSON, of its arguments
};

// What an answer may call, as the request says it.
struct ToolUse {
  std::vector<ToolFunction> functions;  // none: answers are text whatever they look like
  bool forced = false;                  // an answer is calls and nothing else
  std::string only;                     // the one function to call, "": any
  size_t most_calls = SIZE_MAX;

  bool may_call(std::string_view name) const;
};

struct ToolCall {
  std::string id;
  std::string name;
  std::string arguments;  // a JSON object
};

// Some of an answer, or all of it.
struct AnswerPiece {
  std::string content;
  std::vector<ToolCall> calls;

  bool empty() const { return content.empty() && calls.empty(); }
  void append(AnswerPiece piece);
};

// Text that cannot begin a call is given back at once, text that may is held until it is one or cannot be. What is no
// call of `tools`' functions stays content, byte for byte; the tags and the white space around calls are no content.
// Any text, in time linear in it.
class ToolCallReader {
 public:
  explicit ToolCallReader(const ToolUse& tools) : tools_(tools) {}  // which outlives it

  // Calls have no ids yet.
  AnswerPiece add(std::string_view text);
  // What is left when the answer ends.
  AnswerPiece finish();
  // As many calls as may be have come; nothing more does.
  bool full() const { return calls_ >= tools_.most_calls; }

 private:
  enum class State : uint8_t {
    kText,
    kGap,       // nothing but white space since the beginning or the last call
    kTag,       // behind a < that may begin one
    kExpected,  // where an object must begin
    kObject,
    kNext,  // behind an object of a bare answer
  };

  void take(char c, AnswerPiece& out);
  bool goes_on(char c, AnswerPiece& out);
  bool tag_goes_on();
  bool object_goes_on(char c);
  void begin_object();
  bool end_object(AnswerPiece& out);
  bool read_call(std::string_view text, ToolCall& call) const;
  void give_calls(AnswerPiece& out);
  void give_content(AnswerPiece& out);

  const ToolUse& tools_;
  size_t calls_ = 0;  // given
  State state_ = State::kGap;
  std::string gap_;            // no content if a call comes next
  std::string held_;           // what may become calls
  std::vector<ToolCall> met_;  // those of a bare answer so far
  bool first_ = true;          // nothing came yet: the answer may be bare
  bool closing_ = false;       // </tool_call> may come
  // The object under way.
  bool tagged_ = false;
  size_t begin_ = 0;  // in held_
  size_t depth_ = 0;
  size_t members_ = 0;
  bool in_text_ = false;  // between quotes
  bool escaped_ = false;  // behind a backslash
};

// Special tokens of the vocabulary that are tags: answers need their text.
std::vector<int32_t> tool_call_tokens(const Tokenizer& tokenizer);

enum class ToolForm : uint8_t { kTagged, kBare };

// The form that a chat template teaches; tagged when it says nothing of either.
ToolForm tool_form(std::string_view chat_template);

// An expression of GBNF for the calls of one function, whose arguments are those that `arguments` lets pass.
std::string tool_call_expression(const std::string& name, const std::string& arguments, ToolForm form);
// The rule "root" of answers that are one call, or more unless `most_calls` is 1, of those that `calls` lets pass.
std::string tool_call_root(const std::string& calls, ToolForm form, size_t most_calls);

}  // namespace tern
