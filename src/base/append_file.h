// A file that grows by whole pieces and that one process has to itself.
#pragma once

#include <cstddef>
#include <filesystem>
#include <string>
#include <string_view>

namespace tern {

class AppendFile {
 public:
  // Opens or creates the file. Error when that fails, when it is not a regular file, and when another process has it.
  explicit AppendFile(std::filesystem::path path);
  ~AppendFile();
  AppendFile(const AppendFile&) = delete;
  AppendFile& operator=(const AppendFile&) = delete;

  std::string read() const;  // all of it
  void truncate(size_t size);
  // With one write to the system, so that what is killed between two of them leaves whole pieces. Error when the
  // system takes less (a full disk).
  void append(std::string_view piece);

 private:
  std::filesystem::path path_;
  int fd_ = -1;
};

}  // namespace tern
