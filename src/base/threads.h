// A persistent pool of threads for data-parallel loops. The caller takes part as thread 0; the workers spin a short
// while for the next loop and then sleep. Work is split into contiguous ranges; no result may depend on how many they
// are, nor on which thread computes one.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <thread>
#include <vector>

#include "base/cpu.h"

namespace tern {

class Profile;

class Threads {
 public:
  // `count` threads in all, the caller included; 0 means one for every available processor. Error when the system
  // refuses to start that many.
  explicit Threads(int count);
  ~Threads();
  Threads(const Threads&) = delete;
  Threads& operator=(const Threads&) = delete;

  int count() const { return count_; }

  // What the operations on this pool add their times to (base/profile.h); null: they measure nothing.
  Profile* profile() const { return profile_; }
  void set_profile(Profile* profile) { profile_ = profile; }

  // Calls body(thread) for thread = 0..count-1, each on its own thread, and returns when all are done. `body` must not
  // throw. Not reentrant: one run() at a time.
  template <class Body>
  void run(const Body& body) {
    if (count_ == 1) {
      body(0);
      return;
    }
    start([](const void* context, int thread) { (*static_cast<const Body*>(context))(thread); }, &body);
  }

  // What `thread`, which calls this in a run(), reads into its caches while it waits for others and for the next run():
  // what it will need then. It takes the place of an earlier call's. Nothing depends on it, not even that the memory is
  // still there.
  void read_ahead(int thread, std::span<const std::byte> memory) {
    ahead_[static_cast<size_t>(thread)] = {memory.data(), memory.data() + memory.size()};
  }

  // Asks for the next `lines` of 64 bytes of that, and does not wait for them.
  void read_some(int thread, size_t lines) {
    Ahead& ahead = ahead_[static_cast<size_t>(thread)];
    for (; lines > 0 && ahead.at < ahead.end; --lines, ahead.at += kLine) prefetch_line(ahead.at);
  }

  // Memory for each thread, at least `bytes` of it at a multiple of 64, for what a loop needs on its way; its content
  // is lost with the next loop. Not within a run().
  void reserve_scratch(size_t bytes);
  uint8_t* scratch(int thread) const { return scratch_[static_cast<size_t>(thread)].get(); }

  // Splits [0, total) into `count` ranges whose inner borders are multiples of `grain` (> 0) and calls body(begin, end)
  // for the non-empty ones in parallel.
  template <class Body>
  void for_ranges(size_t total, size_t grain, const Body& body) {
    const size_t chunks = (total + grain - 1) / grain;
    if (chunks <= 1 || count_ == 1) {
      read_some(0, kLinesAtOnce);
      if (total != 0) body(size_t{0}, total);
      return;
    }
    const auto n = static_cast<size_t>(count_);
    run([&](int thread) {
      const auto t = static_cast<size_t>(thread);
      const size_t begin = std::min(total, chunks * t / n * grain);
      const size_t end = std::min(total, chunks * (t + 1) / n * grain);
      if (begin < end) body(begin, end);
    });
  }

  // What for_shared_ranges() splits: [0, total) into ranges whose inner borders are multiples of `grain`.
  struct Shared {
    size_t total;
    size_t grain;
    size_t least;     // that is worth a range of its own
    size_t tile = 1;  // a multiple of grain: ranges are multiples of it, but for the last of a thread
  };

  // Each thread's share is about as large as any other's and begins with what shared_begin() says. It takes the ranges
  // of its share one after the other and then what other threads have left of theirs. For loops whose threads do not
  // run equally fast. What is less than two times `least` is the caller's alone.
  template <class Body>
  void for_shared_ranges(const Shared& what, const Body& body) {
    for_shared_ranges(
        what, [](int) { return 0; }, [&](int, size_t begin, size_t end) { body(begin, end); });
  }

  // Where for_shared_ranges() has `thread` begin.
  size_t shared_begin(const Shared& what, int thread) const {
    return share_begin(what, range_size(what), static_cast<size_t>(thread));
  }

  // The same with something of its own for each thread that takes part: body(prepare(thread), begin, end), where
  // prepare is called before the thread's first range.
  template <class Prepare, class Body>
  void for_shared_ranges(const Shared& what, const Prepare& prepare, const Body& body) {
    const auto n = static_cast<size_t>(count_);
    const size_t step = range_size(what);
    if (step >= what.total || count_ == 1) {
      if (what.total != 0) body(prepare(0), size_t{0}, what.total);
      return;
    }
    for (size_t t = 0; t < n; ++t) {
      shares_[t].next.store(share_begin(what, step, t), std::memory_order_relaxed);
      shares_[t].end = share_begin(what, step, t + 1);
    }
    run([&](int thread) {
      const auto own = prepare(thread);
      for (size_t t = 0; t < n; ++t) {
        Share& share = shares_[(static_cast<size_t>(thread) + t) % n];
        const auto take = [&] { return share.next.fetch_add(step); };
        for (size_t begin = take(); begin < share.end; begin = take()) {
          body(own, begin, std::min(share.end, begin + step));
        }
      }
    });
  }

 private:
  using Task = void (*)(const void* context, int thread);

  // Ranges of for_shared_ranges for each thread: few enough that taking one costs nothing beside computing it.
  static constexpr size_t kRangesPerThread = 16;

  // Of all ranges but the last of a share; `total` or more where there is only one.
  size_t range_size(const Shared& what) const {
    const size_t unit = std::max(what.grain, what.tile);
    const size_t most =
        std::clamp(what.total / std::max(what.least, unit), size_t{1}, static_cast<size_t>(count_) * kRangesPerThread);
    return (std::max((what.total + most - 1) / most, size_t{1}) + unit - 1) / unit * unit;
  }

  // Where there are fewer ranges than threads the last threads have none.
  size_t share_begin(const Shared& what, size_t step, size_t thread) const {
    const size_t shares = std::clamp((what.total + step - 1) / step, size_t{1}, static_cast<size_t>(count_));
    const size_t grains = (what.total + what.grain - 1) / what.grain;
    return std::min(what.total, grains * std::min(thread, shares) / shares * what.grain);
  }

  // A thread's ranges that nobody has taken yet; a cache line of its own.
  struct alignas(64) Share {
    std::atomic<size_t> next{0};
    size_t end = 0;
  };

  static constexpr ptrdiff_t kLine = 64;
  // As many as a processor fetches side by side: more would keep it from its own work.
  static constexpr size_t kLinesAtOnce = 16;

  // What a thread has not read ahead yet; a cache line of its own.
  struct alignas(64) Ahead {
    const std::byte* at = nullptr;
    const std::byte* end = nullptr;
  };

  struct FreeAligned {
    void operator()(uint8_t* memory) const;
  };

  void wait_for_change(const std::atomic<uint32_t>& value, uint32_t old, int thread);
  void start(Task task, const void* context);
  void work(int thread);
  void stop();

  Profile* profile_ = nullptr;
  int count_;
  int spins_;
  Task task_ = nullptr;
  const void* context_ = nullptr;
  std::atomic<uint32_t> generation_{0};  // one more for every run(); the workers wait for it to change
  std::atomic<uint32_t> unfinished_{0};  // workers that have not finished the current run()
  std::atomic<bool> stop_{false};
  std::unique_ptr<Share[]> shares_;  // one for each thread
  std::unique_ptr<Ahead[]> ahead_;   // the same
  size_t scratch_bytes_ = 0;
  std::vector<std::unique_ptr<uint8_t[], FreeAligned>> scratch_;  // one for each thread
  std::vector<std::thread> workers_;
};

}  // namespace tern
