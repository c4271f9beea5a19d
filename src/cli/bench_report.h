// What `tern bench` measured, as a table for people, CSV and JSON. Field names are llama-bench's where it has the
// field.
#pragma once

#include <string>
#include <vector>

#include "infer/speed.h"
#include "model/memory.h"
#include "ops/machine.h"

namespace tern {

struct BenchResult {
  SpeedTest test;
  SpeedSamples samples;
  std::vector<MachineRates> machine;  // as it was before each repetition and after the last
};

// All that the tests of one run have in common.
struct BenchRun {
  std::string model_filename;  // empty for a named shape
  std::string model_type;      // "3b ternary"
  ModelConfig config;
  WeightBytes weights;
  std::string_view head_type;  // "exact", "int8", "screened"
  KvType kv_type = kInferenceKvType;
  std::string layout;  // of the trits: "codes", "triples"; empty for full precision
  int threads = 0;
  // Of a model from files: seconds until it is ready to decode (weights, head, tokenizer), and seconds that the same
  // threads take to read the files from the system's cache; 0 for a shape.
  double load_s = 0;
  double file_read_s = 0;
  MachineRates machine;  // at its best
  size_t peak_memory_bytes = 0;
  std::vector<BenchResult> results;
};

enum class BenchFormat : uint8_t { kMarkdown, kCsv, kJson };
BenchFormat parse_bench_format(const std::string& name);  // "md", "csv", "json"; Error for other names

std::string bench_report(const BenchRun& run, BenchFormat format);

}  // namespace tern
