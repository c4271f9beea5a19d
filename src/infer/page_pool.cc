#include "infer/page_pool.h"

#include <algorithm>
#include <cassert>

namespace tern {

PagePool::PagePool(size_t page_size, size_t pages) : page_size_(page_size), nodes_(pages) {
  for (size_t i = pages; i > 0; --i) free_.push_back(static_cast<uint32_t>(i - 1));
}

std::pair<uint32_t, size_t> PagePool::best_child(uint32_t parent, std::span<const int32_t> tokens, bool scored) {
  uint32_t best = kNone;
  size_t most = 0;
  for (const uint32_t child : children_of(parent)) {
    const Node& node = nodes_[child];
    if (scored && node.scores.empty()) continue;
    const auto same = std::mismatch(tokens.begin(), tokens.end(), node.tokens.begin(), node.tokens.end());
    const auto count = static_cast<size_t>(same.first - tokens.begin());
    if (count > most) {
      most = count;
      best = child;
    }
  }
  return {best, most};
}

PagePool::Match PagePool::match(std::span<const int32_t> tokens, bool scored) {
  Match match;
  ++now_;
  uint32_t parent = kNone;
  while (!tokens.empty()) {
    const auto [page, count] = best_child(parent, tokens, scored);
    if (page == kNone) break;
    touch(page);
    if (scored) {
      const auto& scores = nodes_[page].scores;
      match.scores.insert(match.scores.end(), scores.begin(), scores.begin() + static_cast<std::ptrdiff_t>(count));
    }
    if (count < page_size_) {
      match.partial = page;
      match.partial_tokens = count;
      break;
    }
    add_reference(page);
    match.pages.push_back(page);
    parent = page;
    tokens = tokens.subspan(count);
  }
  return match;
}

std::optional<uint32_t> PagePool::take() {
  if (free_.empty()) {
    if (spare_.empty()) return std::nullopt;
    forget(spare_.begin()->second);
  }
  const uint32_t page = free_.back();
  free_.pop_back();
  nodes_[page].references = 1;
  ++used_;
  return page;
}

void PagePool::add_reference(uint32_t page) {
  if (nodes_[page].references++ == 0) ++used_;
  update_spare(page);
}

void PagePool::release(uint32_t page) {
  assert(nodes_[page].references > 0);
  if (--nodes_[page].references > 0) return;
  --used_;
  if (nodes_[page].tokens.empty()) {
    free_.push_back(page);
  } else {
    update_spare(page);
  }
}

void PagePool::keep(std::span<const int32_t> tokens, std::span<const uint32_t> pages,
                    std::span<const TokenScore> scores) {
  ++now_;
  uint32_t parent = kNone;
  for (const uint32_t page : pages) {
    if (tokens.empty()) return;
    const auto part = tokens.first(std::min(page_size_, tokens.size()));
    const auto part_scores = scores.empty() ? scores : scores.first(part.size());
    tokens = tokens.subspan(part.size());
    if (!scores.empty()) scores = scores.subspan(part.size());
    const auto [known, count] = best_child(parent, part, false);
    if (count == part.size()) {  // the tree has it; the caller's page is a copy, or that one
      Node& node = nodes_[known];
      if (node.scores.empty() && !part_scores.empty() && node.tokens.size() == part.size()) {
        node.scores.assign(part_scores.begin(), part_scores.end());
      }
      touch(known);
      parent = known;
      continue;
    }
    Node& node = nodes_[page];
    if (!node.tokens.empty() && node.parent != parent) return;  // is somebody else's place in the tree
    if (node.tokens.empty()) {
      node.parent = parent;
      children_of(parent).push_back(page);
    }
    node.tokens.assign(part.begin(), part.end());  // as far as it was read before, and on
    node.scores.assign(part_scores.begin(), part_scores.end());
    if (parent != kNone) update_spare(parent);
    touch(page);
    parent = page;
  }
}

void PagePool::touch(uint32_t page) {
  spare_.erase({nodes_[page].last_use, page});
  nodes_[page].last_use = now_;
  update_spare(page);
}

void PagePool::update_spare(uint32_t page) {
  const Node& node = nodes_[page];
  const bool spare = node.references == 0 && !node.tokens.empty() && node.children.empty();
  if (spare) {
    spare_.insert({node.last_use, page});
  } else {
    spare_.erase({node.last_use, page});
  }
}

void PagePool::forget(uint32_t page) {
  Node& node = nodes_[page];
  spare_.erase({node.last_use, page});
  std::erase(children_of(node.parent), page);
  const uint32_t parent = node.parent;
  node = Node{};
  if (parent != kNone) update_spare(parent);
  free_.push_back(page);
}

}  // namespace tern
