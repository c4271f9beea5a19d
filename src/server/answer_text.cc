#include "server/answer_text.h"

#include <algorithm>
#include <utility>

#include "base/text.h"

namespace tern {
namespace {

// The longest end of `text` that begins `stop` without being all of it.
size_t begun(std::string_view text, std::string_view stop) {
  for (size_t size = std::min(text.size(), stop.size() - 1); size > 0; --size) {
    if (text.substr(text.size() - size) == stop.substr(0, size)) return size;
  }
  return 0;
}

}  // namespace

AnswerText::AnswerText(const Tokenizer& tokenizer, bool at_start, std::vector<std::string> stops,
                       std::vector<int32_t> shown)
    : stream_(tokenizer, at_start, std::move(shown)), stops_(std::move(stops)) {
  std::erase(stops_, "");
}

std::string AnswerText::add(int32_t token) {
  if (stopped_) return "";
  held_ += stream_.add(token);
  return release(false);
}

std::string AnswerText::finish() {
  if (stopped_) return "";
  held_ += stream_.finish();
  return release(true);
}

std::string AnswerText::release(bool all) {
  size_t end = std::string::npos;
  for (const std::string& stop : stops_) end = std::min(end, held_.find(stop));
  if (end != std::string::npos) {
    stopped_ = true;
    held_.resize(end);
    return std::exchange(held_, "");
  }
  size_t hold = 0;
  if (!all) {
    for (const std::string& stop : stops_) hold = std::max(hold, begun(held_, stop));
  }
  std::string ready = held_.substr(0, held_.size() - hold);
  held_.erase(0, ready.size());
  return ready;
}

std::string token_text(const Tokenizer& tokenizer, int32_t token) {
  const std::string& bytes = tokenizer.token_bytes(token);
  std::string text;
  for (size_t at = 0; at < bytes.size();) {
    const CodePoint point = decode_utf8(bytes, at);
    text += point.valid ? std::string_view(bytes).substr(at, point.size) : "\xEF\xBF\xBD";
    at += point.size;
  }
  return text;
}

}  // namespace tern
