// Files: read whole or mapped, written beside and renamed so that a reader never sees half a file.
#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"

namespace tern {

// The whole file, or Error naming the path and the system's reason.
std::string read_file(const std::filesystem::path& path);

// Reads `size` bytes of a file from `offset` on into memory new from the system, at most 1 GiB at once, and gives it
// back: what any program pays that holds a file's bytes. Returns how many bytes could be read; throws nothing, for
// loops on threads.
size_t read_and_forget(const std::filesystem::path& path, size_t offset, size_t size);

// A read-only memory map of a regular file; unmapped on destruction. Move-only. An empty file maps to zero bytes.
class MappedFile {
 public:
  explicit MappedFile(const std::filesystem::path& path);
  ~MappedFile();
  MappedFile(MappedFile&& other) noexcept;
  MappedFile& operator=(MappedFile&& other) noexcept;
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;

  Bytes bytes() const { return {data_, size_}; }
  // The pages of [offset, offset + size) no longer count as this process's memory until they are read again.
  void release(size_t offset, size_t size) const;
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
  const std::byte* data_ = nullptr;
  size_t size_ = 0;
};

// A regular file that is read as a stream from its beginning. Move-only.
class InputFile {
 public:
  explicit InputFile(std::filesystem::path path);
  ~InputFile();
  InputFile(InputFile&& other) noexcept;
  InputFile& operator=(InputFile&&) = delete;

  // Fills `out` but at the file's end; returns how many bytes there were. Error when the system says one.
  size_t read(std::span<char> out);
  // The next read() begins at byte `offset`.
  void seek(uint64_t offset) { offset_ = offset; }
  uint64_t offset() const { return offset_; }
  uint64_t size() const { return size_; }  // when it was opened
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
  int fd_ = -1;
  uint64_t offset_ = 0;
  uint64_t size_ = 0;
};

// A file under construction: bytes go to "PATH.tmp-PID"; commit() flushes them to the disk and renames the file to
// PATH. Without commit() (an exception, a full disk) the temporary file is removed and an earlier PATH stays as it was.
class AtomicFile {
 public:
  explicit AtomicFile(std::filesystem::path path);
  ~AtomicFile();
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;

  void write(Bytes bytes);
  void write(std::string_view text) { write(as_bytes(text)); }
  // Replaces bytes already written, [offset, offset + bytes.size()): for a header whose counts are known last.
  void rewrite(size_t offset, Bytes bytes);
  size_t size() const { return size_; }
  void commit();

 private:
  void flush_buffer();
  void write_through(Bytes bytes);

  std::filesystem::path path_;
  std::filesystem::path temporary_;
  int fd_ = -1;
  size_t size_ = 0;
  std::string buffer_;
};

// AtomicFile in one call.
void write_file(const std::filesystem::path& path, std::string_view content);

// Creates the directory and its parents; Error when that fails or PATH is something else.
void make_directories(const std::filesystem::path& path);

// The same for what may yet be refused: without keep() the directories that were not there before are removed again.
class NewDirectories {
 public:
  enum class Contents { kOurs, kShared };

  // kOurs: `path`, if it is new, goes with all that it holds by then. kShared: others may have put something there,
  // it stays unless it is empty. New parents stay unless they are empty.
  NewDirectories(const std::filesystem::path& path, Contents contents);
  ~NewDirectories();
  NewDirectories(const NewDirectories&) = delete;
  NewDirectories& operator=(const NewDirectories&) = delete;

  void keep() { made_.clear(); }

 private:
  std::vector<std::filesystem::path> made_;  // innermost first
  Contents contents_;
};

}  // namespace tern
