// What /metrics tells Prometheus: tern's own names, and those of vLLM where dashboards expect them.
#pragma once

#include <cstddef>
#include <map>
#include <string>
#include <vector>

#include "infer/batcher.h"

namespace tern {

class Histogram {
 public:
  explicit Histogram(std::vector<double> bounds) : bounds_(std::move(bounds)), counts_(bounds_.size() + 1) {}
  void add(double value);
  // Lines of the exposition format, cumulative.
  void write(const std::string& name, const std::string& label, std::string& text) const;

 private:
  std::vector<double> bounds_;
  std::vector<uint64_t> counts_;
  double sum_ = 0;
  uint64_t count_ = 0;
};

struct Metrics {
  std::map<std::string, uint64_t> finished;  // requests by how they ended: stop, length, abort, error, timeout
  std::map<int, uint64_t> responses;         // HTTP replies by status
  uint64_t prompt_tokens = 0;                // of all requests
  uint64_t cached_tokens = 0;
  uint64_t generated_tokens = 0;
  Histogram time_to_first_token{
      {.001, .005, .01, .02, .04, .06, .08, .1, .25, .5, .75, 1, 2.5, 5, 7.5, 10, 20, 40, 80, 160}};
  Histogram inter_token{
      {.001, .0025, .005, .01, .025, .05, .075, .1, .15, .2, .3, .4, .5, .75, 1, 2.5, 5, 10, 20, 40, 80}};
  Histogram latency{{.01, .05, .1, .3, .5, .8, 1, 1.5, 2, 2.5, 5, 10, 15, 20, 30, 40, 50, 60, 120, 240, 480, 960}};
  Histogram prompt_size{{1, 10, 50, 100, 250, 500, 1000, 2500, 5000, 10000, 25000, 50000, 100000}};
  Histogram answer_size{{1, 10, 50, 100, 250, 500, 1000, 2500, 5000, 10000}};

  // `waiting` requests have not begun.
  std::string text(const Batcher::State& state, size_t waiting, const std::string& model) const;
};

}  // namespace tern
