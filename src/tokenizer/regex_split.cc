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
constexpr size_t kLeastMatchLimit = 10'000'000;
constexpr size_t kMatchLimitPerByte = 16;  // a long run of one class is walked back through once
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
  Pattern pattern;
};

RegexSplitter::RegexSplitter(const std::string& pattern) : code_(std::make_unique<Code>()) {
  const CompileContext context(pcre2_compile_context_create(nullptr));
  if (!context) fail("regular expression: no memory to compile it");
  pcre2_set_max_pattern_length(context.get(), kLongestPattern);
  int error = 0;
  PCRE2_SIZE offset = 0;
  code_->pattern.reset(pcre2_compile(as_units(pattern), pattern.size(), PCRE2_UTF | PCRE2_UCP | PCRE2_NEVER_BACKSLASH_C,
                                     &error, &offset, context.get()));
  if (!code_->pattern)
    fail("regular expression of {} bytes: at byte {}: {}", pattern.size(), offset, pcre_message(error));
  // Without JIT (an unsupported machine or pattern) the interpreter does the same, slower.
  pcre2_jit_compile(code_->pattern.get(), PCRE2_JIT_COMPLETE);
}

RegexSplitter::~RegexSplitter() = default;
RegexSplitter::RegexSplitter(RegexSplitter&&) noexcept = default;
RegexSplitter& RegexSplitter::operator=(RegexSplitter&&) noexcept = default;

void RegexSplitter::split(std::string_view text, const std::function<void(std::string_view)>& take) const {
  Subject subject(text);
  const std::string_view seen = subject.text();
  const MatchContext context(pcre2_match_context_create(nullptr));
  const MatchData data(pcre2_match_data_create(1, nullptr));
  const JitStack stack(pcre2_jit_stack_create(kJitStackStart, kJitStackMost, nullptr));
  if (!context || !data || !stack) fail("regular expression: no memory to match it");
  const size_t limit = std::max(kLeastMatchLimit, seen.size() * kMatchLimitPerByte);
  pcre2_set_match_limit(context.get(), static_cast<uint32_t>(std::min<size_t>(limit, UINT32_MAX)));
  pcre2_set_heap_limit(context.get(), kHeapLimitKib);
  pcre2_jit_stack_assign(context.get(), nullptr, stack.get());

  size_t taken = 0;  // in `text`
  const auto take_until = [&](size_t end_seen) {
    const size_t end = subject.original_offset(end_seen);
    if (end > taken) take(text.substr(taken, end - taken));
    taken = end;
  };
  for (size_t from = 0; from < seen.size();) {
    const int count = pcre2_match(code_->pattern.get(), as_units(seen), seen.size(), from, PCRE2_NO_UTF_CHECK,
                                  data.get(), context.get());
    if (count == PCRE2_ERROR_NOMATCH) break;
    if (count < 0) fail("regular expression: matching at byte {} of {}: {}", from, seen.size(), pcre_message(count));
    const PCRE2_SIZE* range = pcre2_get_ovector_pointer(data.get());
    // \K can put the start of a match before `from` or after its end.
    const size_t begin = std::max<size_t>(range[0], from);
    const size_t end = std::max<size_t>(range[1], begin);
    take_until(begin);
    take_until(end);
    from = end;
    if (end == begin && end < seen.size()) from += decode_utf8(seen, end).size;
    if (end == begin && end >= seen.size()) break;
  }
  take_until(seen.size());
}

}  // namespace tern
