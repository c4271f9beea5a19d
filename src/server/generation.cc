#include "server/generation.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <ctime>
#include <numeric>
#include <random>
#include <string_view>

#include "base/clock.h"
#include "base/error.h"
#include "base/json.h"

namespace tern {
namespace {

std::string random_hex(size_t digits) {
  static std::mt19937_64 random{std::random_device{}()};
  std::string hex;
  while (hex.size() < digits) hex += fmt::format("{:016x}", random());
  hex.resize(digits);
  return hex;
}

std::string new_id(ApiKind kind) { return (kind == ApiKind::kChat ? "chatcmpl-" : "cmpl-") + random_hex(32); }

std::string new_call_id() { return "call_" + random_hex(24); }

const char* finish_reason(BatchEnd end) { return end == BatchEnd::kStopToken ? "stop" : "length"; }

// One answer to one prompt.
struct Choice {
  // `spec` outlives it; `shown`: special tokens with a text.
  Choice(const Tokenizer& tokenizer, const GenerationSpec& spec, const std::vector<int32_t>& shown)
      // A chat's answer begins a text, a completion goes on from one.
      : text_stream(tokenizer, spec.kind == ApiKind::kChat, spec.options.stops, shown) {
    if (!spec.tools.functions.empty()) call_reader.emplace(spec.tools);
  }

  AnswerPiece add(int32_t token) {
    std::string text = text_stream.add(token);
    return read(std::move(text), text_stream.stopped());
  }
  AnswerPiece finish() { return read(text_stream.finish(), true); }
  AnswerPiece read(std::string text, bool last) {
    if (!call_reader) return {std::move(text), {}};
    AnswerPiece piece = call_reader->add(text);
    if (last) piece.append(call_reader->finish());
    for (ToolCall& call : piece.calls) call.id = new_call_id();
    return piece;
  }
  // Nothing more comes, whatever the model would write.
  bool stopped() const { return text_stream.stopped() || (call_reader && call_reader->full()); }

  AnswerText text_stream;
  std::optional<ToolCallReader> call_reader;
  AnswerPiece answer;
  ChoiceLogprobs logprobs;
  size_t reported_logprobs = 0;
  size_t offset = 0;  // in code points, of the next token with logprobs
  size_t tokens = 0;
  double sum_logprobs = 0;
  double last_token_s = 0;
  bool ended = false;
  std::string finish_reason;
};

// Kept alive by the engine's listeners and the reply's on_close.
class Running : public std::enable_shared_from_this<Running> {
 public:
  Running(const GenerationContext& context, GenerationSpec spec, std::shared_ptr<HttpReply> reply)
      : context_(context),
        spec_(std::move(spec)),
        reply_(std::move(reply)),
        id_(new_id(spec_.kind)),
        created_(std::time(nullptr)),
        start_s_(now_s()) {}

  void begin() {
    if (!spec_.options.seeded) spec_.options.sampling.seed = std::random_device{}();
    const auto shown = spec_.tools.functions.empty() ? std::vector<int32_t>{} : tool_call_tokens(context_.tokenizer);
    for (const EncodedPrompt& prompt : spec_.prompts) {
      prompt_tokens_ += prompt.tokens.size();
      for (size_t k = 0; k < spec_.best_of; ++k) {
        choices_.emplace_back(context_.tokenizer, spec_, shown);
        if (spec_.echo) choices_.back().answer.content = prompt.text;
      }
    }
    open_ = choices_.size();
    submit_all();
    reply_->on_close([self = shared_from_this()] { self->abandon("abort"); });
    if (!spec_.options.stream) return;
    reply_->begin_stream();
    for (size_t i = 0; i < choices_.size(); ++i) {
      if (spec_.kind == ApiKind::kChat) send_delta(i, Json{{"role", "assistant"}, {"content", ""}}, nullptr, nullptr);
    }
  }

 private:
  void submit_all() {
    std::optional<Engine::Clock::time_point> deadline;
    if (spec_.options.seconds) {
      deadline = Engine::Clock::now() + std::chrono::microseconds(static_cast<int64_t>(*spec_.options.seconds * 1e6));
    }
    for (const EncodedPrompt& prompt : spec_.prompts) {
      if (prompt.tokens.size() <= context_.engine.context()) continue;
      throw ApiError(400,
                     fmt::format("the prompt has {} tokens, the context holds {}", prompt.tokens.size(),
                                 context_.engine.context()),
                     "prompt", "context_length_exceeded");
    }
    try {
      for (size_t p = 0; p < spec_.prompts.size(); ++p) {
        const auto id =
            context_.engine.submit(batch_request(p), deadline, [self = shared_from_this(), p](const BatchEvent& event) {
              self->context_.post([self, p, event] { self->on_event(p, event); });
            });
        if (!id) throw ApiError(429, "too many requests are waiting, try again later", "", "queue_full");
        requests_.push_back(*id);
      }
    } catch (const ApiError&) {
      cancel_all();
      throw;
    } catch (const Error& error) {
      cancel_all();
      throw ApiError(400, error.what());
    }
  }

  BatchRequest batch_request(size_t p) const {
    const GenerationOptions& options = spec_.options;
    BatchRequest request;
    request.prompt = spec_.prompts[p].tokens;
    request.stop_tokens = spec_.stop_tokens;
    // As far as the context goes; an echo needs one token for the scores' last place.
    request.max_tokens = options.max_tokens.value_or(context_.engine.context());
    request.max_tokens = std::min(request.max_tokens, context_.engine.context());
    request.choices = spec_.best_of;
    request.sampling = options.sampling;
    request.format = spec_.format;
    request.logprobs = options.logprobs || spec_.best_of > options.choices;
    request.prompt_logprobs = spec_.echo && options.logprobs;
    request.top_logprobs = options.top_logprobs;
    return request;
  }

  void on_event(size_t p, const BatchEvent& event) {
    if (done_) return;
    const size_t index = p * spec_.best_of + event.choice;
    switch (event.kind) {
      case BatchEvent::Kind::kPrompt:
        return on_prompt(p, event);
      case BatchEvent::Kind::kToken:
        return on_token(index, event);
      case BatchEvent::Kind::kEnd:
        if (event.end == BatchEnd::kDeadline)
          return give_up(ApiError(504, "the time for this request is over", "", "timeout"), "timeout");
        if (event.end == BatchEnd::kFailed) return give_up(ApiError(500, "the engine failed"), "error");
        if (event.end == BatchEnd::kShutdown) return give_up(shutting_down(), "abort");
        if (!choices_[index].ended) end_choice(index, choices_[index].finish(), finish_reason(event.end));
    }
  }

  void on_prompt(size_t p, const BatchEvent& event) {
    cached_tokens_ += event.cached_tokens;
    if (!spec_.echo) return;
    for (size_t k = 0; k < spec_.best_of; ++k) {
      Choice& choice = choices_[p * spec_.best_of + k];
      if (spec_.options.logprobs) {
        const auto& tokens = spec_.prompts[p].tokens;
        choice.logprobs.tokens.insert(choice.logprobs.tokens.begin(), tokens.begin(), tokens.end());
        std::vector<std::optional<TokenLogprobs>> values(event.prompt.begin(), event.prompt.end());
        values.front().reset();
        choice.logprobs.values.insert(choice.logprobs.values.begin(), values.begin(), values.end());
      }
      if (spec_.options.stream) send_piece(p * spec_.best_of + k, choice.answer);
    }
  }

  void on_token(size_t index, const BatchEvent& event) {
    Choice& choice = choices_[index];
    if (choice.ended) return;
    const double now = now_s();
    if (choice.tokens == 0) {
      context_.metrics.time_to_first_token.add(now - start_s_);
    } else {
      context_.metrics.inter_token.add(now - choice.last_token_s);
    }
    choice.last_token_s = now;
    ++choice.tokens;
    ++generated_tokens_;
    choice.sum_logprobs += static_cast<double>(event.logprobs.logprob);
    const bool stop_token =
        std::find(spec_.stop_tokens.begin(), spec_.stop_tokens.end(), event.token) != spec_.stop_tokens.end();
    // A stop token has no text; in completions its probability is asked for all the same (docs/serving.md).
    if (spec_.options.logprobs && (!stop_token || spec_.kind == ApiKind::kCompletion)) {
      choice.logprobs.tokens.push_back(event.token);
      choice.logprobs.values.emplace_back(event.logprobs);
    }
    if (stop_token) return;  // its end comes next
    AnswerPiece piece = choice.add(event.token);
    if (choice.stopped()) {
      context_.engine.cancel(requests_[index / spec_.best_of], index % spec_.best_of);
      return end_choice(index, std::move(piece), "stop");
    }
    give(index, std::move(piece));
  }

  // A piece to its answer, and to the client of a stream.
  void give(size_t index, AnswerPiece piece) {
    Choice& choice = choices_[index];
    const bool news = !piece.empty() || choice.reported_logprobs < choice.logprobs.tokens.size();
    if (spec_.options.stream && news) send_piece(index, piece);
    choice.answer.append(std::move(piece));
  }

  void end_choice(size_t index, AnswerPiece piece, const char* reason) {
    give(index, std::move(piece));
    Choice& choice = choices_[index];
    const bool calls = !choice.answer.calls.empty() && std::string_view(reason) == "stop";
    choice.ended = true;
    choice.finish_reason = calls ? "tool_calls" : reason;
    ++context_.metrics.finished[choice.finish_reason];
    context_.metrics.answer_size.add(static_cast<double>(choice.tokens));
    if (spec_.options.stream) send_end(index);
    if (--open_ == 0) finish();
  }

  Json logprobs_of(size_t index) {
    Choice& choice = choices_[index];
    if (!spec_.options.logprobs) return nullptr;
    const size_t first = std::exchange(choice.reported_logprobs, choice.logprobs.tokens.size());
    if (spec_.kind == ApiKind::kChat) {
      return chat_logprobs(context_.tokenizer, choice.logprobs, first, spec_.options.top_logprobs);
    }
    return completion_logprobs(context_.tokenizer, choice.logprobs, first, spec_.options.top_logprobs, choice.offset);
  }

  Json envelope(const char* object) const {
    return {{"id", id_}, {"object", object}, {"created", created_}, {"model", context_.model}};
  }

  void send_event(const Json& json) { reply_->write("data: " + json_text(json) + "\n\n"); }

  // A piece of an answer that has none of it yet: a chat's delta or a completion's text.
  void send_piece(size_t index, const AnswerPiece& piece) {
    if (spec_.kind == ApiKind::kCompletion) return send_text(index, piece.content, logprobs_of(index), nullptr);
    const size_t calls = choices_[index].answer.calls.size();
    send_delta(index, chat_delta(piece, calls), logprobs_of(index), nullptr);
  }

  void send_end(size_t index) {
    const std::string& reason = choices_[index].finish_reason;
    if (spec_.kind == ApiKind::kCompletion) return send_text(index, "", logprobs_of(index), reason);
    send_delta(index, Json::object(), nullptr, reason);
  }

  void send_text(size_t index, const std::string& text, Json logprobs, Json reason) {
    send_chunk(
        "text_completion",
        {{"index", index}, {"text", text}, {"logprobs", std::move(logprobs)}, {"finish_reason", std::move(reason)}});
  }

  void send_delta(size_t index, Json delta, Json logprobs, Json reason) {
    send_chunk("chat.completion.chunk", {{"index", index},
                                         {"delta", std::move(delta)},
                                         {"logprobs", std::move(logprobs)},
                                         {"finish_reason", std::move(reason)}});
  }

  void send_chunk(const char* object, Json choice) {
    Json chunk = envelope(object);
    chunk["choices"] = Json::array({std::move(choice)});
    if (spec_.options.include_usage) chunk["usage"] = nullptr;
    send_event(chunk);
  }

  Json usage() const { return usage_object(prompt_tokens_, generated_tokens_, cached_tokens_); }

  void finish() {
    const bool chat = spec_.kind == ApiKind::kChat;
    if (spec_.options.stream) {
      if (spec_.options.include_usage) {
        Json last = envelope(chat ? "chat.completion.chunk" : "text_completion");
        last["choices"] = Json::array();
        last["usage"] = usage();
        send_event(last);
      }
      reply_->write("data: [DONE]\n\n");
      reply_->end();
      return close();
    }
    Json body = envelope(chat ? "chat.completion" : "text_completion");
    body["choices"] = Json::array();
    for (size_t p = 0; p < spec_.prompts.size(); ++p) {
      for (const size_t index : best_choices(p)) {
        const Choice& choice = choices_[index];
        Json one = {{"index", body["choices"].size()}};
        if (chat) {
          one["message"] = chat_message(choice.answer);
        } else {
          one["text"] = choice.answer.content;
        }
        one["logprobs"] = logprobs_of(index);
        one["finish_reason"] = choice.finish_reason;
        body["choices"].push_back(std::move(one));
      }
    }
    body["usage"] = usage();
    const double seconds = now_s() - start_s_;
    body["timings"] = {{"total_ms", seconds * 1e3}};
    reply_->send(200, "application/json", json_text(body));
    close();
  }

  // The answers to a prompt that are given: all, or of more the most probable ones a token.
  std::vector<size_t> best_choices(size_t p) const {
    std::vector<size_t> order(spec_.best_of);
    std::iota(order.begin(), order.end(), p * spec_.best_of);
    if (spec_.best_of == spec_.options.choices) return order;
    const auto mean = [&](size_t i) {
      return choices_[i].sum_logprobs / static_cast<double>(std::max<size_t>(choices_[i].tokens, 1));
    };
    std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) { return mean(a) > mean(b); });
    order.resize(spec_.options.choices);
    return order;
  }

  void give_up(const ApiError& error, const char* reason) {
    if (done_) return;
    const std::string body = json_text(error_object(error));
    if (spec_.options.stream) {
      reply_->write("data: " + body + "\n\ndata: [DONE]\n\n");
      reply_->end();
    } else {
      reply_->send(error.status, "application/json", body);
    }
    abandon(reason);
  }

  void abandon(const char* reason) {
    if (done_) return;
    ++context_.metrics.finished[reason];
    cancel_all();
    close();
  }

  void cancel_all() {
    for (const uint64_t request : requests_) context_.engine.cancel(request);
  }

  void close() {
    done_ = true;
    context_.metrics.prompt_tokens += prompt_tokens_;
    context_.metrics.cached_tokens += cached_tokens_;
    context_.metrics.generated_tokens += generated_tokens_;
    context_.metrics.prompt_size.add(static_cast<double>(prompt_tokens_));
    context_.metrics.latency.add(now_s() - start_s_);
    reply_.reset();
    context_.ended();
  }

  GenerationContext context_;
  GenerationSpec spec_;
  std::shared_ptr<HttpReply> reply_;
  std::string id_;
  std::time_t created_;
  double start_s_;
  std::vector<uint64_t> requests_;  // the engine's, one a prompt
  std::vector<Choice> choices_;
  size_t open_ = 0;
  bool done_ = false;
  size_t prompt_tokens_ = 0;
  size_t cached_tokens_ = 0;
  size_t generated_tokens_ = 0;
};

}  // namespace

void generate(const GenerationContext& context, GenerationSpec spec, std::shared_ptr<HttpReply> reply) {
  std::make_shared<Running>(context, std::move(spec), std::move(reply))->begin();
}

}  // namespace tern
