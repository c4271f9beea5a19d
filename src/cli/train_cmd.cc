#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <cstdio>
#include <numbers>

#include "base/cpu.h"
#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "base/log.h"
#include "cli/commands.h"
#include "cli/common.h"
#include "cli/train_plan.h"
#include "cli/train_watch.h"
#include "cli/train_ways.h"
#include "dist/processes.h"
#include "train/trainer.h"

namespace tern {
namespace {

// Flags as given; those not given leave the value of --config or the default.
struct TrainArguments {
  std::string config;
  std::string out;
  std::optional<std::vector<std::string>> data, valid;
  std::optional<std::string> text_key, cache, tokenizer, weights, activation, schedule, gradients, optimizer;
  std::optional<size_t> sum_parts, dim, layers, heads, kv_heads, ffn, context, batch, accumulation, valid_tokens,
      muon_steps;
  std::optional<int64_t> steps, warmup, checkpoint_every, valid_every, diverged_steps;
  std::optional<double> lr, lr_second, lr_end, decay_fraction, weight_decay, weight_decay_until, valid_fraction,
      rope_theta, skip_loss, skip_norm;
  std::optional<float> clip_norm, beta1, beta2, momentum, z_loss;
  std::optional<uint64_t> seed;
  std::optional<bool> sub_norms, tied_head, recompute;
  bool resume = false;
  bool dry_run = false;
  bool profile = false;
  bool json = false;
  bool mpi = false;
  std::string trace;
  WatchArguments watch;
  WayArguments ways;
  int threads = 0;
};

// The widths that follow from --dim unless they are given: heads of 64 (32 for small models), and SwiGLU's 8/3 dim
// rounded up to a multiple of 256, or of 64 for models narrower than 256.
void fill_widths(ModelConfig& c) {
  if (c.heads == 0) c.heads = std::max<size_t>(1, c.dim / (c.dim >= 512 ? 64 : 32));
  if (c.kv_heads == 0) c.kv_heads = c.heads;
  if (c.head_dim == 0) {
    if (c.dim % c.heads != 0) fail("--dim {} is not a multiple of --heads {}", c.dim, c.heads);
    c.head_dim = c.dim / c.heads;
  }
  const size_t multiple = c.dim % 256 == 0 ? 256 : 64;
  if (c.ffn == 0) c.ffn = (c.dim * 8 / 3 + multiple - 1) / multiple * multiple;
}

// Rates that follow from the others unless they are given: the recipe of "Training Tips" (second peak 2/3 of the first,
// end 2% of it, weight decay 0.1), one linear stage for full precision.
void fill_schedule(const TrainArguments& args, bool fresh, TrainOptions& o) {
  Schedule& s = o.schedule;
  const bool full = o.model.weights == WeightKind::kFull;
  if (fresh && !args.schedule) s.kind = full ? ScheduleKind::kLinear : ScheduleKind::kTwoStage;
  if (s.peak == 0) s.peak = default_learning_rate(o.model);
  if (s.second_peak == 0) s.second_peak = s.peak * 2 / 3;
  if (s.end == 0) s.end = s.peak * 0.02;
  if (fresh && !args.weight_decay) s.weight_decay = 0.1;
  if (fresh && !args.warmup) s.warmup = default_warmup(s.steps);
}

// Flags that were given but change nothing beside the others.
void check_flags(const TrainArguments& args, const TrainOptions& o) {
  const auto schedule_flag = [&](const char* flag, bool given, ScheduleKind kind) {
    if (!given || o.schedule.kind == kind) return;
    fail("{} belongs to --schedule {}, the schedule is {}; leave one of them out", flag, schedule_name(kind),
         schedule_name(o.schedule.kind));
  };
  schedule_flag("--lr-second", args.lr_second.has_value(), ScheduleKind::kTwoStage);
  schedule_flag("--decay-fraction", args.decay_fraction.has_value(), ScheduleKind::kWsd);
  if (args.lr_end && o.schedule.kind == ScheduleKind::kConstant) {
    fail("--lr-end does not fit --schedule constant, whose rate stays at --lr; leave one of them out");
  }
  if ((args.momentum || args.muon_steps) && o.optimizer != OptimizerKind::kMuon) {
    fail("{} belongs to --optimizer muon, the optimizer is {}; leave one of them out",
         args.momentum ? "--momentum" : "--muon-steps", optimizer_name(o.optimizer));
  }
  if (args.weight_decay_until && o.schedule.weight_decay == 0) {
    fail("--weight-decay-until does not fit a weight decay of 0; leave one of them out");
  }
  if (args.valid && args.valid_fraction) {
    fail(
        "--valid-fraction is the part of --data to validate on, but --valid names texts for that; leave one of them "
        "out");
  }
}

TrainOptions make_options(const CLI::App& command, const TrainArguments& args) {
  TrainOptions o;
  o.model.dim = 256;
  o.model.layers = 4;
  o.schedule.steps = 1000;
  const bool fresh = args.config.empty();
  if (!fresh) o = options_from_json(read_file(args.config), args.config, o);
  begin_with_ways(command, args.ways, o);
  apply(args.data, o.data);
  apply(args.valid, o.valid);
  apply(args.text_key, o.text_key);
  apply(args.cache, o.cache);
  apply(args.tokenizer, o.tokenizer);
  apply(args.dim, o.model.dim);
  apply(args.layers, o.model.layers);
  apply(args.heads, o.model.heads);
  apply(args.kv_heads, o.model.kv_heads);
  apply(args.ffn, o.model.ffn);
  apply(args.rope_theta, o.model.rope_theta);
  apply(args.sub_norms, o.model.sub_norms);
  apply(args.tied_head, o.model.tied_head);
  apply(args.context, o.context);
  apply(args.batch, o.batch);
  apply(args.accumulation, o.accumulation);
  apply(args.sum_parts, o.sum_parts);
  apply(args.valid_tokens, o.valid_tokens);
  apply(args.valid_fraction, o.valid_fraction);
  apply(args.steps, o.schedule.steps);
  apply(args.warmup, o.schedule.warmup);
  apply(args.lr, o.schedule.peak);
  apply(args.lr_second, o.schedule.second_peak);
  apply(args.lr_end, o.schedule.end);
  apply(args.weight_decay, o.schedule.weight_decay);
  apply(args.decay_fraction, o.schedule.decay_fraction);
  apply(args.weight_decay_until, o.schedule.weight_decay_until);
  apply(args.beta1, o.update.beta1);
  apply(args.beta2, o.update.beta2);
  apply(args.clip_norm, o.update.clip_norm);
  apply(args.momentum, o.update.momentum);
  apply(args.muon_steps, o.update.newton_schulz_steps);
  apply(args.z_loss, o.z_loss);
  apply(args.skip_loss, o.watch.skip_loss);
  apply(args.skip_norm, o.watch.skip_norm);
  apply(args.diverged_steps, o.watch.diverged_steps);
  apply(args.seed, o.seed);
  apply(args.checkpoint_every, o.checkpoint_every);
  apply(args.valid_every, o.valid_every);
  if (args.weights) o.model.weights = parse_weight_kind(*args.weights);
  if (args.gradients) o.gradients = parse_gradient_precision(*args.gradients);
  apply(args.recompute, o.recompute);
  if (args.activation) o.model.activation = parse_activation(*args.activation);
  if (args.schedule) o.schedule.kind = parse_schedule(*args.schedule);
  if (args.optimizer) o.optimizer = parse_optimizer(*args.optimizer);
  if (o.data.empty()) throw CLI::RequiredError("--data");
  if (o.tokenizer.empty() && o.from.empty()) throw CLI::RequiredError("--tokenizer (a file, 'byte' or 'char')");
  fill_widths(o.model);
  fill_schedule(args, fresh, o);
  check_flags(args, o);
  return o;
}

void print_report(const TrainArguments& args, const TrainReport& r) {
  const double bits_per_byte = r.valid.nats / std::numbers::ln2 / static_cast<double>(r.valid_bytes);
  if (args.json) {
    const nlohmann::ordered_json json = {
        {"out", args.out},
        {"steps", r.steps},
        {"interrupted", r.interrupted},
        {"parameters", r.parameters},
        {"train_loss", r.train_loss ? nlohmann::json(*r.train_loss) : nlohmann::json()},
        {"valid_loss", r.valid.mean()},
        {"valid_tokens", r.valid.tokens},
        {"bits_per_byte", bits_per_byte},
        {"seconds", r.seconds},
        {"tokens_per_second", r.tokens_per_second},
        {"peak_share", r.peak_share},
        {"skipped", r.skipped},
        {"sent_bytes_per_step", r.sent_bytes},
        {"zeros", r.trits.zero_fraction()},
        {"kernel", kernels().name}};
    std::fputs((json_text(json, 2) + "\n").c_str(), stdout);
    return;
  }
  fmt::print("steps             {}{}\n", r.steps, r.interrupted ? " (interrupted; go on with --resume)" : "");
  fmt::print("parameters        {}\n", r.parameters);
  if (r.train_loss) fmt::print("training loss     {:.4f} nats/token (last tenth)\n", *r.train_loss);
  fmt::print("validation loss   {:.17g} nats/token over {} tokens\n", r.valid.mean(), r.valid.tokens);
  fmt::print("bits per byte     {:.4f}\n", bits_per_byte);
  if (r.trits.trits > 0) fmt::print("zeros             {:.1f}% of the linear weights\n", 100 * r.trits.zero_fraction());
  if (r.skipped > 0) fmt::print("skipped updates   {}\n", r.skipped);
  if (r.step_seconds == 0) return;
  fmt::print("speed             {:.0f} tokens/s ({} kernels, {:.0f}% of the machine's peak), {:.1f} s\n",
             r.tokens_per_second, kernels().name, 100 * r.peak_share, r.seconds);
}

// On standard error: a line a part of the steps, what takes longest first.
void print_profile(const Profile& profile, double step_seconds) {
  double rest = step_seconds;
  fmt::print(stderr, "{:<40} {:>9} {:>6} {:>9} {:>8}\n", "part of the steps", "seconds", "share", "calls", "GMAC/s");
  for (const ProfileEntry& e : profile.entries()) {
    const std::string rate = e.multiply_adds > 0 ? fmt::format("{:.1f}", e.multiply_adds * 1e-9 / e.seconds) : "";
    fmt::print(stderr, "{:<40} {:>9.3f} {:>5.1f}% {:>9} {:>8}\n", e.part, e.seconds, 100 * e.seconds / step_seconds,
               e.calls, rate);
    rest -= e.seconds;
  }
  fmt::print(stderr, "{:<40} {:>9.3f} {:>5.1f}%\n", "everything else", rest, 100 * rest / step_seconds);
}

// Starts a run with these options, or goes on with one without.
void train_model(const TrainArguments& args, const TrainOptions* options, TrainHooks& hooks, Threads& threads,
                 Communicator& processes) {
  Profile profile;
  if (args.profile) hooks.profile = &profile;
  const TrainReport report = options == nullptr ? resume_training(args.out, hooks, threads, processes)
                                                : start_training(*options, args.out, hooks, threads, processes);
  if (!processes.is_first()) return;
  if (args.profile && report.step_seconds > 0) print_profile(profile, report.step_seconds);
  print_report(args, report);
}

// Where several processes may use the same processors, the 0 that means all of them means this one's share.
int own_threads(int threads, Communicator& processes) {
  const auto sharing = static_cast<int>(processes_on_same_processors(processes));
  return threads == 0 && sharing > 1 ? std::max(1, available_cpus() / sharing) : threads;
}

void train(const CLI::App& command, const TrainArguments& args, Communicator& processes) {
  Threads threads(make_threads(own_threads(args.threads, processes)));
  TrainHooks hooks;
  hooks.stop = &catch_interrupts();
  hooks.trace = args.trace;
  TrainWatch watch(args.watch, args.out, hooks);
  if (args.resume) {
    for (const CLI::Option* option : command.get_options()) {
      const std::string name = option->get_name();
      const bool allowed = name == "--resume" || name == "--out" || name == "--threads" || name == "--json" ||
                           name == "--mpi" || name == "--profile" || option->get_group() == kWatchGroup;
      if (option->count() > 0 && !allowed) {
        fail("--resume goes on with the options in {}/{}; leave {} out", args.out, kRunConfigFile, name);
      }
    }
    train_model(args, nullptr, hooks, threads, processes);
    return;
  }
  const TrainOptions options = make_options(command, args);
  if (args.dry_run) {
    if (!args.trace.empty()) fail("--dry-run writes nothing, --trace writes files; leave one of them out");
    if (processes.is_first()) print_plan(plan_training(options, args.out, threads), args.json);
    return;
  }
  hooks.label = weight_kind_name(options.model.weights);
  train_model(args, &options, hooks, threads, processes);
}

// Alone, or as one of several processes, whose messages then say which.
void train(const CLI::App& command, const TrainArguments& args) {
  const std::unique_ptr<Communicator> processes = connect_processes(args.mpi);
  if (processes->is_alone()) return train(command, args, *processes);
  with_context(processes->name(), [&] { train(command, args, *processes); });
}

void add_data_options(CLI::App& command, TrainArguments& a) {
  command
      .add_option("--data", a.data,
                  "Sources: text, JSON lines (*.jsonl), token shards (*.tok), gzip or zstd of these texts, folders "
                  "and patterns; PATH:WEIGHT for all of them makes a mixture (default: they count by their tokens)")
      ->group("Data");
  command.add_option("--valid", a.valid, "The same to validate on (default: the end of every data file)")
      ->group("Data");
  command.add_option("--valid-fraction", a.valid_fraction, "Part of every data file kept for that (default 0.1)")
      ->group("Data");
  command.add_option("--text-key", a.text_key, "Where the text is in a JSON line (default text)")->group("Data");
  command.add_option("--cache", a.cache, "Folder for token shards that runs share (default: each run keeps its own)")
      ->group("Data");
}

void add_model_options(CLI::App& command, TrainArguments& a) {
  command.add_option("--weights", a.weights, "ternary, binary or full (default ternary)")->group("Model");
  command.add_option("--dim", a.dim, "Width of the residual stream (default 256)")->group("Model");
  command.add_option("--layers", a.layers, "Layers (default 4)")->group("Model");
  command.add_option("--heads", a.heads, "Attention heads (default dim / 32, dim / 64 from 512 up)")->group("Model");
  command.add_option("--kv-heads", a.kv_heads, "Key-value heads (default: as many as heads)")->group("Model");
  command.add_option("--ffn", a.ffn, "Width of the feed-forward layer (default 8/3 dim, rounded up)")->group("Model");
  command.add_option("--activation", a.activation, "silu or relu2 (default silu)")->group("Model");
  command.add_option("--sub-norms", a.sub_norms, "Norms before the o and down projections (default true)")
      ->group("Model");
  command.add_option("--tied-head", a.tied_head, "The embedding is also the output head (default true)")
      ->group("Model");
  command.add_option("--rope-theta", a.rope_theta, "Base of the rotary angles (default 10000)")->group("Model");
}

void add_schedule_options(CLI::App& command, TrainArguments& a) {
  command.add_option("--steps", a.steps, "Optimizer steps (default 1000)")->group("Schedule");
  command.add_option("--batch", a.batch, "Samples a forward pass (default 16)")->group("Schedule");
  command.add_option("--accumulation", a.accumulation, "Forward passes a step (default 1)")->group("Schedule");
  command
      .add_option("--sum-parts", a.sum_parts,
                  "Parts that a step's gradients are summed in, the same bits on 1 to so many processes (default: as "
                  "many as processes)")
      ->group("Schedule");
  command.add_option("--context", a.context, "Tokens a sample (default 256)")->group("Schedule");
  command
      .add_option(
          "--gradients", a.gradients,
          "int16 (default), int8 (the head's stay in 16 bits) or f32: what ternary and binary layers multiply their "
          "gradients in")
      ->group("Schedule");
  command
      .add_flag("--recompute", a.recompute,
                "Compute the layers' activations again in the backward pass: less memory, slower, the same result")
      ->group("Schedule");
  command.add_option("--schedule", a.schedule, "two-stage (default; full: linear), linear, cosine, wsd or constant")
      ->group("Schedule");
  command.add_option("--lr", a.lr, "Peak learning rate (default by kind and width)")->group("Schedule");
  command.add_option("--lr-second", a.lr_second, "Peak of the second stage (default 2/3 of --lr)")->group("Schedule");
  command.add_option("--lr-end", a.lr_end, "Rate at the end (default 2% of --lr)")->group("Schedule");
  command.add_option("--warmup", a.warmup, "Warm-up steps (default 375, at most 2% of the steps)")->group("Schedule");
  command.add_option("--weight-decay", a.weight_decay, "Of the linear layers; two-stage: until half-way (default 0.1)")
      ->group("Schedule");
  command.add_option("--decay-fraction", a.decay_fraction, "wsd: part of the run that the decay takes (default 0.2)")
      ->group("Schedule");
  command
      .add_option("--weight-decay-until", a.weight_decay_until,
                  "Part of the run that has weight decay (default 0.5 for two-stage, else 1)")
      ->group("Schedule");
  command.add_option("--optimizer", a.optimizer, "adamw (default), or muon for the linear layers")->group("Schedule");
  command.add_option("--beta1", a.beta1, "AdamW's first (default 0.9)")->group("Schedule");
  command.add_option("--beta2", a.beta2, "AdamW's second (default 0.95)")->group("Schedule");
  command.add_option("--momentum", a.momentum, "Muon's (default 0.95)")->group("Schedule");
  command.add_option("--muon-steps", a.muon_steps, "Newton-Schulz iterations of an update (default 5)")
      ->group("Schedule");
  command.add_option("--z-loss", a.z_loss, "Weight of the z-loss (default 0; 1e-4 is usual)")->group("Schedule");
  command
      .add_option("--skip-loss", a.skip_loss,
                  "Leave the update out when the loss is so many deviations above its mean (default 0: never)")
      ->group("Schedule");
  command.add_option("--skip-norm", a.skip_norm, "The same for the gradient norm (default 0: never)")
      ->group("Schedule");
  command
      .add_option("--diverged-steps", a.diverged_steps,
                  "End the run after so many steps with a loss above guessing (default 20; 0: never)")
      ->group("Schedule");
  command.add_option("--clip", a.clip_norm, "Largest gradient norm; 0: no clipping (default 1)")->group("Schedule");
  command.add_option("--seed", a.seed, "Of the initial weights and the samples (default 1)")->group("Schedule");
}

}  // namespace

void add_train_command(CLI::App& app) {
  auto args = std::make_shared<TrainArguments>();
  CLI::App& command = *app.add_subcommand("train", "Train a model on text");
  TrainArguments& a = *args;
  add_data_options(command, a);
  command.add_option("--tokenizer", a.tokenizer, "A file with a tokenizer, or 'byte' or 'char': made from the data");
  command.add_option("--out", a.out, "Training directory")->required();
  command.add_option("--config", a.config, "JSON file of options, as a training directory's run.json");
  command.add_flag("--dry-run", a.dry_run, "Print parameters, memory, time and schedule; write nothing");
  command.add_flag("--profile", a.profile, "Print where the time of the steps went to standard error");
  command.add_flag("--resume", a.resume, "Go on with the run in --out");
  command.add_option("--checkpoint-every", a.checkpoint_every, "Steps between checkpoints (default 500)");
  command.add_option("--valid-every", a.valid_every, "Steps between validations; 0: only at the end (default 250)");
  command.add_option("--valid-tokens", a.valid_tokens, "Tokens of the validations on the way (default 32768)");
  command.add_option("--trace", a.trace, "Write the initial weights and all samples there, for tools/oracle");
  command.add_flag("--json", a.json, "Print the report as one JSON object");
  command.add_flag("--mpi", a.mpi, "Use MPI though no launcher is seen (mpirun and srun are)");
  add_threads_option(command, a.threads);
  add_watch_options(command, a.watch);
  add_way_options(command, a.ways);
  add_model_options(command, a);
  add_schedule_options(command, a);
  command.callback([args, &command] { train(command, *args); });
}

}  // namespace tern
