#include "base/append_file.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "base/error.h"
#include "base/file.h"

namespace tern {

AppendFile::AppendFile(std::filesystem::path path) : path_(std::move(path)) {
  fd_ = ::open(path_.c_str(), O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC | O_NONBLOCK, 0666);
  if (fd_ < 0) fail("{}: cannot open for writing: {}", path_.string(), std::strerror(errno));
  if (::flock(fd_, LOCK_EX | LOCK_NB) != 0) {
    const int error = errno;
    ::close(std::exchange(fd_, -1));
    fail("{}: cannot lock it: {}", path_.string(),
         error == EWOULDBLOCK ? "another process uses it" : std::strerror(error));
  }
}

AppendFile::~AppendFile() {
  if (fd_ >= 0) ::close(fd_);
}

std::string AppendFile::read() const { return read_file(path_); }

void AppendFile::truncate(size_t size) {
  if (::ftruncate(fd_, static_cast<off_t>(size)) != 0) {
    fail("{}: cannot cut it to {} bytes: {}", path_.string(), size, std::strerror(errno));
  }
}

void AppendFile::append(std::string_view piece) {
  ssize_t count = -1;
  do {
    count = ::write(fd_, piece.data(), piece.size());
  } while (count < 0 && errno == EINTR);
  if (count < 0) fail("{}: write failed: {}", path_.string(), std::strerror(errno));
  if (static_cast<size_t>(count) != piece.size()) {
    fail("{}: expected to write {} bytes, the system took {}", path_.string(), piece.size(), count);
  }
}

}  // namespace tern
