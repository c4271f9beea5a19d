#include <CLI/CLI.hpp>

#include <csignal>
#include <fstream>
#include <thread>

#include "base/error.h"
#include "base/log.h"
#include "cli/commands.h"
#include "cli/common.h"
#include "model/chat_format.h"
#include "model/memory.h"
#include "server/service.h"
#include "template/named_templates.h"

namespace tern {
namespace {

// For clients to take what is left when the time for answers under way is over.
constexpr double kSecondsToSend = 1;

struct ServeArguments {
  std::string model;
  HttpOptions http;
  ServiceOptions service;
  std::string api_key_file;
  std::string chat_template;
  std::string head = "auto";
  std::string layout = "auto";
  std::string kv_type{kv_type_name(kInferenceKvType)};
  double kv_memory_gib = 0;
  double drain_seconds = 30;
  int threads = 0;
};

std::vector<std::string> read_keys(const std::string& path) {
  std::ifstream file(path);
  if (!file) fail("{}: cannot be read", path);
  std::vector<std::string> keys;
  for (std::string line; std::getline(file, line);) {
    if (!line.empty() && line.back() == '\r') line.pop_back();
    if (!line.empty() && line.front() != '#') keys.push_back(line);
  }
  if (keys.empty()) fail("{}: holds no API key, expected one a line", path);
  return keys;
}

void check_seconds(const ServeArguments& args) {
  const auto check = [](const char* option, double seconds, double least) {
    constexpr double kMost = 86400;
    if (!(seconds >= least && seconds <= kMost))
      fail("{} is {} seconds, expected {} to {}", option, seconds, least, kMost);
  };
  check("--timeout", args.service.most_seconds, 0);
  check("--drain", args.drain_seconds, 0);
  check("--receive-timeout", args.http.request_seconds, 0.01);
  check("--idle-timeout", args.http.idle_seconds, 0.01);
  check("--send-timeout", args.http.send_seconds, 0.01);
}

// The pages that the memory holds; 0: enough for all sequences.
size_t page_count(const ServeArguments& args, const ModelConfig& config, size_t context) {
  const Batcher::Options& batch = args.service.batch;
  if (args.kv_memory_gib <= 0) return 0;
  const auto budget = static_cast<size_t>(args.kv_memory_gib * 1024 * 1024 * 1024);
  const size_t pages = budget / KvCache::page_bytes(config, batch.page_size, batch.kv_type);
  if (pages * batch.page_size < std::min(context, size_t{2048})) {
    fail("--kv-memory {} GiB holds keys and values of {} tokens, expected at least {}", args.kv_memory_gib,
         pages * batch.page_size, std::min(context, size_t{2048}));
  }
  return pages;
}

// Signals are waited for by a thread of their own, so that nothing happens in a handler.
class Signals {
 public:
  Signals() {
    sigemptyset(&set_);
    for (const int signal : {SIGINT, SIGTERM}) sigaddset(&set_, signal);
    pthread_sigmask(SIG_BLOCK, &set_, nullptr);
    std::signal(SIGPIPE, SIG_IGN);
  }
  int wait() const {
    int signal = 0;
    sigwait(&set_, &signal);
    return signal;
  }

 private:
  sigset_t set_{};
};

void serve(ServeArguments args) {
  args.model = chosen_model(args.model);
  Batcher::Options& batch = args.service.batch;
  if (batch.sequences == 0) fail("--parallel is 0, expected at least 1");
  if (batch.prompt_piece == 0) fail("--prompt-piece is 0, expected at least 1");
  batch.kv_type = kv_type_option(args.kv_type);
  check_seconds(args);
  if (!args.api_key_file.empty()) {
    const auto keys = read_keys(args.api_key_file);
    args.service.api_keys.insert(args.service.api_keys.end(), keys.begin(), keys.end());
  }
  args.service.loopback = args.http.address == "127.0.0.1" || args.http.address == "::1";
  if (!args.service.loopback && args.service.api_keys.empty()) {
    log_warning("{} is open to others and no API key is set (--api-key)", args.http.address);
  }
  const Signals signals;  // before any thread starts
  Threads threads(make_threads(args.threads));
  // Requests may ask for any top-k: what the screen leaves out is far below the best, and greedy answers are exact.
  LoadedModel loaded = load_model(args.model, threads, form_chooser(args.head, 64, args.layout), LoadText::kTokenizer);
  const Tokenizer tokenizer = require_tokenizer(loaded, args.model);
  const ModelConfig& config = loaded.model.config;
  size_t context = std::min(config.context, batch.context == 0 ? kLongestDefaultContext : batch.context);
  batch.pages = page_count(args, config, context);
  // A sequence is no longer than all pages, so that no request is refused for what its answer might grow to.
  if (batch.pages > 0) context = std::min(context, batch.pages * batch.page_size);
  batch.context = context;
  std::optional<ChatTemplate> chat_template;
  if (loaded.chat_template || !args.chat_template.empty()) {
    chat_template =
        with_context(args.model, [&] { return choose_chat_template(loaded.chat_template, args.chat_template); });
  }
  if (args.service.model_name.empty()) args.service.model_name = loaded.name;

  // The replies of the server refer to the service, which posts to the server until it is detached.
  std::unique_ptr<Service> service;
  HttpServer server(args.http, [&](const HttpRequest& request, std::shared_ptr<HttpReply> reply) {
    service->handle(request, std::move(reply));
  });
  service = std::make_unique<Service>(loaded, tokenizer, std::move(chat_template), args.service, threads);
  service->attach(server);
  log_info("{}: {} sequences of {} tokens, {} head, {} kernels", args.service.model_name, batch.sequences, context,
           head_kind_name(loaded.model.logit_head.kind), kernels().name);
  log_info("listening on {}://{}:{}", args.http.certificate.empty() ? "http" : "https", args.http.address,
           server.port());
  std::thread waiter([&] {
    signals.wait();
    server.post([&] {
      log_info("stopping: waiting for what is under way, {} s at most", args.drain_seconds);
      server.stop_accepting();
      service->drain(args.drain_seconds, [&] { server.stop_when_sent(); });
      server.post_after(args.drain_seconds + kSecondsToSend, [&] { server.stop(); });
    });
    signals.wait();  // a second one does not wait
    server.stop();
  });
  server.run();
  service->detach();
  pthread_kill(waiter.native_handle(), SIGTERM);
  waiter.join();
}

}  // namespace

void add_serve_command(CLI::App& app) {
  auto args = std::make_shared<ServeArguments>();
  Batcher::Options& batch = args->service.batch;
  CLI::App& command = *app.add_subcommand("serve", "Serve a model over HTTP, as OpenAI's API");
  add_model_option(command, args->model);
  command.add_option("--host", args->http.address, "Address to listen on")->capture_default_str();
  command.add_option("--port", args->http.port, "0: one that is free")->capture_default_str();
  command.add_option("--alias", args->service.model_name, "The model's name for clients; default: its own");
  command.add_option("--api-key", args->service.api_keys, "A key that clients must send; several are possible")
      ->envname("TERN_API_KEY");
  command.add_option("--api-key-file", args->api_key_file, "A file with a key a line");
  command.add_option("--cors-origin", args->service.origins,
                     "An origin that pages may call from, such as https://example.com; *: any");
  command.add_option("--tls-cert", args->http.certificate, "PEM file with the certificate chain");
  command.add_option("--tls-key", args->http.key, "PEM file with its private key");
  command.add_option("--parallel", batch.sequences, "Answers under way at once")->capture_default_str();
  command.add_option("--prompt-piece", batch.prompt_piece, "Tokens of prompts in a pass beside answers")
      ->capture_default_str();
  command.add_option("--max-queue", args->service.most_waiting, "Requests that may wait; more get status 429")
      ->capture_default_str();
  command.add_option("-c,--context", batch.context, "Tokens of a sequence; 0: the model's, at most 8192");
  command.add_option("--kv-memory", args->kv_memory_gib, "GiB for keys and values; 0: all sequences full");
  command.add_flag("!--no-prefix-cache", batch.keep_prefixes, "Read every prompt from its beginning");
  command.add_option("--timeout", args->service.most_seconds, "Seconds that a request may take; 0: no limit")
      ->capture_default_str();
  command
      .add_option("--receive-timeout", args->http.request_seconds, "Seconds for a request to come once it has begun")
      ->capture_default_str();
  command.add_option("--idle-timeout", args->http.idle_seconds, "Seconds that a connection may wait between requests")
      ->capture_default_str();
  command.add_option("--send-timeout", args->http.send_seconds, "Seconds for a client to take a piece of an answer")
      ->capture_default_str();
  command.add_option("--drain", args->drain_seconds, "Seconds for what is under way after SIGTERM")
      ->capture_default_str();
  command.add_option("--chat-template", args->chat_template,
                     "A file, or one of " + template_names() + "; default: the model's own");
  add_head_option(command, args->head);
  add_layout_option(command, args->layout);
  add_kv_type_option(command, args->kv_type);
  command.add_flag("--access-log", args->service.access_log,
                   "A JSON line a request on standard error, without its text");
  add_threads_option(command, args->threads);
  command.callback([args] { serve(*args); });
}

}  // namespace tern
