#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include <cstdio>

#include "base/clock.h"
#include "base/error.h"
#include "base/json.h"
#include "base/log.h"
#include "cli/commands.h"
#include "cli/common.h"
#include "model/chat_format.h"
#include "model/save.h"
#include "template/named_templates.h"

namespace tern {
namespace {

struct ConvertArguments {
  std::string in;
  std::string out;
  std::string type;
  std::string embedding;
  std::string chat_template;
  std::string name;
  uint64_t shard_bytes = kDefaultShardBytes;
  bool ternarize = false;
  bool json = false;
  int threads = 0;
};

size_t size_on_disk(const std::filesystem::path& path) {
  if (!std::filesystem::is_directory(path)) return std::filesystem::file_size(path);
  size_t size = 0;
  for (const auto& entry : std::filesystem::directory_iterator(path))
    size += entry.is_regular_file() ? entry.file_size() : 0;
  return size;
}

DType file_type(const std::string& option, const std::string& name) {
  return with_context(option, [&] { return parse_dtype(name); });
}

void write_model(const ConvertArguments& args, const LoadedModel& loaded, Threads& threads) {
  const ModelConfig& config = loaded.model.config;
  SaveOptions options;
  options.type = args.type.empty() ? default_file_type(config) : file_type("--type", args.type);
  options.vocabulary = loaded.vocabulary ? &*loaded.vocabulary : nullptr;
  if (!args.chat_template.empty()) {
    options.chat_template = choose_chat_template(std::nullopt, args.chat_template).source();
  } else if (loaded.chat_template) {
    options.chat_template = mended_chat_template(*loaded.chat_template);
  }
  options.embedding_hints = loaded.embedding;
  options.generation_config = loaded.generation_config;
  options.shard_bytes = args.shard_bytes;
  const std::filesystem::path out(args.out);
  if (out.extension() == ".gguf") {
    options.name = args.name.empty() ? loaded.name : args.name;
    if (!args.embedding.empty()) options.embedding_type = file_type("--embedding", args.embedding);
    save_gguf(loaded.model, out, options);
    return;
  }
  if (!args.embedding.empty()) fail("--embedding {}: only for GGUF files", args.embedding);
  if (!args.name.empty()) fail("--name {}: only for GGUF files", args.name);
  const bool ternary = config.weights != WeightKind::kFull;
  if (!ternary || args.type.empty()) {
    save_hf(loaded.model, out, options);
  } else if (loaded.has_masters) {
    save_hf_masters(args.in, out, options, threads);
  } else {
    fail(
        "--type {}: a Hugging Face directory of a {} model holds packed trits (leave --type out) or master weights, "
        "which {} does not hold",
        args.type, weight_kind_name(config.weights), args.in);
  }
}

void convert(const ConvertArguments& args) {
  const double start = now_s();
  Threads threads(make_threads(args.threads));
  LoadedModel loaded = load_model(args.in, threads);
  if (args.ternarize) loaded.has_masters = false;  // they are not of the ternary model
  if (args.ternarize) loaded.model = ternarize_model(loaded.model, threads);
  write_model(args, loaded, threads);
  const size_t bytes = size_on_disk(args.out);
  if (args.json) {
    const nlohmann::ordered_json json = {{"in", args.in},
                                         {"out", args.out},
                                         {"weights", weight_kind_name(loaded.model.config.weights)},
                                         {"parameters", parameter_count(loaded.model.config)},
                                         {"bytes", bytes},
                                         {"seconds", now_s() - start}};
    std::fputs((json_text(json, 2) + "\n").c_str(), stdout);
  } else {
    log_info("{} -> {}: {} bytes in {:.1f} s", args.in, args.out, bytes, now_s() - start);
  }
}

}  // namespace

void add_convert_command(CLI::App& app) {
  auto args = std::make_shared<ConvertArguments>();
  CLI::App& command = *app.add_subcommand("convert", "Write a model in another format");
  command.add_option("in", args->in, "GGUF file, Hugging Face directory, training directory or llama2.c .bin")
      ->required();
  command.add_option("out", args->out, "FILE.gguf, or a directory for the Hugging Face layout")->required();
  command.add_option("--type", args->type,
                     "tq1_0, tq2_0, i2_s, f16, bf16, f32 or q8_0; default: tq2_0 for ternary GGUF, packed for Hugging "
                     "Face, else bf16");
  command.add_option("--embedding", args->embedding,
                     "Type of embedding and head in a GGUF file: bf16, f16, f32 or q8_0; default: as they are");
  command.add_option("--name", args->name, "The model's name in a GGUF file; default: as it is");
  command.add_option("--chat-template", args->chat_template,
                     "A file, or one of " + template_names() + ", that the model is to have; default: as it is");
  command
      .add_option("--shard-size", args->shard_bytes,
                  "Hugging Face: begin another weights file above this size, e.g. 500MB (default: 5GB)")
      ->transform(CLI::AsSizeValue(true));
  command.add_flag("--ternarize", args->ternarize,
                   "Quantize a full-precision model's weights to ternary, without training");
  command.add_flag("--json", args->json, "Print one JSON object");
  add_threads_option(command, args->threads);
  command.callback([args] { convert(*args); });
}

}  // namespace tern
