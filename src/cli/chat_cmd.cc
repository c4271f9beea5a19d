#include <unistd.h>
#include <CLI/CLI.hpp>

#include <random>

#include "base/error.h"
#include "base/log.h"
#include "cli/chat_loop.h"
#include "cli/commands.h"
#include "cli/common.h"
#include "template/named_templates.h"

namespace tern {
namespace {

struct ChatArguments {
  std::string model;
  std::string chat_template;
  std::string system;
  size_t context = 0;
  std::string head = "auto";
  std::string layout = "auto";
  std::string kv_type{kv_type_name(kInferenceKvType)};
  int64_t seed = -1;
  ChatSettings settings;
  int threads = 0;
};

void chat(ChatArguments args) {
  Conversation::Options& options = args.settings.options;
  validate(options.sampling);
  args.model = chosen_model(args.model);
  if (options.max_tokens == 0) fail("--tokens is 0, expected at least 1");
  const KvType kv_type = kv_type_option(args.kv_type);
  Threads threads(make_threads(args.threads));
  LoadedModel loaded = load_model(args.model, threads, form_chooser(args.head, options.sampling.top_k, args.layout),
                                  LoadText::kTokenizer);
  const Tokenizer tokenizer = require_tokenizer(loaded, args.model);
  ChatTemplate chat_template =
      with_context(args.model, [&] { return choose_chat_template(loaded.chat_template, args.chat_template); });
  options.sampling.seed = args.seed >= 0 ? static_cast<uint64_t>(args.seed) : std::random_device{}();
  const size_t most = loaded.model.config.context;
  const size_t context = std::min(most, args.context == 0 ? kLongestDefaultContext : args.context);
  Session session(loaded.model, tokenizer, context, threads, kv_type);
  Conversation conversation(session, tokenizer, std::move(chat_template), context);
  conversation.set_system(args.system);
  if (args.settings.json || ::isatty(STDIN_FILENO) == 0 || ::isatty(STDOUT_FILENO) == 0) {
    chat_through_pipes(conversation, args.settings, catch_interrupts());
    return;
  }
  log_info("{}, {} tokens of context, seed {}", loaded.name, context, options.sampling.seed);
  chat_at_terminal(conversation, args.settings);
}

}  // namespace

void add_chat_command(CLI::App& app) {
  auto args = std::make_shared<ChatArguments>();
  Conversation::Options& options = args->settings.options;
  CLI::App& command = *app.add_subcommand("chat", "Talk with a model");
  add_model_option(command, args->model);
  command.add_option("--chat-template", args->chat_template,
                     "A file, or one of " + template_names() + "; default: the model's own");
  command.add_option("--system", args->system, "What the model is told first");
  command.add_option("-n,--tokens", options.max_tokens, "The most tokens of an answer")->capture_default_str();
  command.add_option("-c,--context", args->context, "Tokens of context; 0: the model's, at most 8192");
  add_head_option(command, args->head);
  add_layout_option(command, args->layout);
  add_kv_type_option(command, args->kv_type);
  add_sampling_options(command, options.sampling, options.speculate);
  command.add_option("-s,--seed", args->seed, "Same seed, same answers; -1: a random one")->capture_default_str();
  command.add_flag("--json", args->settings.json, "Lines of standard input as messages, one JSON object at the end");
  add_threads_option(command, args->threads);
  command.callback([args] { chat(*args); });
}

}  // namespace tern
