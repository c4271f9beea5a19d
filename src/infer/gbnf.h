// GBNF, the notation of llama.cpp for grammars, as a tree (the grammars/README.md of that project describes it):
//
//   root ::= "yes" | "no, " reason       # a comment
//   reason ::= [a-z0-9 ]{1,20} (", " [^\n"]+)? "."
//
// Rules, literals, classes of code points, `.`, groups, alternatives and ? * + {m} {m,} {,n} {m,n}; escapes are
// \n \r \t \" \\ \[ \] \- \^ \xHH \uHHHH \UHHHHHHHH. A rule ends where the next begins, wherever its lines break.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace tern {

struct GrammarLimits {
  size_t text_bytes = size_t{1} << 18;
  size_t rules = size_t{1} << 15;
  size_t nesting = 64;             // of groups and repetitions
  size_t repetitions = 4096;       // in one {m,n}
  size_t nodes = size_t{1} << 18;  // of the compiled grammar (grammar.h)
};

struct GrammarTree {
  static constexpr uint32_t kNoLimit = UINT32_MAX;

  struct Part {
    enum class Kind : uint8_t { kBytes, kClass, kRule, kSequence, kChoice, kRepeat };
    Kind kind = Kind::kSequence;
    std::string bytes;                                  // kBytes
    std::vector<std::pair<char32_t, char32_t>> ranges;  // kClass: sorted, apart, without surrogates, not none
    std::vector<uint32_t> parts;                        // kSequence, kChoice; kRepeat: one
    uint32_t rule = 0;                                  // kRule
    uint32_t least = 0, most = 0;                       // kRepeat
    size_t depth = 1;
  };
  struct Rule {
    std::string name;
    uint32_t body = UINT32_MAX;
  };

  std::vector<Part> parts;
  std::vector<Rule> rules;  // all with a body
  uint32_t root = 0;        // the rule of that name
};

// Error, with the line, for what is no grammar: among it rules without a definition or with two, and whatever is beyond
// the limits.
GrammarTree parse_gbnf(std::string_view text, const GrammarLimits& limits);

}  // namespace tern
