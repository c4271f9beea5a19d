#include "base/threads.h"

#include <cstdlib>
#include <system_error>

#include "base/cpu.h"
#include "base/error.h"

namespace tern {
namespace {

// About 20 microseconds of spinning: longer than the gaps between the loops of one pass, short against a pause.
constexpr int kSpins = 4000;
// Few: whoever waits sees soon that there is work.
constexpr size_t kLinesPerSpin = 4;
constexpr size_t kScratchAlignment = 64;

}  // namespace

Threads::Threads(int count)
    : count_(count > 0 ? count : available_cpus()),
      // With more threads than processors a spinning thread only keeps the others from running.
      spins_(count_ <= available_cpus() ? kSpins : 0),
      shares_(std::make_unique<Share[]>(static_cast<size_t>(count_))),
      ahead_(std::make_unique<Ahead[]>(static_cast<size_t>(count_))) {
  for (int thread = 1; thread < count_; ++thread) {
    try {
      workers_.emplace_back([this, thread] { work(thread); });
    } catch (const std::system_error& error) {
      stop();
      fail("threads: {} asked for, the system refused thread {}: {}", count_, thread + 1, error.code().message());
    }
  }
}

Threads::~Threads() { stop(); }

void Threads::stop() {
  stop_.store(true, std::memory_order_release);
  generation_.fetch_add(1, std::memory_order_release);
  generation_.notify_all();
  for (std::thread& worker : workers_) worker.join();
}

void Threads::FreeAligned::operator()(uint8_t* memory) const { std::free(memory); }

void Threads::reserve_scratch(size_t bytes) {
  if (bytes <= scratch_bytes_) return;
  const size_t size = (bytes + kScratchAlignment - 1) / kScratchAlignment * kScratchAlignment;
  scratch_.clear();
  scratch_bytes_ = 0;
  for (int thread = 0; thread < count_; ++thread) {
    auto* memory = static_cast<uint8_t*>(std::aligned_alloc(kScratchAlignment, size));
    if (memory == nullptr) fail("threads: no memory for {} bytes of working space for each of {}", size, count_);
    scratch_.emplace_back(memory);
  }
  scratch_bytes_ = size;
}

// Waits until `value` differs from `old`: spins first, reading ahead, then sleeps.
void Threads::wait_for_change(const std::atomic<uint32_t>& value, uint32_t old, int thread) {
  Ahead& ahead = ahead_[static_cast<size_t>(thread)];
  for (int i = 0; i < spins_; ++i) {
    if (value.load(std::memory_order_acquire) != old) return;
    if (ahead.at < ahead.end) {
      read_some(thread, kLinesPerSpin);
    } else {
      pause_cpu();
    }
  }
  while (value.load(std::memory_order_acquire) == old) value.wait(old, std::memory_order_acquire);
}

void Threads::start(Task task, const void* context) {
  task_ = task;
  context_ = context;
  unfinished_.store(static_cast<uint32_t>(count_ - 1), std::memory_order_relaxed);
  generation_.fetch_add(1, std::memory_order_release);
  generation_.notify_all();
  task(context, 0);
  for (uint32_t left = unfinished_.load(std::memory_order_acquire); left != 0;
       left = unfinished_.load(std::memory_order_acquire)) {
    wait_for_change(unfinished_, left, 0);
  }
}

void Threads::work(int thread) {
  uint32_t seen = 0;
  while (true) {
    wait_for_change(generation_, seen, thread);
    ++seen;
    if (stop_.load(std::memory_order_acquire)) return;
    task_(context_, thread);
    if (unfinished_.fetch_sub(1, std::memory_order_acq_rel) == 1) unfinished_.notify_one();
  }
}

}  // namespace tern
