#include <algorithm>
#include <array>
#include <charconv>

#include "base/error.h"
#include "base/text.h"
#include "template/parser.h"

namespace tern::jinja {

Parser::Level::Level(Parser& parser) : depth_(parser.depth_) {
  if (depth_ >= parser.limits_.depth) {
    fail("line {}: expected at most {} levels of nesting, there are more", parser.peek().line, parser.limits_.depth);
  }
  ++depth_;
}

bool Parser::skip_operator(std::string_view text) {
  if (!at_operator(text)) return false;
  next();
  return true;
}

bool Parser::skip_name(std::string_view text) {
  if (!at_name(text)) return false;
  next();
  return true;
}

void Parser::expect_operator(std::string_view text) {
  if (!skip_operator(text)) unexpected("'" + std::string(text) + "'");
}

void Parser::expect_name(std::string_view text) {
  if (!skip_name(text)) unexpected("'" + std::string(text) + "'");
}

std::string Parser::expect_identifier(std::string_view what) {
  if (peek().kind != TokenKind::kName) unexpected(what);
  return next().text;
}

void Parser::unexpected(std::string_view expected) const {
  fail("line {}: expected {}, found {}", peek().line, expected, shown(peek()));
}

ExprPtr Parser::make(ExprKind kind, size_t line, std::string name, std::vector<ExprPtr> children) const {
  auto expr = std::make_unique<Expr>();
  expr->kind = kind;
  expr->line = line;
  expr->name = std::move(name);
  for (const ExprPtr& child : children) {
    if (child != nullptr) expr->depth = std::max(expr->depth, child->depth + 1);
  }
  if (expr->depth > limits_.depth) {
    fail("line {}: expected an expression of at most {} levels, it has more", line, limits_.depth);
  }
  expr->children = std::move(children);
  return expr;
}

ExprPtr Parser::make(ExprKind kind, size_t line, ExprPtr a, ExprPtr b) const {
  std::vector<ExprPtr> children;
  children.push_back(std::move(a));
  if (b != nullptr) children.push_back(std::move(b));
  return make(kind, line, "", std::move(children));
}

ExprPtr Parser::text_constant(std::string text, size_t line) const {
  ExprPtr expr = make(ExprKind::kConstant, line, std::move(text), {});
  expr->constant = Value::view(expr->name);
  return expr;
}

ExprPtr Parser::number_constant(const Token& token) const {
  ExprPtr expr = make(ExprKind::kConstant, token.line, "", {});
  const char* begin = token.text.data();
  const char* end = begin + token.text.size();
  if (token.kind == TokenKind::kReal) {
    double value = 0;
    if (std::from_chars(begin, end, value).ec == std::errc::result_out_of_range)
      fail("line {}: expected a number within the range of doubles, found {}", token.line, quote(token.text));
    expr->constant = Value::real(value);
  } else {
    int64_t value = 0;
    if (std::from_chars(begin, end, value).ec != std::errc())
      fail("line {}: expected an integer of at most 64 bits, found {}", token.line, quote(token.text));
    expr->constant = Value::integer(value);
  }
  return expr;
}

ExprPtr Parser::expression() { return condition(); }

ExprPtr Parser::condition() {
  const Level level(*this);
  ExprPtr value = disjunction();
  while (at_name("if")) {
    const size_t line = next().line;
    std::vector<ExprPtr> children;
    ExprPtr test = disjunction();
    ExprPtr otherwise = skip_name("else") ? condition() : nullptr;
    children.push_back(std::move(value));
    children.push_back(std::move(test));
    children.push_back(std::move(otherwise));
    value = make(ExprKind::kCondition, line, "", std::move(children));
  }
  return value;
}

ExprPtr Parser::disjunction() {
  ExprPtr left = conjunction();
  while (at_name("or")) {
    const size_t line = next().line;
    left = make(ExprKind::kOr, line, std::move(left), conjunction());
  }
  return left;
}

ExprPtr Parser::conjunction() {
  ExprPtr left = negation();
  while (at_name("and")) {
    const size_t line = next().line;
    left = make(ExprKind::kAnd, line, std::move(left), negation());
  }
  return left;
}

ExprPtr Parser::negation() {
  if (!at_name("not")) return comparison();
  const Level level(*this);
  const size_t line = next().line;
  return make(ExprKind::kNot, line, negation());
}

namespace {

struct OperatorName {
  std::string_view text;
  Operation operation;
};

constexpr std::array<OperatorName, 6> kComparisons{{{"==", Operation::kEqual},
                                                    {"!=", Operation::kNotEqual},
                                                    {"<", Operation::kLess},
                                                    {"<=", Operation::kLessEqual},
                                                    {">", Operation::kGreater},
                                                    {">=", Operation::kGreaterEqual}}};

// The lowest precedence first; between the first and the second level stands "~".
const std::array<std::vector<OperatorName>, 3> kArithmetic{{{{"+", Operation::kAdd}, {"-", Operation::kSubtract}},
                                                            {{"*", Operation::kMultiply},
                                                             {"/", Operation::kDivide},
                                                             {"//", Operation::kFloorDivide},
                                                             {"%", Operation::kModulo}},
                                                            {{"**", Operation::kPower}}}};

template <class Names>
const OperatorName* find_operator(const Names& names, const Token& token) {
  if (token.kind != TokenKind::kOperator) return nullptr;
  for (const OperatorName& name : names) {
    if (token.text == name.text) return &name;
  }
  return nullptr;
}

}  // namespace

ExprPtr Parser::comparison() {
  const size_t line = peek().line;
  std::vector<ExprPtr> children;
  std::vector<Operation> operations;
  children.push_back(arithmetic(0));
  while (true) {
    if (const OperatorName* found = find_operator(kComparisons, peek())) {
      next();
      operations.push_back(found->operation);
    } else if (skip_name("in")) {
      operations.push_back(Operation::kIn);
    } else if (at_name("not") && at_name("in", 1)) {
      next();
      next();
      operations.push_back(Operation::kNotIn);
    } else {
      break;
    }
    children.push_back(arithmetic(0));
  }
  if (operations.empty()) return std::move(children.front());
  ExprPtr expr = make(ExprKind::kCompare, line, "", std::move(children));
  expr->operations = std::move(operations);
  return expr;
}

ExprPtr Parser::arithmetic(size_t level) {
  if (level == kArithmetic.size()) return unary(true);
  const auto operand = [&] { return level == 0 ? concatenation() : arithmetic(level + 1); };
  ExprPtr left = operand();
  while (const OperatorName* found = find_operator(kArithmetic[level], peek())) {
    const size_t line = next().line;
    left = make(ExprKind::kArithmetic, line, std::move(left), operand());
    left->operations = {found->operation};
  }
  return left;
}

ExprPtr Parser::concatenation() {
  const size_t line = peek().line;
  std::vector<ExprPtr> children;
  children.push_back(arithmetic(1));
  while (skip_operator("~")) children.push_back(arithmetic(1));
  if (children.size() == 1) return std::move(children.front());
  return make(ExprKind::kConcat, line, "", std::move(children));
}

ExprPtr Parser::unary(bool with_filter) {
  ExprPtr expr;
  if (at_operator("-") || at_operator("+")) {
    const Level level(*this);
    const Token& sign = next();
    const ExprKind kind = sign.text == "-" ? ExprKind::kNegate : ExprKind::kPlus;
    expr = make(kind, sign.line, unary(false));
  } else {
    expr = primary();
  }
  expr = postfix(std::move(expr));
  return with_filter ? filters(std::move(expr)) : std::move(expr);
}

ExprPtr Parser::primary() {
  const Token& token = peek();
  switch (token.kind) {
    case TokenKind::kName: {
      next();
      const bool yes = token.text == "true" || token.text == "True";
      if (yes || token.text == "false" || token.text == "False" || token.text == "none" || token.text == "None") {
        ExprPtr expr = make(ExprKind::kConstant, token.line, "", {});
        const bool is_none = token.text[0] == 'n' || token.text[0] == 'N';
        expr->constant = is_none ? Value::none() : Value::boolean(yes);
        return expr;
      }
      if (!signatures_.empty()) {
        Signature& macro = *signatures_.back();
        macro.takes_varargs |= token.text == "varargs";
        macro.takes_kwargs |= token.text == "kwargs";
        macro.takes_caller |= token.text == "caller";
      }
      return make(ExprKind::kName, token.line, token.text, {});
    }
    case TokenKind::kString: {
      std::string text = next().text;
      while (peek().kind == TokenKind::kString) text += next().text;
      return text_constant(std::move(text), token.line);
    }
    case TokenKind::kInteger:
    case TokenKind::kReal:
      return number_constant(next());
    default:
      break;
  }
  if (skip_operator("(")) return sequence(")");
  if (skip_operator("[")) return sequence("]");
  if (skip_operator("{")) return mapping();
  unexpected("an expression");
}

// Behind the opening bracket.
ExprPtr Parser::sequence(std::string_view close) {
  const size_t line = peek().line;
  std::vector<ExprPtr> children;
  bool comma = false;
  while (!at_operator(close)) {
    children.push_back(expression());
    comma = skip_operator(",");
    if (!comma) break;
  }
  expect_operator(close);
  if (close == "]") return make(ExprKind::kList, line, "", std::move(children));
  if (children.size() == 1 && !comma) return std::move(children.front());
  return make(ExprKind::kTuple, line, "", std::move(children));
}

ExprPtr Parser::mapping() {
  const size_t line = peek().line;
  std::vector<ExprPtr> children;
  while (!at_operator("}")) {
    children.push_back(expression());
    expect_operator(":");
    children.push_back(expression());
    if (!skip_operator(",")) break;
  }
  expect_operator("}");
  return make(ExprKind::kMap, line, "", std::move(children));
}

ExprPtr Parser::postfix(ExprPtr expr) {
  while (true) {
    if (at_operator(".") || at_operator("[")) {
      expr = subscript(std::move(expr));
    } else if (at_operator("(")) {
      ExprPtr call = make(ExprKind::kCall, peek().line, std::move(expr));
      arguments(*call);
      expr = std::move(call);
    } else {
      return expr;
    }
  }
}

ExprPtr Parser::subscript(ExprPtr expr) {
  const size_t line = peek().line;
  if (skip_operator(".")) {
    if (peek().kind == TokenKind::kInteger)
      return make(ExprKind::kSubscript, line, std::move(expr), number_constant(next()));
    std::vector<ExprPtr> children;
    children.push_back(std::move(expr));
    return make(ExprKind::kAttribute, line, expect_identifier("a name after '.'"), std::move(children));
  }
  expect_operator("[");
  const Level level(*this);
  ExprPtr first = at_operator(":") ? nullptr : expression();
  if (!at_operator(":")) {
    expect_operator("]");
    return make(ExprKind::kSubscript, line, std::move(expr), std::move(first));
  }
  std::vector<ExprPtr> children;
  children.push_back(std::move(expr));
  children.push_back(std::move(first));
  while (children.size() < 4 && skip_operator(":"))
    children.push_back(at_operator(":") || at_operator("]") ? nullptr : expression());
  children.resize(4);
  expect_operator("]");
  return make(ExprKind::kSlice, line, "", std::move(children));
}

ExprPtr Parser::filters(ExprPtr expr) {
  while (true) {
    if (at_operator("|")) {
      next();
      expr = filter(std::move(expr));
    } else if (at_name("is")) {
      expr = test(std::move(expr));
    } else if (at_operator("(")) {
      expr = postfix(std::move(expr));
    } else {
      return expr;
    }
  }
}

// Behind the "|".
ExprPtr Parser::filter(ExprPtr expr) {
  const size_t line = peek().line;
  std::vector<ExprPtr> children;
  children.push_back(std::move(expr));
  ExprPtr result = make(ExprKind::kFilter, line, expect_identifier("the name of a filter"), std::move(children));
  if (at_operator("(")) arguments(*result);
  return result;
}

ExprPtr Parser::test(ExprPtr expr) {
  const size_t line = next().line;
  const bool negated = skip_name("not");
  std::vector<ExprPtr> children;
  children.push_back(std::move(expr));
  ExprPtr result = make(ExprKind::kTest, line, expect_identifier("the name of a test"), std::move(children));
  const TokenKind kind = peek().kind;
  const bool word = kind == TokenKind::kName && !at_name("else") && !at_name("or") && !at_name("and");
  const bool literal = kind == TokenKind::kString || kind == TokenKind::kInteger || kind == TokenKind::kReal;
  if (at_operator("(")) {
    arguments(*result);
  } else if (word || literal || at_operator("[") || at_operator("{")) {
    if (at_name("is")) unexpected("no second test on a test's result");
    const Level level(*this);
    ExprPtr argument = postfix(primary());
    std::vector<ExprPtr> all;
    all.push_back(std::move(result->children.front()));
    all.push_back(std::move(argument));
    result = make(ExprKind::kTest, line, result->name, std::move(all));
  }
  return negated ? make(ExprKind::kNot, line, std::move(result)) : std::move(result);
}

void Parser::arguments(Expr& call) {
  const Level level(*this);
  expect_operator("(");
  while (!at_operator(")")) {
    if (at_operator("*") || at_operator("**")) unexpected("an argument (tern has no '*' and '**' in calls)");
    const bool keyword = peek().kind == TokenKind::kName && at_operator("=", 1);
    if (keyword) {
      call.keywords.push_back(next().text);
      next();
    } else if (!call.keywords.empty()) {
      unexpected("NAME=VALUE after an argument with a name");
    }
    ExprPtr value = expression();
    call.depth = std::max(call.depth, value->depth + 1);
    call.children.push_back(std::move(value));
    if (!skip_operator(",")) break;
  }
  expect_operator(")");
  if (call.depth > limits_.depth)
    fail("line {}: expected an expression of at most {} levels, it has more", call.line, limits_.depth);
}

bool Parser::at_tuple_end() const {
  const TokenKind kind = peek().kind;
  return kind == TokenKind::kBlockEnd || kind == TokenKind::kPrintEnd || at_operator(")") || at_name("recursive") ||
         at_name("if");
}

ExprPtr Parser::bare_tuple(bool with_condition) {
  const Level level(*this);
  const size_t line = peek().line;
  const auto item = [&] { return with_condition ? condition() : disjunction(); };
  ExprPtr first = item();
  if (!at_operator(",")) return first;
  std::vector<ExprPtr> children;
  children.push_back(std::move(first));
  while (skip_operator(",") && !at_tuple_end()) children.push_back(item());
  return make(ExprKind::kTuple, line, "", std::move(children));
}

}  // namespace tern::jinja
