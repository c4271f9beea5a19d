// llama2.c's tokenizer.bin: int32 longest token, then for each token f32 score, int32 size, bytes (karpathy/llama2.c,
// tokenizer.py and run.c). The file does not say how many tokens it has.
#pragma once

#include <filesystem>

#include "base/bytes.h"
#include "tokenizer/vocabulary.h"

namespace tern {

// A kSpm vocabulary of `vocab_size` tokens (0: as many as there are): id 0 unknown, 1 BOS, 2 EOS, <0x00> and so on byte
// tokens, a space put before texts. add_bos is true, as run.c does it. Error when the file is shorter or longer than
// that, or malformed.
Vocabulary parse_llama2c_tokenizer(Bytes content, size_t vocab_size);
Vocabulary read_llama2c_tokenizer(const std::filesystem::path& path, size_t vocab_size);

}  // namespace tern
