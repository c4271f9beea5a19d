// The pages of a KV cache (model/kv_cache.h): which are free, which sequences use which, and what the others still
// hold.
//
// A page that has been read stays behind its sequence, as a node of a tree in which the way from the root spells the
// tokens (Zheng et al. 2023, arXiv 2312.07104): a later sequence that begins with the same tokens takes the pages over
// instead of reading them again. When pages run out, the one that was used the longest ago and that nothing depends on
// is given away. Not thread-safe.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <set>
#include <span>
#include <utility>
#include <vector>

namespace tern {

// How well the model predicted a token of a prompt: what scoring a text again needs instead of the logits.
struct TokenScore {
  float logprob = 0;       // of the token, given all before it
  float best_logprob = 0;  // of the most probable one
  int32_t best = -1;       // that one; -1: not known
};

class PagePool {
 public:
  PagePool(size_t page_size, size_t pages);

  size_t page_size() const { return page_size_; }
  size_t pages() const { return nodes_.size(); }
  size_t used() const { return used_; }  // by sequences
  // What take() can still give.
  size_t available() const { return pages() - used_; }

  struct Match {
    std::vector<uint32_t> pages;      // full ones, each with a reference for the caller
    std::optional<uint32_t> partial;  // one more, of which the first positions agree: to be copied, not referenced
    size_t partial_tokens = 0;        // how many
    std::vector<TokenScore> scores;   // of all matched tokens, when wanted
    size_t tokens(size_t page_size) const { return pages.size() * page_size + partial_tokens; }
  };
  // The longest beginning of `tokens` that is kept; `scored`: with its scores known.
  Match match(std::span<const int32_t> tokens, bool scored);

  // A page that is free or given up by the tree, with one reference. None: all are in use.
  std::optional<uint32_t> take();
  void add_reference(uint32_t page);
  void release(uint32_t page);

  // Remembers what a sequence has read: `pages` hold `tokens`, all of them in use by the caller. `scores` is as long as
  // `tokens` or empty. What the tree has already is left as it is.
  void keep(std::span<const int32_t> tokens, std::span<const uint32_t> pages, std::span<const TokenScore> scores);

 private:
  static constexpr uint32_t kNone = UINT32_MAX;

  // What is known of a page; in the tree when `tokens` is not empty.
  struct Node {
    std::vector<int32_t> tokens;
    std::vector<TokenScore> scores;
    uint32_t parent = kNone;  // kNone: the root
    std::vector<uint32_t> children;
    size_t references = 0;
    uint64_t last_use = 0;
  };

  std::vector<uint32_t>& children_of(uint32_t parent) { return parent == kNone ? roots_ : nodes_[parent].children; }
  // The child of `parent` that begins with most of `tokens`, and how many of them.
  std::pair<uint32_t, size_t> best_child(uint32_t parent, std::span<const int32_t> tokens, bool scored);
  void touch(uint32_t page);
  // Into or out of the set of pages that may be given away.
  void update_spare(uint32_t page);
  void forget(uint32_t page);

  size_t page_size_;
  size_t used_ = 0;
  uint64_t now_ = 0;
  std::vector<Node> nodes_;
  std::vector<uint32_t> roots_;
  std::vector<uint32_t> free_;
  std::set<std::pair<uint64_t, uint32_t>> spare_;  // (last use, page) of leaves that no sequence uses
};

}  // namespace tern
