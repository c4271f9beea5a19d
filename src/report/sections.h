// The parts of a report, each a function of what has been measured so far.
#pragma once

#include "report/report.h"

namespace tern {

// The machine's rates, and which share of them decoding and reading a prompt reach.
Section machine_section(const ReportOptions& options, const Measurements& all);
// Latency and memory beside table 1 and figure 2.
Section cost_section(const ReportOptions& options, const Measurements& all);
// Tokens/s beside bitnet.cpp's on CPUs.
Section cpu_section(const ReportOptions& options, const Measurements& all);
// The largest batch within a memory budget and its tokens/s beside table 3.
Section throughput_section(const ReportOptions& options, const Measurements& all);
// The arithmetic model of figure 3.
Section energy_model_section(const ReportOptions& options);
// Joules of a token as the processors count them.
Section package_energy_section(const ReportOptions& options, const Measurements& all);
// Perplexity and tasks beside tables 1, 2 and 4 and 2B4T's.
Section quality_section(const ReportOptions& options, const Measurements& all);

// A number of a measured model ("decode_s" of "speed/3b/ternary"), of all its `layers`: as it was measured, or scaled
// from two numbers of layers; without a value, why.
struct ModelNumber {
  std::optional<double> value;
  Origin origin = Origin::kNotMeasured;
  std::string note;

  // The number divided by `unit`, or what is missing.
  Cell cell(double unit = 1) const;
  // The reciprocal.
  Cell rate_cell() const;
};
ModelNumber model_number(const Measurements& all, const std::string& model, size_t layers, const std::string& number);

// numerator / denominator, "1.23x"; scaled if one of them is.
Cell ratio_cell(const ModelNumber& numerator, const ModelNumber& denominator);

}  // namespace tern
