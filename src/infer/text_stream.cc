#include "infer/text_stream.h"

#include "base/text.h"

namespace tern {

TextStream::TextStream(const Tokenizer& tokenizer, bool at_start)
    : tokenizer_(tokenizer), drop_space_(at_start && tokenizer.strips_first_space()) {}

std::string TextStream::add(int32_t token) {
  if (tokenizer_.is_special(token)) {
    drop_space_ = tokenizer_.strips_first_space();
    return "";
  }
  std::string_view bytes = tokenizer_.token_bytes(token);
  if (drop_space_ && !bytes.empty() && bytes[0] == ' ') bytes.remove_prefix(1);
  drop_space_ = false;
  pending_ += bytes;
  const size_t ready = complete_utf8_prefix(pending_);
  std::string text = pending_.substr(0, ready);
  pending_.erase(0, ready);
  return text;
}

std::string TextStream::finish() {
  if (pending_.empty()) return "";
  pending_.clear();
  return "\xEF\xBF\xBD";
}

}  // namespace tern
