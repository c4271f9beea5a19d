#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include <cstdio>
#include <random>

#include "base/error.h"
#include "base/json.h"
#include "base/log.h"
#include "cli/commands.h"
#include "cli/common.h"
#include "infer/session.h"
#include "infer/text_stream.h"

namespace tern {
namespace {

struct RunArguments {
  std::string model;
  std::string prompt;
  size_t max_tokens = 128;
  size_t context = 0;
  size_t speculate = 0;
  std::string head = "auto";
  std::string layout = "auto";
  std::string kv_type{kv_type_name(kInferenceKvType)};
  SamplerOptions sampling;
  int64_t seed = -1;
  bool no_bos = false;
  bool no_echo = false;
  bool json = false;
  int threads = 0;
};

void print_json(const RunArguments& args, HeadKind head, const Generation& g, const std::string& text) {
  const nlohmann::ordered_json json = {
      {"prompt", args.prompt},
      {"text", text},
      {"tokens", g.tokens},
      {"stop_reason", stop_reason_name(g.reason)},
      {"seed", args.sampling.seed},
      {"kv_type", args.kv_type},
      {"kernel", kernels().name},
      {"head", head_kind_name(head)},
      {"layout", args.layout},
      {"prompt_tokens", g.prompt_tokens},
      {"generated_tokens", g.tokens.size()},
      {"prefill_s", g.prefill_s},
      {"decode_s", g.decode_s},
      {"drafted_tokens", g.drafted},
      {"accepted_tokens", g.accepted},
  };
  std::fputs((json_text(json, 2) + "\n").c_str(), stdout);
}

void run(RunArguments args) {
  validate(args.sampling);
  args.model = chosen_model(args.model);
  const KvType kv_type = kv_type_option(args.kv_type);
  const std::atomic<bool>& stop = catch_interrupts();
  Threads threads(make_threads(args.threads));
  LoadedModel loaded =
      load_model(args.model, threads, form_chooser(args.head, args.sampling.top_k, args.layout), LoadText::kTokenizer);
  const Tokenizer tokenizer = require_tokenizer(loaded, args.model);
  const HeadKind head = loaded.model.logit_head.kind;
  args.layout = layout_in_use(loaded.model);
  args.sampling.seed = args.seed >= 0 ? static_cast<uint64_t>(args.seed) : std::random_device{}();

  std::vector<int32_t> prompt = tokenizer.encode(args.prompt, tokenizer.add_bos() && !args.no_bos, true);
  if (prompt.empty()) {
    // Nothing to go on from: a text begins after BOS, which is the end-of-text token of vocabularies made by tern.
    if (!tokenizer.bos_id()) fail("the prompt is empty and the tokenizer has no token to begin a text with");
    prompt.push_back(*tokenizer.bos_id());
  }
  std::string text;
  TextStream stream(tokenizer, args.prompt.empty());
  const auto show = [&](const std::string& piece) {
    text += piece;
    if (args.json) return;
    std::fputs(piece.c_str(), stdout);
    std::fflush(stdout);
  };
  if (!args.json && !args.no_echo) show(args.prompt);
  text.clear();

  // No more of the cache than the prompt and the answer can fill.
  const size_t limit = args.context == 0 ? loaded.model.config.context : args.context;
  const size_t context = std::max(prompt.size(), std::min(limit, prompt.size() + args.max_tokens));
  if (prompt.size() > limit) fail("the prompt has {} tokens, the context holds {}", prompt.size(), limit);
  Session session(loaded.model, tokenizer, context, threads, kv_type);
  Session::Request request;
  request.prompt = prompt;
  request.max_tokens = args.max_tokens;
  request.sampling = args.sampling;
  request.speculate = args.speculate;
  request.stop = &stop;
  request.on_token = [&](int32_t token) { show(stream.add(token)); };
  const Generation g = session.generate(request);
  show(stream.finish());
  if (args.json) {
    print_json(args, head, g, text);
    return;
  }
  std::fputs("\n", stdout);
  std::fflush(stdout);  // the line below goes to standard error and must not overtake it
  const double decoded = g.tokens.empty() ? 0 : static_cast<double>(g.tokens.size() - 1);
  if (args.speculate > 0) log_info("speculation: {} of {} guessed tokens were right", g.accepted, g.drafted);
  log_info("{}: prompt {} tokens at {:.1f}/s, answer {} tokens at {:.1f}/s, {}{}{}, {} head, seed {}, {} kernels",
           stop_reason_name(g.reason), g.prompt_tokens, static_cast<double>(g.prompt_tokens) / g.prefill_s,
           g.tokens.size(), g.decode_s > 0 ? decoded / g.decode_s : 0.0, weight_kind_name(loaded.model.config.weights),
           args.layout.empty() ? "" : " in ", args.layout, head_kind_name(head), args.sampling.seed, kernels().name);
}

}  // namespace

void add_run_command(CLI::App& app) {
  auto args = std::make_shared<RunArguments>();
  CLI::App& command = *app.add_subcommand("run", "Generate text from a model");
  add_model_option(command, args->model);
  command.add_option("-p,--prompt", args->prompt, "The text to go on from");
  command.add_option("-n,--tokens", args->max_tokens, "The most tokens to generate")->capture_default_str();
  command.add_option("-c,--context", args->context, "Tokens of context; 0: the model's");
  add_head_option(command, args->head);
  add_layout_option(command, args->layout);
  add_kv_type_option(command, args->kv_type);
  add_sampling_options(command, args->sampling, args->speculate);
  command.add_option("-s,--seed", args->seed, "Same seed, same text; -1: a random one")->capture_default_str();
  command.add_flag("--no-bos", args->no_bos, "Do not begin with the BOS token");
  command.add_flag("--no-echo", args->no_echo, "Print the answer only, not the prompt");
  command.add_flag("--json", args->json, "Print one JSON object instead of streaming text");
  add_threads_option(command, args->threads);
  command.callback([args] { run(*args); });
}

}  // namespace tern
