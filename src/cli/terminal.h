// The terminal on standard output, as pictures are drawn for it.
#pragma once

#include <cstddef>

#include "base/plot.h"

namespace tern {

// 80 x 24 where there is no terminal.
struct TerminalSize {
  size_t columns = 80, rows = 24;
};
TerminalSize terminal_size();

// Colours and characters that it shows, in `columns` x `rows` or, where these are 0, in its own size within reason.
TerminalStyle terminal_style(size_t columns, size_t rows);

}  // namespace tern
