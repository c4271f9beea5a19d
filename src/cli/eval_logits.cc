#include "cli/eval_logits.h"

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include <cstdio>

#include "base/json.h"
#include "cli/common.h"
#include "infer/decoder.h"

namespace tern {
namespace {

struct LogitsArguments {
  std::string model;
  std::vector<int32_t> tokens;
  bool json = false;  // the form there is
  int threads = 0;
};

void eval_logits(const LogitsArguments& args) {
  Threads threads(make_threads(args.threads));
  const LoadedModel loaded = load_model(args.model, threads);
  Decoder decoder(loaded.model, 1, args.tokens.size(), args.tokens.size(), threads);
  Batch batch;
  batch.add(0, 0, args.tokens);
  batch.want_all_logits();
  const MatView<const float> logits = decoder.decode(batch);
  for (size_t n = 0; n < args.tokens.size(); ++n) {
    const VecView<const float> row = logits.row_view(n);
    const nlohmann::ordered_json json = {{"token", args.tokens[n]},
                                         {"logits", std::vector<float>(row.begin(), row.end())}};
    std::fputs((json_text(json) + "\n").c_str(), stdout);
  }
}

}  // namespace

void add_eval_logits_command(CLI::App& eval) {
  auto args = std::make_shared<LogitsArguments>();
  CLI::App& command = *eval.add_subcommand("logits", "All logits after each of some tokens, a JSON object a line");
  command.add_option("-m,--model", args->model, "GGUF file, Hugging Face directory or training directory")->required();
  command.add_option("tokens", args->tokens, "Token ids")->required();
  command.add_flag("--json", args->json, "Print JSON objects (the only form)");
  add_threads_option(command, args->threads);
  command.callback([args] { eval_logits(*args); });
}

}  // namespace tern
