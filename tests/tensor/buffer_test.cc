#include "tensor/buffer.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <limits>
#include <utility>

#include "base/error.h"

namespace tern {
namespace {

template <class T>
void expect_aligned_and_zero(size_t size) {
  const Buffer<T> buffer(size);
  ASSERT_EQ(buffer.size(), size);
  const size_t alignment = size * sizeof(T) >= (size_t{4} << 20) ? size_t{2} << 20 : 64;
  EXPECT_EQ(reinterpret_cast<uintptr_t>(buffer.data()) % alignment, 0u) << size;
  EXPECT_TRUE(std::all_of(buffer.begin(), buffer.end(), [](T value) { return value == T{0}; })) << size;
}

TEST(Buffer, AlignedAndZeroAtEverySize) {
  for (const size_t size : {1u, 15u, 16u, 17u, 63u, 64u, 65u, 4095u, 100'003u}) {
    expect_aligned_and_zero<uint8_t>(size);
    expect_aligned_and_zero<float>(size);
    expect_aligned_and_zero<int64_t>(size);
  }
  // Around the size from which huge pages are asked for.
  for (const size_t size : {(size_t{4} << 20) - 1, size_t{4} << 20, (size_t{4} << 20) + 1, size_t{9} << 20}) {
    expect_aligned_and_zero<uint8_t>(size);
  }
}

TEST(Buffer, ZeroAgainAfterMemoryIsReused) {
  for (int i = 0; i < 3; ++i) {
    Buffer<uint32_t> buffer(10'000);
    EXPECT_EQ(std::count(buffer.begin(), buffer.end(), 0u), 10'000);
    std::fill(buffer.begin(), buffer.end(), 0xFFFFFFFFu);
  }
}

TEST(Buffer, EmptyOwnsNothing) {
  const Buffer<float> none;
  const Buffer<float> zero(0);
  EXPECT_TRUE(none.empty());
  EXPECT_TRUE(zero.empty());
  EXPECT_EQ(zero.data(), nullptr);
  EXPECT_EQ(zero.view().size(), 0u);
}

TEST(Buffer, MovesItsNumbers) {
  Buffer<int> first(3);
  first[2] = 7;
  const int* data = first.data();
  Buffer<int> second(std::move(first));
  EXPECT_EQ(second.data(), data);
  EXPECT_EQ(second[2], 7);
  Buffer<int> third(5);
  third = std::move(second);
  EXPECT_EQ(third.data(), data);
  EXPECT_EQ(third.size(), 3u);
}

TEST(Buffer, APartLiesInSomebodyElsesMemory) {
  Buffer<int> whole(8);
  {
    Buffer<int> part = Buffer<int>::part_of(whole.data() + 2, 3);
    part[1] = 7;
    Buffer<int> moved(std::move(part));
    EXPECT_EQ(moved.data(), whole.data() + 2);
    EXPECT_EQ(moved.size(), 3u);
    EXPECT_TRUE(part.empty());  // NOLINT(bugprone-use-after-move): what a move leaves is promised
    Buffer<int> owner(5);
    owner = std::move(moved);  // each frees, or does not free, what it held
    EXPECT_EQ(owner[1], 7);
  }
  EXPECT_EQ(whole[3], 7);
}

TEST(Buffer, Views) {
  Buffer<float> buffer(12);
  buffer.mat(3, 4).row(2)[1] = 5.0f;
  EXPECT_EQ(buffer[9], 5.0f);
  EXPECT_EQ(buffer.view().size(), 12u);
  const Buffer<float>& readable = buffer;
  EXPECT_EQ(readable.mat(3, 4).row_view(2)[1], 5.0f);
  EXPECT_EQ(readable.view()[9], 5.0f);
}

TEST(Buffer, SizesThatCannotBeAreErrors) {
  constexpr size_t kMax = std::numeric_limits<size_t>::max();
  EXPECT_THROW(Buffer<uint8_t>{kMax}, Error);
  EXPECT_THROW(Buffer<uint8_t>{kMax / 2}, Error);
  // The product wraps around to 4 bytes.
  EXPECT_THROW(Buffer<float>{kMax / 4 + 2}, Error);
  EXPECT_THROW(Buffer<int64_t>{kMax / 8 + 1}, Error);
}

}  // namespace
}  // namespace tern
