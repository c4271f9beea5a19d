#include "train/trainer.h"

#include <algorithm>
#include <cmath>

#include "base/clock.h"
#include "base/error.h"
#include "base/file.h"
#include "base/log.h"
#include "base/progress.h"
#include "formats/safetensors.h"
#include "model/load.h"
#include "tokenizer/hf_json.h"
#include "train/checkpoint.h"
#include "train/corpus.h"
#include "train/metrics.h"
#include "train/validation.h"

namespace tern {
namespace {

DataManifest read_manifest(const std::filesystem::path& directory) {
  const std::filesystem::path path = directory / kDataManifestFile;
  return manifest_from_json(read_file(path), path.string());
}

// One call of the trainer: everything that lives from its first to its last step.
class Run {
 public:
  Run(const TrainOptions& options, const std::filesystem::path& directory, const TrainHooks& hooks, Threads& threads)
      : options_(options),
        directory_(directory),
        hooks_(hooks),
        threads_(threads),
        tokenizer_(read_hf_tokenizer(directory / kTokenizerFile)),
        corpus_(read_manifest(directory), tokenizer_, directory),
        loader_{corpus_.train(), options.context, options.seed, 0, 1},
        state_(options.model, options.shape(), options.seed, threads),
        scorer_(options.model, options.context) {}

  TrainReport go(bool resume) {
    int64_t step = 0;
    if (hooks_.on_start) hooks_.on_start(options_, tokenizer_);
    if (resume) {
      step = load_checkpoint(directory_, threads_, state_);
    } else {
      save_checkpoint(directory_, 0, state_);
    }
    if (!hooks_.trace.empty()) write_trace();
    MetricsLog metrics(directory_ / kMetricsFile, step);
    metrics.on_line = hooks_.on_metrics;
    TrainReport report;
    const double start = now_s();
    train_steps(step, metrics, report);
    report.valid = validate(corpus_.valid().size());
    metrics.add_validation(report.steps, report.valid);
    report.valid_bytes = text_bytes(tokenizer_, corpus_.valid());
    report.parameters = parameter_count(options_.model);
    report.seconds = now_s() - start;
    return report;
  }

 private:
  void train_steps(int64_t first, MetricsLog& metrics, TrainReport& report) {
    const Schedule& schedule = options_.schedule;
    const auto tokens = static_cast<double>(options_.shape().tokens());
    const int64_t tail = std::max<int64_t>(1, (schedule.steps - first) / 10);
    Progress progress(hooks_.label, static_cast<size_t>(schedule.steps),
                      static_cast<size_t>(std::max<int64_t>(1, schedule.steps / 20)));
    progress.update(static_cast<size_t>(first), "");
    double step_seconds = 0;
    double tail_loss = 0;
    int64_t tail_steps = 0;
    int64_t step = first;
    for (; step < schedule.steps; ++step) {
      if (hooks_.stop != nullptr && hooks_.stop->load()) break;
      const double begin = now_s();
      const double rate = schedule.learning_rate(step);
      const double decay = schedule.weight_decay_at(step);
      const StepResult result = state_.step(loader_, step, options_.adamw, rate, decay, threads_);
      const double seconds = now_s() - begin;
      if (!std::isfinite(result.loss)) {
        fail("step {}: the loss is {}; the last checkpoint is unchanged, try a lower --lr", step, result.loss);
      }
      step_seconds += seconds;
      if (step >= schedule.steps - tail) {
        tail_loss += result.loss;
        ++tail_steps;
      }
      metrics.add({step, result.loss, rate, decay, result.gradient_norm, tokens / seconds});
      progress.update(static_cast<size_t>(step + 1),
                      fmt::format("loss {:.4f}  {:.0f} tokens/s", result.loss,
                                  tokens * static_cast<double>(step + 1 - first) / step_seconds));
      after_step(step + 1, metrics);
    }
    report.steps = step;
    report.interrupted = step < schedule.steps;
    report.train_loss = tail_steps > 0 ? tail_loss / static_cast<double>(tail_steps) : 0;
    report.tokens_per_second = step_seconds > 0 ? tokens * static_cast<double>(step - first) / step_seconds : 0;
    save_checkpoint(directory_, step, state_);
  }

  void after_step(int64_t steps, MetricsLog& metrics) {
    if (hooks_.sample_every > 0 && steps % hooks_.sample_every == 0) {
      hooks_.on_sample(steps, state_.model(), tokenizer_, threads_);
    }
    if (steps == options_.schedule.steps) return;
    if (steps % options_.checkpoint_every == 0) save_checkpoint(directory_, steps, state_);
    if (options_.valid_every > 0 && steps % options_.valid_every == 0) {
      metrics.add_validation(steps, validate(std::min<uint64_t>(corpus_.valid().size(), options_.valid_tokens + 1)));
    }
  }

  LossSum validate(uint64_t tokens) {
    return score_tokens(state_.model(), corpus_.valid(), tokens, options_.context, threads_, scorer_);
  }

  void write_trace() {
    make_directories(hooks_.trace);
    std::vector<OutputTensor> tensors;
    for (size_t i = 0; i < state_.masters().specs().size(); ++i) {
      const TensorSpec& spec = state_.masters().specs()[i];
      NamedTensor tensor;
      tensor.name = tern_name(spec);
      tensor.shape = spec.shape();
      tensor.data = std::as_bytes(std::span<const float>(state_.masters().mat(i).data, spec.elements()));
      tensors.push_back(output_tensor(tensor));
    }
    write_safetensors(hooks_.trace / "init.safetensors", tensors, {});
    AtomicFile batches(hooks_.trace / "batches.bin");
    for (int64_t step = 0; step < options_.schedule.steps; ++step) {
      for (size_t sample = 0; sample < options_.batch * options_.accumulation; ++sample) {
        batches.write(std::as_bytes(loader_.sample(step, sample).tokens()));
      }
    }
    batches.commit();
  }

  const TrainOptions& options_;
  const std::filesystem::path& directory_;
  const TrainHooks& hooks_;
  Threads& threads_;
  Tokenizer tokenizer_;
  Corpus corpus_;
  DataLoader loader_;
  TrainState state_;
  Scorer scorer_;
};

}  // namespace

TrainReport start_training(const TrainOptions& given, const std::filesystem::path& directory, const TrainHooks& hooks,
                           Threads& threads) {
  if (std::filesystem::exists(directory / kCheckpointFile)) {
    fail("{}: a training run is there already; use --resume to go on with it, or another --out", directory.string());
  }
  TrainOptions options = given;
  const Vocabulary vocabulary = make_run_vocabulary(options);
  options.model.vocab = vocabulary.tokens.size();
  options.model.context = options.context;
  validate(options);
  make_directories(directory);
  write_hf_tokenizer(vocabulary, directory / kTokenizerFile);
  write_file(directory / "tokenizer_config.json", format_hf_tokenizer_config(vocabulary));
  const DataManifest manifest = prepare_data(options, Tokenizer(vocabulary), directory);
  write_file(directory / kDataManifestFile, manifest_to_json(manifest));
  write_file(directory / kRunConfigFile, options_to_json(options));
  return Run(options, directory, hooks, threads).go(false);
}

TrainReport resume_training(const std::filesystem::path& directory, const TrainHooks& hooks, Threads& threads) {
  const std::filesystem::path config = directory / kRunConfigFile;
  const TrainOptions options = options_from_json(read_file(config), config.string(), TrainOptions{});
  with_context(config.string(), [&] { validate(options); });
  return Run(options, directory, hooks, threads).go(true);
}

}  // namespace tern
