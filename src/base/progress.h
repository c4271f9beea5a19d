// Progress on standard error: a bar that redraws itself on a terminal, a plain line now and then elsewhere.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace tern {

// Whether the file descriptor, or standard error, is a terminal that can redraw a line (TERM is set and not "dumb").
bool is_terminal(int descriptor);
bool stderr_is_terminal();

// "1h02m", "3m20s", "12s"; "0s" for a negative number or NaN, at most "9999h00m".
std::string format_duration(double seconds);

class Progress {
 public:
  // `total` units of work; `plain_interval` units between two lines where there is no terminal.
  Progress(std::string label, size_t total, size_t plain_interval);
  // Ends the line of a bar that is still being drawn.
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  // `done` of the total are finished; `details` (e.g. "loss 2.31, 51k tokens/s") is shown beside the bar and the ETA.
  void update(size_t done, std::string_view details);

 private:
  std::string label_;
  size_t total_;
  size_t plain_interval_;
  size_t first_done_ = 0;  // where this run began (a resumed run does not begin at 0)
  size_t last_plain_ = 0;
  bool started_ = false;
  bool terminal_;
  bool line_open_ = false;
  double start_s_;
  double last_draw_s_ = 0;
};

}  // namespace tern
