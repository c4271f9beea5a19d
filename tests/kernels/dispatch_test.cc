#include <gmock/gmock.h>

#include <algorithm>
#include <cstddef>
#include <string_view>

#include "base/error.h"
#include "tests/kernels/kernel_test.h"

namespace tern {
namespace {

TEST(Dispatch, ScalarIsAlwaysRunnableAndLast) {
  const KernelList list = runnable_kernels();
  ASSERT_GE(list.count, 1u);
  EXPECT_STREQ(list.tables[list.count - 1]->name, "scalar");
}

TEST(Dispatch, ListHoldsWhatTheProcessorRuns) {
  std::vector<std::string> expected;
  for (const InstructionSet& isa : instruction_sets()) {
    if (isa.runs_on(cpu_features())) expected.push_back(isa.kernels.name);
  }
  std::vector<std::string> listed;
  for (const Kernels* table : std::span(runnable_kernels().tables, runnable_kernels().count)) {
    listed.push_back(table->name);
  }
  EXPECT_EQ(listed, expected);
}

TEST(Dispatch, UseKernelsChangesTheTable) {
  const Kernels& before = kernels();
  const KernelList list = runnable_kernels();
  const Kernels& scalar = *list.tables[list.count - 1];
  use_kernels(scalar);
  EXPECT_EQ(&kernels(), &scalar);
  use_kernels(before);
  EXPECT_EQ(&kernels(), &before);
}

TEST(Dispatch, EveryTableIsComplete) {
  for (const TableParam param : all_tables()) {
    // The table is its name, numbers and function pointers alone, and `mixed`, which it has all of or nothing.
    constexpr size_t kFields = offsetof(Kernels, mixed) / sizeof(void*);
    static_assert(sizeof(Kernels) == kFields * sizeof(void*) + sizeof(Kernels::Mixed));
    const auto* fields = reinterpret_cast<void* const*>(&param->kernels);
    for (size_t i = 0; i < kFields; ++i) {
      EXPECT_NE(fields[i], nullptr) << param->kernels.name << " " << i;
    }
    const Kernels::Mixed& mixed = param->kernels.mixed;
    EXPECT_EQ(mixed.group > 0, mixed.gemm != nullptr) << param->kernels.name;
    EXPECT_EQ(mixed.group > 0, mixed.scratch_bytes > 0) << param->kernels.name;
  }
}

// TERN_ISA is read once in a process, so each value needs a process of its own: CMakeLists.txt runs these with the
// variable set, and without it they are skipped.
TEST(DispatchEnvironment, TernIsaChoosesTheTable) {
  const char* wanted = std::getenv("TERN_ISA");
  if (wanted == nullptr) GTEST_SKIP() << "TERN_ISA is not set";
  const KernelList list = runnable_kernels();
  const bool runnable = std::any_of(list.tables, list.tables + list.count,
                                    [&](const Kernels* table) { return std::string_view(table->name) == wanted; });
  if (runnable) {
    EXPECT_STREQ(kernels().name, wanted);
    return;
  }
  try {
    kernels();
    FAIL() << "TERN_ISA=" << wanted << " was accepted";
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), testing::StartsWith(std::string("TERN_ISA=") + wanted));
    for (size_t i = 0; i < list.count; ++i) EXPECT_THAT(error.what(), testing::HasSubstr(list.tables[i]->name));
    EXPECT_THAT(error.what(), testing::Not(testing::HasSubstr("\n")));
  }
}

}  // namespace
}  // namespace tern
