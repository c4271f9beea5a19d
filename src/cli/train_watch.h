// What shows a training run while it goes on, and changes nothing in it: texts that the model writes, event files for
// TensorBoard.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "infer/sampler.h"
#include "train/samples.h"
#include "train/tensorboard.h"
#include "train/trainer.h"

namespace CLI {
class App;
}

namespace tern {

struct WatchArguments {
  std::string tensorboard;  // directory of event files; empty: none
  int64_t sample_every = 0;
  std::vector<std::string> prompts;
  size_t sample_tokens = 64;
  SamplerOptions sampling{.seed = 1};
};

// The group of the options, which may be given with --resume as well: they are no part of the run.
inline constexpr const char* kWatchGroup = "Watching";
void add_watch_options(CLI::App& command, WatchArguments& args);

class TrainWatch {
 public:
  // Sets the hooks that the arguments ask for; they refer to this object. Error for an argument out of its range.
  TrainWatch(const WatchArguments& args, const std::string& directory, TrainHooks& hooks);
  TrainWatch(const TrainWatch&) = delete;
  TrainWatch& operator=(const TrainWatch&) = delete;

 private:
  struct Prompt {
    std::string text;
    std::vector<int32_t> tokens;
  };

  void encode_prompts(const Tokenizer& tokenizer, size_t context);
  void sample(int64_t steps, const Model& model, const Tokenizer& tokenizer, Threads& threads);

  WatchArguments args_;
  std::vector<Prompt> prompts_;
  SampleLog samples_;
  std::unique_ptr<EventLog> events_;
};

}  // namespace tern
