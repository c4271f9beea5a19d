#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include <cstdio>

#include "base/clock.h"
#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "cli/commands.h"
#include "cli/common.h"
#include "cli/eval_compare.h"
#include "cli/eval_logits.h"
#include "cli/eval_tasks.h"
#include "eval/perplexity.h"

namespace tern {
namespace {

struct PerplexityArguments {
  std::string model;
  std::string text;
  size_t context = 0;
  std::string head = "exact";
  std::string kv_type = "f32";
  std::string convention = "tern";
  bool wikitext = false;
  bool json = false;
  int threads = 0;
};

void eval_perplexity(const PerplexityArguments& args) {
  const KvType kv_type = kv_type_option(args.kv_type);
  const Convention convention = parse_convention(args.convention);
  Threads threads(make_threads(args.threads));
  const std::string text = read_file(args.text);
  LoadedModel loaded = load_model(args.model, threads, plain_form, LoadText::kTokenizer);
  const Tokenizer tokenizer = require_tokenizer(loaded, args.model);
  const HeadKind head = choose_head(args.head, 0, threads, loaded.model);
  const double start = now_s();
  const TextFormat format = args.wikitext ? TextFormat::kWikiText : TextFormat::kPlain;
  const PerplexityResult r = with_context(args.text, [&] {
    return perplexity(loaded.model, tokenizer, text, args.context, threads, kv_type, convention, format);
  });
  const double seconds = now_s() - start;
  if (args.json) {
    nlohmann::ordered_json json = {{"model", args.model},
                                   {"text", args.text},
                                   {"convention", r.convention},
                                   {"loss", r.loss},
                                   {"perplexity", r.perplexity},
                                   {"bits_per_byte", r.bits_per_byte},
                                   {"tokens", r.tokens},
                                   {"bytes", r.bytes},
                                   {"context", r.context},
                                   {"kv_type", kv_type_name(kv_type)},
                                   {"kernel", kernels().name},
                                   {"head", head_kind_name(head)},
                                   {"tokens_per_second", static_cast<double>(r.tokens) / seconds}};
    if (r.word_perplexity) json["word_perplexity"] = *r.word_perplexity;
    if (r.byte_perplexity) json["byte_perplexity"] = *r.byte_perplexity;
    std::fputs((json_text(json, 2) + "\n").c_str(), stdout);
    return;
  }
  fmt::print("loss            {:.6f} nats/token\n", r.loss);
  fmt::print("perplexity      {:.4f}\n", r.perplexity);
  if (r.word_perplexity) fmt::print("word perplexity {:.4f}, of {} words\n", *r.word_perplexity, r.words);
  if (r.byte_perplexity) fmt::print("byte perplexity {:.4f}\n", *r.byte_perplexity);
  fmt::print("bits per byte   {:.4f}\n", r.bits_per_byte);
  fmt::print("tokens          {} predicted, of {} bytes of text\n", r.tokens, r.bytes);
  fmt::print("convention      {}\n", r.convention);
  fmt::print("speed           {:.0f} tokens/s ({} kernels, {} head)\n", static_cast<double>(r.tokens) / seconds,
             kernels().name, head_kind_name(head));
}

}  // namespace

void add_eval_command(CLI::App& app) {
  CLI::App& eval = *app.add_subcommand("eval", "Measure a model");
  eval.require_subcommand(1);
  auto args = std::make_shared<PerplexityArguments>();
  CLI::App& command = *eval.add_subcommand("perplexity", "How well a model predicts a text");
  command.add_option("-m,--model", args->model, "GGUF file, Hugging Face directory or training directory")->required();
  command.add_option("text", args->text, "A text file")->required();
  command.add_option("-c,--context", args->context,
                     "Tokens in a window; 0: the convention's, at most the model's context");
  command
      .add_option("--convention", args->convention,
                  "Which tokens are predicted from what: tern, llama.cpp (the second halves of windows of 512), gptq "
                  "(windows of 2,048, as papers state it), lm-eval (rolling windows: word and byte perplexity)")
      ->capture_default_str();
  command.add_flag("--wikitext", args->wikitext,
                   "The text is a file of WikiText: gptq joins its rows, lm-eval scores its detokenized articles");
  add_head_option(command, args->head);
  add_kv_type_option(command, args->kv_type);
  command.add_flag("--json", args->json, "Print one JSON object");
  add_threads_option(command, args->threads);
  command.callback([args] { eval_perplexity(*args); });
  add_eval_compare_command(eval);
  add_eval_tasks_command(eval);
  add_eval_logits_command(eval);
}

}  // namespace tern
