#include "eval/choice_score.h"

#include <algorithm>
#include <cmath>
#include <optional>

#include "base/error.h"
#include "base/rng.h"
#include "base/text.h"
#include "eval/score_cache.h"
#include "formats/token_file.h"
#include "model/batch.h"
#include "model/forward.h"
#include "model/memory.h"
#include "ops/cross_entropy.h"
#include "template/letters.h"

namespace tern {
namespace {

constexpr size_t kPassTokens = 1024;              // of one forward pass
constexpr size_t kPassLogits = size_t{16} << 20;  // numbers
constexpr size_t kCacheBytes = size_t{256} << 20;
constexpr size_t kMaxSequences = 64;

// A choice as the model reads it: the last token is a target only.
struct Input {
  std::vector<int32_t> tokens;
  size_t first_wanted = 0;  // the row whose logits predict the continuation's first token
  std::span<const int32_t> targets;
  ChoiceScore* score = nullptr;
};

Input make_input(const ChoiceTokens& choice, size_t context, ChoiceScore& score) {
  if (choice.context.empty() || choice.continuation.empty()) {
    fail("a context of {} tokens and a continuation of {}, expected at least one of each", choice.context.size(),
         choice.continuation.size());
  }
  if (choice.continuation.size() > context) {
    fail("a continuation of {} tokens, the model's context holds {}", choice.continuation.size(), context);
  }
  Input input;
  input.tokens = choice.context;
  input.tokens.insert(input.tokens.end(), choice.continuation.begin(), choice.continuation.end() - 1);
  if (input.tokens.size() > context) score.cut = input.tokens.size() - context;
  input.tokens.erase(input.tokens.begin(), input.tokens.begin() + static_cast<ptrdiff_t>(score.cut));
  input.first_wanted = input.tokens.size() - choice.continuation.size();
  input.targets = choice.continuation;
  input.score = &score;
  return input;
}

// How many tokens the inputs have in common before the first logits that anyone wants; none of a single input.
size_t shared_tokens(std::span<const Input> inputs) {
  if (inputs.size() < 2) return 0;
  const std::vector<int32_t>& first = inputs[0].tokens;
  size_t shared = inputs[0].first_wanted;
  for (const Input& input : inputs.subspan(1)) {
    const auto end = first.begin() + static_cast<ptrdiff_t>(std::min(shared, input.first_wanted));
    shared = static_cast<size_t>(std::mismatch(first.begin(), end, input.tokens.begin()).first - first.begin());
  }
  return shared;
}

int32_t argmax(VecView<const float> row) {
  return static_cast<int32_t>(std::max_element(row.begin(), row.end()) - row.begin());
}

size_t longest_input(std::span<const std::vector<ChoiceTokens>> questions, size_t context) {
  size_t longest = 1;
  for (const auto& choices : questions) {
    for (const ChoiceTokens& c : choices) longest = std::max(longest, c.context.size() + c.continuation.size() - 1);
  }
  return std::min(longest, context);
}

// As many sequences as a cache of a bearable size holds.
size_t sequences_for(const ModelConfig& config, size_t capacity, KvType kv_type) {
  const size_t bytes = kv_cache_bytes(config, 1, capacity, kv_type);
  return std::clamp(kCacheBytes / bytes, size_t{1}, kMaxSequences);
}

// Of all that a score follows from but the model.
uint64_t request_hash(const Input& input) {
  TokenChecksum sum;
  sum.add(input.first_wanted);
  for (const int32_t token : input.tokens) sum.add(mix_bits(static_cast<uint64_t>(token)));
  sum.add(mix_bits(static_cast<uint64_t>(input.targets.back())));
  return mix_bits(sum.value());
}

}  // namespace

// The choices of a question, as many as the KV cache has sequences for.
struct ChoiceScorer::Group {
  std::vector<Input> inputs;
  size_t shared = 0;          // tokens that all of them begin with
  size_t first_sequence = 0;  // of its consecutive ones
  size_t question = 0;

  Group(std::span<const ChoiceTokens> choices, size_t context, std::span<ChoiceScore> scores, size_t of_question)
      : question(of_question) {
    for (size_t i = 0; i < choices.size(); ++i) inputs.push_back(make_input(choices[i], context, scores[i]));
    shared = shared_tokens(inputs);
  }
};

// Runs of tokens, one after the other, cut where a forward pass is full.
class ChoiceScorer::Pass {
 public:
  Pass(ChoiceScorer& scorer, size_t sequences, size_t capacity)
      : scorer_(scorer),
        cache_(config(), sequences, capacity, scorer.kv_type_),
        activations_(config(), kPassTokens, Kept::kOneLayer),
        max_rows_(std::clamp(kPassLogits / config().vocab, size_t{1}, kPassTokens)),
        logits_(max_rows_ * config().vocab) {}

  // The tokens [begin, end) of the input as those positions of the sequence, with the logits that are wanted of them.
  void add(size_t sequence, const Input& input, size_t begin, size_t end) {
    while (begin < end) {
      const size_t first_wanted = std::max(begin, input.first_wanted);
      const size_t rows_end = first_wanted + max_rows_ - targets_.size();
      const size_t stop = std::min({end, begin + kPassTokens - batch_.size(), rows_end});
      if (stop <= begin) {
        run();
        continue;
      }
      for (size_t at = first_wanted; at < stop; ++at) {
        batch_.logit_rows.push_back(batch_.size() + at - begin);
        targets_.push_back(input.targets[at - input.first_wanted]);
        scores_.push_back(input.score);
      }
      batch_.add(sequence, begin, std::span(input.tokens).subspan(begin, stop - begin));
      begin = stop;
    }
  }

  // Reads what was added.
  void run() {
    if (batch_.size() == 0) return;
    const MatView<float> logits = logits_.mat(targets_.size(), config().vocab);
    forward(scorer_.model_, batch_, scorer_.threads_, cache_, activations_, logits);
    std::vector<double> losses(targets_.size());
    if (!targets_.empty()) cross_entropy(logits, targets_, scorer_.threads_, losses);
    for (size_t n = 0; n < targets_.size(); ++n) {
      if (!std::isfinite(losses[n])) fail("the model's logits are not finite numbers");
      scores_[n]->log_likelihood -= losses[n];
      scores_[n]->is_greedy = scores_[n]->is_greedy && argmax(logits.row_view(n)) == targets_[n];
    }
    scorer_.tokens_read_ += batch_.size();
    batch_.clear();
    targets_.clear();
    scores_.clear();
  }

  KvCache& cache() { return cache_; }

 private:
  const ModelConfig& config() const { return scorer_.model_.config; }

  ChoiceScorer& scorer_;
  KvCache cache_;
  Activations activations_;
  size_t max_rows_;
  Buffer<float> logits_;
  Batch batch_;
  std::vector<int32_t> targets_;      // of the batch's rows of logits
  std::vector<ChoiceScore*> scores_;  // what they add to
};

int32_t prefix_token(const Tokenizer& tokenizer) {
  if (tokenizer.bos_id()) return *tokenizer.bos_id();
  if (!tokenizer.eos_ids().empty()) return tokenizer.eos_ids()[0];
  fail("a text without context, expected a tokenizer with a BOS or end-of-text token to put there");
}

ChoiceTokens encode_choice(const Tokenizer& tokenizer, std::string_view context, std::string_view continuation) {
  ChoiceTokens tokens;
  const std::string_view kept = jinja::strip(context, "", true, jinja::Ends::kRight);
  const std::string rest = std::string(context.substr(kept.size())) + std::string(continuation);
  if (!kept.empty()) tokens.context = tokenizer.encode(kept, tokenizer.add_bos(), true);
  if (tokens.context.empty()) {
    tokens.continuation = tokenizer.encode(rest, false, true);
    tokens.context = {prefix_token(tokenizer)};
    if (tokens.continuation.size() > 1 && tokens.continuation[0] == tokens.context[0]) {
      tokens.continuation.erase(tokens.continuation.begin());
    }
  } else {
    const std::vector<int32_t> both = tokenizer.encode(std::string(kept) + rest, tokenizer.add_bos(), true);
    const size_t begin = std::min(tokens.context.size(), both.size());
    tokens.continuation.assign(both.begin() + static_cast<ptrdiff_t>(begin), both.end());
  }
  if (tokens.continuation.empty()) fail("the continuation {} has no token of its own", quote(rest));
  return tokens;
}

ChoiceScorer::ChoiceScorer(const Model& model, Threads& threads, size_t context, KvType kv_type)
    : model_(model), threads_(threads), context_(context == 0 ? model.config.context : context), kv_type_(kv_type) {
  if (context_ > model.config.context) {
    fail("a context of {} tokens, expected at most the model's {}", context_, model.config.context);
  }
}

// Whether the cache has the scores of the group; then they are set.
bool ChoiceScorer::is_known(const Group& group) {
  if (cache_ == nullptr) return false;
  std::vector<ChoiceScore> known;
  for (const Input& input : group.inputs) {
    const std::optional<ChoiceScore> score = cache_->find(request_hash(input));
    if (!score) return false;
    known.push_back(*score);
  }
  for (size_t i = 0; i < known.size(); ++i) {
    known[i].cut = group.inputs[i].score->cut;
    *group.inputs[i].score = known[i];
  }
  cached_choices_ += known.size();
  return true;
}

void ChoiceScorer::keep(std::span<const Group> groups) {
  if (cache_ == nullptr) return;
  for (const Group& group : groups) {
    for (const Input& input : group.inputs) cache_->add(request_hash(input), *input.score);
  }
  cache_->flush();
}

std::vector<std::vector<ChoiceScore>> ChoiceScorer::score(std::span<const std::vector<ChoiceTokens>> questions,
                                                          const std::function<void(size_t)>& on_scored) {
  std::vector<std::vector<ChoiceScore>> scores;
  for (const auto& choices : questions) scores.emplace_back(choices.size());
  const size_t capacity = longest_input(questions, context_);
  const size_t sequences = sequences_for(model_.config, capacity, kv_type_);
  for (const auto& choices : questions) {
    for (const ChoiceTokens& choice : choices) check_tokens(choice.continuation, model_.config.vocab);
  }
  std::vector<Group> groups;
  for (size_t q = 0; q < questions.size(); ++q) {
    for (size_t begin = 0; begin < questions[q].size(); begin += sequences) {
      const size_t count = std::min(sequences, questions[q].size() - begin);
      groups.emplace_back(std::span(questions[q]).subspan(begin, count), context_,
                          std::span(scores[q]).subspan(begin, count), q);
      if (is_known(groups.back())) groups.pop_back();
    }
  }
  if (groups.empty()) {
    if (on_scored) on_scored(questions.size());
    return scores;
  }
  Pass pass(*this, sequences, capacity);
  for (size_t begin = 0; begin < groups.size();) {
    size_t end = begin;  // of the groups that the cache has room for
    for (size_t used = 0; end < groups.size() && used + groups[end].inputs.size() <= sequences; ++end) {
      groups[end].first_sequence = used;
      used += groups[end].inputs.size();
    }
    const std::span<const Group> together = std::span(groups).subspan(begin, end - begin);
    for (const Group& group : together) pass.add(group.first_sequence, group.inputs[0], 0, group.shared);
    pass.run();
    for (const Group& group : together) {
      for (size_t i = 0; i < group.inputs.size(); ++i) {
        const size_t sequence = group.first_sequence + i;
        if (i > 0) pass.cache().copy(group.first_sequence, sequence, group.shared);
        pass.add(sequence, group.inputs[i], group.shared, group.inputs[i].tokens.size());
      }
    }
    pass.run();
    keep(together);
    begin = end;
    if (on_scored) on_scored(end < groups.size() ? groups[end].question : questions.size());
  }
  return scores;
}

}  // namespace tern
