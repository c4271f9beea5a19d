// Hugging Face's tokenizer.json: byte-level BPE vocabularies, read and written. What is not understood (other models,
// normalizers, pre-tokenizers) is refused by an Error that names it, never skipped.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include "tokenizer/vocabulary.h"

namespace tern {

// The contents of the files that may lie beside tokenizer.json and name BOS and EOS; empty when absent.
struct HfSideFiles {
  std::string tokenizer_config;
  std::string generation_config;
};

// BOS: bos_token of tokenizer_config; else bos_token_id of generation_config; else the token that the post-processor
// puts first; else the first added token of <|begin_of_text|>, <s>, <|endoftext|>. EOS: eos_token_id (one or a list) of
// generation_config and eos_token of tokenizer_config together; else the first added token of <|end_of_text|>, </s>,
// <|endoftext|>. add_bos: whether the post-processor's template begins with a token; without a template, add_bos_token
// of tokenizer_config, else false. Error ("model.vocab: ...: expected ..., it is ...") for anything malformed,
// inconsistent or not supported.
Vocabulary parse_hf_tokenizer(std::string_view tokenizer_json, const HfSideFiles& side_files = {});

// Reads tokenizer.json (`path` is the file or its directory) and, if they exist, the two files beside it.
Vocabulary read_hf_tokenizer(const std::filesystem::path& path);

// The vocabulary as tokenizer.json. Error for one with scores (kSpm), or with an added token that is not UTF-8.
std::string format_hf_tokenizer(const Vocabulary& vocabulary);
void write_hf_tokenizer(const Vocabulary& vocabulary, const std::filesystem::path& path);

// The tokenizer_config.json that goes with it: BOS, EOS, add_bos_token.
std::string format_hf_tokenizer_config(const Vocabulary& vocabulary);

}  // namespace tern
