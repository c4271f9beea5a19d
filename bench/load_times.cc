// How long it takes until a model's file is ready to decode from, as `tern run` opens it, beside reading its bytes into
// memory; the two in turn, in seconds and in seconds of the processors.
//   tern_load_times FILE ROUNDS
#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <ctime>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/error.h"
#include "model/load.h"
#include "ops/machine.h"

namespace tern {
namespace {

struct Spent {
  double seconds;
  double processor;  // seconds of all threads together, which other programs on the machine change less
};

template <class Work>
Spent spent_by(const Work& work) {
  const std::clock_t processor = std::clock();
  const double start = now_s();
  work();
  const double seconds = now_s() - start;
  return {seconds, static_cast<double>(std::clock() - processor) / CLOCKS_PER_SEC};
}

Spent load_once(const std::string& path, Threads& threads) {
  const auto form = [](const ModelConfig& config) {
    return ModelForm{{default_head(config), 0}, default_ternary_layout(config)};
  };
  std::optional<LoadedModel> loaded;
  return spent_by([&] { loaded.emplace(load_model(path, threads, form, LoadText::kTokenizer)); });
}

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

// What was measured round by round: in seconds, then in the processors' seconds.
struct Times {
  std::vector<double> loads, reads, ratios;

  void add(double load, double read) {
    loads.push_back(load);
    reads.push_back(read);
    ratios.push_back(load / read);
  }
  void print(const char* unit) const {
    fmt::print("medians: ready after {:.3f} {}, reading {:.3f}, ratio {:.2f}\n", median(loads), unit, median(reads),
               median(ratios));
  }
};

void measure(const std::string& path, int rounds) {
  Threads threads(0);
  Times times, processor_times;
  file_read_seconds(path, threads);  // from the disk, perhaps
  for (int round = 0; round < rounds; ++round) {
    const Spent read = spent_by([&] { file_read_seconds(path, threads); });
    const Spent load = load_once(path, threads);
    times.add(load.seconds, read.seconds);
    processor_times.add(load.processor, read.processor);
    fmt::print("ready after {:.3f} s ({:.3f} of processors), reading {:.3f} s ({:.3f}), ratio {:.2f} ({:.2f})\n",
               load.seconds, load.processor, read.seconds, read.processor, times.ratios.back(),
               processor_times.ratios.back());
  }
  times.print("s");
  processor_times.print("s of processors");
}

}  // namespace
}  // namespace tern

int main(int argc, char** argv) {
  const int rounds = argc == 3 ? std::atoi(argv[2]) : 0;
  if (rounds <= 0) {
    fmt::print(stderr, "usage: {} FILE ROUNDS\n", argv[0]);
    return 2;
  }
  try {
    tern::measure(argv[1], rounds);
  } catch (const tern::Error& error) {
    fmt::print(stderr, "{}\n", error.what());
    return 1;
  }
  return 0;
}
