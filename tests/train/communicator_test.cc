// Sums and gathered bytes of any number of processes.
#include "train/communicator.h"

#include <gtest/gtest.h>

#include <bit>
#include <numeric>

#include "base/rng.h"
#include "support/errors.h"
#include "support/processes.h"
#include "train_testing.h"

namespace tern::test {
namespace {

std::vector<float> numbers_of(size_t rank, size_t count) {
  Rng rng(7, rank, 0);
  std::vector<float> numbers(count);
  for (float& number : numbers) number = static_cast<float>(rng.normal());
  return numbers;
}

// What the order of the sums is, said another way: the left half is the largest power of two.
float tree_sum(std::span<const float> terms) {
  if (terms.size() == 1) return terms[0];
  const size_t left = std::bit_floor(terms.size() - 1);
  return tree_sum(terms.first(left)) + tree_sum(terms.subspan(left));
}

TEST(Communicator, SumsInPairs) {
  for (size_t count = 1; count < 20; ++count) {
    const std::vector<float> terms = numbers_of(count, count);
    std::vector<float> sums = terms;
    std::vector<float*> parts;
    for (float& sum : sums) parts.push_back(&sum);
    sum_pairs<float>(parts, 1);
    EXPECT_TRUE(same_bits(sums[0], tree_sum(terms))) << count;
  }
  EXPECT_EQ(sum_pairs(std::vector<double>{}), 0);
  EXPECT_EQ(sum_pairs(std::vector<double>{1, 2, 3}), 6);
}

TEST(Communicator, ReduceScatterSumsEverybodysPart) {
  constexpr size_t kCount = 3'000'017;  // in several messages where processes are many
  for (const size_t world : {1u, 2u, 3u, 5u}) {
    std::vector<std::vector<float>> given;
    for (size_t r = 0; r < world; ++r) given.push_back(numbers_of(r, kCount));
    std::vector<ParameterRange> parts;
    for (size_t r = 0; r < world; ++r) parts.push_back({kCount * r / world, kCount * (r + 1) / world});
    if (world > 2) parts[1].end = parts[2].begin = parts[1].begin;  // one process has nothing
    std::vector<float> sums(kCount);
    std::vector<float> terms(world);
    for (size_t i = 0; i < kCount; ++i) {
      for (size_t r = 0; r < world; ++r) terms[r] = given[r][i];
      sums[i] = tree_sum(terms);
    }
    with_processes(world, [&](Communicator& processes) {
      std::vector<float> values = given[processes.rank()];
      processes.reduce_scatter(parts, values);
      const ParameterRange& mine = parts[processes.rank()];
      size_t wrong = 0, changed = 0;
      for (size_t i = 0; i < kCount; ++i) {
        const bool in_part = i >= mine.begin && i < mine.end;
        if (in_part && !same_bits(values[i], sums[i])) ++wrong;
        if (!in_part && !same_bits(values[i], given[processes.rank()][i])) ++changed;
      }
      EXPECT_EQ(wrong, 0u) << world;
      EXPECT_EQ(changed, 0u) << world;
      // Every number that another process owns goes over once.
      EXPECT_EQ(processes.sent_bytes(), world == 1 ? 0 : (kCount - mine.size()) * sizeof(float));
    });
  }
}

TEST(Communicator, AllGatherKeepsTheOrder) {
  for (const size_t world : {1u, 2u, 4u}) {
    std::vector<size_t> sizes(world);
    std::iota(sizes.begin(), sizes.end(), 0);  // the first process has nothing to say
    std::vector<std::byte> expected;
    for (size_t r = 0; r < world; ++r) expected.insert(expected.end(), r, static_cast<std::byte>(r));
    with_processes(world, [&](Communicator& processes) {
      const std::vector<std::byte> mine(processes.rank(), static_cast<std::byte>(processes.rank()));
      EXPECT_EQ(processes.all_gather(mine, sizes), expected);
      EXPECT_EQ(processes.any(processes.rank() == 1), world > 1);
      EXPECT_FALSE(processes.any(false));
    });
  }
}

TEST(Communicator, AgreesOrSaysWhoDoesNot) {
  with_processes(4, [](Communicator& processes) {
    processes.agree("the data", as_bytes("text"), "give all the same");
    const std::string mine = processes.rank() == 2 ? "other" : "text";
    const std::string message = error_of([&] { processes.agree("the data", as_bytes(mine), "give all the same"); });
    EXPECT_EQ(message.find("the data of process 2 on host2 is not that of process 0 on host0 ("), 0u) << message;
    EXPECT_TRUE(message.ends_with("): give all the same")) << message;
    EXPECT_EQ(processes.name(), "process " + std::to_string(processes.rank()) + " of 4 on " + processes.host());
  });
}

}  // namespace
}  // namespace tern::test
