// Prompt lookup (Saxena 2023): text tends to repeat itself, so what followed the last tokens when they came before is a
// good guess of what follows now. The model reads the guess in one pass and keeps the part that it would have said.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace tern {

// The `most` tokens that followed the latest earlier place where `history` has its own last tokens (three of them, else
// two), over and over when fewer followed; empty when there is no such place.
std::vector<int32_t> lookup_draft(std::span<const int32_t> history, size_t most);

}  // namespace tern
