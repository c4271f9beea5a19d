#include "server/tool_calls.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <nlohmann/json.hpp>
#include <utility>

#include "base/json.h"
#include "infer/json_grammar.h"

namespace tern {
namespace {

constexpr std::string_view kOpenTag = "<tool_call>";
constexpr std::string_view kCloseTag = "</tool_call>";
constexpr std::string_view kPythonTag = "<|python_tag|>";

constexpr size_t kDeepestCall = 64;
// Fields of one call at any depth: nlohmann's ordered objects look for a field from one end to the other.
constexpr size_t kMostMembers = 4096;

bool is_space(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }

// Whether it may stand in JSON outside of texts.
bool is_json(char c) {
  const bool letter = (c >= 'a' && c <= 'z') || c == 'E';
  return letter || (c >= '0' && c <= '9') || is_space(c) ||
         std::string_view("{}[],:+-.\"").find(c) != std::string::npos;
}

}  // namespace

bool ToolUse::may_call(std::string_view name) const {
  if (!only.empty()) return name == only;
  return std::any_of(functions.begin(), functions.end(),
                     [&](const ToolFunction& function) { return function.name == name; });
}

void AnswerPiece::append(AnswerPiece piece) {
  content += piece.content;
  calls.insert(calls.end(), std::make_move_iterator(piece.calls.begin()), std::make_move_iterator(piece.calls.end()));
}

AnswerPiece ToolCallReader::add(std::string_view text) {
  AnswerPiece out;
  for (const char c : text) {
    if (full()) break;
    take(c, out);
  }
  return out;
}

AnswerPiece ToolCallReader::finish() {
  AnswerPiece out;
  if (full()) return out;
  const bool whole = !met_.empty() && state_ != State::kObject;
  if (whole) {
    give_calls(out);
  } else if (!held_.empty() || calls_ == 0) {
    give_content(out);
  }
  return out;
}

void ToolCallReader::take(char c, AnswerPiece& out) {
  if (state_ != State::kText && state_ != State::kGap) {
    held_ += c;
    if (goes_on(c, out)) return;
    held_.pop_back();
    give_content(out);
  }
  if (c == '<') {
    state_ = State::kTag;
    held_ = c;
  } else if (c == '{' && first_) {
    tagged_ = false;
    held_ = c;
    begin_object();
  } else if (state_ == State::kGap && is_space(c)) {
    gap_ += c;
  } else {
    held_ = c;
    give_content(out);
  }
}

// Whether what is held, whose last byte is `c`, may still become a call.
bool ToolCallReader::goes_on(char c, AnswerPiece& out) {
  switch (state_) {
    case State::kTag:
      return tag_goes_on();
    case State::kExpected:
      if (c == '{') begin_object();
      return c == '{' || is_space(c);
    case State::kObject:
      return object_goes_on(c) && (depth_ > 0 || end_object(out));
    case State::kNext:
      if (c == ';') state_ = State::kExpected;
      if (c == ';' && met_.size() >= tools_.most_calls) give_calls(out);
      return c == ';' || is_space(c);
    default:
      return false;
  }
}

bool ToolCallReader::tag_goes_on() {
  const std::string_view tag = held_;
  if (tag == kOpenTag) {
    tagged_ = true;
    state_ = State::kExpected;
    return true;
  }
  if (closing_ && tag == kCloseTag) {
    held_.clear();
    gap_.clear();
    closing_ = false;
    state_ = State::kGap;
    return true;
  }
  if (first_ && tag == kPythonTag) {
    gap_ += std::exchange(held_, "");
    state_ = State::kGap;
    return true;
  }
  return kOpenTag.starts_with(tag) || (closing_ && kCloseTag.starts_with(tag)) ||
         (first_ && kPythonTag.starts_with(tag));
}

// Only as much of JSON's grammar as finds the object's end, and that it cannot have one.
bool ToolCallReader::object_goes_on(char c) {
  if (in_text_) {
    in_text_ = escaped_ || c != '"';
    escaped_ = !escaped_ && c == '\\';
    return static_cast<unsigned char>(c) >= 0x20;
  }
  if (c == '"') in_text_ = true;
  if (c == '{' || c == '[') ++depth_;
  if (c == '}' || c == ']') --depth_;
  if (c == ':') ++members_;
  return is_json(c) && depth_ <= kDeepestCall && members_ <= kMostMembers;
}

void ToolCallReader::begin_object() {
  begin_ = held_.size() - 1;
  depth_ = 1;
  members_ = 0;
  in_text_ = escaped_ = false;
  state_ = State::kObject;
}

bool ToolCallReader::end_object(AnswerPiece& out) {
  ToolCall call;
  if (!read_call(std::string_view(held_).substr(begin_), call)) return false;
  met_.push_back(std::move(call));
  state_ = State::kNext;
  if (tagged_) give_calls(out);
  return true;
}

bool ToolCallReader::read_call(std::string_view text, ToolCall& call) const {
  const auto json = try_parse_ordered_json(text, kDeepestCall);
  if (!json.is_object() || !json.contains("name") || !json["name"].is_string()) return false;
  call.name = json["name"].get<std::string>();
  const auto arguments = json.find(json.contains("arguments") ? "arguments" : "parameters");
  if (!tools_.may_call(call.name) || arguments == json.end() || !arguments->is_object()) return false;
  call.arguments = json_text(*arguments);
  return true;
}

void ToolCallReader::give_calls(AnswerPiece& out) {
  for (ToolCall& call : met_) {
    if (full()) break;
    out.calls.push_back(std::move(call));
    ++calls_;
  }
  met_.clear();
  held_.clear();
  gap_.clear();
  state_ = State::kGap;
  first_ = false;
  closing_ = tagged_;
}

void ToolCallReader::give_content(AnswerPiece& out) {
  out.content += std::exchange(gap_, "");
  out.content += std::exchange(held_, "");
  met_.clear();
  state_ = State::kText;
  first_ = closing_ = false;
}

std::vector<int32_t> tool_call_tokens(const Tokenizer& tokenizer) {
  std::vector<int32_t> tokens;
  for (const std::string_view tag : {kOpenTag, kCloseTag}) {
    const auto id = tokenizer.token_id(tag);
    if (id && tokenizer.is_special(*id)) tokens.push_back(*id);
  }
  return tokens;
}

ToolForm tool_form(std::string_view chat_template) {
  const bool bare = chat_template.find(kOpenTag) == std::string_view::npos &&
                    chat_template.find("\"parameters\"") != std::string_view::npos;
  return bare ? ToolForm::kBare : ToolForm::kTagged;
}

std::string tool_call_expression(const std::string& name, const std::string& arguments, ToolForm form) {
  const char* field = form == ToolForm::kBare ? "parameters" : "arguments";
  const std::string begin = fmt::format("{{\"name\": {}, \"{}\": ", json_text(nlohmann::ordered_json(name)), field);
  return fmt::format("{} {} {}", gbnf_literal(begin), arguments, gbnf_literal("}"));
}

std::string tool_call_root(const std::string& calls, ToolForm form, size_t most_calls) {
  const bool bare = form == ToolForm::kBare;
  const std::string one =
      bare ? fmt::format("({})", calls) : fmt::format(R"("{}\n" ({}) "\n{}")", kOpenTag, calls, kCloseTag);
  const std::string more = most_calls == 1 ? "" : fmt::format(" ({} tool-call)*", bare ? R"("; ")" : R"("\n")");
  return fmt::format("root ::= tool-call{}\ntool-call ::= {}\n", more, one);
}

}  // namespace tern
