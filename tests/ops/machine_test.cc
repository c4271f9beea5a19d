#include "ops/machine.h"

#include <gtest/gtest.h>

#include "support/paths.h"

namespace tern {
namespace {

// measure() itself fails when memory does not give back the sum that was written. How fast it is, no test says.
TEST(Machine, MeasuresEveryRateAndKeepsTheBest) {
  Threads threads(2);
  MachineMeter machine(threads);
  EXPECT_EQ(machine.best().read_bandwidth, 0);
  machine.measure();
  const MachineRates first = machine.best();
  EXPECT_GT(first.read_bandwidth, 0);
  EXPECT_GT(first.integer_peak, 0);
  EXPECT_GT(first.float_peak, 0);
  machine.measure();
  EXPECT_GE(machine.best().read_bandwidth, first.read_bandwidth);
  EXPECT_GE(machine.best().integer_peak, first.integer_peak);
  EXPECT_GE(machine.best().float_peak, first.float_peak);
}

TEST(Machine, ReadsFilesAndDirectories) {
  Threads threads(3);
  EXPECT_GT(file_read_seconds(source_path("README.md"), threads), 0);
  EXPECT_GT(file_read_seconds(source_path("tests/ops"), threads), 0);
}

}  // namespace
}  // namespace tern
