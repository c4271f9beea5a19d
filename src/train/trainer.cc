#include "train/trainer.h"

#include <algorithm>
#include <cmath>
#include <optional>

#include "base/clock.h"
#include "base/error.h"
#include "base/file.h"
#include "base/log.h"
#include "base/progress.h"
#include "formats/safetensors.h"
#include "model/load.h"
#include "template/hf_template.h"
#include "tokenizer/hf_json.h"
#include "train/checkpoint.h"
#include "train/corpus.h"
#include "train/cost.h"
#include "train/metrics.h"
#include "train/sft.h"
#include "train/start_model.h"
#include "train/teacher.h"
#include "train/validation.h"
#include "train/weight_exchange.h"

namespace tern {
namespace {

DataManifest read_manifest(const std::filesystem::path& directory) {
  const std::filesystem::path path = directory / kDataManifestFile;
  return manifest_from_json(read_file(path), path.string());
}

// What must be the same for all processes is told apart before it can do harm.
void agree_on_files(const std::filesystem::path& directory, Communicator& processes) {
  if (processes.is_alone()) return;
  for (const char* name : {kRunConfigFile, kTokenizerFile, kDataManifestFile}) {
    processes.agree((directory / name).string(), as_bytes(read_file(directory / name)),
                    "expected one training directory that all processes see");
  }
}

void agree_on_start(std::string_view options, Communicator& processes) {
  if (processes.is_alone()) return;
  const MappedFile program("/proc/self/exe");
  processes.agree("the program", program.bytes(), "install the same one for all processes");
  processes.agree("what is asked", as_bytes(options), "start all processes with the same arguments");
}

// One call of the trainer: everything that lives from its first to its last step.
class Run {
 public:
  Run(const TrainOptions& options, const std::filesystem::path& directory, const TrainHooks& hooks, Threads& threads,
      Communicator& processes)
      : options_(options),
        directory_(directory),
        hooks_(hooks),
        threads_(threads),
        processes_(processes),
        tokenizer_(read_hf_tokenizer(directory / kTokenizerFile)),
        corpus_(read_manifest(directory), tokenizer_, directory),
        loader_(make_loader()),
        state_(options.model, options.shape_for(processes.world()), options.seed, threads, options.rules(), processes),
        scorer_(state_.model().config, options.context) {}

  TrainReport go(bool resume) {
    if (!options_.teacher.empty()) {
      teacher_.emplace(options_.teacher, options_.model, tokenizer_, options_.shape_for(processes_.world()), threads_,
                       options_.relations);
      state_.set_teacher(&*teacher_);
    }
    if (processes_.is_first() && hooks_.on_start) hooks_.on_start(options_, tokenizer_);
    if (resume) {
      progress_ = load_checkpoint(directory_, threads_, state_);
      saved_step_ = progress_.step;
      check_weights();
    } else {
      if (!options_.from.empty()) {
        load_masters(open_start_model(options_), options_.model.weights, threads_, state_.masters());
        state_.repack(threads_);
      }
      save();
    }
    scorer_ = Scorer(state_.model().config, options_.context);
    if (!hooks_.trace.empty()) write_trace();
    if (processes_.is_first()) {
      metrics_.emplace(directory_ / kMetricsFile, progress_.step, options_.schedule.steps);
      metrics_->on_line = hooks_.on_metrics;
    }
    TrainReport report;
    const double start = now_s();
    train_steps(report);
    if (metrics_) {
      report.valid = validate(corpus_.valid().size());
      metrics_->add_validation(report.steps, report.valid);
      report.valid_bytes = options_.sft ? answer_bytes(tokenizer_, corpus_.valid_conversations())
                                        : text_bytes(tokenizer_, corpus_.valid());
    }
    processes_.barrier();
    report.parameters = parameter_count(options_.model);
    report.seconds = now_s() - start;
    return report;
  }

 private:
  DataLoader make_loader() const {
    DataLoader loader{corpus_.train(), options_.context, options_.seed, nullptr, 0};
    if (options_.sft) loader.conversations = &corpus_.train_conversations();
    loader.step_samples = options_.batch * options_.accumulation;
    return loader;
  }

  void train_steps(TrainReport& report) {
    const Schedule& schedule = options_.schedule;
    const int64_t first = progress_.step;
    const auto step_tokens = static_cast<double>(options_.shape().tokens());
    double token_sum = 0;
    const ComputeRates peaks = measure_compute(threads_);
    double least_sum = 0;
    const int64_t tail = std::max<int64_t>(1, (schedule.steps - first) / 10);
    std::optional<Progress> bar;
    if (processes_.is_first()) {
      bar.emplace(hooks_.label, static_cast<size_t>(schedule.steps),
                  static_cast<size_t>(std::max<int64_t>(1, schedule.steps / 20)));
      bar->update(static_cast<size_t>(first), "");
    }
    double tail_loss = 0, sent = 0;
    int64_t tail_steps = 0;
    while (progress_.step < schedule.steps) {
      if (processes_.any(hooks_.stop != nullptr && hooks_.stop->load())) break;
      const StepCost cost = step_cost(state_.model().config, options_.shape(), options_.gradients);
      const double begin = now_s();
      const uint64_t sent_before = processes_.sent_bytes();
      threads_.set_profile(hooks_.profile);
      StepMetrics m = make_step();
      threads_.set_profile(nullptr);
      const double seconds = now_s() - begin;
      const auto tokens = static_cast<double>(m.tokens);
      // Conversations may be shorter than the context.
      const double least_seconds =
          cost.least_seconds(peaks) * tokens / step_tokens / static_cast<double>(processes_.world());
      m.tokens_per_second = tokens / seconds;
      m.peak_share = least_seconds / seconds;
      least_sum += least_seconds;
      token_sum += tokens;
      report.step_seconds += seconds;
      sent += static_cast<double>(processes_.sent_bytes() - sent_before);
      report.skipped += m.skipped ? 1 : 0;
      report.tokens_per_second = token_sum / report.step_seconds;
      report.peak_share = least_sum / report.step_seconds;
      report.sent_bytes = sent / static_cast<double>(progress_.step - first);
      if (m.step >= schedule.steps - tail) {
        tail_loss += m.loss;
        ++tail_steps;
      }
      if (metrics_) {
        metrics_->add(m);
        bar->update(static_cast<size_t>(progress_.step), details(m, report));
        after_step();
      }
    }
    report.steps = progress_.step;
    report.interrupted = progress_.step < schedule.steps;
    if (tail_steps > 0) report.train_loss = tail_loss / static_cast<double>(tail_steps);
    report.trits = state_.trits();
    save();
  }

  // One step, whose update is left out when the loss says so; Error when there is no use in going on.
  StepMetrics make_step() {
    const int64_t step = progress_.step;
    StepMetrics m;
    m.step = step;
    m.learning_rate = options_.schedule.learning_rate(step);
    m.weight_decay = options_.schedule.weight_decay_at(step);
    const StepResult result = state_.compute_gradients(loader_, step, threads_);
    m.loss = result.loss;
    m.gradient_norm = result.gradient_norm;
    m.z_loss = result.z_loss;
    m.divergence = result.divergence;
    m.relations = result.relations;
    m.tokens = result.tokens;
    if (!std::isfinite(result.loss) || !std::isfinite(result.gradient_norm)) fail_broken(result);
    // Only now are the weights known to be good: a checkpoint that is written earlier could replace the last good one.
    if (step % options_.checkpoint_every == 0 && step != saved_step_) save();
    // During the warm-up a loss may be anything.
    const double limit = step < options_.schedule.warmup ? HUGE_VAL : diverged_loss(options_.model.vocab);
    const LossWatch::Verdict verdict = progress_.watch.look(options_.watch, result.loss, result.gradient_norm, limit);
    if (verdict == LossWatch::Verdict::kDiverged) fail_diverged(m, limit);
    m.skipped = verdict == LossWatch::Verdict::kSkip;
    if (!m.skipped) state_.update(options_.update, m.learning_rate, m.weight_decay, m.gradient_norm, threads_);
    m.trits = state_.trits();
    if (m.skipped) m.trits.flips = 0;
    ++progress_.step;
    go_on();
    return m;
  }

  // The model of the next step, which may be of another kind than that of the last.
  void go_on() {
    const WeightKind kind = state_.model().config.weights;
    if (!state_.set_steps(progress_.step)) return;
    state_.repack(threads_);
    if (state_.model().config.weights != kind) scorer_ = Scorer(state_.model().config, options_.context);
  }

  [[noreturn]] void fail_broken(const StepResult& result) const {
    // A NaN has a sign that means nothing.
    const size_t samples = options_.batch * options_.accumulation;
    const std::string where =
        result.broken_sample ? fmt::format(", first in sample {}", *result.broken_sample) : std::string();
    fail(
        "step {}: the loss is {} and the gradient norm {}, expected finite numbers; its batch is samples 0 to {} of "
        "step {} with seed {}{}; {} of step {} is kept: try a lower --lr than {}",
        progress_.step, std::fabs(result.loss), std::fabs(result.gradient_norm), samples - 1, progress_.step,
        options_.seed, where, (directory_ / kCheckpointFile).string(), saved_step_, options_.schedule.peak);
  }

  [[noreturn]] void fail_diverged(const StepMetrics& m, double limit) const {
    fail(
        "step {}: the run has diverged: for {} steps the loss was above {:.2f}, one nat more than guessing, now {:.2f} "
        "at learning rate {:.3g}; {} of step {} is kept: try a lower --lr than {}, or --diverged-steps 0 to go on",
        m.step, options_.watch.diverged_steps, limit, m.loss, m.learning_rate, (directory_ / kCheckpointFile).string(),
        saved_step_, options_.schedule.peak);
  }

  static std::string details(const StepMetrics& m, const TrainReport& report) {
    std::string text = fmt::format("loss {:.4f}  lr {:.2e}  norm {:.2f}", m.loss, m.learning_rate, m.gradient_norm);
    if (m.trits.trits > 0) {
      text +=
          fmt::format("  zeros {:.1f}%  flips {:.2f}%", 100 * m.trits.zero_fraction(), 100 * m.trits.flip_fraction());
    }
    if (report.skipped > 0) text += fmt::format("  skipped {}", report.skipped);
    return text + fmt::format("  {:.0f} tokens/s  {:.0f}% of peak", report.tokens_per_second, 100 * report.peak_share);
  }

  void save() {
    check_weights();
    save_checkpoint(directory_, progress_, state_);
    saved_step_ = progress_.step;
  }

  // All processes must compute with the same weights, or what they learn is nobody's gradient.
  void check_weights() {
    if (processes_.is_alone()) return;
    const uint64_t hash = weights_hash(state_.masters().specs(), state_.model());
    processes_.agree(fmt::format("the weights after {} steps", progress_.step), std::as_bytes(std::span(&hash, 1)),
                     "this is a fault of the machine or of tern; the last checkpoint is kept");
  }

  void after_step() {
    const int64_t steps = progress_.step;
    if (hooks_.sample_every > 0 && steps % hooks_.sample_every == 0) {
      hooks_.on_sample(steps, state_.model(), tokenizer_, threads_);
    }
    if (steps == options_.schedule.steps) return;
    if (options_.valid_every > 0 && steps % options_.valid_every == 0) {
      metrics_->add_validation(steps, validate(std::min<uint64_t>(corpus_.valid().size(), options_.valid_tokens + 1)));
    }
  }

  LossSum validate(uint64_t tokens) {
    if (options_.sft) {
      return score_conversations(state_.model(), corpus_.valid_conversations(), tokens, threads_, scorer_);
    }
    return score_tokens(state_.model(), corpus_.valid(), tokens, options_.context, threads_, scorer_);
  }

  void write_trace() {
    if (options_.sft) fail("a trace holds samples of one length, those of sft have many");
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
  Communicator& processes_;
  Tokenizer tokenizer_;
  Corpus corpus_;
  DataLoader loader_;
  TrainState state_;
  std::optional<Teacher> teacher_;
  Scorer scorer_;
  RunProgress progress_;
  int64_t saved_step_ = 0;             // of the checkpoint in the directory
  std::optional<MetricsLog> metrics_;  // of the first process
};

// The template of conversations, which the run keeps.
void choose_template(CompleteOptions& complete) {
  if (!complete.options.sft) return;
  complete.chat_template = choose_chat_template(complete.chat_template, complete.options.chat_template).source();
}

}  // namespace

CompleteOptions complete_options(const TrainOptions& given) {
  if (!given.from.empty()) {
    const StoredModel stored = open_start_model(given);
    validate(given);
    CompleteOptions complete{given, start_vocabulary(stored, given.tokenizer), stored.read_chat_template()};
    choose_template(complete);
    return complete;
  }
  if (given.sft && given.tokenizer == "char")
    fail("train: sft needs a tokenizer that is there, not one made from the data");
  CompleteOptions complete{given, make_run_vocabulary(given), std::nullopt};
  complete.options.model.vocab = complete.vocabulary.tokens.size();
  complete.options.model.context = given.context;
  validate(complete.options);
  choose_template(complete);
  return complete;
}

void check_no_run(const std::filesystem::path& directory) {
  if (std::filesystem::exists(directory / kCheckpointFile)) {
    fail("{}: a training run is there already; use --resume to go on with it, or another --out", directory.string());
  }
}

namespace {

// The files that a run begins with.
void prepare_directory(const TrainOptions& given, const std::filesystem::path& directory) {
  const auto [options, vocabulary, chat_template] = complete_options(given);
  NewDirectories made(directory, NewDirectories::Contents::kOurs);
  write_hf_tokenizer(vocabulary, directory / kTokenizerFile);
  const std::string tokenizer_config = format_hf_tokenizer_config(vocabulary);
  write_file(directory / "tokenizer_config.json",
             chat_template ? with_hf_chat_template(tokenizer_config, *chat_template) : tokenizer_config);
  const Tokenizer tokenizer(vocabulary);
  const DataManifest manifest = options.sft
                                    ? prepare_conversations(options, ChatTemplate(*chat_template), tokenizer, directory)
                                    : prepare_data(options, tokenizer, directory);
  write_file(directory / kDataManifestFile, manifest_to_json(manifest));
  write_file(directory / kRunConfigFile, options_to_json(options));
  made.keep();
}

TrainReport run_directory(const std::filesystem::path& directory, const TrainHooks& hooks, Threads& threads,
                          Communicator& processes, bool resume) {
  agree_on_files(directory, processes);
  const std::filesystem::path config = directory / kRunConfigFile;
  const TrainOptions options = options_from_json(read_file(config), config.string(), TrainOptions{});
  with_context(config.string(), [&] { validate(options); });
  if (!hooks.trace.empty() && !processes.is_alone())
    fail("--trace: expected one process, there are {}", processes.world());
  return Run(options, directory, hooks, threads, processes).go(resume);
}

}  // namespace

TrainReport start_training(const TrainOptions& given, const std::filesystem::path& directory, const TrainHooks& hooks,
                           Threads& threads, Communicator& processes) {
  agree_on_start(options_to_json(given), processes);
  given.shape_for(processes.world());
  if (processes.is_first()) {
    check_no_run(directory);
    prepare_directory(given, directory);
  }
  processes.barrier();
  return run_directory(directory, hooks, threads, processes, false);
}

TrainReport resume_training(const std::filesystem::path& directory, const TrainHooks& hooks, Threads& threads,
                            Communicator& processes) {
  agree_on_start("", processes);
  return run_directory(directory, hooks, threads, processes, true);
}

}  // namespace tern
