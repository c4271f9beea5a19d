#include "base/progress.h"

#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <utility>

#include "base/clock.h"
#include "base/log.h"

namespace tern {
namespace {

constexpr size_t kBarWidth = 24;
constexpr double kRedrawInterval_s = 0.1;

// The bar is redrawn in place, which the line-based log cannot do, so it writes to standard error itself.
void write_stderr(const std::string& text) {
  const ssize_t written = ::write(STDERR_FILENO, text.data(), text.size());
  static_cast<void>(written);  // a closed standard error must not end the work
}

std::string draw_bar(size_t done, size_t total) {
  const size_t filled = done >= total ? kBarWidth : kBarWidth * done / total;
  std::string bar = "[";
  for (size_t i = 0; i < kBarWidth; ++i) bar += i < filled ? '=' : (i == filled ? '>' : ' ');
  return bar + "]";
}

}  // namespace

bool is_terminal(int descriptor) {
  const char* term = std::getenv("TERM");
  return ::isatty(descriptor) == 1 && term != nullptr && std::strcmp(term, "dumb") != 0;
}

bool stderr_is_terminal() { return is_terminal(STDERR_FILENO); }

std::string format_duration(double seconds) {
  constexpr double kLongest_s = 9999 * 3600.0;
  const auto total = static_cast<long>(seconds > 0 ? std::min(seconds, kLongest_s) + 0.5 : 0.0);
  if (total >= 3600) return fmt::format("{}h{:02}m", total / 3600, total / 60 % 60);
  if (total >= 60) return fmt::format("{}m{:02}s", total / 60, total % 60);
  return fmt::format("{}s", total);
}

Progress::Progress(std::string label, size_t total, size_t plain_interval)
    : label_(std::move(label)),
      total_(total),
      plain_interval_(plain_interval == 0 ? 1 : plain_interval),
      terminal_(stderr_is_terminal()),
      start_s_(now_s()) {}

Progress::~Progress() {
  if (line_open_) write_stderr("\n");
}

void Progress::update(size_t done, std::string_view details) {
  const double now = now_s();
  if (!started_) {
    started_ = true;
    first_done_ = done;
    last_plain_ = done;
    start_s_ = now;
  }
  const double elapsed = now - start_s_;
  const size_t worked = done - std::min(done, first_done_);
  const size_t left = total_ - std::min(done, total_);
  const double eta = worked == 0 ? 0.0 : elapsed / static_cast<double>(worked) * static_cast<double>(left);
  const std::string tail =
      fmt::format("{}/{}  {}  ETA {}", done, total_, details, worked == 0 ? "-" : format_duration(eta));
  if (!terminal_) {
    if (done < last_plain_ + plain_interval_ && done != total_) return;
    last_plain_ = done;
    log_info("{} {}", label_, tail);
    return;
  }
  if (now - last_draw_s_ < kRedrawInterval_s && done != total_) return;
  last_draw_s_ = now;
  // Without automatic wrapping while it is drawn: a wrapped line could not be redrawn in place.
  write_stderr(fmt::format("\x1b[?7l\r\x1b[K{} {} {}\x1b[?7h", label_, draw_bar(done, total_), tail));
  line_open_ = done != total_;
  if (!line_open_) write_stderr("\n");
}

}  // namespace tern
