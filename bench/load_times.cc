// How long it takes until a model's file is ready to decode from, as `tern run` opens it, beside reading its bytes into
// memory; the two in turn.
//   tern_load_times FILE ROUNDS
#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/error.h"
#include "model/load.h"
#include "ops/machine.h"

namespace tern {
namespace {

double load_once(const std::string& path, Threads& threads) {
  const double start = now_s();
  const auto form = [](const ModelConfig& config) {
    return ModelForm{{default_head(config), 0}, default_ternary_layout(config)};
  };
  const LoadedModel loaded = load_model(path, threads, form, LoadText::kTokenizer);
  return now_s() - start;
}

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

void measure(const std::string& path, int rounds) {
  Threads threads(0);
  std::vector<double> loads, reads, ratios;
  file_read_seconds(path, threads);  // from the disk, perhaps
  for (int round = 0; round < rounds; ++round) {
    reads.push_back(file_read_seconds(path, threads));
    loads.push_back(load_once(path, threads));
    ratios.push_back(loads.back() / reads.back());
    fmt::print("ready after {:.3f} s, reading {:.3f} s, ratio {:.2f}\n", loads.back(), reads.back(), ratios.back());
  }
  fmt::print("medians: ready after {:.3f} s, reading {:.3f} s, ratio {:.2f}\n", median(loads), median(reads),
             median(ratios));
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
