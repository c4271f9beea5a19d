// Encoding a long text piece by piece, with the ids that the whole text would have.
#pragma once

#include <functional>
#include <span>
#include <string>
#include <string_view>

#include "tokenizer/tokenizer.h"

namespace tern {

// The characters (of space and line end) before which a text may be cut, where a letter or a digit comes before them,
// without any effect on the ids: encode(a + b) == encode(a), encode(b). None for vocabularies that put a space before
// texts, split by a regular expression of their own, or have tokens that could reach across such a place.
//
// Why this is so. (1) In GPT-2's and Llama 3's patterns the piece that holds the letter or digit ends with it, and no
// alternative looks further ahead than a run of spaces; every character ends a piece of SplitRule::kChar. (2) Where
// text is not split so, no token holds a letter or digit followed by the character, so no merge crosses the place, and
// the merges on one side do not depend on the other side. (3) No added token crosses it, is chosen by the character
// before or behind it, or swallows the space behind.
std::string certain_cuts(const Vocabulary& vocabulary);

class StreamEncoder {
 public:
  using Take = std::function<void(std::span<const int32_t>)>;

  // Special tokens' names in the text become these tokens. A piece is encoded once there are `piece_bytes`; without
  // certain cuts the whole document is one. `tokenizer` must outlive this object.
  explicit StreamEncoder(const Tokenizer& tokenizer, size_t piece_bytes = size_t{1} << 20);

  // Goes on with the document; gives ids to `take` when there are some.
  void add(std::string_view text, const Take& take);
  // Ends the document: the ids that are left, and the end-of-text token, if the vocabulary has one. A document without
  // any text has no ids.
  void end_document(const Take& take);
  // Whether the document has text so far.
  bool has_text() const { return has_text_; }

 private:
  size_t last_cut(size_t from) const;

  const Tokenizer& tokenizer_;
  std::string cuts_;
  size_t piece_bytes_;
  std::string text_;     // not encoded yet
  size_t searched_ = 0;  // text_[0, searched_) has no cut
  bool has_text_ = false;
};

}  // namespace tern
