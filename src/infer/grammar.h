// A context-free grammar as a network over the bytes of UTF-8: what an answer may look like, byte by byte.
//
// Every rule is a small automaton whose edges take a byte, take nothing, or run another rule first (a recursive
// transition network: Woods 1970). Characters are spelled in bytes, so that tokens may end inside of one.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "infer/gbnf.h"

namespace tern {

struct Grammar {
  struct Edge {
    enum class Kind : uint8_t { kByte, kEmpty, kCall };
    Kind kind = Kind::kEmpty;
    uint8_t first = 0, last = 0;  // kByte
    bool returns = true;          // kCall: something comes after it, so that its caller must be remembered
    uint32_t rule = 0;            // kCall: the node where it begins
    uint32_t to = 0;
  };

  std::vector<Edge> edges;           // by the node they leave
  std::vector<uint32_t> first_edge;  // of each node, and the number of all
  std::vector<bool> ends;            // of each node: its rule may end here
  // Of each node: how many bytes its rule takes from there at least, up to kFar, and the edge which that way begins
  // with, kNoEdge where it ends at once.
  std::vector<uint32_t> bytes_to_end;
  std::vector<uint32_t> way_to_end;
  std::vector<uint32_t> way_depth;  // how many rules within rules that way runs at most
  uint32_t start = 0;
  // Bytes that no edge tells apart have one class.
  std::array<uint8_t, 256> byte_class{};
  size_t byte_classes = 0;

  static constexpr uint32_t kFar = uint32_t{1} << 30;
  static constexpr uint32_t kNoEdge = UINT32_MAX;

  size_t nodes() const { return ends.size(); }
  std::span<const Edge> edges_of(uint32_t node) const {
    return std::span(edges).subspan(first_edge[node], first_edge[node + 1] - first_edge[node]);
  }
};

// The grammar that a GBNF text describes. Every byte that it lets pass can be gone on from to an end. Error for what
// parse_gbnf() refuses, for rules that call themselves before they took a byte (left recursion), for rules that never
// end, and beyond the limits.
Grammar compile_grammar(std::string_view gbnf, const GrammarLimits& limits = {});

}  // namespace tern
