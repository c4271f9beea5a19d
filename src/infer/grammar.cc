#include "infer/grammar.h"

#include <algorithm>
#include <functional>
#include <queue>
#include <string>
#include <utility>

#include "base/error.h"
#include "base/text.h"

namespace tern {
namespace {

using Edge = Grammar::Edge;
using Part = GrammarTree::Part;

// The code points first..last, none of them a surrogate, as sequences of byte ranges: emit(firsts, lasts) for each.
template <class Emit>
void split_utf8(char32_t first, char32_t last, const Emit& emit) {
  for (const char32_t longest : {0x7Fu, 0x7FFu, 0xFFFFu}) {
    if (first <= longest && longest < last) {
      split_utf8(first, longest, emit);
      return split_utf8(longest + 1, last, emit);
    }
  }
  // Where the bytes before the last i differ, the last i must run through all their values.
  for (const unsigned bits : {6u, 12u, 18u}) {
    const char32_t low = (char32_t{1} << bits) - 1;
    if ((first & ~low) == (last & ~low) || last < 0x80) continue;
    if ((first & low) != 0) {
      split_utf8(first, first | low, emit);
      return split_utf8((first | low) + 1, last, emit);
    }
    if ((last & low) != low) {
      split_utf8(first, (last & ~low) - 1, emit);
      return split_utf8(last & ~low, last, emit);
    }
  }
  std::string firsts, lasts;
  append_utf8(firsts, first);
  append_utf8(lasts, last);
  emit(firsts, lasts);
}

class Compiler {
 public:
  Compiler(const GrammarTree& tree, const GrammarLimits& limits) : tree_(tree), limits_(limits) {}

  Grammar compile() {
    for (size_t i = 0; i < tree_.rules.size(); ++i) starts_.push_back(add_node());
    for (size_t i = 0; i < tree_.rules.size(); ++i) {
      const uint32_t end = build(tree_.rules[i].body, starts_[i]);
      grammar_.ends[end] = true;
    }
    grammar_.start = starts_[tree_.root];
    sort_edges();
    refuse_endless();
    refuse_left_recursion();
    find_ways_to_end();
    mark_last_calls();
    set_byte_classes();
    return std::move(grammar_);
  }

 private:
  uint32_t add_node() {
    if (grammar_.ends.size() == limits_.nodes) {
      fail("grammar: is too large, it has more than {} states with its repetitions written out", limits_.nodes);
    }
    grammar_.ends.push_back(false);
    return static_cast<uint32_t>(grammar_.ends.size() - 1);
  }

  void add_edge(uint32_t from, Edge edge) {
    grammar_.edges.push_back(edge);
    origins_.push_back(from);
  }
  void add_empty(uint32_t from, uint32_t to) { add_edge(from, {Edge::Kind::kEmpty, 0, 0, true, 0, to}); }
  void add_bytes(uint32_t from, char first, char last, uint32_t to) {
    add_edge(from, {Edge::Kind::kByte, static_cast<uint8_t>(first), static_cast<uint8_t>(last), true, 0, to});
  }

  // From node `at` over one part; the node behind it, which nothing else leads to or from yet.
  uint32_t build(uint32_t index, uint32_t at) {
    const Part& part = tree_.parts[index];
    switch (part.kind) {
      case Part::Kind::kBytes:
        return build_bytes(part.bytes, part.bytes, at, add_node());
      case Part::Kind::kClass: {
        const uint32_t end = add_node();
        for (const auto& [first, last] : part.ranges) {
          split_utf8(first, last,
                     [&](const std::string& firsts, const std::string& lasts) { build_bytes(firsts, lasts, at, end); });
        }
        return end;
      }
      case Part::Kind::kRule: {
        const uint32_t end = add_node();
        add_edge(at, {Edge::Kind::kCall, 0, 0, true, starts_[part.rule], end});
        return end;
      }
      case Part::Kind::kSequence:
        for (const uint32_t inner : part.parts) at = build(inner, at);
        return part.parts.empty() ? build_empty(at) : at;
      case Part::Kind::kChoice: {
        const uint32_t end = add_node();
        for (const uint32_t inner : part.parts) add_empty(build(inner, build_empty(at)), end);
        return end;
      }
      case Part::Kind::kRepeat:
        return build_repeat(part, at);
    }
    return at;
  }

  uint32_t build_empty(uint32_t at) {
    const uint32_t end = add_node();
    add_empty(at, end);
    return end;
  }

  uint32_t build_bytes(std::string_view firsts, std::string_view lasts, uint32_t at, uint32_t end) {
    if (firsts.empty()) add_empty(at, end);
    for (size_t i = 0; i < firsts.size(); ++i) {
      const uint32_t to = i + 1 == firsts.size() ? end : add_node();
      add_bytes(at, firsts[i], lasts[i], to);
      at = to;
    }
    return end;
  }

  uint32_t build_repeat(const Part& part, uint32_t at) {
    const uint32_t inner = part.parts[0];
    for (uint32_t i = 0; i < part.least; ++i) at = build(inner, build_empty(at));
    if (part.most == GrammarTree::kNoLimit) {
      const uint32_t again = build_empty(at);
      add_empty(build(inner, build_empty(again)), again);
      return build_empty(again);
    }
    const uint32_t end = add_node();
    for (uint32_t i = part.least; i < part.most; ++i) {
      add_empty(at, end);
      at = build(inner, build_empty(at));
    }
    add_empty(at, end);
    return end;
  }

  void sort_edges() {
    grammar_.first_edge.assign(grammar_.nodes() + 1, 0);
    for (const uint32_t from : origins_) ++grammar_.first_edge[from + 1];
    for (size_t i = 0; i < grammar_.nodes(); ++i) grammar_.first_edge[i + 1] += grammar_.first_edge[i];
    std::vector<uint32_t> next(grammar_.first_edge);
    std::vector<Edge> sorted(grammar_.edges.size());
    for (size_t i = 0; i < grammar_.edges.size(); ++i) sorted[next[origins_[i]]++] = grammar_.edges[i];
    grammar_.edges = std::move(sorted);
  }

  // Of each node: whether the end of its rule can be reached, with or without bytes.
  std::vector<bool> reach_end(bool with_bytes) const {
    std::vector<std::vector<uint32_t>> before(grammar_.nodes());
    std::vector<uint32_t> found;
    std::vector<bool> reach(grammar_.nodes());
    const auto mark = [&](uint32_t node) {
      if (!reach[node]) found.push_back(node);
      reach[node] = true;
    };
    for (uint32_t node = 0; node < grammar_.nodes(); ++node) {
      if (grammar_.ends[node]) mark(node);
      for (const Edge& edge : grammar_.edges_of(node)) {
        if (edge.kind == Edge::Kind::kByte && !with_bytes) continue;
        before[edge.to].push_back(node);
        if (edge.kind == Edge::Kind::kCall) before[edge.rule].push_back(node);
      }
    }
    while (!found.empty()) {
      const uint32_t reached = found.back();
      found.pop_back();
      for (const uint32_t node : before[reached]) {
        if (reach[node]) continue;
        for (const Edge& edge : grammar_.edges_of(node)) {
          const bool takes = edge.kind != Edge::Kind::kByte || with_bytes;
          const bool passes = edge.kind != Edge::Kind::kCall || reach[edge.rule];
          if (takes && passes && reach[edge.to]) mark(node);
        }
      }
    }
    return reach;
  }

  void refuse_endless() const {
    const std::vector<bool> reach = reach_end(true);
    for (size_t i = 0; i < starts_.size(); ++i) {
      if (!reach[starts_[i]]) fail("grammar: rule {} never ends", quote(tree_.rules[i].name));
    }
  }

  // The rules that each rule calls before it took a byte; those that do so round and round stay when all others that
  // call none of them are taken out.
  void refuse_left_recursion() const {
    const std::vector<bool> empty = reach_end(false);
    std::vector<std::vector<uint32_t>> calls(starts_.size()), callers(starts_.size());
    std::vector<size_t> open(starts_.size());
    std::vector<uint32_t> seen_by(grammar_.nodes(), UINT32_MAX), todo, done;
    for (uint32_t rule = 0; rule < starts_.size(); ++rule) {
      const auto visit = [&](uint32_t node) {
        if (seen_by[node] != rule) todo.push_back(node);
        seen_by[node] = rule;
      };
      visit(starts_[rule]);
      while (!todo.empty()) {
        const uint32_t node = todo.back();
        todo.pop_back();
        for (const Edge& edge : grammar_.edges_of(node)) {
          if (edge.kind == Edge::Kind::kByte) continue;
          if (edge.kind == Edge::Kind::kCall) calls[rule].push_back(edge.rule);
          if (edge.kind == Edge::Kind::kEmpty || empty[edge.rule]) visit(edge.to);
        }
      }
      for (const uint32_t called : calls[rule]) callers[called].push_back(rule);
      open[rule] = calls[rule].size();
      if (open[rule] == 0) done.push_back(rule);
    }
    while (!done.empty()) {
      const uint32_t rule = done.back();
      done.pop_back();
      for (const uint32_t caller : callers[rule]) {
        if (--open[caller] == 0) done.push_back(caller);
      }
    }
    const auto left = std::find_if(open.begin(), open.end(), [](size_t count) { return count > 0; });
    if (left == open.end()) return;
    // Some of these only lead to the circle: after as many steps as there are rules one is on it.
    auto rule = static_cast<uint32_t>(left - open.begin());
    for (size_t i = 0; i < starts_.size(); ++i) {
      rule = *std::find_if(calls[rule].begin(), calls[rule].end(), [&](uint32_t called) { return open[called] > 0; });
    }
    fail("grammar: rule {} calls itself before it took a character (left recursion)", quote(tree_.rules[rule].name));
  }

  // Dijkstra's search from all ends backwards, where a call costs what its rule does (Knuth 1977, A generalization of
  // Dijkstra's algorithm). The ways lead to nodes found earlier, so they are finite.
  void find_ways_to_end() {
    std::vector<uint32_t>& cost = grammar_.bytes_to_end;
    cost.assign(grammar_.nodes(), Grammar::kFar);
    grammar_.way_to_end.assign(grammar_.nodes(), Grammar::kNoEdge);
    grammar_.way_depth.assign(grammar_.nodes(), 0);
    std::vector<std::vector<uint32_t>> before(grammar_.nodes());  // edges that wait for a node
    for (uint32_t i = 0; i < grammar_.edges.size(); ++i) {
      const Edge& edge = grammar_.edges[i];
      before[edge.to].push_back(i);
      if (edge.kind == Edge::Kind::kCall) before[edge.rule].push_back(i);
    }
    std::vector<uint32_t> origin(grammar_.edges.size());
    for (uint32_t node = 0; node < grammar_.nodes(); ++node) {
      std::fill(origin.begin() + grammar_.first_edge[node], origin.begin() + grammar_.first_edge[node + 1], node);
    }
    std::vector<bool> done(grammar_.nodes());
    using Entry = std::pair<uint32_t, uint32_t>;  // cost, node
    std::priority_queue<Entry, std::vector<Entry>, std::greater<>> open;
    for (uint32_t node = 0; node < grammar_.nodes(); ++node) {
      if (!grammar_.ends[node]) continue;
      cost[node] = 0;
      open.emplace(0, node);
    }
    while (!open.empty()) {
      const uint32_t node = open.top().second;
      open.pop();
      if (done[node]) continue;
      done[node] = true;
      for (const uint32_t i : before[node]) {
        const Edge& edge = grammar_.edges[i];
        const bool call = edge.kind == Edge::Kind::kCall;
        if (!done[edge.to] || (call && !done[edge.rule])) continue;
        const uint32_t own = call ? cost[edge.rule] : edge.kind == Edge::Kind::kByte ? 1 : 0;
        const uint32_t whole = std::min(cost[edge.to] + own, Grammar::kFar - 1);
        if (whole >= cost[origin[i]]) continue;
        cost[origin[i]] = whole;
        grammar_.way_to_end[origin[i]] = i;
        grammar_.way_depth[origin[i]] =
            std::max(grammar_.way_depth[edge.to], call ? grammar_.way_depth[edge.rule] + 1 : 0);
        open.emplace(whole, origin[i]);
      }
    }
  }

  // A caller with nothing left to do need not be remembered: lists by recursion take no memory.
  void mark_last_calls() {
    const auto is_last = [&](uint32_t node) {
      for (int steps = 0; steps < 16; ++steps) {
        const auto edges = grammar_.edges_of(node);
        if (edges.empty()) return true;
        if (grammar_.ends[node] || edges.size() > 1 || edges[0].kind != Edge::Kind::kEmpty) return false;
        node = edges[0].to;
      }
      return false;
    };
    for (Edge& edge : grammar_.edges) edge.returns = edge.kind == Edge::Kind::kCall && !is_last(edge.to);
  }

  void set_byte_classes() {
    std::array<bool, 257> begins{};
    for (const Edge& edge : grammar_.edges) {
      if (edge.kind != Edge::Kind::kByte) continue;
      begins[edge.first] = true;
      begins[size_t{edge.last} + 1] = true;
    }
    uint8_t current = 0;
    for (size_t byte = 0; byte < 256; ++byte) {
      if (byte > 0 && begins[byte]) ++current;
      grammar_.byte_class[byte] = current;
    }
    grammar_.byte_classes = size_t{current} + 1;
  }

  const GrammarTree& tree_;
  const GrammarLimits& limits_;
  Grammar grammar_;
  std::vector<uint32_t> starts_;   // of the rules
  std::vector<uint32_t> origins_;  // of the edges, until they are sorted
};

}  // namespace

Grammar compile_grammar(std::string_view gbnf, const GrammarLimits& limits) {
  const GrammarTree tree = parse_gbnf(gbnf, limits);
  return Compiler(tree, limits).compile();
}

}  // namespace tern
