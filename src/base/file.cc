#include "base/file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cassert>
#include <cerrno>
#include <cstring>
#include <system_error>
#include <utility>

namespace tern {
namespace {

constexpr size_t kWriteBuffer = size_t{1} << 20;

std::string reason() { return std::strerror(errno); }

// A file descriptor that closes itself.
struct Descriptor {
  int fd = -1;
  ~Descriptor() {
    if (fd >= 0) ::close(fd);
  }
};

// O_NONBLOCK: opening a pipe that nobody writes to must end in the error below, not wait forever.
int open_for_reading(const std::filesystem::path& path) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0) fail("{}: cannot open for reading: {}", path.string(), reason());
  return fd;
}

size_t regular_file_size(int fd, const std::filesystem::path& path) {
  struct stat info {};
  if (::fstat(fd, &info) != 0) fail("{}: cannot read its size: {}", path.string(), reason());
  if (!S_ISREG(info.st_mode)) fail("{}: expected a regular file, it is a directory, a pipe or a device", path.string());
  return static_cast<size_t>(info.st_size);
}

}  // namespace

std::string read_file(const std::filesystem::path& path) {
  Descriptor file{open_for_reading(path)};
  std::string content(regular_file_size(file.fd, path), '\0');
  size_t done = 0;
  while (done < content.size()) {
    const ssize_t count = ::read(file.fd, content.data() + done, content.size() - done);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) fail("{}: read failed: {}", path.string(), reason());
    if (count == 0) fail("{}: expected {} bytes, the file ended after {}", path.string(), content.size(), done);
    done += static_cast<size_t>(count);
  }
  return content;
}

size_t read_and_forget(const std::filesystem::path& path, size_t offset, size_t size) {
  constexpr size_t kMostHeld = size_t{1} << 30;  // of a file that may be larger than the memory
  const Descriptor file{::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK)};
  size_t done = 0;
  bool more = true;
  while (more && done < size) {
    const size_t held = std::min(kMostHeld, size - done);
    void* memory = ::mmap(nullptr, held, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) break;
    ::madvise(memory, held, MADV_HUGEPAGE);  // as the buffers of weights are
    size_t filled = 0;
    while (more && filled < held) {
      const ssize_t count = ::pread(file.fd, static_cast<char*>(memory) + filled, held - filled,
                                    static_cast<off_t>(offset + done + filled));
      if (count < 0 && errno == EINTR) continue;
      more = count > 0;
      if (more) filled += static_cast<size_t>(count);
    }
    ::munmap(memory, held);
    done += filled;
  }
  return done;
}

MappedFile::MappedFile(const std::filesystem::path& path) : path_(path) {
  Descriptor file{open_for_reading(path)};
  size_ = regular_file_size(file.fd, path);
  if (size_ == 0) return;
  void* address = ::mmap(nullptr, size_, PROT_READ, MAP_PRIVATE, file.fd, 0);
  if (address == MAP_FAILED) fail("{}: cannot map {} bytes: {}", path.string(), size_, reason());
  data_ = static_cast<const std::byte*>(address);
}

MappedFile::~MappedFile() {
  if (data_ != nullptr) ::munmap(const_cast<std::byte*>(data_), size_);
}

MappedFile::MappedFile(MappedFile&& other) noexcept
    : path_(std::move(other.path_)),
      data_(std::exchange(other.data_, nullptr)),
      size_(std::exchange(other.size_, size_t{0})) {}

MappedFile& MappedFile::operator=(MappedFile&& other) noexcept {
  std::swap(path_, other.path_);
  std::swap(data_, other.data_);
  std::swap(size_, other.size_);
  return *this;
}

void MappedFile::release(size_t offset, size_t size) const {
  // A page that is read brings others along, as far as one page table reaches: 2 MiB of addresses.
  constexpr uintptr_t kReach = uintptr_t{2} << 20;
  if (offset >= size_) return;
  const auto map = reinterpret_cast<uintptr_t>(data_);
  const uintptr_t first = map + offset, last = first + std::min(size, size_ - offset);
  const uintptr_t begin = std::max(map, first / kReach * kReach);
  const uintptr_t end = std::min(map + size_, (last + kReach - 1) / kReach * kReach);
  ::madvise(const_cast<std::byte*>(data_) + (begin - map), end - begin, MADV_DONTNEED);
}

InputFile::InputFile(std::filesystem::path path) : path_(std::move(path)) {
  Descriptor file{open_for_reading(path_)};
  size_ = regular_file_size(file.fd, path_);
  fd_ = std::exchange(file.fd, -1);
}

InputFile::~InputFile() {
  if (fd_ >= 0) ::close(fd_);
}

InputFile::InputFile(InputFile&& other) noexcept
    : path_(std::move(other.path_)), fd_(std::exchange(other.fd_, -1)), offset_(other.offset_), size_(other.size_) {}

size_t InputFile::read(std::span<char> out) {
  size_t done = 0;
  while (done < out.size()) {
    const ssize_t count = ::pread(fd_, out.data() + done, out.size() - done, static_cast<off_t>(offset_ + done));
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) fail("{}: read failed: {}", path_.string(), reason());
    if (count == 0) break;
    done += static_cast<size_t>(count);
  }
  offset_ += done;
  return done;
}

AtomicFile::AtomicFile(std::filesystem::path path)
    : path_(std::move(path)), temporary_(path_.string() + ".tmp-" + std::to_string(::getpid())) {
  // The final rename would replace a device or a pipe by a plain file.
  std::error_code code;
  const std::filesystem::file_status status = std::filesystem::status(path_, code);
  if (std::filesystem::exists(status) && !std::filesystem::is_regular_file(status)) {
    fail("{}: cannot write: expected a regular file, it is a directory, a pipe or a device", path_.string());
  }
  fd_ = ::open(temporary_.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  if (fd_ < 0) fail("{}: cannot open for writing: {}", path_.string(), reason());
}

AtomicFile::~AtomicFile() {
  if (fd_ < 0) return;
  ::close(fd_);
  ::unlink(temporary_.c_str());
}

void AtomicFile::write(Bytes bytes) {
  size_ += bytes.size();
  if (buffer_.size() + bytes.size() > kWriteBuffer) flush_buffer();
  if (bytes.size() >= kWriteBuffer) {
    write_through(bytes);
  } else {
    buffer_.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  }
}

void AtomicFile::flush_buffer() {
  write_through(as_bytes(buffer_));
  buffer_.clear();
}

void AtomicFile::write_through(Bytes bytes) {
  size_t done = 0;
  while (done < bytes.size()) {
    const ssize_t count = ::write(fd_, bytes.data() + done, bytes.size() - done);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) fail("{}: write failed: {} (any earlier file is unchanged)", path_.string(), reason());
    done += static_cast<size_t>(count);
  }
}

void AtomicFile::rewrite(size_t offset, Bytes bytes) {
  assert(offset + bytes.size() <= size_);
  flush_buffer();
  size_t done = 0;
  while (done < bytes.size()) {
    const ssize_t count = ::pwrite(fd_, bytes.data() + done, bytes.size() - done, static_cast<off_t>(offset + done));
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) fail("{}: write failed: {} (any earlier file is unchanged)", path_.string(), reason());
    done += static_cast<size_t>(count);
  }
}

void AtomicFile::commit() {
  flush_buffer();
  if (::fsync(fd_) != 0) fail("{}: write failed: {} (any earlier file is unchanged)", path_.string(), reason());
  ::close(std::exchange(fd_, -1));
  if (::rename(temporary_.c_str(), path_.c_str()) != 0) {
    const std::string why = reason();
    ::unlink(temporary_.c_str());
    fail("{}: cannot rename the finished file into place: {}", path_.string(), why);
  }
  // Make the rename itself durable; a file system that cannot sync a directory is not an error.
  const std::filesystem::path parent = path_.has_parent_path() ? path_.parent_path() : ".";
  Descriptor directory{::open(parent.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
  if (directory.fd >= 0) ::fsync(directory.fd);
}

void write_file(const std::filesystem::path& path, std::string_view content) {
  AtomicFile file(path);
  file.write(content);
  file.commit();
}

void make_directories(const std::filesystem::path& path) {
  std::error_code code;
  std::filesystem::create_directories(path, code);
  if (code || !std::filesystem::is_directory(path, code)) {
    fail("{}: cannot create the directory: {}", path.string(),
         code ? code.message() : "something else is in its place");
  }
}

NewDirectories::NewDirectories(const std::filesystem::path& path, Contents contents) : contents_(contents) {
  std::error_code code;
  std::vector<std::filesystem::path> missing;
  for (std::filesystem::path at = path; !at.empty() && !std::filesystem::exists(at, code); at = at.parent_path()) {
    if (at.has_filename()) missing.push_back(at);  // "a/b/" is "a/b"
  }
  make_directories(path);
  made_ = std::move(missing);
}

NewDirectories::~NewDirectories() {
  std::error_code code;
  for (size_t i = 0; i < made_.size(); ++i) {
    if (i == 0 && contents_ == Contents::kOurs) {
      std::filesystem::remove_all(made_[i], code);
    } else {
      std::filesystem::remove(made_[i], code);  // fails where it is not empty
    }
  }
}

}  // namespace tern
