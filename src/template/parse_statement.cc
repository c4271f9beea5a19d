#include <algorithm>

#include "base/error.h"
#include "base/text.h"
#include "template/parser.h"

namespace tern::jinja {

Block Parser::parse() {
  Block result = block({});
  if (peek().kind != TokenKind::kEnd) unexpected("the end of the template");
  return result;
}

void Parser::expect_block_end() {
  if (peek().kind != TokenKind::kBlockEnd) unexpected("'%}'");
  next();
}

// Statements up to one of the tags, whose name is then the next token; without tags, up to the end.
Block Parser::block(std::initializer_list<std::string_view> end_tags) {
  const Level level(*this);
  Block result;
  const size_t first_line = peek().line;
  while (peek().kind != TokenKind::kEnd) {
    if (peek().kind == TokenKind::kText) {
      Statement text;
      text.line = peek().line;
      text.name = next().text;
      result.push_back(std::move(text));
    } else if (peek().kind == TokenKind::kPrintBegin) {
      result.push_back(print_statement());
    } else {
      if (peek().kind != TokenKind::kBlockBegin) unexpected("text or a tag");
      next();
      const auto ends = [&](std::string_view tag) { return at_name(tag); };
      if (std::any_of(end_tags.begin(), end_tags.end(), ends)) return result;
      result.push_back(statement());
    }
  }
  if (end_tags.size() != 0) {
    fail("line {}: expected '{{% {} %}}' for what begins on line {}, found the end of the template", peek().line,
         *end_tags.begin(), first_line);
  }
  return result;
}

// From the end of the opening tag to the end of the closing one.
Block Parser::body(std::string_view end_tag) {
  expect_block_end();
  Block result = block({end_tag});
  expect_name(end_tag);
  expect_block_end();
  return result;
}

Statement Parser::print_statement() {
  Statement s;
  s.kind = StatementKind::kPrint;
  s.line = next().line;
  s.expressions.push_back(bare_tuple(true));
  if (peek().kind != TokenKind::kPrintEnd) unexpected("'}}'");
  next();
  return s;
}

// Behind "{%".
Statement Parser::statement() {
  Statement s;
  s.line = peek().line;
  if (peek().kind != TokenKind::kName) unexpected("the name of a statement");
  if (skip_name("if")) return if_statement(std::move(s));
  if (skip_name("for")) return for_statement(std::move(s));
  if (skip_name("set")) return set_statement(std::move(s));
  if (skip_name("macro")) return macro_statement(std::move(s));
  if (skip_name("call")) return call_statement(std::move(s));
  if (skip_name("with")) return with_statement(std::move(s));
  if (skip_name("filter")) {
    s.kind = StatementKind::kFilterBlock;
    s.expressions.push_back(filters(filter(make(ExprKind::kBody, s.line, "", {}))));
    s.bodies.push_back(body("endfilter"));
    return s;
  }
  if (skip_name("generation")) {
    s.kind = StatementKind::kGroup;
    s.bodies.push_back(body("endgeneration"));
    return s;
  }
  if (at_name("break") || at_name("continue")) {
    if (loops_ == 0) unexpected("a loop around 'break' and 'continue'");
    s.kind = next().text == "break" ? StatementKind::kBreak : StatementKind::kContinue;
    expect_block_end();
    return s;
  }
  unexpected("if, for, set, macro, call, filter, with, break, continue, raw or generation");
}

// Behind "if".
Statement Parser::if_statement(Statement s) {
  s.kind = StatementKind::kIf;
  while (true) {
    s.expressions.push_back(bare_tuple(false));
    expect_block_end();
    s.bodies.push_back(block({"endif", "else", "elif"}));
    if (skip_name("elif")) continue;
    if (skip_name("else"))
      s.bodies.push_back(body("endif"));
    else {
      expect_name("endif");
      expect_block_end();
    }
    return s;
  }
}

Statement Parser::for_statement(Statement s) {
  s.kind = StatementKind::kFor;
  s.target = target(false);
  expect_name("in");
  s.expressions.push_back(bare_tuple(false));
  s.expressions.push_back(skip_name("if") ? expression() : nullptr);
  s.recursive = skip_name("recursive");
  expect_block_end();
  ++loops_;
  s.bodies.push_back(block({"endfor", "else"}));
  --loops_;
  if (skip_name("else")) {
    s.bodies.push_back(body("endfor"));
  } else {
    expect_name("endfor");
    expect_block_end();
    s.bodies.emplace_back();
  }
  return s;
}

Statement Parser::set_statement(Statement s) {
  s.target = target(true);
  if (skip_operator("=")) {
    s.kind = StatementKind::kSet;
    s.expressions.push_back(bare_tuple(true));
    expect_block_end();
    return s;
  }
  s.kind = StatementKind::kSetBlock;
  ExprPtr chain = at_operator("|") ? filters(make(ExprKind::kBody, s.line, "", {})) : nullptr;
  s.expressions.push_back(std::move(chain));
  s.bodies.push_back(body("endset"));
  return s;
}

Signature Parser::signature() {
  Signature result;
  expect_operator("(");
  while (!at_operator(")")) {
    result.names.push_back(expect_identifier("the name of a parameter"));
    if (skip_operator("="))
      result.defaults.push_back(expression());
    else if (!result.defaults.empty())
      unexpected("a default, as the parameter before has");
    if (!skip_operator(",")) break;
  }
  expect_operator(")");
  return result;
}

// What a call runs: parameters of its own, and no loop around it that it could leave.
Statement Parser::with_callable_body(Statement s, std::string_view end) {
  const size_t loops = std::exchange(loops_, 0);
  signatures_.push_back(&s.signature);
  s.bodies.push_back(body(end));
  signatures_.pop_back();
  loops_ = loops;
  return s;
}

Statement Parser::macro_statement(Statement s) {
  s.kind = StatementKind::kMacro;
  s.name = expect_identifier("the name of the macro");
  s.signature = signature();
  return with_callable_body(std::move(s), "endmacro");
}

Statement Parser::call_statement(Statement s) {
  s.kind = StatementKind::kCallBlock;
  if (at_operator("(")) s.signature = signature();
  ExprPtr call = expression();
  if (call->kind != ExprKind::kCall) fail("line {}: expected a call after 'call'", s.line);
  s.expressions.push_back(std::move(call));
  return with_callable_body(std::move(s), "endcall");
}

Statement Parser::with_statement(Statement s) {
  s.kind = StatementKind::kWith;
  while (peek().kind != TokenKind::kBlockEnd) {
    if (!s.with_targets.empty()) expect_operator(",");
    s.with_targets.push_back(single_target(false));
    expect_operator("=");
    s.expressions.push_back(expression());
  }
  s.bodies.push_back(body("endwith"));
  return s;
}

Target Parser::target(bool with_attribute) {
  const size_t line = peek().line;
  Target first = single_target(with_attribute);
  if (!at_operator(",")) return first;
  Target result;
  result.line = line;
  result.items.push_back(std::move(first));
  while (skip_operator(",") && (peek().kind == TokenKind::kName || at_operator("(")) && !at_name("in"))
    result.items.push_back(single_target(with_attribute));
  return result;
}

Target Parser::single_target(bool with_attribute) {
  const Level level(*this);
  if (skip_operator("(")) {
    Target inner = target(with_attribute);
    expect_operator(")");
    return inner;
  }
  Target result;
  result.line = peek().line;
  result.name = expect_identifier("a name to set");
  for (const std::string_view reserved : {"true", "false", "none", "True", "False", "None"}) {
    if (result.name == reserved) fail("line {}: expected a name to set, found {}", result.line, quote(result.name));
  }
  if (with_attribute && skip_operator(".")) result.attribute = expect_identifier("the name of an attribute");
  return result;
}

Block parse_template(std::string_view source, const Limits& limits) {
  if (source.size() > limits.source_bytes) {
    fail("expected a template of at most {} bytes, it has {}", limits.source_bytes, source.size());
  }
  return Parser(source, limits).parse();
}

}  // namespace tern::jinja
