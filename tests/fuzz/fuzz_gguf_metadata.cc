// libFuzzer target: the metadata of any GGUF file is a model's configuration and a tokenizer, or a tern::Error. What
// was read encodes and decodes.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "base/error.h"
#include "formats/gguf_read.h"
#include "model/gguf_metadata.h"
#include "tokenizer/tokenizer.h"

namespace {

template <class Body>
void ignore_error(Body&& body) {
  try {
    body();
  } catch (const tern::Error&) {}
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const tern::Bytes bytes = std::as_bytes(std::span(data, size));
  ignore_error([&] {
    const tern::GgufFile file(bytes, "fuzz.gguf");
    ignore_error([&] { tern::validate(tern::read_gguf_config(file)); });
    const auto vocabulary = tern::read_gguf_vocabulary(file);
    if (!vocabulary) return;
    const tern::Tokenizer tokenizer(*vocabulary);
    const std::string text(reinterpret_cast<const char*>(data), std::min<size_t>(size, 200));
    for (const int32_t id : tokenizer.encode(text, false, true)) {
      if (id < 0 || static_cast<size_t>(id) >= tokenizer.vocab_size()) std::abort();
    }
  });
  return 0;
}
