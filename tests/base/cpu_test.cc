#include "base/cpu.h"

#include <gtest/gtest.h>
#include <sched.h>

namespace tern {
namespace {

TEST(Cpu, AvailableProcessorsFollowTheAffinityMask) {
  const int all = available_cpus();
  ASSERT_GE(all, 1);
  cpu_set_t before;
  ASSERT_EQ(sched_getaffinity(0, sizeof(before), &before), 0);
  int first = 0;
  while (!CPU_ISSET(first, &before)) ++first;
  cpu_set_t one;
  CPU_ZERO(&one);
  CPU_SET(first, &one);
  ASSERT_EQ(sched_setaffinity(0, sizeof(one), &one), 0);
  EXPECT_EQ(available_cpus(), 1);
  ASSERT_EQ(sched_setaffinity(0, sizeof(before), &before), 0);
  EXPECT_EQ(available_cpus(), all);
}

}  // namespace
}  // namespace tern
