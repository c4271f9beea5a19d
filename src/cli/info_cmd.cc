#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <cstdio>

#include "base/error.h"
#include "cli/commands.h"
#include "cli/common.h"
#include "infer/decoder.h"
#include "model/memory.h"

namespace tern {
namespace {

struct InfoArguments {
  std::string model;
  bool json = false;
  int threads = 0;
};

// The share of zeros among the ternary weights.
double zero_share(const Model& model) {
  size_t zeros = 0;
  size_t count = 0;
  for (const TensorSpec& spec : model_tensors(model.config)) {
    if (!spec.is_linear()) continue;
    const TernaryMatrix& matrix = model.weights.linear(spec).ternary;
    std::vector<int8_t> trits(matrix.cols);
    for (size_t r = 0; r < matrix.rows; ++r) {
      matrix.get_row(r, trits);
      for (int8_t trit : trits) zeros += trit == 0;
    }
    count += spec.elements();
  }
  return static_cast<double>(zeros) / static_cast<double>(count);
}

nlohmann::ordered_json describe(const InfoArguments& args, const LoadedModel& loaded) {
  const ModelConfig& c = loaded.model.config;
  const WeightBytes bytes = weight_bytes(loaded.model);
  const size_t parameters = parameter_count(c);
  const size_t linear = linear_parameter_count(c);
  const bool ternary = c.weights != WeightKind::kFull;
  nlohmann::ordered_json json = {{"model", args.model}, {"format", loaded.source}, {"name", loaded.name}};
  json["config"] = nlohmann::ordered_json::parse(config_to_json(c));
  json["parameters"] = parameters;
  json["linear_parameters"] = linear;
  json["ternary_share"] = ternary ? static_cast<double>(linear) / static_cast<double>(parameters) : 0.0;
  if (ternary) json["zero_share"] = zero_share(loaded.model);
  json["bits_per_weight"] = 8 * static_cast<double>(bytes.linear) / static_cast<double>(linear);
  json["weight_bytes"] = bytes.total();
  json["kv_type"] = kv_type_name(kInferenceKvType);
  json["kv_bytes_per_token"] = kv_bytes_per_token(c, kInferenceKvType);
  // As `tern run` holds it, for a conversation that fills the context.
  const TernaryLayout layout = default_ternary_layout(c);
  const WeightBytes running = expected_weight_bytes(c, DType::kBF16, default_head(c), layout);
  const size_t linear_bytes = ternary ? running.linear : bytes.linear;
  const size_t weights = bytes.total() - bytes.linear + linear_bytes + running.quantized_head;
  const size_t decoder = decoder_bytes(c, 1, c.context, std::min(c.context, kPrefillTokens), kInferenceKvType);
  json["memory"] = {{"weights", weights},
                    {"kv_cache", kv_cache_bytes(c, 1, c.context, kInferenceKvType)},
                    {"all", weights + decoder}};
  json["kernel"] = kernels().name;
  json["default_head"] = head_kind_name(default_head(c));
  if (ternary) json["default_layout"] = ternary_layout_name(layout);
  if (loaded.vocabulary) {
    const Tokenizer tokenizer(*loaded.vocabulary);
    json["tokenizer"] = {{"algorithm", token_algorithm_name(tokenizer.vocabulary().algorithm)},
                         {"vocab", tokenizer.vocab_size()},
                         {"merges", tokenizer.vocabulary().merges.size()},
                         {"split", split_rule_name(tokenizer.vocabulary().split)},
                         {"add_bos", tokenizer.add_bos()},
                         {"hash", fmt::format("{:016x}", tokenizer.hash())}};
  }
  return json;
}

void print_value(const std::string& name, const nlohmann::ordered_json& value, const std::string& indent) {
  if (value.is_object()) {
    fmt::print("{}{}\n", indent, name);
    for (const auto& [key, inner] : value.items()) print_value(key, inner, indent + "  ");
    return;
  }
  const std::string text = value.is_string() ? value.get<std::string>() : value.dump();
  fmt::print("{}{:<{}} {}\n", indent, name, 20 - static_cast<int>(indent.size()), text);
}

void info(const InfoArguments& args) {
  Threads threads(make_threads(args.threads));
  const nlohmann::ordered_json json = describe(args, load_model(args.model, threads));
  if (args.json) {
    std::fputs((json.dump(2) + "\n").c_str(), stdout);
    return;
  }
  for (const auto& [key, value] : json.items()) print_value(key, value, "");
}

}  // namespace

void add_info_command(CLI::App& app) {
  auto args = std::make_shared<InfoArguments>();
  CLI::App& command = *app.add_subcommand("info", "Describe a model: shape, weights, memory, tokenizer");
  command.add_option("model", args->model, "GGUF file, Hugging Face directory, training directory or llama2.c .bin")
      ->required();
  command.add_flag("--json", args->json, "Print one JSON object");
  add_threads_option(command, args->threads);
  command.callback([args] { info(*args); });
}

}  // namespace tern
