// Runs a grammar over bytes. States are made when they are first met and remembered, like those of a lazy automaton;
// each stands for all places of the grammar where the bytes so far may have led, with the rules to return to.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "infer/grammar.h"

namespace tern {

// Memory and work are bounded: of states that would need more, of places beyond some thousands in one state, and of
// rules within rules beyond two thousand, nothing is known, and bytes that lead there are refused. What is let pass is
// always the beginning of something that the grammar describes.
class GrammarMatcher {
 public:
  using State = uint32_t;
  static constexpr State kNowhere = 0;  // no byte leads on, and nothing ends

  explicit GrammarMatcher(const Grammar& grammar);  // which outlives the matcher

  State start() const { return start_; }
  State next(State state, uint8_t byte) {
    const uint32_t known = table_[state * grammar_.byte_classes + grammar_.byte_class[byte]];
    return known != kUnknown ? known : find_next(state, byte);
  }
  bool can_end(State state) const { return states_[state].can_end; }
  bool can_go_on(State state) const { return states_[state].places > 0; }
  // The fewest bytes after which the text can end, kFar and more: of no way that is known.
  uint32_t bytes_to_end(State state) const { return states_[state].bytes_to_end; }
  // So many bytes after which it can, or the first `most` of them.
  std::string shortest_end(State state, size_t most = SIZE_MAX) const;

  // To be called after every token. Forgets all other states when they have become many; the state's new number. True
  // in `forgot` when it did.
  State tidy(State state, bool& forgot);

 private:
  static constexpr uint32_t kUnknown = UINT32_MAX;
  static constexpr uint32_t kBottom = 0;

  // A node of the grammar, and the frame below.
  struct Place {
    uint32_t node = 0;
    uint32_t frame = kBottom;
    uint64_t key() const { return (uint64_t{node} << 32) | frame; }
    bool operator==(const Place&) const = default;
  };
  // Where a rule returns to.
  struct Frame {
    Place back;
    uint32_t depth = 0;
    uint32_t bytes_to_end = 0;  // from where it returns to
  };
  struct StateInfo {
    size_t first_place = 0;
    size_t places = 0;
    bool can_end = false;
    uint32_t bytes_to_end = Grammar::kFar;
  };

  void clear();
  State find_next(State state, uint8_t byte);
  void follow(Place place);
  std::optional<Place> nearest_place(State state) const;
  Place next_on_way(Place at);
  uint32_t frame_of(Place back);
  uint32_t bytes_to_end(Place place) const {
    return std::min(grammar_.bytes_to_end[place.node] + frames_[place.frame].bytes_to_end, Grammar::kFar);
  }
  State intern();
  size_t words() const;

  const Grammar& grammar_;
  State start_ = kNowhere;
  std::vector<uint32_t> table_;  // (states, byte classes)
  std::vector<StateInfo> states_;
  size_t work_ = 0;
  std::vector<Place> places_;  // of all states, one after the other
  std::unordered_multimap<uint64_t, State> by_hash_;
  std::vector<Frame> frames_;
  std::unordered_map<uint64_t, uint32_t> by_place_;

  // The state that is being made.
  std::unordered_set<uint64_t> seen_;
  std::vector<Place> todo_, made_;
  bool made_can_end_ = false;
};

}  // namespace tern
