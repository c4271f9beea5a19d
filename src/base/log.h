// Messages for people, one line each, on standard error. Results never go through here. Names of files and what stands
// in them may hold anything: control characters and invalid UTF-8 appear as \xNN, as in text.h's printable().
#pragma once

#include <fmt/core.h>

#include <string_view>
#include <utility>

namespace tern {

enum class LogLevel { kWarning, kInfo, kDebug };

void set_log_level(LogLevel level);
void log_line(LogLevel level, std::string_view line);

template <class... Args>
void log_info(fmt::format_string<Args...> format, Args&&... args) {
  log_line(LogLevel::kInfo, fmt::format(format, std::forward<Args>(args)...));
}
template <class... Args>
void log_warning(fmt::format_string<Args...> format, Args&&... args) {
  log_line(LogLevel::kWarning, fmt::format(format, std::forward<Args>(args)...));
}

}  // namespace tern
