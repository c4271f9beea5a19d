// An answer's tokens as the text that a client gets: valid UTF-8, without the stop strings, piece by piece.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "infer/text_stream.h"
#include "tokenizer/tokenizer.h"

namespace tern {

class AnswerText {
 public:
  // `at_start`: the first token begins a text, `shown`: special tokens with a text (infer/text_stream.h). Empty stop
  // strings do not count.
  AnswerText(const Tokenizer& tokenizer, bool at_start, std::vector<std::string> stops,
             std::vector<int32_t> shown = {});

  // The text that can be shown now: up to a stop string, and what cannot be the beginning of one.
  std::string add(int32_t token);
  // What is left when the answer ends without a stop string.
  std::string finish();
  // A stop string has come; nothing more does.
  bool stopped() const { return stopped_; }

 private:
  std::string release(bool all);

  TextStream stream_;
  std::vector<std::string> stops_;
  std::string held_;
  bool stopped_ = false;
};

// A token by itself as JSON can hold it: bytes that are no UTF-8 as U+FFFD.
std::string token_text(const Tokenizer& tokenizer, int32_t token);

}  // namespace tern
