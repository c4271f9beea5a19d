#include "base/threads.h"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "base/cpu.h"
#include "base/error.h"

namespace tern {
namespace {

TEST(Threads, RunCallsEveryThreadOnceOnItsOwnThread) {
  for (int count = 1; count <= 5; ++count) {
    Threads threads(count);
    EXPECT_EQ(threads.count(), count);
    std::vector<std::thread::id> ids(static_cast<size_t>(count));
    std::vector<int> calls(static_cast<size_t>(count), 0);
    threads.run([&](int thread) {
      ids[static_cast<size_t>(thread)] = std::this_thread::get_id();
      ++calls[static_cast<size_t>(thread)];
    });
    EXPECT_EQ(calls, std::vector<int>(static_cast<size_t>(count), 1));
    EXPECT_EQ(ids[0], std::this_thread::get_id());
    EXPECT_EQ(std::set<std::thread::id>(ids.begin(), ids.end()).size(), static_cast<size_t>(count));
  }
}

TEST(Threads, ForRangesCoversEverythingOnceInAlignedRanges) {
  for (int count = 1; count <= 5; ++count) {
    Threads threads(count);
    for (const size_t grain : {1u, 3u, 16u, 64u}) {
      for (const size_t total : {0u, 1u, 2u, 3u, 7u, 15u, 16u, 17u, 63u, 65u, 101u, 257u, 1023u}) {
        std::vector<int> covered(total, 0);
        std::vector<std::pair<size_t, size_t>> ranges;
        std::mutex mutex;
        threads.for_ranges(total, grain, [&](size_t begin, size_t end) {
          for (size_t i = begin; i < end; ++i) ++covered[i];
          const std::lock_guard lock(mutex);
          ranges.emplace_back(begin, end);
        });
        SCOPED_TRACE(std::to_string(count) + " threads, grain " + std::to_string(grain) + ", total " +
                     std::to_string(total));
        EXPECT_EQ(covered, std::vector<int>(total, 1));
        EXPECT_LE(ranges.size(), static_cast<size_t>(count));
        for (const auto& [begin, end] : ranges) {
          EXPECT_LT(begin, end);
          EXPECT_EQ(begin % grain, 0u);
          EXPECT_TRUE(end % grain == 0 || end == total);
        }
      }
    }
  }
}

TEST(Threads, ForSharedRangesCoversEverythingOnceInAlignedRanges) {
  for (int count = 1; count <= 5; ++count) {
    Threads threads(count);
    for (const size_t grain : {1u, 3u, 16u}) {
      for (const size_t total : {0u, 1u, 2u, 15u, 16u, 17u, 101u, 1023u, 20000u}) {
        for (const size_t least : {0u, 1u, 40u, 30000u}) {
          std::vector<int> covered(total, 0);
          std::atomic<bool> aligned = true;
          std::atomic<size_t> ranges{0};
          threads.for_shared_ranges({total, grain, least}, [&](size_t begin, size_t end) {
            for (size_t i = begin; i < end; ++i) ++covered[i];
            if (begin >= end || begin % grain != 0 || (end % grain != 0 && end != total)) aligned = false;
            ++ranges;
          });
          SCOPED_TRACE(fmt::format("{} threads, grain {}, total {}, least {}", count, grain, total, least));
          EXPECT_EQ(covered, std::vector<int>(total, 1));
          EXPECT_TRUE(aligned);
          // A thread's last range holds what is left.
          if (least > 0) {
            EXPECT_LE(ranges, total < 2 * least ? 1 : total / least + static_cast<size_t>(count));
          }
        }
      }
    }
  }
}

// A thread that does not get on has its ranges taken by the others.
TEST(Threads, ForSharedRangesDoesNotWaitForASlowThread) {
  Threads threads(2);
  constexpr size_t kTotal = 32;
  std::atomic<size_t> done{0};
  std::atomic<bool> slow{false};
  threads.for_shared_ranges({kTotal, 1, 1}, [&](size_t begin, size_t end) {
    if (!slow.exchange(true)) {
      // This range ends only when the other thread has computed all others.
      while (done < kTotal - (end - begin)) std::this_thread::yield();
    }
    done += end - begin;
  });
  EXPECT_EQ(done, kTotal);
}

TEST(Threads, TheRangesDependOnNothingButTheCount) {
  Threads threads(3);
  const auto split = [&] {
    std::set<std::pair<size_t, size_t>> ranges;
    std::mutex mutex;
    threads.for_ranges(1001, 4, [&](size_t begin, size_t end) {
      const std::lock_guard lock(mutex);
      ranges.emplace(begin, end);
    });
    return ranges;
  };
  const auto first = split();
  EXPECT_EQ(first.size(), 3u);
  for (int i = 0; i < 50; ++i) ASSERT_EQ(split(), first);
}

// Each run reads what the one before wrote on other threads: a lost wake-up hangs here, a missing barrier gives a wrong
// sum (and a report of ThreadSanitizer).
TEST(Threads, ManyRunsInARowSeeEachOthersWrites) {
  for (int count = 2; count <= 5; ++count) {
    Threads threads(count);
    const auto n = static_cast<size_t>(count);
    std::vector<uint64_t> now(n, 1);
    std::vector<uint64_t> next(n, 0);
    const int runs = count <= available_cpus() ? 20'000 : 2'000;
    for (int i = 0; i < runs; ++i) {
      threads.run([&](int thread) {
        const auto t = static_cast<size_t>(thread);
        next[t] = now[(t + 1) % n] + 1;
      });
      now.swap(next);
    }
    EXPECT_EQ(now, std::vector<uint64_t>(n, static_cast<uint64_t>(runs) + 1));
  }
}

// Workers that have gone to sleep are woken.
TEST(Threads, RunsAfterPauses) {
  Threads threads(3);
  std::atomic<int> calls{0};
  for (int i = 0; i < 5; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(3));
    threads.run([&](int) { calls.fetch_add(1); });
  }
  EXPECT_EQ(calls.load(), 15);
}

// The caller is done first and has to sleep until the last worker is.
TEST(Threads, WaitsForSlowWorkers) {
  Threads threads(3);
  std::vector<int> done(3, 0);
  for (int i = 1; i <= 5; ++i) {
    threads.run([&](int thread) {
      if (thread != 0) std::this_thread::sleep_for(std::chrono::milliseconds(2 * thread));
      done[static_cast<size_t>(thread)] = i;
    });
    ASSERT_EQ(done, std::vector<int>(3, i));
  }
}

TEST(Threads, SharedRangesBeginWhereTheySay) {
  constexpr std::array<size_t, 3> kCases[] = {{1000, 4, 1}, {37, 1, 1}, {64, 16, 16}, {5, 8, 1}};
  for (const int count : {1, 2, 3, 4}) {
    Threads threads(count);
    for (const auto& [total, grain, least] : kCases) {
      std::mutex mutex;
      std::set<size_t> begins;
      threads.for_shared_ranges({total, grain, least}, [&](size_t begin, size_t) {
        const std::lock_guard lock(mutex);
        begins.insert(begin);
      });
      EXPECT_EQ(threads.shared_begin({total, grain, least}, 0), 0u);
      for (int thread = 1; thread < count; ++thread) {
        const size_t begin = threads.shared_begin({total, grain, least}, thread);
        EXPECT_TRUE(begins.contains(begin) || (begin == total && begins.size() < static_cast<size_t>(count)))
            << total << " for " << count << " threads: " << begin;
        if (begins.size() >= static_cast<size_t>(count)) {
          EXPECT_GT(begin, threads.shared_begin({total, grain, least}, thread - 1));
        }
      }
    }
  }
}

// Shares are equal to a grain even where ranges are large, and ranges are tiles but for the last of a share.
TEST(Threads, SharesAreEqual) {
  for (const size_t count : {2u, 3u, 4u}) {
    Threads threads(static_cast<int>(count));
    for (const size_t total : {16u, 60u, 61u, 216u, 1000u}) {
      for (const size_t grain : {1u, 2u}) {
        constexpr size_t kTile = 4;
        const Threads::Shared what{total, grain, 1, kTile};
        std::vector<size_t> borders;
        for (size_t t = 0; t < count; ++t) borders.push_back(threads.shared_begin(what, static_cast<int>(t)));
        borders.push_back(total);
        SCOPED_TRACE(fmt::format("{} threads, grain {}, total {}", count, grain, total));
        for (size_t t = 0; t < count; ++t) {
          EXPECT_EQ(borders[t] % grain, 0u);
          EXPECT_LT(borders[t + 1] - borders[t], total / count + 2 * grain);
        }
        std::mutex mutex;
        std::set<std::pair<size_t, size_t>> ranges;
        threads.for_shared_ranges(what, [&](size_t begin, size_t end) {
          const std::lock_guard lock(mutex);
          ranges.emplace(begin, end);
        });
        size_t covered = 0;
        for (const auto& [begin, end] : ranges) {
          EXPECT_EQ(begin, covered);
          covered = end;
          const auto next = std::upper_bound(borders.begin(), borders.end(), begin);
          EXPECT_TRUE(end <= *next && (end == *next || (end - begin) % kTile == 0)) << begin << " to " << end;
        }
        EXPECT_EQ(covered, total);
      }
    }
  }
}

// Memory that is read ahead may be gone by then.
TEST(Threads, ReadsAheadWhatIsNotThere) {
  Threads threads(3);
  std::vector<int> done(3, -1);
  for (int i = 0; i < 20; ++i) {
    auto memory = std::make_unique<std::vector<std::byte>>(size_t{1} << 20);
    threads.run([&](int thread) { threads.read_ahead(thread, *memory); });
    memory.reset();
    threads.read_some(0, size_t{1} << 20);
    threads.run([&](int thread) { done[static_cast<size_t>(thread)] = i; });
    ASSERT_EQ(done, std::vector<int>(3, i));
  }
}

TEST(Threads, StartingAndStoppingWithoutWork) {
  for (int i = 0; i < 200; ++i) Threads threads(1 + i % 5);
  EXPECT_EQ(Threads(0).count(), available_cpus());
  EXPECT_EQ(Threads(-1).count(), available_cpus());
}

TEST(Threads, EachHasItsOwnScratch) {
  Threads threads(3);
  for (const size_t bytes : {size_t{1}, size_t{100}, size_t{5000}, size_t{64}}) {
    threads.reserve_scratch(bytes);
    threads.run([&](int thread) { std::fill_n(threads.scratch(thread), bytes, static_cast<uint8_t>(thread + 1)); });
    for (int thread = 0; thread < 3; ++thread) {
      const uint8_t* scratch = threads.scratch(thread);
      EXPECT_EQ(reinterpret_cast<uintptr_t>(scratch) % 64, 0u);
      EXPECT_EQ(std::count(scratch, scratch + bytes, static_cast<uint8_t>(thread + 1)), static_cast<ptrdiff_t>(bytes));
    }
  }
}

TEST(Threads, TooMuchScratchIsAnError) {
  Threads threads(2);
  EXPECT_THROW(threads.reserve_scratch(size_t{1} << 62), Error);
  threads.reserve_scratch(64);
  EXPECT_NE(threads.scratch(1), nullptr);
}

// A system that refuses more threads is an Error, not the end of the process.
TEST(Threads, TooManyThreadsIsAnError) {
  const pid_t child = ::fork();
  if (child == 0) {
    int status = 1;
    try {
      constexpr uid_t kNobody = 65534;
      const rlimit limit{3, 3};
      ::setrlimit(RLIMIT_NPROC, &limit);
      if (::geteuid() == 0 && ::setuid(kNobody) != 0) ::_exit(4);  // root has no such limit
      const Threads threads(1000);
    } catch (const Error& error) {
      status = std::string(error.what()).rfind("threads: 1000 asked for, the system refused thread", 0) == 0 ? 0 : 2;
    } catch (...) {
      status = 3;
    }
    ::_exit(status);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  ASSERT_TRUE(WIFEXITED(status)) << "ended by signal " << WTERMSIG(status);
  EXPECT_EQ(WEXITSTATUS(status), 0);
}

}  // namespace
}  // namespace tern
