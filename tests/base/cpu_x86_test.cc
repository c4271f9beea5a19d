#include <gtest/gtest.h>

#include <fstream>
#include <sstream>
#include <string>

#include "base/cpu.h"

namespace tern {
namespace {

// What the kernel says about the same processor, in the first line of that name in /proc/cpuinfo.
bool kernel_reports(const std::string& flag, const std::string& name = "flags") {
  std::ifstream info("/proc/cpuinfo");
  for (std::string line; std::getline(info, line);) {
    if (line.rfind(name, 0) != 0) continue;
    std::istringstream words(line);
    for (std::string word; words >> word;) {
      if (word == flag) return true;
    }
    return false;
  }
  return false;
}

TEST(Cpu, AgreesWithTheKernel) {
  if (!kernel_reports("fpu")) GTEST_SKIP() << "/proc/cpuinfo has no flags";
  const CpuFeatures& features = cpu_features();
  const bool avx2 = kernel_reports("avx2") && kernel_reports("fma");
  const bool avx512 = avx2 && kernel_reports("avx512f") && kernel_reports("avx512bw") && kernel_reports("avx512dq") &&
                      kernel_reports("avx512vl");
  EXPECT_EQ(features.avx2, avx2);
  EXPECT_EQ(features.avx512, avx512);
  EXPECT_EQ(features.avx512_vnni, avx512 && kernel_reports("avx512_vnni"));
  EXPECT_EQ(features.avx512_vbmi, avx512 && kernel_reports("avx512vbmi"));
  EXPECT_EQ(features.avx512_bf16, avx512 && kernel_reports("avx512_bf16"));
  // The kernel may refuse the tiles' registers, never what it does not know.
  if (features.amx_int8) {
    EXPECT_TRUE(kernel_reports("amx_tile") && kernel_reports("amx_int8"));
  }
  EXPECT_EQ(features.amd, kernel_reports("AuthenticAMD", "vendor_id"));
  EXPECT_EQ(features.avx_vnni, avx2 && kernel_reports("avx_vnni"));
  EXPECT_FALSE(features.model_name.empty());
}

}  // namespace
}  // namespace tern
