#include <CLI/CLI.hpp>

#include <algorithm>
#include <cstdio>

#include "base/clock.h"
#include "base/error.h"
#include "base/log.h"
#include "base/memory.h"
#include "cli/bench_report.h"
#include "cli/commands.h"
#include "cli/common.h"
#include "model/random_model.h"
#include "model/shapes.h"

namespace tern {
namespace {

constexpr int kMaxCount = 1 << 20;  // of anything
constexpr size_t kMaxRepetitions = 10000;
constexpr size_t kMaxSequences = 65536;
constexpr uint64_t kModelSeed = 1;

struct BenchArguments {
  std::string model;
  std::string shape;
  std::vector<size_t> prompts = {512};
  std::vector<size_t> generates = {128};
  std::vector<size_t> sequences = {1};
  size_t repetitions = 5;
  std::string weights;
  size_t layers = 0;
  std::string head = "auto";
  std::string layout = "auto";
  std::string kv_type{kv_type_name(kInferenceKvType)};
  bool logits = false;
  std::string output = "md";
  bool json = false;
  int threads = 0;
};

void check_arguments(const BenchArguments& args) {
  if (args.model.empty() == args.shape.empty()) {
    fail("expected one of --model and --shape, {}", args.model.empty() ? "there is neither" : "there are both");
  }
  if (!args.model.empty() && !args.weights.empty()) fail("--weights: expected with --shape, a model has its own");
  if (args.repetitions == 0 || args.repetitions > kMaxRepetitions) {
    fail("--repetitions is {}, expected 1 to {}", args.repetitions, kMaxRepetitions);
  }
  const bool reads = std::any_of(args.prompts.begin(), args.prompts.end(), [](size_t prompt) { return prompt > 0; });
  if (args.logits && !reads) fail("--logits: expected with a --prompt above 0, there is none");
  for (const size_t count : args.sequences) {
    if (count == 0 || count > kMaxSequences) fail("--batch is {}, expected 1 to {}", count, kMaxSequences);
  }
}

// As llama-bench: a length of 0 is no test.
std::vector<SpeedTest> make_tests(const BenchArguments& args, const ModelConfig& config) {
  std::vector<SpeedTest> tests;
  for (const size_t prompt : args.prompts) {
    if (prompt > 0) tests.push_back({prompt, 0, 1, 0, args.logits});
  }
  for (const size_t generate : args.generates) {
    for (const size_t count : args.sequences) {
      if (generate > 0) tests.push_back({0, generate, count});
    }
  }
  if (tests.empty()) fail("nothing to measure: expected a --prompt or --generate above 0");
  for (const SpeedTest& test : tests) {
    if (test.positions() > config.context) {
      fail("{}: {} tokens, the context holds {}", test.name(), test.positions(), config.context);
    }
  }
  return tests;
}

// Error when the hungriest test does not fit into memory, with what is to be allocated before it.
void check_memory(const BenchArguments& args, const ModelConfig& config, size_t before) {
  const std::vector<SpeedTest> tests = make_tests(args, config);
  const KvType kv_type = kv_type_option(args.kv_type);
  size_t needed = 0;
  for (const SpeedTest& test : tests) {
    const size_t logits = checked_mul(test.max_logits(), config.vocab * sizeof(float), "memory");
    const size_t decoder = decoder_bytes(config, test.sequences, test.positions(), test.max_batch(), kv_type);
    needed = std::max(needed, checked_add(decoder, logits, "memory"));
  }
  needed = checked_add(needed, before, "memory");
  const size_t available = available_memory_bytes();
  if (needed <= available) return;
  constexpr double kGiga = 1e9;
  fail("{:.1f} GB of memory needed with {} weights, {:.1f} GB available", static_cast<double>(needed) / kGiga,
       weight_kind_name(config.weights), static_cast<double>(available) / kGiga);
}

void cut_layers(size_t layers, ModelConfig& config) {
  if (layers == 0) return;
  if (layers > config.layers) fail("--layers is {}, the model has {}", layers, config.layers);
  config.layers = layers;
}

ModelConfig shape_config(const BenchArguments& args) {
  ModelConfig config = find_shape(args.shape);
  if (!args.weights.empty()) config.weights = parse_weight_kind(args.weights);
  cut_layers(args.layers, config);
  return config;
}

size_t weight_memory(const ModelConfig& config, const ModelForm& form) {
  return expected_weight_bytes(config, DType::kBF16, form.head.kind, form.layout).total();
}

// What is needed at once for a shape is refused before it is allocated.
void check_shape(const BenchArguments& args) {
  const ModelConfig config = shape_config(args);
  const ModelForm form = form_chooser(args.head, 0, args.layout)(config);
  with_context(args.shape, [&] {
    check_memory(args, config, checked_add(weight_memory(config, form), MachineMeter::kReadBytes, "memory"));
  });
}

// The best of some readings: the first may come from the disk.
double best_file_read(const std::string& path, Threads& threads) {
  constexpr int kReadings = 3;
  double best = file_read_seconds(path, threads);
  for (int i = 1; i < kReadings; ++i) best = std::min(best, file_read_seconds(path, threads));
  return best;
}

// The model to measure, ready to decode, and its names in `run`.
Model open_model(const BenchArguments& args, Threads& threads, BenchRun& run) {
  if (!args.shape.empty()) {
    run.model_type = args.shape;
    const ModelConfig config = shape_config(args);
    const ModelForm form = form_chooser(args.head, 0, args.layout)(config);
    Model model = random_model(config, kModelSeed, threads, form.layout);
    set_head(form.head, threads, model);
    return model;
  }
  if (!std::filesystem::exists(args.model)) fail("{}: no such file or directory", args.model);
  const ChooseForm choose_form = form_chooser(args.head, 0, args.layout);
  const double start = now_s();
  LoadedModel loaded = load_model(
      args.model, threads,
      [&](const ModelConfig& config) {
        const ModelForm form = choose_form(config);
        check_memory(args, config, weight_memory(config, form));
        return form;
      },
      LoadText::kTokenizer);
  run.load_s = now_s() - start;
  run.file_read_s = best_file_read(args.model, threads);
  run.model_filename = args.model;
  run.model_type = loaded.name;
  cut_layers(args.layers, loaded.model.config);
  loaded.model.weights.layers.resize(loaded.model.config.layers);
  return std::move(loaded.model);
}

void bench(const BenchArguments& args) {
  check_arguments(args);
  const BenchFormat format = args.json ? BenchFormat::kJson : parse_bench_format(args.output);
  const KvType kv_type = kv_type_option(args.kv_type);
  if (!args.shape.empty()) check_shape(args);
  Threads threads(make_threads(args.threads));
  MachineMeter machine(threads);  // before the model: its memory is then a part of every peak
  machine.measure();
  BenchRun run;
  Model model = open_model(args, threads, run);
  run.kv_type = kv_type;
  run.layout = layout_in_use(model);
  run.head_type = head_kind_name(model.logit_head.kind);
  run.config = model.config;
  run.model_type += fmt::format(" {}", weight_kind_name(model.config.weights));
  run.weights = weight_bytes(model);
  run.threads = threads.count();
  for (const SpeedTest& test : make_tests(args, model.config)) {
    log_info("{}: {} repetitions", test.name(), args.repetitions);
    BenchResult result;
    result.test = test;
    const auto look_at_machine = [&] { result.machine.push_back(machine.measure()); };
    result.samples = measure_speed(model, test, args.repetitions, look_at_machine, threads, kv_type);
    look_at_machine();
    run.results.push_back(std::move(result));
  }
  run.machine = machine.best();
  const size_t peak = peak_memory_bytes();
  run.peak_memory_bytes = peak - std::min(peak, MachineMeter::kReadBytes);
  std::fputs(bench_report(run, format).c_str(), stdout);
}

}  // namespace

void add_bench_command(CLI::App& app) {
  auto args = std::make_shared<BenchArguments>();
  BenchArguments& a = *args;
  CLI::App& command = *app.add_subcommand("bench", "Measure the speed of inference");
  command.add_option("-m,--model", a.model, "GGUF file, Hugging Face directory or training directory");
  std::string names;
  for (const NamedShape& shape : named_shapes()) names += (names.empty() ? "" : ", ") + std::string(shape.name);
  command.add_option("--shape", a.shape, "Random weights in the shape of a published model: " + names);
  const CLI::Range count(0, kMaxCount);
  command.add_option("-p,--prompt", a.prompts, "Tokens of a prompt to read; a list is a test each; 0: none")
      ->check(count)
      ->delimiter(',')
      ->capture_default_str();
  command.add_flag("--logits", a.logits, "All tokens of a prompt go through the head, as when texts are scored");
  command.add_option("-n,--generate", a.generates, "Tokens to decode from an empty cache on; a list; 0: none")
      ->check(count)
      ->delimiter(',')
      ->capture_default_str();
  command.add_option("-b,--batch", a.sequences, "Sequences decoded in one pass; a list")
      ->check(count)
      ->delimiter(',')
      ->capture_default_str();
  command.add_option("-r,--repetitions", a.repetitions, "Of each test, after one to warm up")
      ->check(count)
      ->capture_default_str();
  command.add_option("--weights", a.weights, "Of a --shape: ternary (default), binary or full");
  add_head_option(command, a.head);
  add_kv_type_option(command, a.kv_type);
  add_layout_option(command, a.layout);
  command.add_option("--layers", a.layers, "Measure the first layers only; 0: all")->check(count);
  command.add_option("-o,--output", a.output, "md, csv or json")->capture_default_str();
  command.add_flag("--json", a.json, "The same as -o json");
  add_threads_option(command, a.threads);
  command.callback([args] { bench(*args); });
}

}  // namespace tern
