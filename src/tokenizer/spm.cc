#include "tokenizer/spm.h"

#include <algorithm>
#include <limits>

#include "base/error.h"
#include "base/text.h"

namespace tern {
namespace {

constexpr uint32_t kNone = std::numeric_limits<uint32_t>::max();

// Two neighbours that together are a token.
struct Candidate {
  float score;
  uint32_t at;    // the left symbol
  uint32_t size;  // bytes of both: shows whether the candidate is stale
};

// Orders the heap: the greatest is the highest score, then the leftmost.
bool is_worse(const Candidate& a, const Candidate& b) { return a.score != b.score ? a.score < b.score : a.at > b.at; }

}  // namespace

SpmMerger::SpmMerger(const Vocabulary& vocabulary) {
  byte_ids_.fill(-1);
  if (vocabulary.unk_id) unk_id_ = *vocabulary.unk_id;
  size_t total = 0;
  for (const Token& token : vocabulary.tokens) total += token.bytes.size();
  text_.reserve(total);  // keys are views into text_: it must not move
  for (size_t i = 0; i < vocabulary.tokens.size(); ++i) {
    const Token& token = vocabulary.tokens[i];
    const auto id = static_cast<int32_t>(i);
    if (token.type == TokenType::kByte) byte_ids_[static_cast<uint8_t>(token.bytes[0])] = id;
    if (token.type != TokenType::kNormal || token.bytes.empty()) continue;
    const size_t at = text_.size();
    text_ += token.bytes;
    tokens_.emplace(std::string_view(text_).substr(at), Scored{id, token.score});
    longest_ = std::max(longest_, token.bytes.size());
  }
}

void SpmMerger::append_ids(std::string_view bytes, std::vector<int32_t>& ids) const {
  if (const auto found = tokens_.find(bytes); found != tokens_.end()) {
    ids.push_back(found->second.id);
    return;
  }
  for (char byte : bytes) {
    const int32_t id = byte_ids_[static_cast<uint8_t>(byte)];
    if (id < 0 && unk_id_ < 0) {
      fail("tokenizer: cannot encode byte 0x{:02X}: the vocabulary has no token for it", static_cast<uint8_t>(byte));
    }
    ids.push_back(id >= 0 ? id : unk_id_);
  }
}

void SpmMerger::encode(std::string_view text, std::vector<int32_t>& ids) const {
  if (text.size() >= kNone) fail("tokenizer: expected a text of less than 4 GiB, it has {} bytes", text.size());
  std::vector<Symbol> symbols;
  for (size_t at = 0; at < text.size();) {
    const size_t size = decode_utf8(text, at).size;
    const auto index = static_cast<uint32_t>(symbols.size());
    symbols.push_back({static_cast<uint32_t>(at), static_cast<uint32_t>(size), index - 1, index + 1});
    at += size;
  }
  if (symbols.empty()) return;
  symbols.front().previous = kNone;
  symbols.back().next = kNone;

  std::vector<Candidate> heap;
  const auto push = [&](uint32_t at) {
    const Symbol& left = symbols[at];
    if (left.next == kNone) return;
    const uint32_t size = left.size + symbols[left.next].size;
    if (size > longest_) return;
    const auto found = tokens_.find(text.substr(left.at, size));
    if (found == tokens_.end()) return;
    heap.push_back({found->second.score, at, size});
    std::push_heap(heap.begin(), heap.end(), is_worse);
  };
  for (uint32_t at = 0; at < symbols.size(); ++at) push(at);
  while (!heap.empty()) {
    std::pop_heap(heap.begin(), heap.end(), is_worse);
    const Candidate best = heap.back();
    heap.pop_back();
    Symbol& left = symbols[best.at];
    if (left.size == 0 || left.next == kNone) continue;
    Symbol& right = symbols[left.next];
    if (left.size + right.size != best.size) continue;
    left.size = best.size;
    left.next = right.next;
    right.size = 0;
    if (left.next != kNone) symbols[left.next].previous = best.at;
    if (left.previous != kNone) push(left.previous);
    push(best.at);
  }
  for (uint32_t at = 0; at != kNone; at = symbols[at].next) {
    append_ids(text.substr(symbols[at].at, symbols[at].size), ids);
  }
}

}  // namespace tern
