#include "report/published.h"

namespace tern {

// arXiv 2402.17764v1, table 1.
std::span<const PublishedCost> table1() {
  static constexpr std::array<PublishedCost, 7> kRows = {{
      {"700M", "700m", false, 2.08, 1.18, 12.33},
      {"700M", "700m", true, 0.80, 0.96, 12.87},
      {"1.3B", "1.3b", false, 3.34, 1.62, 11.25},
      {"1.3B", "1.3b", true, 1.14, 0.97, 11.29},
      {"3B", "3b", false, 7.89, 5.07, 10.04},
      {"3B", "3b", true, 2.22, 1.87, 9.91},
      {"3.9B", "3.9b", true, 2.38, 2.11, 9.62},
  }};
  return kRows;
}

// arXiv 2402.17764v1, figure 2.
std::span<const PublishedRatios> figure2() {
  static constexpr std::array<PublishedRatios, 5> kRows = {{
      {"1.3B", "1.3b", 1.67, 2.93},
      {"3B", "3b", 2.71, 3.55},
      {"7B", "7b", 2.90, 4.40},
      {"13B", "13b", 3.68, 5.12},
      {"70B", "70b", 4.10, 7.16},
  }};
  return kRows;
}

// arXiv 2402.17764v1, table 3.
std::span<const PublishedThroughput> table3() {
  static constexpr std::array<PublishedThroughput, 2> kRows = {{{false, 16, 333}, {true, 176, 2977}}};
  return kRows;
}

// microsoft/BitNet, assets/intel_performance.jpg (i7-13700H) and m2_performance.jpg (M2 Ultra).
std::span<const PublishedCpuSpeed> cpu_speeds() {
  static constexpr std::array<PublishedCpuSpeed, 12> kRows = {{
      {"125M", "125m", 164.04, 389.08, 434.40, 593.43},
      {"350M", "350m", 56.67, 172.95, 185.56, 281.51},
      {"700M", "700m", 30.73, 119.08, 114.47, 194.38},
      {"1B", "1b", 22.31, 86.50, 85.60, 169.45},
      {"1.5B", "1.5b", 15.02, 67.12, 60.95, 119.24},
      {"2.5B", "2.5b", 11.07, 46.33, 39.73, 96.21},
      {"3.8B", "3.8b", 5.85, 30.51, 28.31, 84.77},
      {"7B", "7b", 3.30, 18.75, 15.61, 52.36},
      {"13B", "13b", 1.78, 10.99, 8.79, 33.78},
      {"30B", "30b", 0, 5.10, 3.78, 17.07},
      {"70B", "70b", 0, 2.44, 1.71, 8.67},
      {"100B", "100b", 0, 1.70, 0, 6.58},
  }};
  return kRows;
}

// The same pictures.
std::span<const PublishedCpuEnergy> cpu_energies() {
  static constexpr std::array<PublishedCpuEnergy, 2> kRows = {{
      {"700M", "700m", 1.367, 0.384, 0.314, 0.140},
      {"70B", "70b", 0, 17.33, 28.02, 8.42},
  }};
  return kRows;
}

std::vector<PublishedScores> score_tables() {
  // arXiv 2402.17764v1, table 2; the reproduction: the model cards of 1bitLLM/bitnet_b1_58-{large,xl,3B}.
  const PublishedScores table2 = {
      "Zero-shot accuracy, table 2",
      "arXiv 2402.17764, table 2 (100B tokens of RedPajama); \"reproduced\": 1bitLLM's model cards. The paper does not "
      "say which accuracy it is; its numbers have the level of acc, which the models here are shown by.",
      AccuracyKind::kPlain,
      {"arc_easy", "arc_challenge", "hellaswag", "boolq", "openbookqa", "piqa", "winogrande"},
      1,
      true,
      {{"LLaMA 700M", {54.7, 23.0, 37.0, 60.0, 20.2, 68.9, 54.8, 45.5}},
       {"BitNet b1.58 700M", {51.8, 21.4, 35.1, 58.2, 20.0, 68.1, 55.2, 44.3}},
       {"– reproduced", {51.4, 21.8, 35.0, 59.6, 20.6, 67.5, 55.4, 44.5}},
       {"LLaMA 1.3B", {56.9, 23.5, 38.5, 59.1, 21.6, 70.0, 53.9, 46.2}},
       {"BitNet b1.58 1.3B", {54.9, 24.2, 37.7, 56.7, 19.6, 68.8, 55.8, 45.4}},
       {"– reproduced", {55.8, 23.7, 37.6, 59.0, 20.2, 69.2, 56.0, 45.9}},
       {"LLaMA 3B", {62.1, 25.6, 43.3, 61.8, 24.6, 72.1, 58.2, 49.7}},
       {"BitNet b1.58 3B", {61.4, 28.3, 42.9, 61.5, 26.6, 71.5, 59.3, 50.2}},
       {"– reproduced", {60.9, 28.0, 42.3, 58.3, 26.0, 71.4, 60.3, 49.6}},
       {"BitNet b1.58 3.9B", {64.2, 28.7, 44.2, 63.5, 24.2, 73.2, 60.5, 51.2}}}};
  const PublishedScores table4 = {"Two trillion tokens, table 4",
                                  "arXiv 2402.17764, table 4: the mean of acc and acc_norm where a task has both.",
                                  AccuracyKind::kMean,
                                  {"winogrande", "piqa", "sciq", "lambada_openai", "arc_easy"},
                                  2,
                                  true,
                                  {{"StableLM-3B", {64.56, 76.93, 90.75, 66.09, 67.78, 73.22}},
                                   {"BitNet b1.58 3B", {66.37, 78.40, 91.20, 67.63, 68.12, 74.34}}}};
  const PublishedScores b2b4t = {
      "BitNet b1.58 2B4T and its peers",
      "arXiv 2504.12285, table 1, instruction-tuned models; of its 17 benchmarks those that are tasks here. Models "
      "here "
      "are shown by acc_norm where a task has it.",
      AccuracyKind::kNormed,
      {"arc_challenge", "arc_easy", "openbookqa", "boolq", "hellaswag", "piqa", "winogrande"},
      2,
      false,
      {{"LLaMA 3.2 1B", {37.80, 63.17, 34.80, 64.65, 60.80, 74.21, 59.51}},
       {"Gemma 3 1B", {38.40, 63.13, 38.80, 74.22, 57.69, 71.93, 58.48}},
       {"Qwen2.5 1.5B", {46.67, 76.01, 40.80, 78.04, 68.28, 76.12, 62.83}},
       {"SmolLM2 1.7B", {43.52, 62.92, 46.00, 75.78, 71.71, 76.12, 68.98}},
       {"MiniCPM 2B", {44.80, 72.14, 40.20, 80.67, 70.81, 76.66, 61.80}},
       {"BitNet b1.58 2B4T", {49.91, 74.79, 41.60, 80.18, 68.44, 77.09, 71.90}}}};
  return {table2, table4, b2b4t};
}

}  // namespace tern
