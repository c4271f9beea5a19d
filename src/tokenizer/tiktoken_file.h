// tiktoken's rank files (Llama 3's tokenizer.model): one line a token, its bytes in base64, a space and its rank, which
// is its id.
#pragma once

#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "tokenizer/vocabulary.h"

namespace tern {

// The vocabulary with Llama 3's split, ignore_merges as HF has it for this model, and `special` after the ranked
// tokens. Merges are made as in HF's conversion: every way to cut a token into two tokens, in the order of the token's
// rank, then of the ranks of its left and right part. BOS and EOS are <|begin_of_text|> and <|end_of_text|> where
// `special` has them, add_bos is set with BOS. Error for a malformed line, or ranks that are not 0, 1, 2 ... in some
// order.
Vocabulary parse_tiktoken(std::string_view content, std::span<const std::string> special);
Vocabulary read_tiktoken(const std::filesystem::path& path, std::span<const std::string> special);

// The 256 special tokens of Llama 3 (meta-llama/llama3, llama/tokenizer.py), ids 128000 and up.
std::vector<std::string> llama3_special_tokens();

}  // namespace tern
