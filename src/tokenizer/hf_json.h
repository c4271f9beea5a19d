// Hugging Face's tokenizer.json: byte-level BPE vocabularies, and BPE on characters with byte fallback (converted from
// SentencePiece), read and written. What is not understood (other models, normalizers, pre-tokenizers) is refused by an
// Error that names it, never skipped.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include "tokenizer/hf_side_files.h"
#include "tokenizer/vocabulary.h"

namespace tern {

// `side_files` name BOS and EOS (hf_side_files.h); the token that the post-processor's template puts first is BOS
// before what the names of added tokens suggest, and add_bos is whether there is one; the one that it puts last is the
// first EOS, with add_eos. Without a template add_bos is false unless tokenizer_config says otherwise. Error
// ("model.vocab: ...: expected ..., it is ...") for anything malformed, inconsistent or not supported.
Vocabulary parse_hf_tokenizer(std::string_view tokenizer_json, const HfSideFiles& side_files = {});

// Reads tokenizer.json (`path` is the file or its directory) and, if they exist, the two files beside it.
Vocabulary read_hf_tokenizer(const std::filesystem::path& path);

// The vocabulary as tokenizer.json. One with scores (kSpm) is written with the merges they mean and read back as
// kCharBpe: the same ids, but where merges of equal scores overlap. Error for a token that is not UTF-8.
std::string format_hf_tokenizer(const Vocabulary& vocabulary);
void write_hf_tokenizer(const Vocabulary& vocabulary, const std::filesystem::path& path);

// The tokenizer_config.json that goes with it: BOS, EOS, add_bos_token, add_eos_token.
std::string format_hf_tokenizer_config(const Vocabulary& vocabulary);

}  // namespace tern
