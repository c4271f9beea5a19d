#include "cli/common.h"

#include <CLI/CLI.hpp>

#include <array>
#include <cstdio>
#include <filesystem>

#include "base/cpu.h"
#include "base/error.h"
#include "base/log.h"

namespace tern {

void add_model_option(CLI::App& command, std::string& model) {
  command.add_option("-m,--model", model,
                     "GGUF file, Hugging Face directory or training directory; default: tern's own model of stories");
}

std::string chosen_model(const std::string& given) {
  namespace fs = std::filesystem;
  if (!given.empty()) return given;
  const fs::path box = fs::path("models") / "tern-stories.gguf";
  std::error_code error;  // where /proc is not mounted
  for (fs::path folder = fs::read_symlink("/proc/self/exe", error).parent_path(); folder.has_relative_path();
       folder = folder.parent_path()) {
    if (fs::is_regular_file(folder / box, error)) return folder / box;
  }
  if (fs::is_regular_file(box, error)) return box;
  fail("no model: expected -m MODEL, or {} in the working directory or a folder above the program's", box.string());
}

void add_threads_option(CLI::App& command, int& threads) {
  command.add_option("-t,--threads", threads, "Threads; 0: one for every available processor")->capture_default_str();
}

void add_one_thread_option(CLI::App& command, int& threads) {
  command.add_option("-t,--threads", threads, "Accepted as everywhere; one thread does all of this");
}

Threads make_threads(int threads) {
  constexpr int kMaxThreads = 1024;
  if (threads < 0 || threads > kMaxThreads) fail("--threads is {}, expected 0 to {}", threads, kMaxThreads);
  if (threads > available_cpus()) {
    log_warning("{} threads on {} available processors will be slower than {}", threads, available_cpus(),
                available_cpus());
  }
  return Threads(threads);
}

void add_kv_type_option(CLI::App& command, std::string& kv_type) {
  command.add_option("--kv-type", kv_type, "How keys and values are kept: f32, bf16 or int8 with a scale a position")
      ->capture_default_str();
}

KvType kv_type_option(const std::string& kv_type) {
  return with_context("--kv-type", [&] { return parse_kv_type(kv_type); });
}

void add_head_option(CLI::App& command, std::string& head) {
  command
      .add_option(
          "--head", head,
          "How logits are computed: exact, int8, screened (2 bits, then the best rows exactly), or auto: screened "
          "from 32000 tokens of vocabulary on, else exact")
      ->capture_default_str();
}

void add_layout_option(CLI::App& command, std::string& layout) {
  command
      .add_option("--layout", layout,
                  "How trits are held in memory: codes (2 bits each), triples (5 bits for three), or auto: triples for "
                  "models larger than the last-level cache")
      ->capture_default_str();
}

TernaryLayout ternary_layout(const std::string& layout, const ModelConfig& config) {
  if (layout == "auto") return default_ternary_layout(config);
  if (config.weights == WeightKind::kFull) fail("--layout {}: the model has no ternary weights", layout);
  return with_context("--layout", [&] { return parse_ternary_layout(layout); });
}

std::string layout_in_use(const Model& model) {
  if (model.config.weights == WeightKind::kFull) return "";
  return std::string(ternary_layout_name(model.weights.layers.front().q.ternary.layout));
}

void add_sampling_options(CLI::App& command, SamplerOptions& sampling, size_t& speculate) {
  command.add_option("--temp,--temperature", sampling.temperature, "0: always the most probable token")
      ->capture_default_str();
  command.add_option("--top-k", sampling.top_k, "Choose among the k most probable tokens; 0: all")
      ->capture_default_str();
  command.add_option("--top-p", sampling.top_p, "... among the fewest tokens of this total probability")
      ->capture_default_str();
  command.add_option("--min-p", sampling.min_p, "... among tokens at least this probable, the best being 1")
      ->capture_default_str();
  command.add_option("--repeat-penalty", sampling.repetition_penalty, "Above 1: discourage repeating recent tokens")
      ->capture_default_str();
  command.add_option("--repeat-last-n", sampling.repetition_window, "Tokens that count as recent")
      ->capture_default_str();
  command
      .add_option("--speculate", speculate,
                  "Tokens to guess ahead from earlier text (prompt lookup); faster on repetitive text, same answer")
      ->capture_default_str();
}

HeadKind head_kind(const std::string& head, const ModelConfig& config) {
  return head == "auto" ? default_head(config) : parse_head_kind(head);
}

ChooseForm form_chooser(const std::string& head, size_t top_k, const std::string& layout) {
  return [head, top_k, layout](const ModelConfig& config) {
    return ModelForm{{head_kind(head, config), top_k}, ternary_layout(layout, config)};
  };
}

HeadKind choose_head(const std::string& head, size_t top_k, Threads& threads, Model& model) {
  const HeadKind kind = head_kind(head, model.config);
  set_head({kind, top_k}, threads, model);
  return kind;
}

Tokenizer require_tokenizer(LoadedModel& loaded, const std::string& path) {
  if (!loaded.tokenizer) fail("{}: expected a tokenizer in it or beside it, there is none", path);
  return std::move(*loaded.tokenizer);
}

std::string read_stdin() {
  std::string text;
  std::array<char, 65536> buffer;
  size_t count = 0;
  while ((count = std::fread(buffer.data(), 1, buffer.size(), stdin)) > 0) text.append(buffer.data(), count);
  if (std::ferror(stdin) != 0) fail("standard input: read failed");
  return text;
}

}  // namespace tern
