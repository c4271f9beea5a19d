// Numbers that others published, which a report puts beside its own.
#pragma once

#include <array>
#include <span>
#include <string_view>
#include <vector>

namespace tern {

inline constexpr std::string_view kPaperSource = "arXiv 2402.17764 (The Era of 1-bit LLMs)";

// Table 1: one token on a GPU. The shape is a name of model/shapes.h.
struct PublishedCost {
  std::string_view size, shape;
  bool is_ternary = false;
  double memory_gb = 0, latency_ms = 0, perplexity = 0;
};
std::span<const PublishedCost> table1();

// Figure 2: full precision over ternary. The labels of the bars as they are commonly quoted: the figure is a picture,
// its text says the 4.1x of 70B only, and 1.3B and 3B agree with table 1.
struct PublishedRatios {
  std::string_view size, shape;
  double latency = 0, memory = 0;
};
std::span<const PublishedRatios> figure2();

// Table 3: 70B on two GPUs of 80 GB, sequences of 512 tokens.
struct PublishedThroughput {
  bool is_ternary = false;
  size_t largest_batch = 0;
  double tokens_per_second = 0;
};
std::span<const PublishedThroughput> table3();
inline constexpr std::string_view kThroughputShape = "70b";
inline constexpr size_t kThroughputPositions = 512;

// bitnet.cpp on CPUs (arXiv 2410.16144; random weights), decoding, tokens/s: its ternary kernels and llama.cpp in
// FP16. 0: not published.
struct PublishedCpuSpeed {
  std::string_view size, shape;
  double i7_fp16 = 0, i7_ternary = 0, m2_fp16 = 0, m2_ternary = 0;
};
std::span<const PublishedCpuSpeed> cpu_speeds();

// The same source, joules of a decoded token. 0: not published.
struct PublishedCpuEnergy {
  std::string_view size, shape;
  double i7_fp16 = 0, i7_ternary = 0, m2_fp16 = 0, m2_ternary = 0;
};
std::span<const PublishedCpuEnergy> cpu_energies();

// Which of a task's accuracies a table has.
enum class AccuracyKind { kPlain, kNormed, kMean };

// Accuracies in percent. Tasks by their names here (eval/tasks.h).
struct PublishedScores {
  std::string_view title, source;
  AccuracyKind kind = AccuracyKind::kPlain;
  std::vector<std::string_view> tasks;
  int decimals = 1;
  bool has_average = true;  // the last number of each row, of the tasks that the table lists
  struct Row {
    std::string_view model;
    std::vector<double> scores;
  };
  std::vector<Row> rows;
};
// Table 2 with its independent reproduction, table 4, and 2B4T's table 1.
std::vector<PublishedScores> score_tables();

}  // namespace tern
