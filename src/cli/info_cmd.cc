#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include <cstdio>

#include "base/error.h"
#include "cli/commands.h"
#include "cli/common.h"

namespace tern {
namespace {

struct InfoArguments {
  std::string model;
  bool json = false;
  int threads = 0;
};

// Zeros among the ternary weights, and the bytes of all packed weights.
struct WeightStatistics {
  size_t ternary = 0;
  size_t zeros = 0;
  size_t bytes = 0;
};

WeightStatistics weight_statistics(const Model& model) {
  WeightStatistics s;
  for (const TensorSpec& spec : model_tensors(model.config)) {
    if (spec.is_norm()) {
      s.bytes += spec.cols * sizeof(float);
    } else if (!spec.is_linear() || model.config.weights == WeightKind::kFull) {
      const DenseMatrix& matrix = spec.is_linear() ? model.weights.linear(spec).dense : model.weights.dense(spec);
      s.bytes += matrix.f32.size() * sizeof(float) + matrix.bf16.size() * sizeof(uint16_t);
    } else {
      const TernaryMatrix& matrix = model.weights.linear(spec).ternary;
      s.bytes += matrix.panels.size();
      std::vector<int8_t> trits(matrix.cols);
      for (size_t r = 0; r < matrix.rows; ++r) {
        matrix.get_row(r, trits);
        for (int8_t trit : trits) s.zeros += trit == 0;
      }
      s.ternary += spec.elements();
    }
  }
  return s;
}

nlohmann::ordered_json describe(const InfoArguments& args, const LoadedModel& loaded) {
  const ModelConfig& c = loaded.model.config;
  const WeightStatistics s = weight_statistics(loaded.model);
  const size_t parameters = parameter_count(c);
  nlohmann::ordered_json json = {{"model", args.model}, {"format", loaded.source}, {"name", loaded.name}};
  json["config"] = nlohmann::ordered_json::parse(config_to_json(c));
  json["parameters"] = parameters;
  json["linear_parameters"] = linear_parameter_count(c);
  json["ternary_share"] = static_cast<double>(s.ternary) / static_cast<double>(parameters);
  if (s.ternary > 0) json["zero_share"] = static_cast<double>(s.zeros) / static_cast<double>(s.ternary);
  json["weight_bytes"] = s.bytes;
  json["kv_bytes_per_token"] = 2 * c.layers * c.kv_dim() * sizeof(float);
  json["kernel"] = kernels().name;
  json["default_head"] = head_kind_name(default_head(c));
  if (loaded.vocabulary) {
    const Tokenizer tokenizer(*loaded.vocabulary);
    json["tokenizer"] = {
        {"algorithm", tokenizer.vocabulary().algorithm == TokenAlgorithm::kByteBpe ? "byte-level BPE" : "SPM"},
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
