#include "tokenizer/bpe_train.h"

#include <algorithm>
#include <limits>
#include <queue>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/error.h"
#include "tokenizer/basic_vocabularies.h"

namespace tern {

// The distinct pre-tokens as one linked list of symbols, and for every pair of neighbours its frequency and places. A
// merge touches only the places of its pair, so all merges together take time in proportion to the symbols.
class BpeMergeLoop {
 public:
  BpeMergeLoop(const BpeTrainer& trainer, Vocabulary& vocabulary)
      : vocabulary_(vocabulary), heap_(IsLess{&vocabulary}) {
    for (size_t id = 0; id < vocabulary.tokens.size(); ++id) {
      ids_.emplace(vocabulary.tokens[id].bytes, static_cast<int32_t>(id));
    }
    const std::string& all = trainer.counts_.bytes();
    if (all.size() >= kNone) {
      fail("BPE training: expected less than 4 GiB of distinct pre-tokens, there are {} bytes", all.size());
    }
    symbols_.reserve(all.size());
    for (const PieceCounts::Piece& piece : trainer.counts_.pieces()) {
      const std::string_view bytes = std::string_view(all).substr(piece.at, piece.size);
      for (size_t i = 0; i < bytes.size(); ++i) {
        const auto at = static_cast<uint32_t>(symbols_.size());
        const auto word = static_cast<uint32_t>(weights_.size());
        symbols_.push_back(
            {static_cast<uint8_t>(bytes[i]), i == 0 ? kNone : at - 1, i + 1 == bytes.size() ? kNone : at + 1, word});
      }
      weights_.push_back(piece.count);
    }
    for (uint32_t at = 0; at < symbols_.size(); ++at) {
      if (symbols_[at].next != kNone) add_pair(at);
    }
    push_grown_pairs();
  }

  // Makes the most frequent pair a token. False when no pair is left.
  bool merge_best() {
    while (!heap_.empty()) {
      const Candidate best = heap_.top();
      heap_.pop();
      const auto found = pairs_.find(key_of(best.left, best.right));
      if (found == pairs_.end()) continue;
      if (found->second.count != best.count) {
        // Growth is pushed at once, so an entry that does not agree is too high: it goes back to its true place.
        if (found->second.count > 0) heap_.push({found->second.count, best.left, best.right});
        if (found->second.count <= 0) pairs_.erase(found);
        continue;
      }
      std::vector<uint32_t> places = std::move(found->second.places);
      pairs_.erase(found);
      merge(best.left, best.right, places);
      return true;
    }
    return false;
  }

 private:
  struct Symbol {
    int32_t id;  // kGone when merged away
    uint32_t previous;
    uint32_t next;
    uint32_t word;
  };
  struct Pair {
    int64_t count = 0;
    bool is_listed = false;        // in grown_pairs_
    std::vector<uint32_t> places;  // of left symbols; some are stale
  };
  struct Candidate {
    int64_t count;
    int32_t left;
    int32_t right;
  };
  struct IsLess {
    const Vocabulary* vocabulary;
    bool operator()(const Candidate& a, const Candidate& b) const {
      if (a.count != b.count) return a.count < b.count;
      const auto bytes = [&](int32_t id) -> const std::string& {
        return vocabulary->tokens[static_cast<size_t>(id)].bytes;
      };
      if (const int order = bytes(a.left).compare(bytes(b.left))) return order < 0;
      return bytes(a.right) < bytes(b.right);
    }
  };
  static constexpr uint32_t kNone = std::numeric_limits<uint32_t>::max();
  static constexpr int32_t kGone = -1;

  static uint64_t key_of(int32_t left, int32_t right) {
    return (uint64_t{static_cast<uint32_t>(left)} << 32) | static_cast<uint32_t>(right);
  }

  int64_t weight(uint32_t at) const { return weights_[symbols_[at].word]; }
  int32_t next_id(uint32_t at) const { return symbols_[symbols_[at].next].id; }

  void add_pair(uint32_t at) {
    Pair& pair = pairs_[key_of(symbols_[at].id, next_id(at))];
    if (!pair.is_listed) grown_pairs_.push_back(key_of(symbols_[at].id, next_id(at)));
    pair.is_listed = true;
    pair.count += weight(at);
    pair.places.push_back(at);
  }

  void remove_pair(uint32_t at) {
    const auto found = pairs_.find(key_of(symbols_[at].id, next_id(at)));
    if (found != pairs_.end()) found->second.count -= weight(at);
  }

  void push_grown_pairs() {
    for (uint64_t key : grown_pairs_) {
      Pair& pair = pairs_[key];
      pair.is_listed = false;
      if (pair.count > 0)
        heap_.push({pair.count, static_cast<int32_t>(key >> 32), static_cast<int32_t>(key & 0xFFFFFFFFu)});
    }
    grown_pairs_.clear();
  }

  // The id of the joined token; two ways to the same bytes are one token.
  int32_t result_of(int32_t left, int32_t right) {
    const std::string bytes =
        vocabulary_.tokens[static_cast<size_t>(left)].bytes + vocabulary_.tokens[static_cast<size_t>(right)].bytes;
    const auto [found, is_new] = ids_.emplace(bytes, static_cast<int32_t>(vocabulary_.tokens.size()));
    if (is_new) vocabulary_.tokens.push_back({.bytes = bytes});
    vocabulary_.merges.push_back({left, right, found->second});
    return found->second;
  }

  void merge(int32_t left, int32_t right, std::vector<uint32_t>& places) {
    const int32_t result = result_of(left, right);
    // In a run of one symbol the order decides which pairs form: from the left, as the encoder does it.
    std::sort(places.begin(), places.end());
    for (uint32_t at : places) {
      if (symbols_[at].id != left || symbols_[at].next == kNone || next_id(at) != right) continue;
      const uint32_t previous = symbols_[at].previous, gone = symbols_[at].next, next = symbols_[gone].next;
      if (previous != kNone) remove_pair(previous);
      if (next != kNone) remove_pair(gone);
      symbols_[at].id = result;
      symbols_[at].next = next;
      symbols_[gone].id = kGone;
      if (next != kNone) symbols_[next].previous = at;
      if (previous != kNone) add_pair(previous);
      if (next != kNone) add_pair(at);
    }
    push_grown_pairs();
  }

  Vocabulary& vocabulary_;
  std::unordered_map<std::string, int32_t> ids_;
  std::vector<Symbol> symbols_;
  std::vector<int64_t> weights_;  // by word: how often the pre-token occurs
  std::unordered_map<uint64_t, Pair> pairs_;
  std::vector<uint64_t> grown_pairs_;  // gained places since the last merge: the heap has to hear of it
  std::priority_queue<Candidate, std::vector<Candidate>, IsLess> heap_;
};

BpeTrainer::BpeTrainer(const BpeTrainOptions& options) : options_(options), pre_tokenizer_(options.split) {
  constexpr size_t kLeast = 257, kMost = size_t{1} << 24;
  if (options.vocab_size < kLeast || options.vocab_size > kMost) {
    fail("BPE training: vocabulary size: expected {} (256 bytes and {}) to {}, it is {}", kLeast, kEndOfText, kMost,
         options.vocab_size);
  }
}

namespace {

void count_pieces(const PreTokenizer& pre_tokenizer, std::string_view text, PieceCounts& counts) {
  for_each_document(text, [&](std::string_view document) {
    pre_tokenizer.split(document, [&](std::string_view piece) { counts.add(piece); });
  });
}

// The first place from `from` on where the text may be cut without any piece becoming another: where a document ends,
// or where white space follows a letter, which every rule here but kNone and kRegex cuts at, and says so without
// looking back further.
size_t next_cut(std::string_view text, size_t from, SplitRule rule) {
  const size_t document_end = std::min(text.find(kEndOfText, from), text.size());
  if (rule == SplitRule::kNone || rule == SplitRule::kRegex) return document_end;
  const auto is_letter = [](char byte) { return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z'); };
  for (size_t at = std::max<size_t>(from, 1); at < document_end; ++at) {
    if (text[at] == ' ' && is_letter(text[at - 1])) return at;
  }
  return document_end;
}

}  // namespace

void BpeTrainer::add_text(std::string_view text) {
  count_pieces(pre_tokenizer_, text, counts_);
  counts_.check();
}

void BpeTrainer::add_text(std::string_view text, Threads& threads) {
  constexpr size_t kLeastPart = size_t{1} << 16;
  const auto most = std::min(static_cast<size_t>(threads.count()), text.size() / kLeastPart);
  if (most <= 1 || options_.split == SplitRule::kRegex) {  // PCRE2 may fail, which no thread of a pool must
    add_text(text);
    return;
  }
  std::vector<size_t> cuts = {0};
  for (size_t part = 1; part < most; ++part) {
    cuts.push_back(next_cut(text, std::max(cuts.back(), text.size() / most * part), options_.split));
  }
  cuts.push_back(text.size());
  std::vector<PieceCounts> parts(most);
  threads.for_ranges(most, 1, [&](size_t begin, size_t end) {
    for (size_t part = begin; part < end; ++part) {
      count_pieces(pre_tokenizer_, text.substr(cuts[part], cuts[part + 1] - cuts[part]), parts[part]);
    }
  });
  for (const PieceCounts& part : parts) counts_.add(part);
  counts_.check();
}

Vocabulary BpeTrainer::train(const std::function<void(size_t done, size_t total)>& progress) const {
  constexpr size_t kProgressEvery = 256;
  if (counts_.pieces().empty()) fail("BPE training: expected text, it is empty");
  Vocabulary vocabulary = begin_byte_vocabulary(options_.split);
  const size_t wanted_tokens = options_.vocab_size - 1;  // without <|endoftext|>
  const size_t wanted_merges = wanted_tokens - vocabulary.tokens.size();
  BpeMergeLoop loop(*this, vocabulary);
  while (vocabulary.tokens.size() < wanted_tokens && loop.merge_best()) {
    if (progress && vocabulary.merges.size() % kProgressEvery == 0) progress(vocabulary.merges.size(), wanted_merges);
  }
  append_end_of_text(vocabulary);
  return vocabulary;
}

}  // namespace tern
