#include "formats/token_file.h"

#include <algorithm>
#include <cstring>
#include <limits>
#include <utility>

#include "base/error.h"
#include "base/text.h"

namespace tern {
namespace {

constexpr uint32_t kVersion = 2;
constexpr uint32_t kIdsAlone = 0;
constexpr uint32_t kMaxVocabulary = std::numeric_limits<int32_t>::max();

size_t id_bytes(uint32_t vocabulary_size) { return vocabulary_size <= 65536 ? sizeof(uint16_t) : sizeof(uint32_t); }

uint64_t checksum_of(Bytes bytes) {
  TokenChecksum checksum;
  checksum.add(bytes);
  return checksum.value();
}

uint64_t header_checksum(const TokenFileInfo& info, uint64_t count, Bytes table) {
  TokenChecksum checksum;
  checksum.add(kVersion);
  checksum.add(info.vocabulary_hash);
  checksum.add(info.vocabulary_size);
  checksum.add(kIdsAlone);
  checksum.add(count);
  checksum.add(table);
  return checksum.value();
}

std::string header_text(const TokenFileInfo& info, uint64_t count, uint64_t checksum) {
  ByteWriter header;
  header.write_text(kTokenFileMagic);
  header.write(kVersion);
  header.write(info.vocabulary_hash);
  header.write(info.vocabulary_size);
  header.write(kIdsAlone);
  header.write(count);
  header.write(checksum);
  return header.text();
}

uint32_t load_id(const std::byte* at, size_t width) {
  if (width == sizeof(uint16_t)) {
    uint16_t id = 0;
    std::memcpy(&id, at, sizeof(id));
    return id;
  }
  uint32_t id = 0;
  std::memcpy(&id, at, sizeof(id));
  return id;
}

}  // namespace

void TokenChecksum::add(Bytes bytes) {
  while (!bytes.empty()) {
    const size_t size = std::min(bytes.size(), sizeof(uint64_t));
    uint64_t word = 0;
    std::memcpy(&word, bytes.data(), size);
    add(word);
    bytes = bytes.subspan(size);
  }
}

TokenFileWriter::TokenFileWriter(std::filesystem::path path, TokenFileInfo info)
    : path_(std::move(path)), info_(info), file_(path_), width_(id_bytes(info.vocabulary_size)) {
  if (info.vocabulary_size == 0 || info.vocabulary_size > kMaxVocabulary) {
    fail("{}: expected a vocabulary of 1 to {} tokens, got {}", path_.string(), kMaxVocabulary, info.vocabulary_size);
  }
  buffer_.reserve(kTokenBlockBytes);
  file_.write(header_text(info_, 0, 0));
}

void TokenFileWriter::add(std::span<const int32_t> ids) {
  for (const int32_t id : ids) {
    if (id < 0 || static_cast<uint32_t>(id) >= info_.vocabulary_size) {
      fail("{}: token {}: expected an id below {}, got {}", path_.string(), count_, info_.vocabulary_size, id);
    }
    const auto* begin = reinterpret_cast<const std::byte*>(&id);  // little-endian: the low bytes come first
    buffer_.insert(buffer_.end(), begin, begin + width_);
    ++count_;
    if (buffer_.size() == kTokenBlockBytes) flush();
  }
}

void TokenFileWriter::flush() {
  if (buffer_.empty()) return;
  table_.push_back(checksum_of(buffer_));
  file_.write(Bytes(buffer_));
  buffer_.clear();
}

void TokenFileWriter::finish() {
  flush();
  const Bytes table = std::as_bytes(std::span(table_));
  file_.write(table);
  file_.rewrite(0, as_bytes(header_text(info_, count_, header_checksum(info_, count_, table))));
  file_.commit();
}

TokenFile::TokenFile(const std::filesystem::path& path, std::optional<uint64_t> expected_hash, Check check)
    : map_(path), bytes_(map_->bytes()), name_(path.string()) {
  parse(expected_hash, check);
}

TokenFile::TokenFile(Bytes bytes, std::string name, std::optional<uint64_t> expected_hash, Check check)
    : bytes_(bytes), name_(std::move(name)) {
  parse(expected_hash, check);
}

void TokenFile::parse(std::optional<uint64_t> expected_hash, Check check) {
  with_context(name_, [&] {
    ByteReader reader(bytes_);
    const std::string_view magic = reader.take_text(kTokenFileMagic.size(), "magic");
    if (magic != kTokenFileMagic) {
      fail("expected the magic {}, got {}; is it a token shard?", quote(kTokenFileMagic), quote(magic));
    }
    const auto version = reader.read<uint32_t>("version");
    if (version != kVersion) fail("token shard version: expected {}, got {}", kVersion, version);
    info_.vocabulary_hash = reader.read<uint64_t>("vocabulary hash");
    info_.vocabulary_size = reader.read<uint32_t>("vocabulary size");
    const auto kind = reader.read<uint32_t>("kind");
    count_ = reader.read<uint64_t>("number of tokens");
    checksum_ = reader.read<uint64_t>("checksum");
    if (expected_hash && *expected_hash != info_.vocabulary_hash) {
      fail("made with another vocabulary: expected hash {:016x}, got {:016x}", *expected_hash, info_.vocabulary_hash);
    }
    if (info_.vocabulary_size == 0 || info_.vocabulary_size > kMaxVocabulary) {
      fail("vocabulary size: expected 1 to {}, got {}", kMaxVocabulary, info_.vocabulary_size);
    }
    if (kind != kIdsAlone) fail("token shard kind: expected {}, got {}", kIdsAlone, kind);
    width_ = id_bytes(info_.vocabulary_size);
    const size_t id_size = checked_mul(count_, width_, "size of the tokens");
    const size_t blocks = id_size / kTokenBlockBytes + (id_size % kTokenBlockBytes != 0);
    const size_t expected = checked_add(id_size, blocks * sizeof(uint64_t), "size of the tokens and the table");
    if (reader.remaining() != expected) {
      fail("{} tokens: expected {} bytes after the header, got {}; is the file truncated?", count_, expected,
           reader.remaining());
    }
    ids_ = reader.take(id_size, "tokens");
    table_ = reader.take(blocks * sizeof(uint64_t), "table");
    const uint64_t actual = header_checksum(info_, count_, table_);
    if (actual != checksum_) {
      fail("header and table: expected the checksum {:016x}, got {:016x}; the file is damaged", checksum_, actual);
    }
    block_is_checked_ = std::make_unique<std::atomic<bool>[]>(blocks);
    if (check == Check::kEverything) check_everything();
  });
}

void TokenFile::check_everything() const {
  const size_t ids_per_block = kTokenBlockBytes / width_;
  std::vector<int32_t> ids(std::min<uint64_t>(ids_per_block, count_));
  for (uint64_t begin = 0; begin < count_; begin += ids_per_block) {
    load(begin, std::span(ids).first(std::min<uint64_t>(ids_per_block, count_ - begin)));
  }
}

// Two threads may check one block: both find the same.
void TokenFile::check_block(size_t block) const {
  if (block_is_checked_[block].load(std::memory_order_relaxed)) return;
  const size_t begin = block * kTokenBlockBytes;
  const uint64_t actual = checksum_of(ids_.subspan(begin, std::min(kTokenBlockBytes, ids_.size() - begin)));
  uint64_t expected = 0;
  std::memcpy(&expected, table_.data() + block * sizeof(expected), sizeof(expected));
  if (actual != expected) {
    fail("block {} of {} (tokens {} to {}): expected the checksum {:016x}, got {:016x}; the file is damaged", block,
         table_.size() / sizeof(expected), begin / width_,
         std::min<uint64_t>(count_, (begin + kTokenBlockBytes) / width_) - 1, expected, actual);
  }
  block_is_checked_[block].store(true, std::memory_order_relaxed);
}

void TokenFile::load(uint64_t begin, std::span<int32_t> out) const {
  if (out.empty()) return;
  const size_t first_byte = begin * width_;
  const size_t end_byte = first_byte + out.size() * width_;
  const size_t first_block = first_byte / kTokenBlockBytes, last_block = (end_byte - 1) / kTokenBlockBytes;
  for (size_t block = first_block; block <= last_block; ++block) check_block(block);
  const std::byte* at = ids_.data() + first_byte;
  for (size_t i = 0; i < out.size(); ++i) {
    const uint32_t id = load_id(at + i * width_, width_);
    if (id >= info_.vocabulary_size) {
      fail("token {}: expected an id below {}, got {}", begin + i, info_.vocabulary_size, id);
    }
    out[i] = static_cast<int32_t>(id);
  }
  if (map_) {
    const size_t from = static_cast<size_t>(ids_.data() - bytes_.data()) + first_block * kTokenBlockBytes;
    map_->release(from, (last_block - first_block + 1) * kTokenBlockBytes);
  }
}

void TokenFile::read(uint64_t begin, std::span<int32_t> out) const {
  with_context(name_, [&] {
    if (begin > count_ || out.size() > count_ - begin) {
      fail("expected {} tokens from token {} on, the shard has {}", out.size(), begin, count_);
    }
    load(begin, out);
  });
}

}  // namespace tern
