#include "cli/train_watch.h"

#include <CLI/CLI.hpp>

#include <cstdio>
#include <sstream>
#include <string>

#include "base/error.h"
#include "base/log.h"
#include "base/progress.h"
#include "base/text.h"
#include "infer/session.h"
#include "infer/text_stream.h"

namespace tern {
namespace {

// A block of lines that stands out from those of the progress.
void show(const TrainingSample& sample) {
  log_info("sample after {} steps, {} tokens", sample.steps, sample.tokens);
  std::istringstream text(sample.prompt + sample.text);
  for (std::string line; std::getline(text, line);) log_info("  | {}", line);
}

}  // namespace

void add_watch_options(CLI::App& command, WatchArguments& args) {
  command.add_option("--tensorboard", args.tensorboard, "Write event files for TensorBoard into this directory")
      ->group(kWatchGroup);
  CLI::Option* every = command.add_option("--sample-every", args.sample_every,
                                          "Steps between texts that the model writes meanwhile; 0: none (default)");
  every->group(kWatchGroup);
  const auto add = [&](const char* name, auto& value, const char* help) {
    return command.add_option(name, value, help)->needs(every)->group(kWatchGroup);
  };
  add("--sample-prompt", args.prompts, "What the texts go on from; several: a text each (default: nothing)");
  add("--sample-tokens", args.sample_tokens, "The most tokens of a text (default 64)");
  add("--sample-temperature", args.sampling.temperature, "0: always the most probable token (default 0.8)");
  add("--sample-seed", args.sampling.seed, "The same for all texts (default 1)");
}

TrainWatch::TrainWatch(const WatchArguments& args, const std::string& directory, TrainHooks& hooks)
    : args_(args), samples_(std::filesystem::path(directory) / kSamplesFile) {
  if (args_.sample_every < 0) fail("--sample-every is {}, expected 0 or more", args_.sample_every);
  if (args_.sample_tokens == 0) fail("--sample-tokens is 0, expected 1 or more");
  with_context("--sample-temperature", [&] { validate(args_.sampling); });
  if (args_.prompts.empty()) args_.prompts.emplace_back();
  hooks.on_start = [this](const TrainOptions& options, const Tokenizer& tokenizer) {
    if (args_.sample_every > 0) encode_prompts(tokenizer, options.context);
    if (!args_.tensorboard.empty()) events_ = std::make_unique<EventLog>(args_.tensorboard);
  };
  if (!args_.tensorboard.empty()) hooks.on_metrics = [this](std::string_view line) { events_->add_line(line); };
  hooks.sample_every = args_.sample_every;
  hooks.on_sample = [this](int64_t steps, const Model& model, const Tokenizer& tokenizer, Threads& threads) {
    sample(steps, model, tokenizer, threads);
  };
}

void TrainWatch::encode_prompts(const Tokenizer& tokenizer, size_t context) {
  for (const std::string& text : args_.prompts) {
    Prompt prompt{text, tokenizer.encode(text, tokenizer.add_bos(), true)};
    if (prompt.tokens.empty()) {
      if (!tokenizer.bos_id()) fail("--sample-prompt: the prompt is empty and no token of the tokenizer begins a text");
      prompt.tokens.push_back(*tokenizer.bos_id());
    }
    if (prompt.tokens.size() >= context) {
      fail("--sample-prompt {}: {} tokens, expected fewer than the {} of the context", quote(text),
           prompt.tokens.size(), context);
    }
    prompts_.push_back(std::move(prompt));
  }
}

void TrainWatch::sample(int64_t steps, const Model& model, const Tokenizer& tokenizer, Threads& threads) {
  for (const Prompt& prompt : prompts_) {
    const size_t context = std::min(model.config.context, prompt.tokens.size() + args_.sample_tokens);
    Session session(model, tokenizer, context, threads);
    TrainingSample sample;
    TextStream stream(tokenizer, prompt.text.empty());
    Session::Request request;
    request.prompt = prompt.tokens;
    request.max_tokens = args_.sample_tokens;
    request.sampling = args_.sampling;
    request.on_token = [&](int32_t token) { sample.text += stream.add(token); };
    const Generation generation = session.generate(request);
    sample.text += stream.finish();
    sample.steps = steps;
    sample.prompt = prompt.text;
    sample.tokens = generation.tokens.size();
    sample.stop_reason = stop_reason_name(generation.reason);
    samples_.add(sample);
    if (stderr_is_terminal()) std::fputs("\r\x1b[K", stderr);  // over the bar, which draws itself anew below
    show(sample);
  }
}

}  // namespace tern
