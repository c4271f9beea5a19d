#include "cli/eval_compare.h"

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include <cmath>
#include <cstdio>

#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "cli/common.h"
#include "eval/compare.h"
#include "eval/perplexity.h"

namespace tern {
namespace {

struct CompareArguments {
  std::string a, b;
  std::string text;
  size_t context = 0;
  bool json = false;
  int threads = 0;
};

nlohmann::ordered_json to_json(const Estimate& e) { return {{"mean", e.mean}, {"error", e.error}}; }

void print_table(const CompareArguments& args, const Comparison& c, size_t context) {
  const auto line = [](std::string_view name, const std::string& value) { fmt::print("{:<20}{}\n", name, value); };
  const auto row = [&](std::string_view name, const Estimate& e) {
    line(name, fmt::format("{:.6f} +- {:.6f}", e.mean, e.error));
  };
  line("first", args.a);
  line("second", args.b);
  row("loss of first", c.loss_a);
  row("loss of second", c.loss_b);
  row("second - first", c.difference);
  line("perplexities", fmt::format("{:.4f} and {:.4f}, ratio {:.6f}", std::exp(c.loss_a.mean), std::exp(c.loss_b.mean),
                                   std::exp(c.difference.mean)));
  row("  their difference", c.perplexity_difference);
  row("KL divergence", c.divergence);
  line("", fmt::format("median {:.3g}, 99% {:.3g}, largest {:.3g}", c.divergence_median, c.divergence_99,
                       c.divergence_largest));
  line("same top token", fmt::format("{:.3f}% +- {:.3f}%", 100 * c.same_top.mean, 100 * c.same_top.error));
  line("tokens", fmt::format("{}; +- is one standard error", c.tokens));
  line("convention", tern_convention_text(context));
}

void print_json(const CompareArguments& args, const Comparison& c, size_t context) {
  const nlohmann::ordered_json json = {{"first", args.a},
                                       {"second", args.b},
                                       {"text", args.text},
                                       {"tokens", c.tokens},
                                       {"context", context},
                                       {"convention", tern_convention_text(context)},
                                       {"loss_first", to_json(c.loss_a)},
                                       {"loss_second", to_json(c.loss_b)},
                                       {"loss_difference", to_json(c.difference)},
                                       {"perplexity_first", std::exp(c.loss_a.mean)},
                                       {"perplexity_second", std::exp(c.loss_b.mean)},
                                       {"perplexity_difference", to_json(c.perplexity_difference)},
                                       {"kl_divergence", to_json(c.divergence)},
                                       {"kl_divergence_median", c.divergence_median},
                                       {"kl_divergence_99", c.divergence_99},
                                       {"kl_divergence_largest", c.divergence_largest},
                                       {"same_top", to_json(c.same_top)}};
  std::fputs((json_text(json, 2) + "\n").c_str(), stdout);
}

void eval_compare(const CompareArguments& args) {
  Threads threads(make_threads(args.threads));
  const std::string text = read_file(args.text);
  LoadedModel a = load_model(args.a, threads, plain_form, LoadText::kTokenizer);
  LoadedModel b = load_model(args.b, threads, plain_form, LoadText::kTokenizer);
  const std::vector<int32_t> tokens = text_tokens(require_tokenizer(a, args.a), text);
  if (tokens != text_tokens(require_tokenizer(b, args.b), text)) {
    fail("{} and {}: their tokenizers cut {} differently, expected the same tokens", args.a, args.b, args.text);
  }
  const size_t context = args.context == 0 ? std::min(a.model.config.context, b.model.config.context) : args.context;
  const Comparison c =
      with_context(args.text, [&] { return compare_models(a.model, b.model, tokens, context, threads); });
  args.json ? print_json(args, c, context) : print_table(args, c, context);
}

}  // namespace

void add_eval_compare_command(CLI::App& eval) {
  auto args = std::make_shared<CompareArguments>();
  CLI::App& command = *eval.add_subcommand(
      "compare", "Two models on the same text: KL divergence, top-1 agreement, difference of the losses");
  command.add_option("first", args->a, "GGUF file, Hugging Face directory or training directory")->required();
  command.add_option("second", args->b, "The same, with the same tokenizer")->required();
  command.add_option("text", args->text, "A text file")->required();
  command.add_option("-c,--context", args->context, "Tokens in a window; 0: the smaller of the models' contexts");
  command.add_flag("--json", args->json, "Print one JSON object");
  add_threads_option(command, args->threads);
  command.callback([args] { eval_compare(*args); });
}

}  // namespace tern
