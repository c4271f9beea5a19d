#include "infer/text_stream.h"

#include <algorithm>
#include <utility>

#include "base/text.h"

namespace tern {
namespace {

constexpr std::string_view kReplacement = "\xEF\xBF\xBD";  // U+FFFD

}  // namespace

TextStream::TextStream(const Tokenizer& tokenizer, bool at_start, std::vector<int32_t> shown)
    : tokenizer_(tokenizer), drop_space_(at_start && tokenizer.strips_first_space()), shown_(std::move(shown)) {}

std::string TextStream::add(int32_t token) {
  if (tokenizer_.is_special(token) && std::find(shown_.begin(), shown_.end(), token) == shown_.end()) {
    drop_space_ = tokenizer_.strips_space_after_added();
    return "";
  }
  std::string_view bytes = tokenizer_.token_bytes(token);
  if (drop_space_ && !bytes.empty() && bytes[0] == ' ') bytes.remove_prefix(1);
  drop_space_ = false;
  pending_ += bytes;
  const size_t ready = complete_utf8_prefix(pending_);
  std::string text;
  for (size_t at = 0; at < ready;) {
    const CodePoint point = decode_utf8(pending_, at);
    text += point.valid ? std::string_view(pending_).substr(at, point.size) : kReplacement;
    at += point.size;
  }
  pending_.erase(0, ready);
  return text;
}

std::string TextStream::finish() {
  if (pending_.empty()) return "";
  pending_.clear();
  return std::string(kReplacement);
}

}  // namespace tern
