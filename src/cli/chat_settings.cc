#include "cli/chat_settings.h"

#include <charconv>

#include "base/error.h"
#include "base/text.h"

namespace tern {
namespace {

template <class Number>
Number parse(const std::string& name, const std::string& text) {
  Number value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (text.empty() || error != std::errc() || end != text.data() + text.size())
    fail("/set {}: expected a number, found {}", name, quote(text));
  return value;
}

}  // namespace

void change_chat_setting(const std::string& assignment, Conversation::Options& options) {
  const size_t space = std::min(assignment.find_first_of(" ="), assignment.size());
  const std::string name = assignment.substr(0, space);
  const size_t begin = assignment.find_first_not_of(" =", space);
  const std::string text = begin == std::string::npos ? "" : assignment.substr(begin);
  Conversation::Options changed = options;
  SamplerOptions& s = changed.sampling;
  if (name == "temperature" || name == "temp")
    s.temperature = parse<float>(name, text);
  else if (name == "top-k")
    s.top_k = parse<size_t>(name, text);
  else if (name == "top-p")
    s.top_p = parse<float>(name, text);
  else if (name == "min-p")
    s.min_p = parse<float>(name, text);
  else if (name == "repeat-penalty")
    s.repetition_penalty = parse<float>(name, text);
  else if (name == "repeat-last-n")
    s.repetition_window = parse<size_t>(name, text);
  else if (name == "seed")
    s.seed = parse<uint64_t>(name, text);
  else if (name == "tokens")
    changed.max_tokens = parse<size_t>(name, text);
  else
    fail("/set: expected temperature, top-k, top-p, min-p, repeat-penalty, repeat-last-n, tokens or seed, found {}",
         quote(name));
  validate(s);
  if (changed.max_tokens == 0) fail("/set tokens: expected at least 1");
  options = changed;
}

std::string shown_chat_settings(const Conversation::Options& options) {
  const SamplerOptions& s = options.sampling;
  return fmt::format(
      "temperature {}\ntop-k {}\ntop-p {}\nmin-p {}\nrepeat-penalty {}\nrepeat-last-n {}\ntokens {}\nseed {}\n",
      s.temperature, s.top_k, s.top_p, s.min_p, s.repetition_penalty, s.repetition_window, options.max_tokens, s.seed);
}

}  // namespace tern
