// Training shards: token ids on disk, ready to be mapped and read in part. Little-endian:
//
//   offset  bytes
//        0      8  "TERNTOK1"
//        8      4  u32  version, 2
//       12      8  u64  hash of the vocabulary that made the ids
//       20      4  u32  vocabulary size V
//       24      4  u32  kind: 0, ids alone (other numbers are for what may stand beside them one day)
//       28      8  u64  number of ids N
//       36      8  u64  checksum of the fields from the version on and of the table
//       44   N*w  ids, w = 2 bytes when V <= 65536, else 4
//               8  u64  for each 65536 bytes of ids (the last block may be shorter): its checksum. The table.
//
// The checksum is FNV-1a (Fowler, Noll, Vo) over 64-bit words instead of bytes, the last word filled up with zeros.
// Every step is a bijection of the state, so damage confined to one word is always seen.
#pragma once

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/file.h"

namespace tern {

inline constexpr std::string_view kTokenFileMagic = "TERNTOK1";
inline constexpr size_t kTokenBlockBytes = size_t{1} << 16;

struct TokenFileInfo {
  uint64_t vocabulary_hash = 0;
  uint32_t vocabulary_size = 0;  // ids are below it; at least 1
};

// FNV-1a over little-endian 64-bit words; see above.
class TokenChecksum {
 public:
  // `bytes.size()` must be a multiple of 8 in every call but the last.
  void add(Bytes bytes);
  void add(uint64_t word) { state_ = (state_ ^ word) * 0x100000001B3u; }
  uint64_t value() const { return state_; }

 private:
  uint64_t state_ = 0xCBF29CE484222325u;
};

// Writes a shard as a stream through AtomicFile: without finish() nothing appears at `path`. Memory: a block, and 8
// bytes for each that is written.
class TokenFileWriter {
 public:
  TokenFileWriter(std::filesystem::path path, TokenFileInfo info);

  // Appends ids; Error for one that is not in [0, vocabulary size).
  void add(std::span<const int32_t> ids);
  // Completes the header and commits the file.
  void finish();
  uint64_t size() const { return count_; }  // ids so far

 private:
  void flush();

  std::filesystem::path path_;
  TokenFileInfo info_;
  AtomicFile file_;
  std::vector<uint64_t> table_;
  std::vector<std::byte> buffer_;  // of the block that is being filled
  size_t width_ = 2;               // bytes of an id
  uint64_t count_ = 0;
};

// A mapped shard. Const members may be called by many threads. Move-only.
class TokenFile {
 public:
  enum class Check {
    kEverything,  // reads the whole file once: every block and the range of every id
    kOnUse,       // header and table; read() checks a block when it first needs it, and always the range of the ids
  };

  // Error when the file is truncated or damaged, or when `expected_hash` is given and the vocabulary is another one.
  explicit TokenFile(const std::filesystem::path& path, std::optional<uint64_t> expected_hash = {},
                     Check check = Check::kEverything);
  // The same over bytes in memory, which must outlive this object; `name` stands for the path in messages.
  TokenFile(Bytes bytes, std::string name, std::optional<uint64_t> expected_hash = {},
            Check check = Check::kEverything);

  const std::string& name() const { return name_; }
  const TokenFileInfo& info() const { return info_; }
  uint64_t size() const { return count_; }         // ids
  uint64_t checksum() const { return checksum_; }  // the header's: differs where any id does
  // ids[begin, begin + out.size()). The pages read do not stay with this process. Error when that passes the end, and
  // for a damaged block or an id outside the vocabulary.
  void read(uint64_t begin, std::span<int32_t> out) const;

 private:
  void parse(std::optional<uint64_t> expected_hash, Check check);
  void check_everything() const;
  void check_block(size_t block) const;
  void load(uint64_t begin, std::span<int32_t> out) const;

  std::optional<MappedFile> map_;
  Bytes bytes_;
  std::string name_;
  TokenFileInfo info_;
  size_t width_ = 2;
  uint64_t count_ = 0;
  uint64_t checksum_ = 0;
  Bytes ids_;
  Bytes table_;  // u64 a block
  std::unique_ptr<std::atomic<bool>[]> block_is_checked_;
};

}  // namespace tern
