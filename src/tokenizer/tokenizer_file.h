// Any file that holds a tokenizer, told apart by its content.
#pragma once

#include <filesystem>

#include "tokenizer/vocabulary.h"

namespace tern {

// tokenizer.json, tokenizer.model (SentencePiece, or tiktoken ranks: those of Llama 3, with its special tokens),
// llama2.c's tokenizer.bin, or a directory with a tokenizer.json, else a tokenizer.model, with the files beside it.
// Error when it is none of them. GGUF is read in model/.
Vocabulary read_tokenizer(const std::filesystem::path& path);

// Whether the directory holds a file that read_tokenizer reads.
bool has_tokenizer(const std::filesystem::path& directory);

}  // namespace tern
