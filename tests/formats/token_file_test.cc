#include "formats/token_file.h"

#include <gtest/gtest.h>

#include <numeric>

#include "support.h"

namespace tern {
namespace {

using test::expect_error;

constexpr uint64_t kHash = 0x0123456789ABCDEFu;

std::string shard_of(const std::vector<int32_t>& ids, uint32_t vocabulary_size) {
  const test::TemporaryDirectory directory;
  TokenFileWriter writer(directory / "t.tok", {kHash, vocabulary_size});
  writer.add(ids);
  writer.finish();
  return read_file(directory / "t.tok");
}

std::vector<int32_t> all_ids(const TokenFile& file) {
  std::vector<int32_t> ids(file.size());
  file.read(0, ids);
  return ids;
}

TEST(TokenFile, GoldenBytes) {
  const std::string text = shard_of({1, 2, 299}, 300);
  // FNV-1a over 64-bit words by hand: the ids in one word; then version, hash, vocabulary size, kind, count and table.
  constexpr uint64_t kFirst = 0xCBF29CE484222325u, kFactor = 0x100000001B3u;
  const uint64_t block = (kFirst ^ 0x012B00020001u) * kFactor;
  uint64_t checksum = kFirst;
  for (const uint64_t word : {uint64_t{2}, kHash, uint64_t{300}, uint64_t{0}, uint64_t{3}, block}) {
    checksum = (checksum ^ word) * kFactor;
  }
  ByteWriter expected;
  expected.write_text("TERNTOK1");
  expected.write(uint32_t{2});
  expected.write(kHash);
  expected.write(uint32_t{300});
  expected.write(uint32_t{0});
  expected.write(uint64_t{3});
  expected.write(checksum);
  for (const int id : {1, 2, 299}) expected.write(static_cast<uint16_t>(id));
  expected.write(block);
  EXPECT_EQ(text, expected.text());
}

TEST(TokenFile, RoundTripsBothWidths) {
  for (const uint32_t vocabulary_size : {1u, 256u, 65536u, 65537u, 128256u}) {
    for (const size_t count : {0u, 1u, 3u, 4u, 100003u}) {  // the last one passes several write buffers
      std::vector<int32_t> ids(count);
      for (size_t i = 0; i < count; ++i) ids[i] = static_cast<int32_t>(i * 7919 % vocabulary_size);
      if (count > 0) ids.back() = static_cast<int32_t>(vocabulary_size - 1);
      const std::string text = shard_of(ids, vocabulary_size);
      const size_t bytes = count * (vocabulary_size <= 65536 ? 2 : 4);
      EXPECT_EQ(text.size(), 44 + bytes + 8 * ((bytes + 65535) / 65536));
      const TokenFile file(as_bytes(text), "t.tok", kHash);
      EXPECT_EQ(file.info().vocabulary_size, vocabulary_size);
      EXPECT_EQ(file.info().vocabulary_hash, kHash);
      ASSERT_EQ(file.size(), count);
      EXPECT_EQ(all_ids(file), ids);
    }
  }
}

TEST(TokenFile, StreamsInAnyPieces) {
  const test::TemporaryDirectory directory;
  std::vector<int32_t> ids(70001);
  std::iota(ids.begin(), ids.end(), 0);
  TokenFileWriter writer(directory / "t.tok", {kHash, 80000});
  for (size_t begin = 0, size = 1; begin < ids.size(); begin += size, size = size * 3 % 1009 + 1) {
    writer.add(std::span(ids).subspan(begin, std::min(size, ids.size() - begin)));
  }
  EXPECT_EQ(writer.size(), ids.size());
  EXPECT_FALSE(std::filesystem::exists(directory / "t.tok"));
  writer.finish();
  const TokenFile file(directory / "t.tok", kHash);
  EXPECT_EQ(all_ids(file), ids);
  std::vector<int32_t> part(5);
  file.read(69996, part);
  EXPECT_EQ(part.back(), 70000);
  expect_error([&] { file.read(69997, part); }, "expected 5 tokens from token 69997 on, the shard has 70001");
  expect_error([&] { file.read(~uint64_t{0}, part); }, "the shard has 70001");
}

TEST(TokenFile, AbandonedWriterLeavesNothing) {
  const test::TemporaryDirectory directory;
  {
    TokenFileWriter writer(directory / "t.tok", {kHash, 10});
    writer.add(std::vector<int32_t>{1, 2});
    expect_error([&] { writer.add(std::vector<int32_t>{3, 10}); }, "token 3: expected an id below 10, got 10");
    expect_error([&] { writer.add(std::vector<int32_t>{-1}); }, "expected an id below 10, got -1");
  }
  EXPECT_TRUE(std::filesystem::is_empty(directory.path()));
  expect_error([&] { TokenFileWriter writer(directory / "t.tok", {kHash, 0}); }, "expected a vocabulary of 1 to");
}

TEST(TokenFile, EveryPrefixAndEveryBitFlipIsRefused) {
  for (const uint32_t vocabulary_size : {300u, 70000u}) {
    const std::string text = shard_of({1, 2, 299, 4, 5}, vocabulary_size);
    const auto open = [](Bytes bytes) { TokenFile file(bytes, "t.tok"); };
    test::expect_prefixes_fail(text, open);
    EXPECT_EQ(test::refused_bit_flips(text, open), 8 * text.size());
    test::expect_prefixes_fail(text, [](Bytes bytes) { TokenFile file(bytes, "t.tok", {}, TokenFile::Check::kOnUse); });
  }
}

TEST(TokenFile, BadFilesAreNamed) {
  const std::string good = shard_of({1, 2, 3}, 10);
  const auto open = [](const std::string& text, std::optional<uint64_t> hash = {},
                       TokenFile::Check check = TokenFile::Check::kEverything) {
    return TokenFile(as_bytes(text), "t.tok", hash, check);
  };
  const auto changed = [&](size_t at, char value) {
    std::string text = good;
    text[at] = value;
    return text;
  };
  expect_error([&] { open("short"); }, "t.tok: magic: expected 8 bytes");
  expect_error([&] { open(changed(0, 'X')); }, "t.tok: expected the magic 'TERNTOK1', got 'XERNTOK1'");
  expect_error([&] { open(changed(8, 1)); }, "version: expected 2, got 1");
  expect_error([&] { open(good, 7); }, "expected hash 0000000000000007, got 0123456789abcdef");
  expect_error([&] { open(changed(20, 0)); }, "vocabulary size: expected 1 to");
  expect_error([&] { open(changed(24, 1)); }, "kind: expected 0, got 1");
  expect_error([&] { open(good + "x"); }, "3 tokens: expected 14 bytes after the header, got 15");
  expect_error([&] { open(changed(35, '\x80')); }, "size of the tokens");
  expect_error([&] { open(changed(36, 4)); }, "header and table: expected the checksum");
  expect_error([&] { open(changed(50, 4)); }, "header and table: expected the checksum");
  expect_error([&] { open(changed(44, 4)); }, "t.tok: block 0 of 1 (tokens 0 to 2): expected the checksum");
}

// Only what is read is checked: damage is found where it is, with its block, and not elsewhere.
TEST(TokenFile, BlocksAreCheckedOnUse) {
  for (const uint32_t vocabulary_size : {300u, 70000u}) {
    const size_t per_block = kTokenBlockBytes / (vocabulary_size <= 65536 ? 2 : 4);
    std::vector<int32_t> ids(3 * per_block + 10);
    for (size_t i = 0; i < ids.size(); ++i) ids[i] = static_cast<int32_t>(i % 299);
    std::string text = shard_of(ids, vocabulary_size);
    text[44 + kTokenBlockBytes + 100] ^= 1;
    const TokenFile file(as_bytes(text), "t.tok", kHash, TokenFile::Check::kOnUse);
    const auto read = [&](size_t begin, size_t count) {
      std::vector<int32_t> out(count);
      file.read(begin, out);
      return out;
    };
    for (int repeat = 0; repeat < 2; ++repeat) {
      EXPECT_EQ(read(0, per_block), std::vector<int32_t>(ids.begin(), ids.begin() + static_cast<ptrdiff_t>(per_block)));
      EXPECT_EQ(read(2 * per_block, per_block + 10),
                std::vector<int32_t>(ids.begin() + static_cast<ptrdiff_t>(2 * per_block), ids.end()));
      const std::string place = fmt::format("t.tok: block 1 of 4 (tokens {} to {})", per_block, 2 * per_block - 1);
      expect_error([&] { read(per_block, 1); }, place);
      expect_error([&] { read(per_block - 1, 2); }, place);
    }
    expect_error([&] { TokenFile(as_bytes(text), "t.tok"); }, "block 1 of 4");
  }
}

TEST(TokenFile, IdsOutOfRangeAreFoundBehindAGoodChecksum) {
  std::string text = shard_of({1, 2, 9}, 10);
  const uint32_t smaller = 9;
  std::memcpy(text.data() + 20, &smaller, sizeof(smaller));
  TokenChecksum checksum;
  for (const uint64_t word : {uint64_t{2}, kHash, uint64_t{smaller}, uint64_t{0}, uint64_t{3}}) checksum.add(word);
  checksum.add(as_bytes(text).subspan(50));
  const uint64_t value = checksum.value();
  std::memcpy(text.data() + 36, &value, sizeof(value));
  expect_error([&] { TokenFile file(as_bytes(text), "t.tok"); }, "t.tok: token 2: expected an id below 9, got 9");
}

}  // namespace
}  // namespace tern
