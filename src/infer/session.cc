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

MatView<const float> Session::prefill(std::span<const int32_t> prompt) {
  MatView<const float> logits;
  for (size_t begin = 0; begin < prompt.size(); begin += decoder_.max_batch()) {
    const size_t count = std::min(decoder_.max_batch(), prompt.size() - begin);
    Batch batch;
    batch.add(0, begin, prompt.subspan(begin, count));
    if (begin + count == prompt.size()) batch.want_last_logits();
    logits = decoder_.decode(batch);
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
  return decoder_.decode(batch);
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
  MatView<const float> logits = prefill(request.prompt);
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
    if (tokenizer_.is_eos(token)) {
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
