#include "server/service.h"

#include <fmt/format.h>

#include <algorithm>
#include <ctime>

#include "base/clock.h"
#include "base/error.h"
#include "base/json.h"
#include "base/log.h"
#include "base/text.h"
#include "model/chat_format.h"
#include "model/describe.h"
#include "server/answer_formats.h"
#include "server/answer_text.h"
#include "server/chat_page.h"
#include "server/generation.h"
#include "server/metrics.h"
#include "server/openai.h"
#include "server/request_fields.h"
#include "server/tool_requests.h"

namespace tern {
namespace {

std::string dump(const Json& json) { return json_text(json); }

// In time that does not depend on where two texts differ.
bool same_secret(std::string_view a, std::string_view b) {
  unsigned difference = a.size() == b.size() ? 0 : 1;
  for (size_t i = 0; i < a.size(); ++i) {
    difference |= static_cast<unsigned>(static_cast<unsigned char>(a[i]) ^
                                        static_cast<unsigned char>(b.empty() ? 0 : b[i % b.size()]));
  }
  return difference == 0;
}

// "localhost:8080" -> "localhost"; "[::1]:80" -> "[::1]".
std::string host_name(const std::string& host) {
  const size_t colon = host.rfind(':');
  return colon == std::string::npos || host.find(']', colon) != std::string::npos ? host : host.substr(0, colon);
}

bool is_loopback_name(const std::string& name) {
  return name.empty() || name == "localhost" || name == "127.0.0.1" || name == "[::1]";
}

jinja::Value template_value(const Json& json, jinja::Heap& heap) {
  using jinja::Value;
  if (json.is_null()) return Value::none();
  if (json.is_boolean()) return Value::boolean(json.get<bool>());
  if (json.is_number_integer()) return Value::integer(json.get<int64_t>());
  if (json.is_number()) return Value::real(json.get<double>());
  if (json.is_string()) return heap.string(json.get<std::string>());
  if (json.is_array()) {
    jinja::List list;
    for (const Json& item : json) list.push_back(template_value(item, heap));
    return heap.list(std::move(list));
  }
  jinja::Map map;
  for (const auto& [key, value] : json.items()) map.emplace_back(heap.string(key), template_value(value, heap));
  return heap.map(std::move(map));
}

std::tm local_time() {
  const std::time_t now = std::time(nullptr);
  std::tm local{};
  localtime_r(&now, &local);
  return local;
}

}  // namespace

struct Service::Parts {
  Parts(const LoadedModel& loaded_, const Tokenizer& tokenizer_, std::optional<ChatTemplate> chat_template_,
        const ServiceOptions& options_, Threads& threads_)
      : loaded(loaded_),
        tokenizer(tokenizer_),
        chat_template(std::move(chat_template_)),
        options(options_),
        threads(threads_),
        formats(tokenizer),
        engine(loaded.model, options.batch, options.batch.sequences + options.most_waiting, threads),
        created(std::time(nullptr)),
        turn_ends(turn_end_tokens(tokenizer)) {}

  // What every reply goes through: headers for browsers, the count by status, the log.
  class Logged : public HttpReply {
   public:
    Logged(std::shared_ptr<HttpReply> inner, Parts& parts, const HttpRequest& request)
        : inner_(std::move(inner)), parts_(parts), method_(request.method), path_(request.path), start_s_(now_s()) {
      const std::string& id = request.header("x-request-id");
      if (!id.empty() && id.size() <= 128) headers_.emplace_back("X-Request-Id", id);
      const std::string origin = parts.allowed_origin(request);
      if (!origin.empty()) {
        headers_.emplace_back("Access-Control-Allow-Origin", origin);
        headers_.emplace_back("Vary", "Origin");
      }
    }
    ~Logged() override { log(); }

    void send(int status, std::string_view content_type, std::string body, const HttpHeaders& headers) override {
      status_ = status;
      ++parts_.metrics.responses[status];
      inner_->send(status, content_type, std::move(body), joined(headers));
      log();
    }
    void begin_stream(const HttpHeaders& headers) override {
      status_ = 200;
      ++parts_.metrics.responses[200];
      inner_->begin_stream(joined(headers));
    }
    void write(std::string_view piece) override { inner_->write(piece); }
    void end() override {
      inner_->end();
      log();
    }
    void on_close(std::function<void()> closed) override { inner_->on_close(std::move(closed)); }

   private:
    HttpHeaders joined(HttpHeaders headers) const {
      headers.insert(headers.end(), headers_.begin(), headers_.end());
      return headers;
    }
    // Never what a prompt or an answer says.
    void log() {
      if (logged_ || !parts_.options.access_log) return;
      logged_ = true;
      log_info("{}", dump({{"method", method_},
                           {"path", printable(path_, 200)},
                           {"status", status_ == 0 ? 499 : status_},
                           {"ms", static_cast<int64_t>((now_s() - start_s_) * 1e3)}}));
    }

    std::shared_ptr<HttpReply> inner_;
    Parts& parts_;
    std::string method_, path_;
    double start_s_;
    HttpHeaders headers_;
    int status_ = 0;
    bool logged_ = false;
  };

  void send_json(HttpReply& reply, const Json& json, int status = 200) const {
    reply.send(status, "application/json", dump(json));
  }

  // The origin that a browser's page may have, "" when none.
  std::string allowed_origin(const HttpRequest& request) const {
    const std::string& origin = request.header("origin");
    for (const std::string& allowed : options.origins) {
      if (!origin.empty() && (allowed == "*" || allowed == origin)) return allowed == "*" ? "*" : origin;
    }
    return "";
  }

  void check_access(const HttpRequest& request) const {
    if (options.loopback && !is_loopback_name(host_name(request.header("host")))) {
      throw ApiError(403, "the request is for another host than this server's");
    }
    // A page of another origin cannot read the answer, but must not cause one either.
    const std::string& origin = request.header("origin");
    if (!origin.empty() && request.method == "POST" && allowed_origin(request).empty()) {
      const size_t host = origin.find("://");
      if (host == std::string::npos || origin.substr(host + 3) != request.header("host")) {
        throw ApiError(403, "requests from pages of " + printable(origin) + " are not allowed");
      }
    }
    if (options.api_keys.empty() || needs_no_key(request.path)) return;
    const std::string& given = request.header("authorization");
    const std::string_view key = given.rfind("Bearer ", 0) == 0 ? std::string_view(given).substr(7) : "";
    bool right = false;
    for (const std::string& known : options.api_keys) right = same_secret(known, key) || right;
    if (!right) throw ApiError(401, "an API key is needed: Authorization: Bearer KEY", "", "invalid_api_key");
  }

  using Route = void (Parts::*)(const HttpRequest&, std::shared_ptr<HttpReply>);
  enum class Access { kKey, kAnybody };
  struct Entry {
    const char* method;
    const char* path;
    Route route;
    Access access = Access::kKey;
  };
  static const std::vector<Entry>& routes();

  static bool needs_no_key(const std::string& path) {
    return std::any_of(routes().begin(), routes().end(),
                       [&](const Entry& entry) { return path == entry.path && entry.access == Access::kAnybody; });
  }

  void dispatch(const HttpRequest& request, const std::shared_ptr<HttpReply>& reply) {
    std::string allowed;
    for (const Entry& entry : routes()) {
      if (request.path != entry.path) continue;
      const bool head = request.method == "HEAD" && std::string_view(entry.method) == "GET";
      if (request.method == entry.method || head) return (this->*entry.route)(request, reply);
      allowed += (allowed.empty() ? "" : ", ") + std::string(entry.method);
    }
    if (request.path.rfind("/v1/models/", 0) == 0 && request.method == "GET") return send_json(*reply, model_object());
    if (!allowed.empty() && request.method == "OPTIONS") {
      return reply->send(204, "text/plain", "",
                         {{"Allow", allowed},
                          {"Access-Control-Allow-Methods", allowed},
                          {"Access-Control-Allow-Headers", "Authorization, Content-Type, X-Request-Id"},
                          {"Access-Control-Max-Age", "600"}});
    }
    if (!allowed.empty()) {
      throw ApiError(405, fmt::format("{} {}: expected {}", request.method, request.path, allowed));
    }
    throw ApiError(404, "no such path: " + printable(request.path));
  }

  // It holds no secret and asks for the key itself.
  void page(const HttpRequest&, std::shared_ptr<HttpReply> reply) {
    reply->send(200, "text/html; charset=utf-8", std::string(chat_page()),
                {{"Content-Security-Policy", std::string(chat_page_policy())},
                 {"X-Content-Type-Options", "nosniff"},
                 {"Referrer-Policy", "no-referrer"},
                 {"Cache-Control", "no-cache"}});
  }

  void health(const HttpRequest&, std::shared_ptr<HttpReply> reply) { send_json(*reply, {{"status", "ok"}}); }

  void ready(const HttpRequest&, std::shared_ptr<HttpReply> reply) {
    if (draining) throw shutting_down();
    send_json(*reply, {{"status", "ok"}});
  }

  Json model_object() const {
    const ModelConfig& c = loaded.model.config;
    return {{"id", options.model_name},
            {"object", "model"},
            {"created", created},
            {"owned_by", "tern"},
            {"max_model_len", engine.context()},
            {"meta",
             {{"n_vocab", c.vocab}, {"n_ctx_train", c.context}, {"n_embd", c.dim}, {"n_params", parameter_count(c)}}}};
  }

  void models(const HttpRequest&, std::shared_ptr<HttpReply> reply) {
    send_json(*reply, {{"object", "list"}, {"data", Json::array({model_object()})}});
  }

  void props(const HttpRequest&, std::shared_ptr<HttpReply> reply) {
    send_json(*reply, {{"model", options.model_name},
                       {"context", engine.context()},
                       {"sequences", options.batch.sequences},
                       {"kv_type", kv_type_name(options.batch.kv_type)},
                       {"kernel", kernels().name},
                       {"head", head_kind_name(loaded.model.logit_head.kind)},
                       {"weights", weight_kind_name(loaded.model.config.weights)},
                       {"chat_template", chat_template ? Json(chat_template->source()) : Json(nullptr)}});
  }

  void metrics_page(const HttpRequest&, std::shared_ptr<HttpReply> reply) {
    const Batcher::State state = engine.state();
    const size_t requests = engine.requests();
    reply->send(200, "text/plain; version=0.0.4",
                metrics.text(state, requests - std::min(requests, state.running), options.model_name));
  }

  // As vLLM ("prompt" or "messages") and llama.cpp ("content") ask; special tokens are added to a prompt unless told.
  std::vector<int32_t> tokens_of(const Json& body) const {
    const Fields fields(body);
    if (fields.find("messages") != nullptr) return encode_prompt(tokenizer, render(parse_chat(body, limits)));
    const char* name = fields.find("content") != nullptr ? "content" : "prompt";
    if (fields.find(name) == nullptr) fields.refuse(name, "a text");
    std::string text;
    fields.text(name, text);
    bool special = std::string_view(name) == "prompt";
    for (const char* flag : {"add_special_tokens", "add_special"}) fields.flag(flag, special);
    return tokenizer.encode(text, special && tokenizer.add_bos(), true);
  }

  void tokenize(const HttpRequest& request, std::shared_ptr<HttpReply> reply) {
    const Json body = parse_body(request.body);
    const Fields fields(body);
    bool with_pieces = false, with_texts = false;
    fields.flag("with_pieces", with_pieces);       // llama.cpp
    fields.flag("return_token_strs", with_texts);  // vLLM
    const std::vector<int32_t> tokens = tokens_of(body);
    Json answer = {{"tokens", tokens}, {"count", tokens.size()}, {"max_model_len", engine.context()}};
    if (with_pieces) answer["tokens"] = token_pieces(tokenizer, tokens);
    if (with_texts) {
      answer["token_strs"] = Json::array();
      for (const int32_t token : tokens) answer["token_strs"].push_back(token_text(tokenizer, token));
    }
    send_json(*reply, answer);
  }

  void detokenize(const HttpRequest& request, std::shared_ptr<HttpReply> reply) {
    const Json body = parse_body(request.body);
    if (!body.contains("tokens") || !body["tokens"].is_array())
      throw ApiError(400, "tokens: expected a list of token ids", "tokens");
    std::vector<int32_t> tokens;
    for (const Json& token : body["tokens"]) {
      if (!token.is_number_integer() || token.get<int64_t>() < 0 ||
          token.get<int64_t>() >= static_cast<int64_t>(tokenizer.vocab_size())) {
        throw ApiError(400, fmt::format("tokens: expected ids below {}", tokenizer.vocab_size()), "tokens");
      }
      tokens.push_back(token.get<int32_t>());
    }
    const std::string text = tokenizer.decode(tokens);
    send_json(*reply, {{"prompt", text}, {"content", text}});
  }

  void tokenizer_info(const HttpRequest&, std::shared_ptr<HttpReply> reply) {
    const ChatRendering rendering = chat_rendering(tokenizer);
    Json info = {{"vocab_size", tokenizer.vocab_size()}, {"add_bos_token", tokenizer.add_bos()}};
    info["bos_token"] = rendering.bos_token.empty() ? Json(nullptr) : Json(rendering.bos_token);
    info["eos_token"] = rendering.eos_token.empty() ? Json(nullptr) : Json(rendering.eos_token);
    info["chat_template"] = chat_template ? Json(chat_template->source()) : Json(nullptr);
    send_json(*reply, info);
  }

  std::string render(const ChatRequest& chat) const {
    if (!chat_template) throw ApiError(400, "the model has no chat template", "messages");
    ChatRendering rendering = chat_rendering(tokenizer);
    const std::tm now = local_time();
    try {
      return chat_template->render(
          [&](jinja::Heap& heap) {
            using jinja::Value;
            jinja::Map map{{Value::view("messages"), template_value(chat.messages, heap)},
                           {Value::view("tools"), template_value(chat.tools, heap)},
                           {Value::view("documents"), Value::none()},
                           {Value::view("add_generation_prompt"), Value::boolean(true)}};
            if (!rendering.bos_token.empty())
              map.emplace_back(Value::view("bos_token"), Value::view(rendering.bos_token));
            if (!rendering.eos_token.empty())
              map.emplace_back(Value::view("eos_token"), Value::view(rendering.eos_token));
            return map;
          },
          now);
    } catch (const Error& error) {
      throw ApiError(400, error.what(), "messages");
    }
  }

  void apply_template(const HttpRequest& request, std::shared_ptr<HttpReply> reply) {
    send_json(*reply, {{"prompt", render(parse_chat(parse_body(request.body), limits))}});
  }

  void start(GenerationSpec spec, std::shared_ptr<HttpReply> reply) {
    if (draining) throw shutting_down();
    if (!spec.options.ignore_eos) {
      spec.stop_tokens = tokenizer.eos_ids();
      if (spec.kind == ApiKind::kChat)
        spec.stop_tokens.insert(spec.stop_tokens.end(), turn_ends.begin(), turn_ends.end());
    }
    spec.stop_tokens.insert(spec.stop_tokens.end(), spec.options.stop_tokens.begin(), spec.options.stop_tokens.end());
    if (options.most_seconds > 0) {
      spec.options.seconds = std::min(spec.options.seconds.value_or(options.most_seconds), options.most_seconds);
    }
    for (const auto& [token, bias] : spec.options.sampling.logit_bias) {
      if (static_cast<size_t>(token) >= loaded.model.config.vocab) {
        throw ApiError(400,
                       fmt::format("logit_bias: token {}, the vocabulary has {}", token, loaded.model.config.vocab),
                       "logit_bias");
      }
    }
    spec.grammar = formats.grammar(spec.options.structure);
    if (spec.grammar) spec.format = {spec.grammar.get(), &formats.trie(), spec.kind == ApiKind::kChat};
    ++running;
    const GenerationContext context{tokenizer,
                                    engine,
                                    metrics,
                                    options.model_name,
                                    [this](std::function<void()> task) { server->post(std::move(task)); },
                                    [this] {
                                      --running;
                                      check_drained();
                                    }};
    try {
      generate(context, std::move(spec), std::move(reply));
    } catch (...) {
      --running;
      throw;
    }
  }

  const std::vector<int32_t>& known_tokens(const Prompt& prompt, const std::string& field) const {
    const auto& tokens = std::get<std::vector<int32_t>>(prompt);
    for (const int32_t token : tokens) {
      if (static_cast<size_t>(token) < tokenizer.vocab_size()) continue;
      throw ApiError(400, fmt::format("{}: token {}, the vocabulary has {}", field, token, tokenizer.vocab_size()),
                     field);
    }
    return tokens;
  }

  void completions(const HttpRequest& request, std::shared_ptr<HttpReply> reply) {
    CompletionRequest parsed = parse_completion(parse_body(request.body), limits);
    GenerationSpec spec;
    spec.options = std::move(parsed.options);
    spec.echo = parsed.echo;
    spec.best_of = parsed.best_of;
    for (const Prompt& prompt : parsed.prompts) {
      EncodedPrompt encoded;
      if (const auto* text = std::get_if<std::string>(&prompt)) {
        encoded.tokens = tokenizer.encode(*text, parsed.add_special_tokens && tokenizer.add_bos(), true);
        if (encoded.tokens.empty() && tokenizer.bos_id()) encoded.tokens.push_back(*tokenizer.bos_id());
        encoded.text = *text;
      } else {
        encoded.tokens = known_tokens(prompt, "prompt");
        if (spec.echo) encoded.text = tokenizer.decode(encoded.tokens, true);
      }
      spec.prompts.push_back(std::move(encoded));
    }
    start(std::move(spec), std::move(reply));
  }

  void chat(const HttpRequest& request, std::shared_ptr<HttpReply> reply) {
    ChatRequest parsed = parse_chat(parse_body(request.body), limits);
    GenerationSpec spec;
    spec.kind = ApiKind::kChat;
    spec.options = std::move(parsed.options);
    spec.best_of = spec.options.choices;
    spec.prompts.push_back({encode_prompt(tokenizer, render(parsed)), ""});
    spec.tools = std::move(parsed.tool_use);
    if (spec.tools.forced) {
      spec.options.structure = forced_calls(spec.tools, tool_form(chat_template->source()));
    }
    start(std::move(spec), std::move(reply));
  }

  void embeddings(const HttpRequest& request, std::shared_ptr<HttpReply> reply) {
    const Json body = parse_body(request.body);
    if (!loaded.embedding.pooling) {
      throw ApiError(400, "model: " + options.model_name + " is no embedding model", "model");
    }
    const EmbeddingRequest parsed = parse_embedding(body, limits, loaded.model.config.dim);
    std::vector<std::vector<int32_t>> texts;
    size_t tokens = 0;
    for (const Prompt& input : parsed.inputs) {
      if (const auto* text = std::get_if<std::string>(&input)) {
        texts.push_back(tokenizer.encode(*text, tokenizer.add_bos(), false));
        if (const std::optional<int32_t> end = tokenizer.embedding_end()) texts.back().push_back(*end);
      } else {
        texts.push_back(known_tokens(input, "input"));
      }
      if (texts.back().empty() || texts.back().size() > engine.context()) {
        throw ApiError(
            400, fmt::format("input: a text of {} tokens, expected 1 to {}", texts.back().size(), engine.context()),
            "input");
      }
      tokens += texts.back().size();
    }
    const bool queued = engine.run([this, texts, tokens, reply, base64 = parsed.base64] {
      Json data = Json::array();
      std::string problem;
      try {
        if (!embedder) embedder.emplace(loaded.model, engine.context(), threads);
        for (size_t i = 0; i < texts.size(); ++i) {
          std::vector<float> vector = embedder->embed(texts[i], *loaded.embedding.pooling);
          normalize_length(vector);
          data.push_back(embedding_object(i, vector, base64));
        }
      } catch (const std::exception& error) {
        problem = error.what();
      }
      server->post([this, reply, data, problem, tokens] {
        if (!problem.empty()) return send_json(*reply, error_object(ApiError(500, problem)), 500);
        send_json(*reply, {{"object", "list"},
                           {"data", data},
                           {"model", options.model_name},
                           {"usage", {{"prompt_tokens", tokens}, {"total_tokens", tokens}}}});
      });
    });
    if (!queued) throw ApiError(429, "too many requests are waiting, try again later", "", "queue_full");
  }

  void check_drained() {
    if (running > 0 || !drained) return;
    const auto done = std::exchange(drained, nullptr);
    done();
  }

  const LoadedModel& loaded;
  const Tokenizer& tokenizer;
  std::optional<ChatTemplate> chat_template;
  ServiceOptions options;
  ApiLimits limits;
  Threads& threads;
  HttpServer* server = nullptr;
  Metrics metrics;
  std::optional<Embedder> embedder;  // the engine's thread
  AnswerFormats formats;             // which requests in the engine look into
  Engine engine;
  std::time_t created;
  std::vector<int32_t> turn_ends;
  size_t running = 0;  // generations
  bool draining = false;
  std::function<void()> drained;
};

const std::vector<Service::Parts::Entry>& Service::Parts::routes() {
  static const std::vector<Entry> entries = {
      {"GET", "/", &Parts::page, Access::kAnybody},
      {"GET", "/health", &Parts::health, Access::kAnybody},
      {"GET", "/ready", &Parts::ready},
      {"GET", "/v1/models", &Parts::models},
      {"GET", "/models", &Parts::models},
      {"GET", "/props", &Parts::props},
      {"GET", "/metrics", &Parts::metrics_page},
      {"POST", "/tokenize", &Parts::tokenize},
      {"POST", "/detokenize", &Parts::detokenize},
      {"GET", "/tokenizer_info", &Parts::tokenizer_info},
      {"POST", "/apply-template", &Parts::apply_template},
      {"POST", "/v1/completions", &Parts::completions},
      {"POST", "/v1/chat/completions", &Parts::chat},
      {"POST", "/v1/embeddings", &Parts::embeddings},
  };
  return entries;
}

Service::Service(const LoadedModel& loaded, const Tokenizer& tokenizer, std::optional<ChatTemplate> chat_template,
                 const ServiceOptions& options, Threads& threads)
    : parts_(std::make_unique<Parts>(loaded, tokenizer, std::move(chat_template), options, threads)) {}

Service::~Service() = default;

void Service::attach(HttpServer& server) { parts_->server = &server; }

void Service::handle(const HttpRequest& request, std::shared_ptr<HttpReply> reply) {
  const auto logged = std::make_shared<Parts::Logged>(std::move(reply), *parts_, request);
  const auto refuse = [&](const ApiError& error) {
    HttpHeaders headers;
    if (error.status == 429 || error.status == 503) headers.emplace_back("Retry-After", "1");
    if (error.status == 401) headers.emplace_back("WWW-Authenticate", "Bearer");
    logged->send(error.status, "application/json", dump(error_object(error)), headers);
  };
  try {
    if (request.refused != 0) throw ApiError(request.refused, request.problem);
    parts_->check_access(request);
    parts_->dispatch(request, logged);
  } catch (const ApiError& error) {
    refuse(error);
  } catch (const Error& error) {  // the tokenizer's limits
    refuse(ApiError(400, error.what()));
  }
}

void Service::detach() { parts_->engine.stop(); }

void Service::drain(double seconds, std::function<void()> done) {
  parts_->draining = true;
  parts_->drained = std::move(done);
  parts_->check_drained();
  if (!parts_->drained) return;
  parts_->server->post_after(seconds, [this] { parts_->engine.shut_down(); });
}

}  // namespace tern
