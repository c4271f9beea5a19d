// Text to token ids and back.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "tokenizer/vocabulary.h"

namespace tern {

// Immutable after construction: one object may be used by any number of threads at once.
//
// decode(encode(text)) == text for any bytes, valid UTF-8 or not, unless the vocabulary lacks bytes, an added token
// strips white space, text is normalized (then it is the normalized text), a space prefix depends on the text's first
// space, or U+2581 stands for a space (not in kByteBpe).
class Tokenizer {
 public:
  // Error when the vocabulary is not consistent (validate()) or its regular expression does not compile.
  explicit Tokenizer(Vocabulary vocabulary);
  ~Tokenizer();
  Tokenizer(Tokenizer&&) noexcept;
  Tokenizer& operator=(Tokenizer&&) noexcept;

  // The ids of `text`, BOS first with `add_bos` where the vocabulary has one. With `parse_special` the names of special
  // tokens in the text become these tokens, without it they are text like any other (untrusted text!). Time is
  // O(n log n) whatever the text. Error when a byte has no token, or a regular expression goes beyond its limits.
  std::vector<int32_t> encode(std::string_view text, bool add_bos, bool parse_special) const;

  // The bytes of `ids`; they may end inside a character. With `skip_special`, special tokens are left out. Where the
  // vocabulary puts a space before texts (not kByteBpe), decoding takes it away: at the beginning, and after an added
  // token if that is where it is put. Error for an id outside of the vocabulary.
  std::string decode(std::span<const int32_t> ids, bool skip_special = false) const;

  // The bytes of one token, special tokens by their name, the space of SPM vocabularies not taken away: for streaming.
  const std::string& token_bytes(int32_t id) const;
  // Whether a stream of token_bytes() should drop one space at its beginning, or after an added token, as decode()
  // does.
  bool strips_first_space() const;
  bool strips_space_after_added() const;

  size_t vocab_size() const { return vocabulary().tokens.size(); }
  std::optional<int32_t> bos_id() const { return vocabulary().bos_id; }
  // All ids that end a text; may be empty.
  const std::vector<int32_t>& eos_ids() const { return vocabulary().eos_ids; }
  bool is_eos(int32_t id) const;
  // Whether texts begin with BOS by default: what to pass as encode's `add_bos`.
  bool add_bos() const { return vocabulary().add_bos; }
  // What a text to embed ends with. Prompts and documents do not, whatever the vocabulary says of texts to embed.
  std::optional<int32_t> embedding_end() const;
  // Whether `id` is a control or unknown token, which text output leaves out.
  bool is_special(int32_t id) const;
  // The id of the token whose bytes are `name`; of several, the special one.
  std::optional<int32_t> token_id(std::string_view name) const;

  // vocabulary_hash(vocabulary()), computed anew: equal for two tokenizers that give every text the same ids.
  uint64_t hash() const;
  const Vocabulary& vocabulary() const;

 private:
  struct Parts;
  std::unique_ptr<const Parts> parts_;
};

}  // namespace tern
