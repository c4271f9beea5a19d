// A template as a tree. Its depth is at most Limits::depth, whatever the text: what walks it may recurse.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "template/limits.h"
#include "template/value.h"

namespace tern::jinja {

enum class ExprKind : uint8_t {
  kConstant,
  kName,
  kList,        // children: items
  kTuple,       // children: items
  kMap,         // children: key, value, key, value, ...
  kAttribute,   // child.name
  kSubscript,   // child[child]
  kSlice,       // child[child:child:child]; the last three may be null
  kCall,        // children: what is called, arguments
  kFilter,      // child | name(arguments)
  kTest,        // child is name(arguments)
  kNot,         // child
  kNegate,      // child
  kPlus,        // child
  kArithmetic,  // child operation child
  kCompare,     // child operation child operation child ...: each neighbours' comparison holds
  kConcat,      // child ~ child ~ ...
  kAnd,         // child, child
  kOr,          // child, child
  kCondition,   // children: value, condition, otherwise (or null)
  kBody,        // the text of the block that a filter is applied to
};

enum class Operation : uint8_t {
  kAdd,
  kSubtract,
  kMultiply,
  kDivide,
  kFloorDivide,
  kModulo,
  kPower,
  kEqual,
  kNotEqual,
  kLess,
  kLessEqual,
  kGreater,
  kGreaterEqual,
  kIn,
  kNotIn,
};

struct Expr;
using ExprPtr = std::unique_ptr<Expr>;

struct Expr {
  ExprKind kind = ExprKind::kConstant;
  size_t line = 0;
  size_t depth = 1;                   // of the tree below
  std::string name;                   // also the contents of a string
  Value constant;                     // of a string: a view of `name`
  std::vector<ExprPtr> children;      // see ExprKind
  std::vector<std::string> keywords;  // of kCall, kFilter, kTest: the names of the last arguments
  std::vector<Operation> operations;  // of kArithmetic (one) and kCompare
};

// What a value is given to: a name, an attribute of a namespace, or several of them.
struct Target {
  std::string name;
  std::string attribute;      // "ns.attribute"
  std::vector<Target> items;  // a tuple, when not empty
  size_t line = 0;
};

struct Statement;
using Block = std::vector<Statement>;

enum class StatementKind : uint8_t {
  kText,         // name: the text
  kPrint,        // expressions: what is written
  kIf,           // expressions: conditions; bodies: of each, and of else
  kFor,          // expressions: what is iterated over, the filter (or null); bodies: loop, else (may be empty)
  kSet,          // target = expressions[0]
  kSetBlock,     // target = bodies[0], through expressions[0] (or null)
  kMacro,        // name, signature; bodies[0]
  kCallBlock,    // signature of caller(); expressions[0]: the call; bodies[0]
  kFilterBlock,  // bodies[0] through expressions[0]
  kWith,         // targets of `with_targets` = expressions; bodies[0]
  kGroup,        // bodies[0]: {% generation %}, which only marks text for training
  kBreak,
  kContinue,
};

struct Signature {
  std::vector<std::string> names;
  std::vector<ExprPtr> defaults;  // of the last names
  bool takes_varargs = false;     // the body names varargs, kwargs, caller
  bool takes_kwargs = false;
  bool takes_caller = false;
};

struct Statement {
  StatementKind kind = StatementKind::kText;
  size_t line = 0;
  std::string name;
  Target target;
  std::vector<Target> with_targets;
  std::vector<ExprPtr> expressions;
  std::vector<Block> bodies;
  Signature signature;
  bool recursive = false;
};

// Error ("line N: expected ..., found ...") for what is no template or breaks a limit.
Block parse_template(std::string_view source, const Limits& limits);

}  // namespace tern::jinja
