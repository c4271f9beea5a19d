// Cutting text with a regular expression that no hand-written scanner covers (PCRE2: UTF, UCP, JIT, with match limits).
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>

namespace tern {

// A compiled pattern. Immutable: one object may be used by any number of threads.
class RegexSplitter {
 public:
  // Error (with the place in the pattern) when `pattern` does not compile or is longer than 64 KiB.
  explicit RegexSplitter(const std::string& pattern);
  ~RegexSplitter();
  RegexSplitter(RegexSplitter&&) noexcept;
  RegexSplitter& operator=(RegexSplitter&&) noexcept;

  // Calls `take` for each match and each gap between matches, in order; together they are the text (HF: "Isolated").
  // White space is Unicode's White_Space (PCRE2 counts U+180E too). An invalid byte is a character that is neither
  // letter, number nor space. Error when matching goes beyond the limits: what a match looks at beyond 1 KiB and its
  // steps beyond 4096 may add up to 64 for each byte of the text, and 64 Mi.
  void split(std::string_view text, const std::function<void(std::string_view)>& take) const;

 private:
  struct Code;
  std::unique_ptr<Code> code_;
};

}  // namespace tern
