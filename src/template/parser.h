// Tokens to syntax. The grammar is Jinja's: expressions in parse_expression.cc, statements in parse_statement.cc.
#pragma once

#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

#include "template/lexer.h"
#include "template/syntax.h"

namespace tern::jinja {

class Parser {
 public:
  Parser(std::string_view source, const Limits& limits) : limits_(limits), tokens_(tokenize(source)) {}

  Block parse();

 private:
  // One more level of nesting while it lives.
  class Level {
   public:
    explicit Level(Parser& parser);
    ~Level() { --depth_; }
    Level(const Level&) = delete;
    Level& operator=(const Level&) = delete;

   private:
    size_t& depth_;
  };

  const Token& peek(size_t ahead = 0) const { return tokens_[std::min(at_ + ahead, tokens_.size() - 1)]; }
  const Token& next() { return tokens_[at_ + 1 < tokens_.size() ? at_++ : at_]; }
  bool at_operator(std::string_view text, size_t ahead = 0) const {
    return peek(ahead).kind == TokenKind::kOperator && peek(ahead).text == text;
  }
  bool at_name(std::string_view text, size_t ahead = 0) const {
    return peek(ahead).kind == TokenKind::kName && peek(ahead).text == text;
  }
  bool skip_operator(std::string_view text);
  bool skip_name(std::string_view text);
  void expect_operator(std::string_view text);
  void expect_name(std::string_view text);
  void expect_block_end();
  std::string expect_identifier(std::string_view what);
  [[noreturn]] void unexpected(std::string_view expected) const;

  ExprPtr make(ExprKind kind, size_t line, std::string name, std::vector<ExprPtr> children) const;
  ExprPtr make(ExprKind kind, size_t line, ExprPtr a, ExprPtr b = nullptr) const;
  ExprPtr text_constant(std::string text, size_t line) const;
  ExprPtr number_constant(const Token& token) const;

  ExprPtr expression();
  ExprPtr condition();    // with "if ... else"
  ExprPtr disjunction();  // without
  ExprPtr conjunction();
  ExprPtr negation();
  ExprPtr comparison();
  ExprPtr arithmetic(size_t level);
  ExprPtr concatenation();
  ExprPtr unary(bool with_filter);
  ExprPtr primary();
  ExprPtr sequence(std::string_view close);
  ExprPtr mapping();
  ExprPtr postfix(ExprPtr expr);
  ExprPtr subscript(ExprPtr expr);
  ExprPtr filters(ExprPtr expr);
  ExprPtr filter(ExprPtr expr);
  ExprPtr test(ExprPtr expr);
  void arguments(Expr& call);
  // "a, b" without brackets; a single expression without a comma is itself.
  ExprPtr bare_tuple(bool with_condition);
  bool at_tuple_end() const;

  Block block(std::initializer_list<std::string_view> end_tags);
  Block body(std::string_view end_tag);
  Statement statement();
  Statement print_statement();
  Statement if_statement(Statement s);
  Statement for_statement(Statement s);
  Statement set_statement(Statement s);
  Statement with_callable_body(Statement s, std::string_view end);
  Statement macro_statement(Statement s);
  Statement call_statement(Statement s);
  Statement with_statement(Statement s);
  Signature signature();
  Target target(bool with_attribute);
  Target single_target(bool with_attribute);

  const Limits& limits_;
  std::vector<Token> tokens_;
  size_t at_ = 0;
  size_t depth_ = 0;
  size_t loops_ = 0;                    // that a "break" here could leave
  std::vector<Signature*> signatures_;  // of the macros around
};

}  // namespace tern::jinja
