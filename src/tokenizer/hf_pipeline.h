// What tokenizer.json does to text before its model does: normalizer, pre_tokenizer and decoder.
#pragma once

#include <nlohmann/json_fwd.hpp>

#include "tokenizer/vocabulary.h"

namespace tern {

// Fills algorithm (kByteBpe or kCharBpe), nfc, split, split_regex, pre_splits, byte_splits and space_prefix from the
// outermost object of a tokenizer.json. Error for every step that is not understood.
void read_hf_pipeline(const nlohmann::json& root, Vocabulary& vocabulary);

}  // namespace tern
