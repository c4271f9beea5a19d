// libFuzzer: whatever a grammar or a JSON schema says, it compiles or is an Error, and what the first lets pass of the
// input's own bytes can be gone on from, by the shortest end too. The input is schema when it begins with '{'.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "base/error.h"
#include "infer/grammar_matcher.h"
#include "infer/json_schema.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using tern::GrammarMatcher;
  const std::string text(reinterpret_cast<const char*>(data), size);
  tern::GrammarLimits limits;
  limits.nodes = 20'000;
  try {
    const bool schema = !text.empty() && text[0] == '{';
    const tern::Grammar grammar = tern::compile_grammar(schema ? tern::grammar_of_schema(text) : text, limits);
    GrammarMatcher matcher(grammar);
    GrammarMatcher::State state = matcher.start();
    if (state == GrammarMatcher::kNowhere) std::abort();
    // Always the byte of the input that may come, or else the first that may. Ambiguous grammars take some milliseconds
    // a byte here, so not many.
    constexpr size_t kMostBytes = 100;
    for (size_t i = 0; i < std::min(size + 50, kMostBytes) && matcher.can_go_on(state); ++i) {
      GrammarMatcher::State next = matcher.next(state, size > 0 ? data[i % size] : uint8_t{0});
      for (unsigned byte = 0; byte < 256 && next == GrammarMatcher::kNowhere; ++byte) {
        next = matcher.next(state, static_cast<uint8_t>(byte));
      }
      if (next == GrammarMatcher::kNowhere) break;  // beyond the matcher's bounds
      const size_t missing = matcher.bytes_to_end(next);
      if (missing < 10'000 && matcher.shortest_end(next).size() != missing) std::abort();
      bool forgot = false;
      state = matcher.tidy(next, forgot);
    }
  } catch (const tern::Error&) {
    // The end of most inputs.
  }
  return 0;
}
