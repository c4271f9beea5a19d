#include "infer/grammar_matcher.h"

#include <algorithm>

namespace tern {
namespace {

using Edge = Grammar::Edge;

constexpr size_t kMostWords = size_t{1} << 22;  // 4 bytes each
constexpr size_t kMostPlaces = 4096;            // of a state
constexpr size_t kMostSeen = 4 * kMostPlaces;   // on the way to a state
constexpr size_t kMostWork = size_t{1} << 20;   // places seen between two calls of tidy()
constexpr uint32_t kDeepest = 2048;             // frames

}  // namespace

GrammarMatcher::GrammarMatcher(const Grammar& grammar) : grammar_(grammar) {
  clear();
  follow({grammar_.start, kBottom});
  start_ = intern();
}

// Leaves kNowhere and the frame that a text ends on.
void GrammarMatcher::clear() {
  table_.assign(grammar_.byte_classes, kNowhere);
  states_.assign(1, {});
  places_.clear();
  by_hash_.clear();
  frames_.assign(1, {});
  by_place_.clear();
}

size_t GrammarMatcher::words() const {
  return table_.size() + 2 * places_.size() + 16 * states_.size() + 8 * frames_.size();
}

GrammarMatcher::State GrammarMatcher::find_next(State state, uint8_t byte) {
  if (words() > kMostWords || work_ > kMostWork) return kNowhere;
  const StateInfo info = states_[state];
  const auto step = [&](Place place, const Edge& edge) {
    const bool takes = edge.kind == Edge::Kind::kByte && edge.first <= byte && byte <= edge.last;
    if (takes) follow({edge.to, place.frame});
  };
  // The shortest way first: what the bounds leave out is never on it.
  if (const auto nearest = nearest_place(state)) step(*nearest, grammar_.edges[grammar_.way_to_end[nearest->node]]);
  for (size_t i = info.first_place; i < info.first_place + info.places; ++i) {
    const Place place = places_[i];
    for (const Edge& edge : grammar_.edges_of(place.node)) step(place, edge);
  }
  work_ += info.places + seen_.size();
  const State next = intern();
  table_[state * grammar_.byte_classes + grammar_.byte_class[byte]] = next;
  return next;
}

// Adds to the state that is being made where one gets from a place without a byte: all nodes that take one.
void GrammarMatcher::follow(Place place) {
  // Not where even the shortest way to the end would lead too deep.
  const auto fits = [this](Place reached) {
    return frames_[reached.frame].depth + grammar_.way_depth[reached.node] <= kDeepest;
  };
  const auto visit = [&](Place reached) {
    if (!fits(reached)) return;
    if (seen_.size() < kMostSeen && seen_.insert(reached.key()).second) todo_.push_back(reached);
  };
  const bool first = seen_.empty();
  visit(place);
  if (first && !todo_.empty()) visit(next_on_way(place));  // and looked at before all others
  while (!todo_.empty()) {
    const Place at = todo_.back();
    todo_.pop_back();
    if (grammar_.ends[at.node]) {
      if (at.frame == kBottom) {
        made_can_end_ = true;
      } else {
        visit(frames_[at.frame].back);
      }
    }
    bool takes = false;
    for (const Edge& edge : grammar_.edges_of(at.node)) {
      if (edge.kind == Edge::Kind::kByte) {
        takes = true;
      } else if (edge.kind == Edge::Kind::kEmpty) {
        visit({edge.to, at.frame});
      } else if (!edge.returns) {
        visit({edge.rule, at.frame});
      } else if (frames_[at.frame].depth < kDeepest && fits({edge.to, at.frame})) {
        visit({edge.rule, frame_of({edge.to, at.frame})});
      }
    }
    if (takes && made_.size() < kMostPlaces) made_.push_back(at);
  }
}

uint32_t GrammarMatcher::frame_of(Place back) {
  const auto [entry, added] = by_place_.emplace(back.key(), static_cast<uint32_t>(frames_.size()));
  if (added) frames_.push_back({back, frames_[back.frame].depth + 1, bytes_to_end(back)});
  return entry->second;
}

// The number of the state that was made, which may have been there before.
GrammarMatcher::State GrammarMatcher::intern() {
  std::sort(made_.begin(), made_.end(), [](Place a, Place b) { return a.key() < b.key(); });
  uint64_t hash = made_can_end_ ? 1 : 0;
  for (const Place place : made_) hash = (hash ^ place.key()) * 0x9E3779B97F4A7C15u + (hash >> 29);
  State state = made_.empty() && !made_can_end_ ? kNowhere : kUnknown;
  const auto [begin, end] = by_hash_.equal_range(hash);
  for (auto it = begin; it != end && state == kUnknown; ++it) {
    const StateInfo& info = states_[it->second];
    const auto first = places_.begin() + static_cast<std::ptrdiff_t>(info.first_place);
    const bool same =
        info.can_end == made_can_end_ && info.places == made_.size() && std::equal(made_.begin(), made_.end(), first);
    if (same) state = it->second;
  }
  if (state == kUnknown) {
    state = static_cast<State>(states_.size());
    uint32_t to_end = made_can_end_ ? 0 : Grammar::kFar;
    for (const Place place : made_) to_end = std::min(to_end, bytes_to_end(place));
    states_.push_back({places_.size(), made_.size(), made_can_end_, to_end});
    places_.insert(places_.end(), made_.begin(), made_.end());
    table_.insert(table_.end(), grammar_.byte_classes, kUnknown);
    by_hash_.emplace(hash, state);
  }
  seen_.clear();
  made_.clear();
  made_can_end_ = false;
  return state;
}

// Where the shortest way to the end of a state that cannot end begins.
std::optional<GrammarMatcher::Place> GrammarMatcher::nearest_place(State state) const {
  const StateInfo& info = states_[state];
  if (info.can_end || info.bytes_to_end >= Grammar::kFar) return std::nullopt;
  const auto first = places_.begin() + static_cast<std::ptrdiff_t>(info.first_place);
  return *std::find_if(first, first + static_cast<std::ptrdiff_t>(info.places),
                       [&](Place place) { return bytes_to_end(place) == info.bytes_to_end; });
}

// The place on the shortest way from this one where it takes a byte, or where the text ends.
GrammarMatcher::Place GrammarMatcher::next_on_way(Place at) {
  while (true) {
    const uint32_t way = grammar_.way_to_end[at.node];
    if (way != Grammar::kNoEdge) {
      const Edge& edge = grammar_.edges[way];
      if (edge.kind == Edge::Kind::kByte) return at;
      const bool call = edge.kind == Edge::Kind::kCall;
      if (call && edge.returns) at.frame = frame_of({edge.to, at.frame});
      at.node = call ? edge.rule : edge.to;
    } else if (at.frame != kBottom) {
      at = frames_[at.frame].back;
    } else {
      return at;
    }
  }
}

std::string GrammarMatcher::shortest_end(State state, size_t most) const {
  std::string bytes;
  const auto nearest = nearest_place(state);
  if (!nearest) return bytes;
  Place at = *nearest;
  std::vector<uint32_t> returns;  // of the calls on this way
  while (bytes.size() < most) {
    const uint32_t way = grammar_.way_to_end[at.node];
    if (way != Grammar::kNoEdge) {
      const Edge& edge = grammar_.edges[way];
      if (edge.kind == Edge::Kind::kByte) bytes += static_cast<char>(std::clamp<uint8_t>('a', edge.first, edge.last));
      if (edge.kind == Edge::Kind::kCall) returns.push_back(edge.to);
      at.node = edge.kind == Edge::Kind::kCall ? edge.rule : edge.to;
    } else if (!returns.empty()) {
      at.node = returns.back();
      returns.pop_back();
    } else if (at.frame != kBottom) {
      at = frames_[at.frame].back;
    } else {
      break;
    }
  }
  return bytes;
}

GrammarMatcher::State GrammarMatcher::tidy(State state, bool& forgot) {
  work_ = 0;
  forgot = words() > kMostWords / 2;
  if (!forgot) return state;
  const StateInfo info = states_[state];
  std::vector<Place> kept(places_.begin() + static_cast<std::ptrdiff_t>(info.first_place),
                          places_.begin() + static_cast<std::ptrdiff_t>(info.first_place + info.places));
  if (const auto nearest = nearest_place(state)) {
    std::iter_swap(kept.begin(), std::find(kept.begin(), kept.end(), *nearest));  // for which there is room
  }
  const std::vector<Frame> old = std::exchange(frames_, {});
  clear();
  for (const Place& place : kept) {
    if (words() > kMostWords / 4) break;
    std::vector<uint32_t> below;  // the place's frames, the uppermost first
    for (uint32_t frame = place.frame; frame != kBottom; frame = old[frame].back.frame) below.push_back(frame);
    uint32_t frame = kBottom;
    for (auto it = below.rbegin(); it != below.rend(); ++it) frame = frame_of({old[*it].back.node, frame});
    made_.push_back({place.node, frame});
  }
  made_can_end_ = info.can_end;
  start_ = kNowhere;  // is behind
  return intern();
}

}  // namespace tern
