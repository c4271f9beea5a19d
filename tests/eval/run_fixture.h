// A tiny training run on a generated text, for the tests that need a trained model.
#pragma once

#include <filesystem>
#include <string>

#include "base/file.h"
#include "base/log.h"
#include "base/rng.h"
#include "support/temporary_directory.h"
#include "train/trainer.h"

namespace tern {

using test::TemporaryDirectory;

// Words in a random order: enough structure to learn something from.
inline std::string word_text(size_t words, uint64_t seed) {
  const char* vocabulary[] = {"the", "bird", "is", "small", "and", "quick", "over", "sea", "it", "flies\n"};
  Rng rng(seed);
  std::string text;
  for (size_t i = 0; i < words; ++i) text += std::string(vocabulary[rng.below(10)]) + " ";
  return text;
}

// Options of a model that every file format holds: widths of 256.
inline TrainOptions tiny_options(const TemporaryDirectory& directory, WeightKind kind) {
  write_file(directory / "train.txt", word_text(1500, 1));
  write_file(directory / "valid.txt", word_text(60, 2));
  set_log_level(LogLevel::kWarning);  // no progress lines among the results
  TrainOptions o;
  o.model.dim = 256;
  o.model.layers = 1;
  o.model.heads = 4;
  o.model.kv_heads = 2;
  o.model.head_dim = 64;
  o.model.ffn = 256;
  o.model.weights = kind;
  o.data = {(directory / "train.txt").string()};
  o.valid = {(directory / "valid.txt").string()};
  o.tokenizer = "byte";
  o.context = 24;
  o.batch = 2;
  o.schedule.steps = 6;
  o.schedule.peak = 3e-3;
  o.schedule.second_peak = 2e-3;
  o.schedule.weight_decay = 0.1;
  o.valid_every = 0;
  o.checkpoint_every = 2;
  return o;
}

}  // namespace tern
