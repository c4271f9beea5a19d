#define PCRE2_CODE_UNIT_WIDTH 8
#include "tokenizer/regex_split.h"

#include <pcre2.h>

#include <algorithm>
#include <array>
#include <utility>

#include "base/error.h"
#include "base/text.h"

namespace tern {
namespace {

constexpr size_t kLongestPattern = size_t{64} << 10;
constexpr size_t kFirstWindow = size_t{1} << 10;  // bytes that a search may look at for nothing
constexpr uint32_t kFirstSteps = 1 << 12;         // backtracking steps likewise
constexpr size_t kWorkPerByte = 64;
constexpr size_t kLeastWork = size_t{64} << 20;
constexpr uint32_t kHeapLimitKib = 64 << 10;
constexpr size_t kJitStackStart = size_t{32} << 10;
constexpr size_t kJitStackMost = size_t{8} << 20;
constexpr std::string_view kMongolianVowelSeparator = "\xE1\xA0\x8E";  // U+180E: \s for PCRE2, not for Unicode
constexpr std::string_view kZeroWidthSpace = "\xE2\x80\x8B";           // U+200B: the same category, not \s for either
constexpr std::string_view kReplacement = "\xEF\xBF\xBD";              // U+FFFD: neither letter, number nor space

template <auto function>
struct FreeBy {
  template <class T>
  void operator()(T* object) const {
    function(object);
  }
};
using CompileContext = std::unique_ptr<pcre2_compile_context, FreeBy<pcre2_compile_context_free>>;
using MatchContext = std::unique_ptr<pcre2_match_context, FreeBy<pcre2_match_context_free>>;
using MatchData = std::unique_ptr<pcre2_match_data, FreeBy<pcre2_match_data_free>>;
using JitStack = std::unique_ptr<pcre2_jit_stack, FreeBy<pcre2_jit_stack_free>>;
using Pattern = std::unique_ptr<pcre2_code, FreeBy<pcre2_code_free>>;

std::string pcre_message(int code) {
  std::array<PCRE2_UCHAR, 256> buffer{};
  pcre2_get_error_message(code, buffer.data(), buffer.size());
  return reinterpret_cast<const char*>(buffer.data());
}

PCRE2_SPTR as_units(std::string_view text) { return reinterpret_cast<PCRE2_SPTR>(text.data()); }

// A compiled pattern, and the same for matches that begin where the search does.
struct Patterns {
  Pattern anywhere;
  Pattern anchored;
};

// Matches of a pattern in a text, one after the other. PCRE2's own limits are for one start of a match, and scanning a
// class of characters counts as nothing there: a pattern that looks at the rest of the text for every piece stays below
// them and takes quadratic time. Here a search sees a window and has a number of steps. A match that wants to see more
// is tried again, at its place alone, with more of either. That adds up to the work of the text, which has a limit.
class Matcher {
 public:
  struct Range {
    size_t begin, end;
  };

  Matcher(const Patterns& patterns, std::string_view text)
      : patterns_(patterns), text_(text), most_work_(kLeastWork + kWorkPerByte * text.size()) {
    if (!context_ || !data_ || !stack_) fail("regular expression: no memory to match it");
    pcre2_set_heap_limit(context_.get(), kHeapLimitKib);
    pcre2_jit_stack_assign(context_.get(), nullptr, stack_.get());
  }

  // The first match that begins at text[from] or later; false where there is none.
  bool next(size_t from, Range& match) {
    size_t window = kFirstWindow;
    uint32_t steps = kFirstSteps;
    while (from < text_.size()) {
      const int count = search(from, window, steps);
      if (count >= 0) {
        const PCRE2_SIZE* range = pcre2_get_ovector_pointer(data_.get());
        // \K can put the start of a match before `from` or after its end.
        match.begin = std::max<size_t>(range[0], from);
        match.end = std::max<size_t>(range[1], match.begin);
        return true;
      }
      if (count == PCRE2_ERROR_NOMATCH) {
        // None begins in the first window or, in a larger one, at its beginning.
        from = window == kFirstWindow ? window_end(from, window) : from + decode_utf8(text_, from).size;
        window = kFirstWindow;
        steps = kFirstSteps;
      } else if (count == PCRE2_ERROR_PARTIAL) {
        from = pcre2_get_startchar(data_.get());
        window *= 2;
        spend(window, from);
      } else if (count == PCRE2_ERROR_MATCHLIMIT && steps <= UINT32_MAX / 4) {
        steps *= 4;
        spend(steps, from);
      } else {
        fail("regular expression: matching at byte {} of {}: {}", from, text_.size(), pcre_message(count));
      }
    }
    return false;
  }

 private:
  int search(size_t from, size_t window, uint32_t steps) {
    const size_t end = window_end(from, window);
    const uint32_t options = PCRE2_NO_UTF_CHECK | (end == text_.size() ? 0 : PCRE2_PARTIAL_HARD);
    const Pattern& pattern = window == kFirstWindow ? patterns_.anywhere : patterns_.anchored;
    pcre2_set_match_limit(context_.get(), steps);
    return pcre2_match(pattern.get(), as_units(text_), end, from, options, data_.get(), context_.get());
  }

  // Where a window of that many bytes ends, or a few more: not inside a character.
  size_t window_end(size_t from, size_t window) const {
    if (window >= text_.size() - from) return text_.size();
    size_t end = from + window;
    while (end < text_.size() && (static_cast<uint8_t>(text_[end]) & 0xC0) == 0x80) ++end;
    return end;
  }

  void spend(size_t work, size_t at) {
    work_ += work;
    if (work_ > most_work_) {
      fail("regular expression: at byte {} of {}: expected a total work of at most {}, it is above the limit", at,
           text_.size(), most_work_);
    }
  }

  const Patterns& patterns_;
  std::string_view text_;
  MatchContext context_{pcre2_match_context_create(nullptr)};
  MatchData data_{pcre2_match_data_create(1, nullptr)};
  JitStack stack_{pcre2_jit_stack_create(kJitStackStart, kJitStackMost, nullptr)};
  size_t most_work_;
  size_t work_ = 0;
};

Pattern compile(const std::string& pattern, uint32_t more_options) {
  const CompileContext context(pcre2_compile_context_create(nullptr));
  if (!context) fail("regular expression: no memory to compile it");
  pcre2_set_max_pattern_length(context.get(), kLongestPattern);
  constexpr uint32_t kOptions = PCRE2_UTF | PCRE2_UCP | PCRE2_NEVER_BACKSLASH_C;
  int error = 0;
  PCRE2_SIZE offset = 0;
  Pattern code(
      pcre2_compile(as_units(pattern), pattern.size(), kOptions | more_options, &error, &offset, context.get()));
  if (!code) fail("regular expression of {} bytes: at byte {}: {}", pattern.size(), offset, pcre_message(error));
  // Without JIT (an unsupported machine or pattern) the interpreter does the same, slower.
  pcre2_jit_compile(code.get(), PCRE2_JIT_COMPLETE | PCRE2_JIT_PARTIAL_HARD);
  return code;
}

// The text as PCRE2 shall see it, and the way back to offsets of the original.
class Subject {
 public:
  explicit Subject(std::string_view text) : original_(text) {
    if (is_valid_utf8(text) && text.find(kMongolianVowelSeparator) == std::string_view::npos) return;
    is_copy_ = true;
    for (size_t at = 0; at < text.size();) {
      const CodePoint point = decode_utf8(text, at);
      const std::string_view piece = text.substr(at, point.size);
      copy_ += !point.valid ? kReplacement : piece == kMongolianVowelSeparator ? kZeroWidthSpace : piece;
      at += point.size;
    }
  }

  std::string_view text() const { return is_copy_ ? std::string_view(copy_) : original_; }

  // The original offset of offset `at` of text(). Offsets must be asked for in ascending order.
  size_t original_offset(size_t at) {
    if (!is_copy_) return at;
    while (copy_at_ < at) {
      const CodePoint point = decode_utf8(original_, original_at_);
      copy_at_ += point.valid ? point.size : kReplacement.size();
      original_at_ += point.size;
    }
    return original_at_;
  }

 private:
  std::string_view original_;
  std::string copy_;
  bool is_copy_ = false;
  size_t copy_at_ = 0;
  size_t original_at_ = 0;
};

}  // namespace

struct RegexSplitter::Code {
  Patterns patterns;
};

RegexSplitter::RegexSplitter(const std::string& pattern)
    : code_(std::make_unique<Code>(Code{{compile(pattern, 0), compile(pattern, PCRE2_ANCHORED)}})) {}

RegexSplitter::~RegexSplitter() = default;
RegexSplitter::RegexSplitter(RegexSplitter&&) noexcept = default;
RegexSplitter& RegexSplitter::operator=(RegexSplitter&&) noexcept = default;

void RegexSplitter::split(std::string_view text, const std::function<void(std::string_view)>& take) const {
  Subject subject(text);
  const std::string_view seen = subject.text();
  Matcher matcher(code_->patterns, seen);
  size_t taken = 0;  // in `text`
  const auto take_until = [&](size_t end_seen) {
    const size_t end = subject.original_offset(end_seen);
    if (end > taken) take(text.substr(taken, end - taken));
    taken = end;
  };
  Matcher::Range match{};
  for (size_t from = 0; from < seen.size() && matcher.next(from, match);) {
    take_until(match.begin);
    take_until(match.end);
    from = match.end;
    if (match.end > match.begin) continue;
    if (from == seen.size()) break;
    from += decode_utf8(seen, from).size;
  }
  take_until(seen.size());
}

}  // namespace tern
