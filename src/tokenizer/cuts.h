// Every way to cut a token into two tokens: the merges that a vocabulary without a list of merges means.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "tokenizer/token_index.h"
#include "tokenizer/vocabulary.h"

namespace tern {

// Looks up the parts of tokens, in time that stays small however long a few of the tokens are: a part is looked up only
// when there are tokens of its length and of the rest's.
class TokenCuts {
 public:
  // `index` holds the tokens that may be parts, none longer than `longest` bytes; both outlive this object.
  TokenCuts(const TokenIndex& index, size_t longest) : index_(index), has_size_(longest + 1) {}
  void add_size(size_t bytes) { has_size_[bytes] = true; }

  // Calls take(left, right, cut) with the ids of the parts for each cut of `bytes`, from left to right.
  template <class Take>
  void for_each(std::string_view bytes, Take&& take) const {
    for (size_t cut = 1; cut < bytes.size(); ++cut) {
      const size_t rest = bytes.size() - cut;
      if (cut >= has_size_.size() || rest >= has_size_.size() || !has_size_[cut] || !has_size_[rest]) continue;
      const int32_t left = index_.find(bytes.substr(0, cut));
      const int32_t right = left < 0 ? -1 : index_.find(bytes.substr(cut));
      if (right >= 0) take(left, right, cut);
    }
  }

 private:
  const TokenIndex& index_;
  std::vector<bool> has_size_;  // by bytes
};

}  // namespace tern
