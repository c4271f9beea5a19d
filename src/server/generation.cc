#include "server/generation.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <ctime>
#include <numeric>
#include <random>

#include "base/clock.h"
#include "base/error.h"
#include "base/json.h"

namespace tern {
namespace {

std::string new_id(ApiKind kind) {
  static std::mt19937_64 random{std::random_device{}()};
  return fmt::format("{}-{:016x}{:016x}", kind == ApiKind::kChat ? "chatcmpl" : "cmpl", random(), random());
}

const char* finish_reason(BatchEnd end) { return end == BatchEnd::kStopToken ? "stop" : "length"; }

// One answer to one prompt.
struct Choice {
  Choice(const Tokenizer& tokenizer, bool at_start, const std::vector<std::string>& stops)
      : text_stream(tokenizer, at_start, stops) {}

  AnswerText text_stream;
  std::string text;
  ChoiceLogprobs logprobs;
  size_t reported_logprobs = 0;
  size_t offset = 0;  // in code points, of the next token with logprobs
  size_t tokens = 0;
  double sum_logprobs = 0;
  double last_token_s = 0;
  bool ended = false;
  std::string finish;
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
    for (const EncodedPrompt& prompt : spec_.prompts) {
      prompt_tokens_ += prompt.tokens.size();
      for (size_t k = 0; k < spec_.best_of; ++k) {
        // A chat's answer begins a text, a completion goes on from one.
        choices_.emplace_back(context_.tokenizer, spec_.kind == ApiKind::kChat, spec_.options.stops);
        if (spec_.echo) choices_.back().text = prompt.text;
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
        if (!choices_[index].ended) end_choice(index, choices_[index].text_stream.finish(), finish_reason(event.end));
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
      if (spec_.options.stream) send_text(p * spec_.best_of + k, choice.text, nullptr);
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
    const std::string piece = choice.text_stream.add(event.token);
    if (choice.text_stream.stopped()) {
      context_.engine.cancel(requests_[index / spec_.best_of], index % spec_.best_of);
      return end_choice(index, piece, "stop");
    }
    choice.text += piece;
    if (spec_.options.stream && (!piece.empty() || spec_.options.logprobs)) send_text(index, piece, nullptr);
  }

  void end_choice(size_t index, const std::string& piece, const char* reason) {
    Choice& choice = choices_[index];
    choice.ended = true;
    choice.finish = reason;
    choice.text += piece;
    ++context_.metrics.finished[reason];
    context_.metrics.answer_size.add(static_cast<double>(choice.tokens));
    if (spec_.options.stream) {
      if (!piece.empty() || choice.reported_logprobs < choice.logprobs.tokens.size()) send_text(index, piece, nullptr);
      if (spec_.kind == ApiKind::kChat) {
        send_delta(index, Json::object(), nullptr, reason);
      } else {
        send_text(index, "", reason);
      }
    }
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

  // A piece of an answer: a chat's delta or a completion's text.
  void send_text(size_t index, const std::string& piece, const char* reason) {
    if (spec_.kind == ApiKind::kChat) return send_delta(index, Json{{"content", piece}}, logprobs_of(index), reason);
    Json choice = {{"index", index}, {"text", piece}, {"logprobs", logprobs_of(index)}, {"finish_reason", nullptr}};
    if (reason != nullptr) choice["finish_reason"] = reason;
    send_chunk("text_completion", std::move(choice));
  }

  void send_delta(size_t index, Json delta, Json logprobs, const char* reason) {
    Json choice = {
        {"index", index}, {"delta", std::move(delta)}, {"logprobs", std::move(logprobs)}, {"finish_reason", nullptr}};
    if (reason != nullptr) choice["finish_reason"] = reason;
    send_chunk("chat.completion.chunk", std::move(choice));
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
          one["message"] = {{"role", "assistant"}, {"content", choice.text}, {"refusal", nullptr}};
        } else {
          one["text"] = choice.text;
        }
        one["logprobs"] = logprobs_of(index);
        one["finish_reason"] = choice.finish;
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
