#include "formats/token_file.h"

#include <algorithm>
#include <array>
#include <limits>
#include <utility>

#include "base/error.h"
#include "base/text.h"

namespace tern {
namespace {

constexpr std::string_view kMagic = "TERNTOK1";
constexpr uint32_t kVersion = 1;
constexpr size_t kBufferBytes = size_t{1} << 16;  // a multiple of 8: the checksum goes word by word
constexpr uint32_t kMaxVocabulary = std::numeric_limits<int32_t>::max();

size_t id_bytes(uint32_t vocabulary_size) { return vocabulary_size <= 65536 ? sizeof(uint16_t) : sizeof(uint32_t); }

uint64_t complete_checksum(TokenChecksum checksum, const TokenFileInfo& info, uint64_t count) {
  checksum.add(kVersion);
  checksum.add(info.vocabulary_hash);
  checksum.add(info.vocabulary_size);
  checksum.add(count);
  return checksum.value();
}

std::string header_text(const TokenFileInfo& info, uint64_t count, uint64_t checksum) {
  ByteWriter header;
  header.write_text(kMagic);
  header.write(kVersion);
  header.write(info.vocabulary_hash);
  header.write(info.vocabulary_size);
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
  buffer_.reserve(kBufferBytes);
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
    if (buffer_.size() == kBufferBytes) flush();
  }
}

void TokenFileWriter::flush() {
  checksum_.add(buffer_);
  file_.write(Bytes(buffer_));
  buffer_.clear();
}

void TokenFileWriter::finish() {
  flush();
  file_.rewrite(0, as_bytes(header_text(info_, count_, complete_checksum(checksum_, info_, count_))));
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
    const std::string_view magic = reader.take_text(kMagic.size(), "magic");
    if (magic != kMagic) fail("expected the magic {}, got {}; is it a token shard?", quote(kMagic), quote(magic));
    const auto version = reader.read<uint32_t>("version");
    if (version != kVersion) fail("token shard version: expected {}, got {}", kVersion, version);
    info_.vocabulary_hash = reader.read<uint64_t>("vocabulary hash");
    info_.vocabulary_size = reader.read<uint32_t>("vocabulary size");
    count_ = reader.read<uint64_t>("number of tokens");
    checksum_ = reader.read<uint64_t>("checksum");
    if (expected_hash && *expected_hash != info_.vocabulary_hash) {
      fail("made with another vocabulary: expected hash {:016x}, got {:016x}", *expected_hash, info_.vocabulary_hash);
    }
    if (info_.vocabulary_size == 0 || info_.vocabulary_size > kMaxVocabulary) {
      fail("vocabulary size: expected 1 to {}, got {}", kMaxVocabulary, info_.vocabulary_size);
    }
    width_ = id_bytes(info_.vocabulary_size);
    const size_t expected = checked_mul(count_, width_, "size of the tokens");
    if (reader.remaining() != expected) {
      fail("{} tokens: expected {} bytes after the header, got {}; is the file truncated?", count_, expected,
           reader.remaining());
    }
    ids_ = reader.take(expected, "tokens");
    if (check == Check::kEverything) check_everything();
  });
}

void TokenFile::check_everything() const {
  TokenChecksum checksum;
  checksum.add(ids_);
  const uint64_t actual = complete_checksum(checksum, info_, count_);
  if (actual != checksum_) fail("checksum: expected {:016x}, got {:016x}; the file is damaged", checksum_, actual);
  std::array<int32_t, 4096> block{};
  for (uint64_t begin = 0; begin < count_; begin += block.size()) {
    load(begin, std::span(block).first(std::min<size_t>(block.size(), count_ - begin)));
  }
}

void TokenFile::load(uint64_t begin, std::span<int32_t> out) const {
  const std::byte* at = ids_.data() + begin * width_;
  for (size_t i = 0; i < out.size(); ++i) {
    const uint32_t id = load_id(at + i * width_, width_);
    if (id >= info_.vocabulary_size) {
      fail("token {}: expected an id below {}, got {}", begin + i, info_.vocabulary_size, id);
    }
    out[i] = static_cast<int32_t>(id);
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
