#include "cli/terminal.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <cstdlib>
#include <string>

#include "base/progress.h"

namespace tern {
namespace {

// Whether the locale's characters are UTF-8, by the variables that say so.
bool unicode_locale() {
  for (const char* name : {"LC_ALL", "LC_CTYPE", "LANG"}) {
    const char* value = std::getenv(name);
    if (value == nullptr || *value == '\0') continue;
    std::string lower(value);
    std::transform(lower.begin(), lower.end(), lower.begin(), [](unsigned char c) { return std::tolower(c); });
    return lower.find("utf-8") != std::string::npos || lower.find("utf8") != std::string::npos;
  }
  return false;
}

}  // namespace

TerminalSize terminal_size() {
  winsize size{};
  if (::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col == 0 || size.ws_row == 0) return {};
  return {size.ws_col, size.ws_row};
}

TerminalStyle terminal_style(size_t columns, size_t rows) {
  const TerminalSize size = terminal_size();
  const char* no_colour = std::getenv("NO_COLOR");
  TerminalStyle style;
  style.columns = columns > 0 ? columns : std::clamp<size_t>(size.columns, kLeastColumns, 120);
  style.rows = rows > 0 ? rows : std::min<size_t>(size.rows - 1, 30);
  style.colour = is_terminal(STDOUT_FILENO) && (no_colour == nullptr || *no_colour == '\0');
  style.unicode = unicode_locale();
  return style;
}

}  // namespace tern
