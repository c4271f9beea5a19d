// A whole training run: data, steps, validation, metrics, checkpoints.
#pragma once

#include <atomic>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "base/profile.h"
#include "base/threads.h"
#include "model/score.h"
#include "tokenizer/tokenizer.h"
#include "tokenizer/vocabulary.h"
#include "train/communicator.h"
#include "train/options.h"
#include "train/parameters.h"

namespace tern {

struct TrainReport {
  int64_t steps = 0;                 // made in all, those before a resume included
  bool interrupted = false;          // stopped by `stop` before the last step
  std::optional<double> train_loss;  // mean over the last tenth of this call's steps, if it came to them
  LossSum valid;                     // over the whole validation data, after the last step
  size_t valid_bytes = 0;            // of validation text, special tokens not counted
  size_t parameters = 0;
  double seconds = 0;            // of this call, without tokenizing
  double step_seconds = 0;       // of its training steps
  double tokens_per_second = 0;  // in training steps
  double peak_share = 0;         // of this call's steps (train/cost.h)
  int64_t skipped = 0;           // updates left out by this call
  double sent_bytes = 0;         // by this process, a step
  TritCounts trits;              // after the last update
};

struct TrainHooks {
  // Set from a signal handler: the run ends after the current step, with a checkpoint.
  const std::atomic<bool>* stop = nullptr;
  // The label of the progress line.
  std::string label = "train";
  // When not empty, the initial masters (init.safetensors) and all samples (batches.bin: int32 (steps, samples, T+1))
  // are written there, for the oracle in tools/oracle.
  std::filesystem::path trace;
  // Collects where the time of training steps goes; null: nothing is measured.
  Profile* profile = nullptr;
  // Called before the first step of this call and before anything is written into the directory but its data.
  std::function<void(const TrainOptions&, const Tokenizer&)> on_start;
  // Called with every line of metrics.jsonl.
  std::function<void(std::string_view line)> on_metrics;
  // Called whenever `sample_every` more steps are made, with their number and the model they left; 0: never.
  int64_t sample_every = 0;
  std::function<void(int64_t steps, const Model&, const Tokenizer&, Threads&)> on_sample;
};

// The options of a run, with what follows from its tokenizer.
struct CompleteOptions {
  TrainOptions options;
  Vocabulary vocabulary;
  std::optional<std::string> chat_template;  // of the model that it continues, or of its conversations
};

// Makes or reads the tokenizer, or opens the model to continue. Error for options that do not fit.
CompleteOptions complete_options(const TrainOptions& given);

// Error when the directory holds a run.
void check_no_run(const std::filesystem::path& directory);

// Starts a run in `directory`, which must not hold one: writes run.json, tokenizer.json, data.json, token
// shards (corpus.h), metrics.jsonl and checkpoint.safetensors.
//
// Processes that share the run all call it, with the same options and a directory that all of them see; the first one
// writes, validates and calls the hooks but `stop`. Error on all of them where they differ in their options, their data
// or the program they run.
TrainReport start_training(const TrainOptions& given, const std::filesystem::path& directory, const TrainHooks& hooks,
                           Threads& threads, Communicator& processes = single_process());

// Goes on with the run in `directory` from its checkpoint, exactly as if it had not stopped.
// However many processes it had before.
TrainReport resume_training(const std::filesystem::path& directory, const TrainHooks& hooks, Threads& threads,
                            Communicator& processes = single_process());

// Names in the training directory besides those of model/load.h, corpus.h and data_manifest.h.
inline constexpr const char* kMetricsFile = "metrics.jsonl";

}  // namespace tern
