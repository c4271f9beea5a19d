#include "infer/session.h"

#include <algorithm>

#include "base/clock.h"
#include "base/error.h"
#include "infer/prompt_lookup.h"

namespace tern {

std::string_view stop_reason_name(StopReason reason) {
  switch (reason) {
    case StopReason::kEndToken:
      return "end of text";
    case StopReason::kLength:
      return "length";
    case StopReason::kContext:
      return "context full";
    case StopReason::kInterrupted:
      return "interrupted";
  }
  return "";
}

Session::Session(const Model& model, const Tokenizer& tokenizer, size_t context, Threads& threads, KvType kv_type)
    : tokenizer_(tokenizer),
      decoder_(model, 1, context, std::min(kPrefillTokens, context == 0 ? model.config.context : context), threads,
               kv_type) {}

MatView<const float> Session::read(const Batch& batch) {
  cached_.resize(static_cast<size_t>(batch.positions.front()));  // should decode() fail, nothing else is relied on
  const MatView<const float> logits = decoder_.decode(batch);
  cached_.insert(cached_.end(), batch.tokens.begin(), batch.tokens.end());
  return logits;
}

bool Session::ends(int32_t token, std::span<const int32_t> more_stop_tokens) const {
  return tokenizer_.is_eos(token) ||
         std::find(more_stop_tokens.begin(), more_stop_tokens.end(), token) != more_stop_tokens.end();
}

MatView<const float> Session::prefill(std::span<const int32_t> prompt, size_t reused, const std::atomic<bool>* stop) {
  MatView<const float> logits;
  for (size_t begin = reused; begin < prompt.size(); begin += decoder_.max_batch()) {
    if (stop != nullptr && stop->load()) return {};
    const size_t count = std::min(decoder_.max_batch(), prompt.size() - begin);
    Batch batch;
    batch.add(0, begin, prompt.subspan(begin, count));
    if (begin + count == prompt.size()) batch.want_last_logits();
    logits = read(batch);
  }
  return logits;
}

// Positions after a wrong guess are written again before anything reads them.
MatView<const float> Session::read_draft(std::span<const int32_t> history, std::span<const int32_t> draft) {
  std::vector<int32_t> tokens = {history.back()};
  tokens.insert(tokens.end(), draft.begin(), draft.end());
  Batch batch;
  batch.add(0, history.size() - 1, tokens);
  batch.want_all_logits();
  return read(batch);
}

Generation Session::generate(const Request& request) {
  if (request.prompt.empty()) fail("the prompt has no tokens, expected at least one");
  if (request.prompt.size() > decoder_.context()) {
    fail("the prompt has {} tokens, the context holds {}", request.prompt.size(), decoder_.context());
  }
  Generation result;
  result.prompt_tokens = request.prompt.size();
  Sampler sampler(request.sampling);
  std::vector<int32_t> history(request.prompt.begin(), request.prompt.end());
  const double start = now_s();
  // The last token is read in any case: its logits are what begins the answer.
  const auto same = std::mismatch(request.prompt.begin(), request.prompt.end() - 1, cached_.begin(), cached_.end());
  result.reused_tokens = static_cast<size_t>(same.first - request.prompt.begin());
  MatView<const float> logits = prefill(request.prompt, result.reused_tokens, request.stop);
  const double first = now_s();
  result.prefill_s = first - start;
  std::vector<int32_t> draft;
  size_t row = 0;  // of the logits: row i follows the first i tokens of the draft
  while (result.tokens.size() < request.max_tokens) {
    if (request.stop != nullptr && request.stop->load()) {
      result.reason = StopReason::kInterrupted;
      break;
    }
    const int32_t token = sampler.sample(logits.row_view(row), history);
    if (ends(token, request.more_stop_tokens)) {
      result.reason = StopReason::kEndToken;
      break;
    }
    result.tokens.push_back(token);
    history.push_back(token);
    if (request.on_token) request.on_token(token);
    if (result.tokens.size() == request.max_tokens) break;
    if (history.size() > decoder_.context()) {
      result.reason = StopReason::kContext;
      break;
    }
    if (row < draft.size() && draft[row] == token) {  // the model has read it already
      ++row;
      ++result.accepted;
      continue;
    }
    const size_t room = std::min(
        {decoder_.context() - history.size(), decoder_.max_batch() - 1, request.max_tokens - result.tokens.size() - 1});
    draft = lookup_draft(history, std::min(request.speculate, room));
    result.drafted += draft.size();
    row = 0;
    logits = read_draft(history, draft);
  }
  result.decode_s = now_s() - first;
  return result;
}

}  // namespace tern
