#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include <fmt/ranges.h>

#include <algorithm>
#include <cstdint>
#include <cstdio>

#include "base/error.h"
#include "base/json.h"
#include "base/text.h"
#include "cli/commands.h"
#include "cli/common.h"
#include "infer/decoder.h"
#include "infer/embedder.h"
#include "model/check.h"
#include "model/describe.h"
#include "model/stored_model.h"

namespace tern {
namespace {

using Json = nlohmann::ordered_json;

struct InfoArguments {
  std::string model;
  bool tensors = false;
  bool check = false;
  bool json = false;
  int threads = 0;
};

// As `tern run` holds it, for a conversation that fills the context.
Json describe_memory(const ModelDescription& d) {
  const ModelConfig& c = d.config;
  const WeightBytes running = expected_weight_bytes(c, DType::kBF16, default_head(c), default_ternary_layout(c));
  const size_t linear_bytes = d.ternary_share ? running.linear : d.weights.linear;
  const size_t weights = d.weights.total() - d.weights.linear + linear_bytes + running.quantized_head;
  const size_t decoder = decoder_bytes(c, 1, c.context, std::min(c.context, kPrefillTokens), kInferenceKvType);
  return {{"weights", weights},
          {"kv_cache", kv_cache_bytes(c, 1, c.context, kInferenceKvType)},
          {"all", weights + decoder}};
}

Json describe_tokenizer(const Vocabulary& vocabulary) {
  const Tokenizer tokenizer(vocabulary);
  return {{"algorithm", token_algorithm_name(vocabulary.algorithm)},
          {"vocab", tokenizer.vocab_size()},
          {"merges", vocabulary.merges.size()},
          {"split", split_rule_name(vocabulary.split)},
          {"add_bos", tokenizer.add_bos()},
          {"add_eos", vocabulary.add_eos},
          {"hash", fmt::format("{:016x}", tokenizer.hash())}};
}

Json describe(const std::string& path, const ModelDescription& d) {
  const ModelConfig& c = d.config;
  Json json = {{"model", path}, {"format", d.source}, {"name", d.name}, {"architecture", d.architecture}};
  json["config"] = parse_ordered_json(config_to_json(c));
  json["parameters"] = d.parameters;
  json["linear_parameters"] = d.linear_parameters;
  json["ternary_share"] = d.ternary_share.value_or(0.0);
  if (d.zero_share) json["zero_share"] = *d.zero_share;
  json["tensor_types"] = d.tensor_types;
  json["stored_bits_per_parameter"] = d.stored_bits_per_weight;
  json["bits_per_weight"] = d.bits_per_weight;
  json["weight_bytes"] = d.weights.total();
  json["kv_type"] = kv_type_name(kInferenceKvType);
  json["kv_bytes_per_token"] = kv_bytes_per_token(c, kInferenceKvType);
  json["memory"] = describe_memory(d);
  json["kernel"] = kernels().name;
  json["default_head"] = head_kind_name(default_head(c));
  if (d.ternary_share) json["default_layout"] = ternary_layout_name(default_ternary_layout(c));
  if (d.vocabulary) json["tokenizer"] = describe_tokenizer(*d.vocabulary);
  json["chat_template"] = d.chat_template;
  if (d.embedding.pooling) json["pooling"] = pooling_name(*d.embedding.pooling);
  return json;
}

void print_value(const std::string& name, const Json& value, const std::string& indent) {
  if (value.is_object()) {
    fmt::print("{}{}\n", indent, name);
    for (const auto& [key, inner] : value.items()) print_value(key, inner, indent + "  ");
    return;
  }
  const std::string text = value.is_string() ? value.get<std::string>() : json_text(value);
  const int width = std::max(20 - static_cast<int>(indent.size()), static_cast<int>(name.size()));
  fmt::print("{}{:<{}} {}\n", indent, name, width, printable(text, SIZE_MAX));
}

// Names in files need not be UTF-8, JSON must.
void print_json(const Json& json) { std::fputs((json_text(json, 2) + "\n").c_str(), stdout); }

void list_tensors(const InfoArguments& args) {
  const StoredModel stored = open_model(args.model);
  Json list = Json::array();
  for (const NamedTensor& tensor : stored.tensors) {
    const auto type = dtype_info(tensor.type).name;
    if (args.json) {
      list.push_back({{"name", tensor.name}, {"type", type}, {"shape", tensor.shape}, {"bytes", tensor.data.size()}});
    } else {
      fmt::print("{:<52} {:<6} {:>14} {:>12}\n", printable(tensor.name), type,
                 fmt::format("[{}]", fmt::join(tensor.shape, ", ")), tensor.data.size());
    }
  }
  if (args.json) print_json({{"model", args.model}, {"tensors", list}});
}

void check(const InfoArguments& args) {
  const std::vector<std::string> problems = check_model(args.model);
  if (args.json) {
    print_json({{"model", args.model}, {"problems", problems}});
  } else {
    for (const std::string& problem : problems) fmt::print("{}\n", printable(problem, SIZE_MAX));
  }
  if (!problems.empty()) fail("{}: {} problem{}", args.model, problems.size(), problems.size() == 1 ? "" : "s");
}

void info(const InfoArguments& args) {
  if (args.check) return check(args);
  if (args.tensors) return list_tensors(args);
  Threads threads(make_threads(args.threads));
  const Json json = describe(args.model, describe_model(args.model, threads));
  if (args.json) return print_json(json);
  for (const auto& [key, value] : json.items()) print_value(key, value, "");
}

}  // namespace

void add_info_command(CLI::App& app) {
  auto args = std::make_shared<InfoArguments>();
  CLI::App& command = *app.add_subcommand("info", "Describe a model: shape, weights, memory, tokenizer");
  command.add_option("model", args->model, "GGUF file, Hugging Face directory, training directory or llama2.c .bin")
      ->required();
  CLI::Option* tensors = command.add_flag("--tensors", args->tensors, "List the stored tensors instead");
  command
      .add_flag("--check", args->check,
                "Read everything and print a line for each problem instead; exit code 1 when there is one")
      ->excludes(tensors);
  command.add_flag("--json", args->json, "Print one JSON object");
  add_threads_option(command, args->threads);
  command.callback([args] { info(*args); });
}

}  // namespace tern
