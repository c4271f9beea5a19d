#include "train/token_sequence.h"

#include <gtest/gtest.h>

#include <numeric>

#include "support/errors.h"
#include "support/temporary_directory.h"

namespace tern::test {
namespace {

TEST(TokenSequence, PartsReadAsOne) {
  const TemporaryDirectory directory;
  std::vector<int32_t> all(100);
  std::iota(all.begin(), all.end(), 0);
  TokenFileWriter writer(directory / "t.tok", {1, 1000});
  writer.add(all);
  writer.finish();
  const TokenFile file(directory / "t.tok");

  TokenSequence sequence;
  EXPECT_EQ(sequence.size(), 0u);
  sequence.add(file, 10, 20);
  sequence.add(std::span<const int32_t>());
  sequence.add(file, 50, 0);
  sequence.add(std::span(all).subspan(30, 5));
  sequence.add(file, 35, 65);
  ASSERT_EQ(sequence.size(), 90u);
  for (size_t begin = 0; begin <= 90; ++begin) {
    for (size_t count = 0; begin + count <= 90; ++count) {
      const std::vector<int32_t> read = sequence.read(begin, count);
      ASSERT_TRUE(std::equal(read.begin(), read.end(), all.begin() + static_cast<ptrdiff_t>(10 + begin))) << begin;
    }
  }
  expect_error([&] { sequence.read(80, 11); }, "expected 11 tokens from token 80 on, there are 90");
  expect_error([&] { sequence.read(91, size_t{0}); }, "from token 91 on");
  expect_error([&] { sequence.add(file, 90, 11); }, "t.tok: expected 11 tokens from token 90 on, the shard has 100");
}

}  // namespace
}  // namespace tern::test
