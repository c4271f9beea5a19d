// libFuzzer: whatever the bytes of a tokenizer.model (SentencePiece pieces or tiktoken ranks), reading it ends with a
// vocabulary or with Error, and a vocabulary that was accepted encodes and decodes.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "base/error.h"
#include "tokenizer/hf_json.h"
#include "tokenizer/sentencepiece_file.h"
#include "tokenizer/tiktoken_file.h"
#include "tokenizer/tokenizer.h"

namespace {

void use(const tern::Vocabulary& vocabulary) {
  constexpr std::string_view kText = "It's a short t\xC3\xA9st: 12345\r\n\n  \xF0\x9F\xA6\x99\xE2\x96\x81</s>\xFF.";
  const tern::Tokenizer tokenizer(vocabulary);
  for (const bool parse_special : {false, true}) {
    try {
      tokenizer.decode(tokenizer.encode(kText, tokenizer.add_bos(), parse_special));
    } catch (const tern::Error&) {
      // A byte without a token.
    }
  }
  // What we write we must be able to read.
  const tern::Vocabulary again = tern::parse_hf_tokenizer(tern::format_hf_tokenizer(vocabulary));
  if (again.tokens.size() != vocabulary.tokens.size()) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view file(reinterpret_cast<const char*>(data), size);
  try {
    use(tern::parse_sentencepiece(tern::as_bytes(file)));
  } catch (const tern::Error&) {
    // The expected end of almost every input.
  }
  try {
    use(tern::parse_tiktoken(file, {}));
  } catch (const tern::Error&) {
    // Likewise.
  }
  return 0;
}
