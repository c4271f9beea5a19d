// Token by token to text that can be shown, always valid UTF-8: bytes are held back until the character they begin is
// complete, and a byte that belongs to none becomes U+FFFD.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "tokenizer/tokenizer.h"

namespace tern {

class TextStream {
 public:
  // `at_start`: the first token begins a text, so that an SPM vocabulary's leading space is dropped. `shown`: special
  // tokens that have a text all the same, their name.
  TextStream(const Tokenizer& tokenizer, bool at_start, std::vector<int32_t> shown = {});

  // The text that `token` completes; may be empty. Other special tokens have none.
  std::string add(int32_t token);
  // What is left at the end: an incomplete character becomes U+FFFD.
  std::string finish();

 private:
  const Tokenizer& tokenizer_;
  bool drop_space_;
  std::vector<int32_t> shown_;
  std::string pending_;
};

}  // namespace tern
