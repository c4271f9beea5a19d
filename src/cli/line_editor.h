// Lines typed at a terminal, with editing and a history (libedit).
#pragma once

#include <atomic>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>

namespace tern {

// $XDG_STATE_HOME/tern/history, or ~/.local/state/tern/history; empty without either variable.
std::filesystem::path history_path();

class LineEditor {
 public:
  // Earlier lines come from `history`, if that file is there; empty: no file. `interrupted` is set by the signal
  // handler of Ctrl-C.
  LineEditor(std::filesystem::path history, std::atomic<bool>& interrupted);
  ~LineEditor();
  LineEditor(const LineEditor&) = delete;
  LineEditor& operator=(const LineEditor&) = delete;

  enum class End { kLine, kInterrupted, kEndOfInput };
  struct Result {
    End end = End::kLine;
    std::string line;  // without the line end
  };
  Result read(const std::string& prompt);

  // Adds to the history, and to its file.
  void remember(const std::string& line);

 private:
  struct Parts;
  std::unique_ptr<Parts> parts_;
};

}  // namespace tern
