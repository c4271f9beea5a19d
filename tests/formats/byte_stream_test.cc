#include "formats/byte_stream.h"

#include <gtest/gtest.h>

#include "../support/compressed.h"
#include "base/rng.h"
#include "support.h"

namespace tern {
namespace {

using test::expect_error;
using test::gzip_of;
using test::zstd_of;

// Text that compresses somewhat, larger than every buffer.
std::string long_text() {
  Rng rng(1);
  std::string text;
  while (text.size() < 700'000) text += fmt::format("line {}\n", rng.below(100000));
  return text;
}

std::string read_all(const std::filesystem::path& path, size_t piece) {
  ByteStream stream(path);
  std::string text, buffer(piece, '\0');
  while (const size_t size = stream.read(buffer)) {
    text.append(buffer, 0, size);
    EXPECT_EQ(stream.offset(), text.size());
  }
  EXPECT_EQ(stream.read(buffer), 0u);
  return text;
}

TEST(ByteStream, ReadsWhateverTheCompression) {
  const test::TemporaryDirectory directory;
  const std::string text = long_text();
  const size_t half = text.size() / 2;
  const std::string_view first = std::string_view(text).substr(0, half), second = std::string_view(text).substr(half);
  write_file(directory / "a.txt", text);
  write_file(directory / "a.txt.gz", gzip_of(text));
  write_file(directory / "two.gz", gzip_of(first) + gzip_of(second));  // members, as `cat a.gz b.gz` makes them
  write_file(directory / "named-nothing", gzip_of(text));
  write_file(directory / "a.txt.zst", zstd_of(text));
  write_file(directory / "two.zst", zstd_of(first) + zstd_of("") + zstd_of(second));
  for (const char* name : {"a.txt", "a.txt.gz", "two.gz", "named-nothing", "a.txt.zst", "two.zst"}) {
    SCOPED_TRACE(name);
    for (const size_t piece : {size_t{97}, size_t{65536}, size_t{1} << 22}) {
      EXPECT_TRUE(read_all(directory / name, piece) == text) << piece;
    }
    EXPECT_EQ(stream_size(directory / name), text.size());
    ByteStream stream(directory / name);
    stream.skip(half);
    std::string rest(text.size(), '\0');
    rest.resize(stream.read(rest));
    EXPECT_TRUE(rest == second);
    stream.skip(5);
    EXPECT_EQ(stream.offset(), text.size());
  }
}

TEST(ByteStream, EmptyFilesAreEmpty) {
  const test::TemporaryDirectory directory;
  write_file(directory / "plain", "");
  write_file(directory / "a.gz", gzip_of(""));
  write_file(directory / "a.zst", zstd_of(""));
  for (const char* name : {"plain", "a.gz", "a.zst"}) EXPECT_EQ(read_all(directory / name, 10), "") << name;
}

TEST(ByteStream, EveryPrefixIsRefused) {
  const test::TemporaryDirectory directory;
  for (const std::string& whole : {gzip_of("some text, some text"), zstd_of("some text, some text")}) {
    ASSERT_NO_THROW([&] {
      write_file(directory / "whole", whole);
      EXPECT_EQ(read_all(directory / "whole", 8), "some text, some text");
    }());
    for (size_t size = 4; size < whole.size(); ++size) {  // with less it is no compressed file
      write_file(directory / "cut", whole.substr(0, size));
      expect_error([&] { read_all(directory / "cut", 8); }, "cut: the compressed data ends too early");
    }
  }
}

TEST(ByteStream, DamageIsNamed) {
  const test::TemporaryDirectory directory;
  const std::string text = long_text().substr(0, 5000);
  for (const auto& [content, part] :
       {std::pair{gzip_of(text), "damaged gzip data"}, {zstd_of(text), "damaged zstd data"}}) {
    std::string damaged = content;
    for (size_t at = content.size() / 2; at < content.size() / 2 + 8; ++at) damaged[at] = '\xFF';
    write_file(directory / "damaged", damaged);
    expect_error([&] { read_all(directory / "damaged", 1000); }, part);
  }
  write_file(directory / "tail", gzip_of(text) + "more");
  expect_error([&] { read_all(directory / "tail", 1000); }, "tail: damaged gzip data");
}

TEST(ByteStream, NamesDoNotLie) {
  const test::TemporaryDirectory directory;
  write_file(directory / "a.gz", zstd_of("x"));
  write_file(directory / "a.zst", "plain");
  expect_error([&] { ByteStream stream(directory / "a.gz"); }, "a.gz: expected gzip data as its name says");
  expect_error([&] { ByteStream stream(directory / "a.zst"); }, "a.zst: expected zstd data as its name says");
  expect_error([&] { ByteStream stream(directory / "missing"); }, "missing: cannot open");
  expect_error([&] { ByteStream stream(directory.path()); }, "expected a regular file");
}

}  // namespace
}  // namespace tern
