#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <cstdio>

#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "cli/commands.h"
#include "cli/common.h"
#include "infer/embedder.h"

namespace tern {
namespace {

struct EmbedArguments {
  std::string model;
  std::vector<std::string> texts;
  std::string file;
  std::string pooling;  // empty: the model's
  size_t context = 0;
  bool raw = false;
  bool no_bos = false;
  bool eos = false;
  bool no_eos = false;
  bool json = false;
  int threads = 0;
};

// The texts of the command line, or the lines of a file ("-": standard input).
std::vector<std::string> texts_to_embed(const EmbedArguments& args) {
  if (args.texts.empty() == args.file.empty()) {
    fail("expected texts or --file, {}", args.file.empty() ? "there is neither" : "there are both");
  }
  if (!args.texts.empty()) return args.texts;
  const std::string content = args.file == "-" ? read_stdin() : read_file(args.file);
  std::vector<std::string> lines;
  for (size_t at = 0; at < content.size();) {
    const size_t end = std::min(content.find('\n', at), content.size());
    lines.push_back(content.substr(at, end - at));
    at = end + 1;
  }
  if (lines.empty()) fail("{}: expected a text a line, the file is empty", args.file);
  return lines;
}

void print_embedding(const std::vector<float>& embedding) {
  std::string line;
  for (const float value : embedding) line += fmt::format("{}{}", line.empty() ? "" : " ", value);
  std::fputs((line + "\n").c_str(), stdout);
}

void embed(const EmbedArguments& args) {
  if (!args.pooling.empty()) parse_pooling(args.pooling);
  const std::vector<std::string> texts = texts_to_embed(args);
  Threads threads(make_threads(args.threads));
  LoadedModel loaded = load_model(args.model, threads, plain_form, LoadText::kTokenizer);
  const Tokenizer tokenizer = require_tokenizer(loaded, args.model);
  const std::vector<int32_t>& eos_ids = tokenizer.eos_ids();
  const Pooling pooling =
      args.pooling.empty() ? loaded.embedding.pooling.value_or(Pooling::kLast) : parse_pooling(args.pooling);
  if (args.eos && eos_ids.empty()) fail("{}: --eos: the tokenizer has no token that ends a text", args.model);
  const bool add_eos = args.eos || (tokenizer.embedding_end().has_value() && !args.no_eos);
  size_t context = args.context;  // keys and values take memory for all of it
  std::vector<std::vector<int32_t>> tokens;
  for (const std::string& text : texts) {
    tokens.push_back(tokenizer.encode(text, tokenizer.add_bos() && !args.no_bos, false));
    if (add_eos) tokens.back().push_back(eos_ids.front());
    if (args.context == 0) context = std::max(context, tokens.back().size());
  }
  Embedder embedder(loaded.model, std::max<size_t>(context, 1), threads);
  nlohmann::ordered_json data = nlohmann::ordered_json::array();
  size_t total = 0;
  for (size_t i = 0; i < texts.size(); ++i) {
    std::vector<float> embedding =
        with_context(fmt::format("text {}", i + 1), [&] { return embedder.embed(tokens[i], pooling); });
    if (!args.raw) normalize_length(embedding);
    total += tokens[i].size();
    if (args.json) {
      data.push_back({{"index", i}, {"tokens", tokens[i].size()}, {"embedding", embedding}});
    } else {
      print_embedding(embedding);
    }
  }
  if (!args.json) return;
  const nlohmann::ordered_json report = {{"model", args.model},     {"pooling", pooling_name(pooling)},
                                         {"normalized", !args.raw}, {"dimensions", loaded.model.config.dim},
                                         {"tokens", total},         {"data", std::move(data)}};
  std::fputs((json_text(report) + "\n").c_str(), stdout);
}

}  // namespace

void add_embed_command(CLI::App& app) {
  auto args = std::make_shared<EmbedArguments>();
  EmbedArguments& a = *args;
  CLI::App& command =
      *app.add_subcommand("embed", "Turn texts into vectors: pooled hidden states, a line of numbers each");
  command.add_option("-m,--model", a.model, "GGUF file, Hugging Face directory or training directory")->required();
  command.add_option("text", a.texts, "The texts");
  command.add_option("-f,--file", a.file, "A file with a text a line instead; -: standard input");
  command.add_option("--pooling", a.pooling,
                     "Hidden states to take: last, mean or first; default: what the model's files say, else last");
  command.add_option("-c,--context", a.context,
                     "Tokens of the longest text; 0: as many as the texts need, up to the model's context");
  command.add_flag("--raw", a.raw, "Do not scale the vectors to length 1");
  command.add_flag("--no-bos", a.no_bos, "Do not begin texts with the token that begins a text");
  command.add_flag("--eos", a.eos, "End texts with the token that ends a text, whatever the model's files say");
  command.add_flag("--no-eos", a.no_eos, "Do not end texts with it although the model's files say so")
      ->excludes("--eos");
  command.add_flag("--json", a.json, "Print one JSON object");
  add_threads_option(command, a.threads);
  command.callback([args] { embed(*args); });
}

}  // namespace tern
