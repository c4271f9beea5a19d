#include "cli/line_editor.h"

#include <histedit.h>
#include <poll.h>
#include <unistd.h>

#include <cerrno>
#include <clocale>
#include <cstdio>
#include <cstdlib>

#include "base/file.h"
#include "base/log.h"

namespace tern {

std::filesystem::path history_path() {
  const char* state = std::getenv("XDG_STATE_HOME");
  if (state != nullptr && *state != '\0') return std::filesystem::path(state) / "tern/history";
  const char* home = std::getenv("HOME");
  if (home != nullptr && *home != '\0') return std::filesystem::path(home) / ".local/state/tern/history";
  return {};
}

constexpr char kEndOfInputKey = 4;  // Ctrl-D

struct LineEditor::Parts {
  EditLine* editor = nullptr;
  History* history = nullptr;
  std::filesystem::path path;
  std::string prompt;
  std::atomic<bool>* interrupted = nullptr;
  bool typed_ahead = false;  // what is read was typed before the prompt

  static char* prompt_of(EditLine* editor) {
    void* parts = nullptr;
    el_get(editor, EL_CLIENTDATA, &parts);
    return static_cast<Parts*>(parts)->prompt.data();
  }

  // One byte; -1 when Ctrl-C came, which libedit's own reading would try to outlive. A signal ends poll() at once, but
  // one that comes just before it must not wait for a key.
  static int read_byte(const std::atomic<bool>& interrupted, char& byte) {
    constexpr int kPatience = 100;  // milliseconds
    pollfd input{STDIN_FILENO, POLLIN, 0};
    while (!interrupted.load()) {
      const int ready = ::poll(&input, 1, kPatience);
      if (ready < 0 && errno != EINTR) return -1;
      if (ready > 0) return static_cast<int>(::read(STDIN_FILENO, &byte, 1));
    }
    return -1;
  }

  static bool input_waits() {
    pollfd input{STDIN_FILENO, POLLIN, 0};
    return ::poll(&input, 1, 0) > 0;
  }

  static int get_character(EditLine* editor, wchar_t* character) {
    void* client = nullptr;
    el_get(editor, EL_CLIENTDATA, &client);
    const std::atomic<bool>& interrupted = *static_cast<Parts*>(client)->interrupted;
    std::mbstate_t state{};
    bool& typed_ahead = static_cast<Parts*>(client)->typed_ahead;
    while (true) {
      typed_ahead = typed_ahead && input_waits();
      char byte = 0;
      const int count = read_byte(interrupted, byte);
      if (count <= 0) return count;
      // Ctrl-D that was typed while the terminal kept lines comes as the byte 0 once it does not (n_tty of Linux).
      if (typed_ahead && byte == 0) byte = kEndOfInputKey;
      const size_t size = std::mbrtowc(character, &byte, 1, &state);
      if (size == static_cast<size_t>(-2)) continue;  // the character goes on
      if (size == static_cast<size_t>(-1)) {
        *character = L'?';
        return 1;
      }
      return 1;
    }
  }
};

LineEditor::LineEditor(std::filesystem::path history, std::atomic<bool>& interrupted)
    : parts_(std::make_unique<Parts>()) {
  // Only for characters of more than one byte; numbers keep their C form.
  if (std::setlocale(LC_CTYPE, "C.UTF-8") == nullptr) std::setlocale(LC_CTYPE, "");
  Parts& p = *parts_;
  p.path = std::move(history);
  p.interrupted = &interrupted;
  p.editor = el_init("tern", stdin, stdout, stderr);
  p.history = history_init();
  HistEvent event{};
  ::history(p.history, &event, H_SETSIZE, 1000);
  ::history(p.history, &event, H_SETUNIQUE, 1);
  if (!p.path.empty() && std::filesystem::exists(p.path)) ::history(p.history, &event, H_LOAD, p.path.c_str());
  el_set(p.editor, EL_CLIENTDATA, &p);
  el_set(p.editor, EL_PROMPT, &Parts::prompt_of);
  el_set(p.editor, EL_EDITOR, "emacs");
  el_set(p.editor, EL_HIST, ::history, p.history);
  el_wset(p.editor, EL_GETCFN, &Parts::get_character);
  el_set(p.editor, EL_BIND, "^R", "em-inc-search-prev", nullptr);
}

LineEditor::~LineEditor() {
  el_end(parts_->editor);
  history_end(parts_->history);
}

LineEditor::Result LineEditor::read(const std::string& prompt) {
  Parts& p = *parts_;
  p.prompt = prompt;
  p.typed_ahead = true;
  int count = 0;
  const char* line = el_gets(p.editor, &count);
  if (p.interrupted->exchange(false)) {
    el_reset(p.editor);
    std::fputs("\n", stdout);
    return {End::kInterrupted, ""};
  }
  if (line == nullptr || count <= 0) {
    std::fputs("\n", stdout);
    return {End::kEndOfInput, ""};
  }
  std::string text(line, static_cast<size_t>(count));
  while (!text.empty() && (text.back() == '\n' || text.back() == '\r')) text.pop_back();
  return {End::kLine, text};
}

void LineEditor::remember(const std::string& line) {
  if (line.find_first_not_of(" \t") == std::string::npos) return;
  Parts& p = *parts_;
  HistEvent event{};
  ::history(p.history, &event, H_ENTER, line.c_str());
  if (p.path.empty()) return;
  make_directories(p.path.parent_path());
  if (::history(p.history, &event, H_SAVE, p.path.c_str()) < 0) {
    log_warning("{}: the history could not be written", p.path.string());
    p.path.clear();
  }
}

}  // namespace tern
