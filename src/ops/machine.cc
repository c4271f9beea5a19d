#include "ops/machine.h"

#include <array>
#include <atomic>
#include <vector>

#include "base/clock.h"
#include "base/error.h"
#include "base/file.h"
#include "kernels/probe.h"

namespace tern {
namespace {

constexpr size_t kReadGrain = 4096;  // words
constexpr int kReadsAtOnce = 2;
constexpr double kLongEnough = 0.01;  // seconds

// Seconds of `body` on all threads.
template <class Body>
double seconds_of(Threads& threads, const Body& body) {
  const double start = now_s();
  threads.run(body);
  return now_s() - start;
}

// Runs body(rounds) with ever more rounds until it takes long enough; rounds/s.
template <class Body>
double rounds_per_second(Threads& threads, const Body& body, size_t& rounds) {
  while (true) {
    const double seconds = seconds_of(threads, [&](int) { body(rounds); });
    if (seconds >= kLongEnough) return static_cast<double>(rounds) * threads.count() / seconds;
    rounds *= 2;
  }
}

// Multiply-adds/s of integers; `rounds` grows until a measurement takes long enough for the clock.
double integers_once(Threads& threads, size_t& rounds) {
  std::array<uint8_t, kProbeMacs> codes;
  std::array<int8_t, kProbeColumns> q;
  for (size_t i = 0; i < codes.size(); ++i) codes[i] = static_cast<uint8_t>(i * 7 % 3);
  for (size_t i = 0; i < q.size(); ++i) q[i] = static_cast<int8_t>(static_cast<int>(i * 37 % 255) - 127);
  const auto multiply = [&](size_t n) { probe().multiply_integers(codes.data(), q.data(), n); };
  return rounds_per_second(threads, multiply, rounds) * static_cast<double>(probe().integer_macs_per_round);
}

double floats_once(Threads& threads, size_t& rounds) {
  const auto multiply = [](size_t n) { probe().multiply_floats(0.5f, 0.25f, n); };
  return rounds_per_second(threads, multiply, rounds) * static_cast<double>(probe().float_macs_per_round);
}

}  // namespace

ComputeRates measure_compute(Threads& threads) {
  constexpr int kMeasurements = 3;
  size_t integer_rounds = 1024, float_rounds = 1024;
  ComputeRates best;
  for (int i = 0; i < kMeasurements; ++i) {
    best.integer_peak = std::max(best.integer_peak, integers_once(threads, integer_rounds));
    best.float_peak = std::max(best.float_peak, floats_once(threads, float_rounds));
  }
  return best;
}

MachineMeter::MachineMeter(Threads& threads) : threads_(threads), words_(kReadBytes / sizeof(uint64_t)) {
  threads_.for_ranges(words_.size(), kReadGrain, [&](size_t begin, size_t end) {
    for (size_t i = begin; i < end; ++i) words_[i] = i;
  });
}

MachineRates MachineMeter::measure() {
  MachineRates now;
  for (int i = 0; i < kReadsAtOnce; ++i) now.read_bandwidth = std::max(now.read_bandwidth, read_once());
  now.integer_peak = integers_once(threads_, integer_rounds_);
  now.float_peak = floats_once(threads_, float_rounds_);
  best_.read_bandwidth = std::max(best_.read_bandwidth, now.read_bandwidth);
  best_.integer_peak = std::max(best_.integer_peak, now.integer_peak);
  best_.float_peak = std::max(best_.float_peak, now.float_peak);
  return now;
}

double MachineMeter::read_once() {
  std::atomic<uint64_t> sum{0};
  const double start = now_s();
  threads_.for_ranges(words_.size(), kReadGrain,
                      [&](size_t begin, size_t end) { sum += probe().read(words_.data() + begin, end - begin); });
  const double seconds = now_s() - start;
  const uint64_t n = words_.size();
  if (sum != n * (n - 1) / 2)
    fail("memory: {} words read again have the sum {}, expected {}", n, sum.load(), n * (n - 1) / 2);
  return static_cast<double>(kReadBytes) / seconds;
}

double file_read_seconds(const std::filesystem::path& path, Threads& threads) {
  constexpr size_t kGrain = size_t{1} << 20;
  std::vector<std::filesystem::path> files = {path};
  if (std::filesystem::is_directory(path)) {
    files.clear();
    for (const auto& entry : std::filesystem::directory_iterator(path)) {
      if (entry.is_regular_file()) files.push_back(entry.path());
    }
  }
  const double start = now_s();
  for (const std::filesystem::path& file : files) {
    const size_t size = std::filesystem::file_size(file);
    std::atomic<size_t> done{0};
    threads.for_ranges(size, kGrain,
                       [&](size_t begin, size_t end) { done += read_and_forget(file, begin, end - begin); });
    if (done != size) fail("{}: read failed: {} of {} bytes", file.string(), done.load(), size);
  }
  return now_s() - start;
}

}  // namespace tern
