#include "base/memory.h"

#include <gtest/gtest.h>
#include <sys/mman.h>

#include <cstdint>
#include <cstring>
#include <fstream>

#include "base/file.h"

namespace tern {
namespace {

class MemoryTest : public testing::Test {
 protected:
  void SetUp() override {
    root_ = std::filesystem::path(testing::TempDir()) /
            (std::string("memory_") + testing::UnitTest::GetInstance()->current_test_info()->name());
    std::filesystem::remove_all(root_);
    std::filesystem::create_directories(root_ / "a/b");
  }
  void TearDown() override { std::filesystem::remove_all(root_); }
  size_t left(const char* group) const { return control_group_bytes(root_, group, "memory.max", "memory.current"); }

  std::filesystem::path root_;
};

TEST_F(MemoryTest, ReadsLinesOfProc) {
  write_file(root_ / "meminfo", "MemTotal:       200 kB\nMemAvailable:    12 kB\nOdd: kB\n");
  EXPECT_EQ(proc_bytes(root_ / "meminfo", "MemAvailable:"), 12u * 1024);
  EXPECT_EQ(proc_bytes(root_ / "meminfo", "Odd:"), 0u);
  EXPECT_EQ(proc_bytes(root_ / "meminfo", "Missing:"), 0u);
  EXPECT_EQ(proc_bytes(root_ / "missing", "MemTotal:"), 0u);
}

TEST_F(MemoryTest, TheTightestGroupLimits) {
  EXPECT_EQ(left("/a/b"), SIZE_MAX);
  write_file(root_ / "memory.max", "max\n");
  EXPECT_EQ(left("/a/b"), SIZE_MAX);
  write_file(root_ / "a/memory.max", "1000\n");
  write_file(root_ / "a/memory.current", "300\n");
  EXPECT_EQ(left("/a/b"), 700u);
  EXPECT_EQ(left("/"), SIZE_MAX);
  write_file(root_ / "a/b/memory.max", "600\n");
  EXPECT_EQ(left("/a/b"), 600u);
  write_file(root_ / "a/b/memory.current", "900\n");
  EXPECT_EQ(left("/a/b"), 0u);
  // Pages of files that the system would give up are no use that counts.
  write_file(root_ / "a/b/memory.stat", "anon 1\ninactive_file 500\n");
  EXPECT_EQ(left("/a/b"), 200u);
  // The group's path on the host, of which this namespace shows the root alone.
  write_file(root_ / "memory.max", "50");
  EXPECT_EQ(left("/no/such/group"), 50u);
}

TEST_F(MemoryTest, ThisProcessHasSome) {
  EXPECT_GT(peak_memory_bytes(), size_t{1} << 20);
  EXPECT_GT(available_memory_bytes(), 0u);
}

TEST_F(MemoryTest, ThePeakBeginsAnew) {
  constexpr size_t kBytes = size_t{64} << 20;
  void* pages = ::mmap(nullptr, kBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  ASSERT_NE(pages, MAP_FAILED);
  std::memset(pages, 1, kBytes);
  const size_t with_them = peak_memory_bytes();
  EXPECT_GT(with_them, kBytes);
  ::munmap(pages, kBytes);
  if (!restart_peak_memory()) GTEST_SKIP() << "/proc/self/clear_refs cannot be written";
  EXPECT_LT(peak_memory_bytes(), with_them - kBytes / 2);
}

}  // namespace
}  // namespace tern
