#include <gtest/gtest.h>

#include <fstream>
#include <sstream>
#include <string>

#include "base/cpu.h"

namespace tern {
namespace {

// What Linux writes about the same processor, in the first "Features" line of /proc/cpuinfo. qemu shows the file of the
// machine that it runs on.
TEST(Cpu, AgreesWithTheKernel) {
  std::ifstream info("/proc/cpuinfo");
  for (std::string line; std::getline(info, line);) {
    if (!line.starts_with("Features")) continue;
    std::istringstream words(line);
    bool dot_product = false;
    for (std::string word; words >> word;) dot_product = dot_product || word == "asimddp";
    EXPECT_EQ(cpu_features().neon_dotprod, dot_product);
    EXPECT_NE(cpu_features().model_name, "unknown arm64 processor");
    return;
  }
  EXPECT_EQ(cpu_features().model_name, "unknown arm64 processor");
  GTEST_SKIP() << "/proc/cpuinfo has no line Features";
}

}  // namespace
}  // namespace tern
