#include "infer/batcher.h"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <optional>

#include "base/error.h"
#include "infer/token_logprobs.h"
#include "model/forward.h"

namespace tern {
namespace {

// Rows of logits for the scores of prompts in one pass: with a large vocabulary they are what fills the memory.
constexpr size_t kScoredRows = 64;

size_t pages_for(size_t positions, size_t page_size) { return (positions + page_size - 1) / page_size; }

}  // namespace

struct Batcher::Request {
  uint64_t id = 0;
  BatchRequest options;
  size_t open_choices = 0;
  bool prompt_read = false;  // by the first choice, whose pages the others then share
  size_t cached_tokens = 0;
  std::vector<TokenLogprobs> prompt_logprobs;
};

// One answer: its tokens so far, prompt first, of which the first `read` are in the cache.
struct Batcher::Sequence {
  Sequence(Request& request_, size_t choice_, const SamplerOptions& sampling)
      : request(&request_), choice(choice_), tokens(request_.options.prompt), sampler(sampling) {}

  // The filter is made when it is needed: of what waits there may be much.
  // `left`: tokens that may still come.
  void sample(std::span<const float> row, size_t left) {
    const BatchRequest& options = request->options;
    std::span<const uint64_t> allowed;
    if (options.format.grammar != nullptr) {
      if (!filter) filter.emplace(options.format, options.stop_tokens, row.size());
      allowed = filter->allowed(left);
    }
    const bool none =
        !allowed.empty() && std::all_of(allowed.begin(), allowed.end(), [](uint64_t word) { return word == 0; });
    sampled = none ? -1 : sampler.sample(row, tokens, allowed);
    if (options.logprobs && !none) sampled_logprobs = token_logprobs(row, sampled, options.top_logprobs);
  }

  Request* request;
  size_t choice;
  size_t slot = SIZE_MAX;  // the cache's sequence; none while it waits
  uint64_t order = 0;      // the smaller, the longer under way
  std::vector<int32_t> tokens;
  size_t read = 0;
  std::vector<uint32_t> pages;
  std::vector<TokenScore> scores;  // of the first tokens, when the prompt's are wanted
  Sampler sampler;
  std::optional<TokenFilter> filter;
  // Of the pass under way: how many tokens it reads, and its rows of the batch and of the logits.
  size_t piece = 0;
  size_t first_row = 0;
  size_t first_logits = 0;
  size_t logits = 0;
  int32_t sampled = -1;  // also where no token may come
  TokenLogprobs sampled_logprobs;

  size_t prompt_size() const { return request->options.prompt.size(); }
  size_t unread() const { return tokens.size() - read; }
  bool answering() const { return unread() == 1 && tokens.size() > prompt_size(); }
  bool scoring() const { return choice == 0 && request->options.prompt_logprobs && scores.size() < prompt_size(); }
};

Batcher::Batcher(const Model& model, const Options& options, Threads& threads)
    : model_(model),
      threads_(threads),
      options_(options),
      context_(options.context == 0 ? model.config.context : std::min(options.context, model.config.context)),
      max_batch_(options.sequences + 2 * options.prompt_piece),
      pool_(options.page_size,
            options.pages != 0 ? options.pages : options.sequences * pages_for(context_, options.page_size)),
      cache_(model.config, options.sequences, context_, KvPages{options.page_size, pool_.pages()}, options.kv_type),
      activations_(model.config, max_batch_, Kept::kOneLayer),
      logits_((options.sequences + kScoredRows) * model.config.vocab),
      running_(options.sequences) {}

Batcher::~Batcher() = default;

void Batcher::check(const BatchRequest& options) const {
  if (options.prompt.empty()) fail("the prompt has no tokens, expected at least one");
  if (options.choices == 0) fail("no answer is asked for, expected at least one");
  if (options.prompt.size() > context_) {
    fail("the prompt has {} tokens, the context holds {}", options.prompt.size(), context_);
  }
  const size_t most = std::min(context_, options.prompt.size() + options.max_tokens);
  if (pages_for(most, options_.page_size) > pool_.pages()) {
    fail("a prompt of {} tokens and an answer of up to {} need {} pages of keys and values, there are {}",
         options.prompt.size(), options.max_tokens, pages_for(most, options_.page_size), pool_.pages());
  }
  check_tokens(options.prompt, model_.config.vocab);
  if (options.format.grammar != nullptr && options.max_tokens > 0) {
    const auto least = TokenFilter(options.format, options.stop_tokens, model_.config.vocab).tokens_to_end();
    if (least && *least > most_tokens(options)) {
      fail("the shortest answer of this form takes {} tokens, max_tokens and the context leave {}", *least,
           most_tokens(options));
    }
  }
  validate(options.sampling);
}

uint64_t Batcher::add(BatchRequest options) {
  check(options);
  auto request = std::make_unique<Request>();
  request->id = next_request_++;
  request->options = std::move(options);
  request->open_choices = request->options.choices;
  request->prompt_logprobs.resize(request->options.prompt_logprobs ? request->options.prompt.size() : 0);
  for (size_t choice = 0; choice < request->options.choices; ++choice) {
    SamplerOptions sampling = request->options.sampling;
    sampling.seed += choice;
    waiting_.push_back(std::make_unique<Sequence>(*request, choice, sampling));
    waiting_.back()->order = ++order_;
  }
  const uint64_t id = request->id;
  requests_.emplace(id, std::move(request));
  return id;
}

template <class Which>
void Batcher::drop(const Which& which) {
  const auto found = [&](const std::unique_ptr<Sequence>& sequence) { return sequence != nullptr && which(*sequence); };
  std::erase_if(waiting_, found);
  for (std::unique_ptr<Sequence>& sequence : running_) {
    if (!found(sequence)) continue;
    leave(*sequence);
    sequence.reset();
  }
}

void Batcher::cancel(uint64_t id) {
  drop([&](const Sequence& sequence) { return sequence.request->id == id; });
  requests_.erase(id);
}

void Batcher::cancel(uint64_t id, size_t choice) {
  const auto found = requests_.find(id);
  if (found == requests_.end()) return;
  drop([&](const Sequence& sequence) { return sequence.request->id == id && sequence.choice == choice; });
  if (choice == 0) found->second->prompt_read = true;  // or nobody else would begin
  if (--found->second->open_choices == 0) requests_.erase(found);
}

Batcher::State Batcher::state() const {
  State state = counts_;
  state.waiting = waiting_.size();
  state.running = in_order().size();
  state.pages = pool_.pages();
  state.used_pages = pool_.used();
  return state;
}

bool Batcher::pass() {
  admit();
  plan();
  build_batch();
  if (pieces_.empty()) return false;
  ++counts_.passes;
  const MatView<float> logits = logits_.mat(batch_.logit_rows.size(), model_.config.vocab);
  forward(model_, batch_, threads_, cache_, activations_, logits);
  for (Sequence* sequence : pieces_) {
    sequence->read += sequence->piece;
    score_prompt(*sequence, logits);
  }
  sample(logits);
  for (Sequence* sequence : pieces_) {
    if (sequence->choice == 0 && !sequence->request->prompt_read && sequence->read >= sequence->prompt_size()) {
      finish_prompt(*sequence);
    }
    if (sequence->unread() == 0) accept(*sequence);
  }
  for (std::unique_ptr<Sequence>& sequence : running_) {
    if (sequence != nullptr && sequence->slot == SIZE_MAX) sequence.reset();
  }
  std::erase_if(requests_, [](const auto& entry) { return entry.second->open_choices == 0; });
  return true;
}

// Requests begin in their order; the other answers of one wait until its prompt has been read once, and let others by.
void Batcher::admit() {
  for (auto it = waiting_.begin(); it != waiting_.end();) {
    const Request& request = *(*it)->request;
    if ((*it)->choice > 0 && !request.prompt_read) {
      ++it;
      continue;
    }
    const auto slot = std::find(running_.begin(), running_.end(), nullptr);
    if (slot == running_.end() || !start(**it, static_cast<size_t>(slot - running_.begin()))) return;
    *slot = std::move(*it);
    it = waiting_.erase(it);
  }
}

// Takes over what is kept of the sequence's beginning. False when the rest has no room yet.
bool Batcher::start(Sequence& sequence, size_t slot) {
  const std::span<const int32_t> tokens(sequence.tokens);
  const bool scoring = sequence.scoring();
  PagePool::Match match;
  // The last token is read in any case: its logits are what comes next. So is, for scores, the last one that is kept.
  if (options_.keep_prefixes && !(scoring && sequence.request->options.top_logprobs > 1)) {
    match = pool_.match(tokens.first(tokens.size() - 1), scoring);
  }
  // One page more for each that is under way, or they would soon make each other wait.
  const size_t more = pages_for(tokens.size(), options_.page_size) - match.pages.size() + in_order().size();
  if (more > pool_.available()) {
    for (const uint32_t page : match.pages) pool_.release(page);
    return false;
  }
  sequence.slot = slot;
  sequence.pages = match.pages;
  sequence.read = match.pages.size() * options_.page_size;
  for (size_t i = 0; i < match.pages.size(); ++i) cache_.set_page(slot, i, match.pages[i]);
  if (match.partial.has_value() && add_page(sequence)) {
    const uint32_t page = sequence.pages.back();
    // The pool may have given just this page away; what it held is still there.
    if (page != *match.partial) cache_.copy(*match.partial, page, match.partial_tokens);
    sequence.read += match.partial_tokens;
  }
  if (scoring && sequence.read > 0) {
    match.scores.resize(sequence.read);
    if (sequence.scores.size() < match.scores.size()) sequence.scores = match.scores;
    --sequence.read;
  }
  if (sequence.tokens.size() == sequence.prompt_size() && sequence.choice == 0) {
    sequence.request->cached_tokens = sequence.read;
  }
  counts_.cached_tokens += sequence.read;
  return true;
}

bool Batcher::add_page(Sequence& sequence) {
  const std::optional<uint32_t> page = pool_.take();
  if (!page.has_value()) return false;
  cache_.set_page(sequence.slot, sequence.pages.size(), *page);
  sequence.pages.push_back(*page);
  return true;
}

// Pages for the positions up to `positions`. When there are none, the sequence that began last makes room, be it this
// one: then the result is false and it waits again.
bool Batcher::reserve(Sequence& sequence, size_t positions) {
  while (sequence.pages.size() * options_.page_size < positions) {
    if (add_page(sequence)) continue;
    Sequence* last = &sequence;
    for (const std::unique_ptr<Sequence>& other : running_) {
      if (other != nullptr && other->slot != SIZE_MAX && other->order > last->order) last = other.get();
    }
    preempt(*last);
    if (last == &sequence) return false;
  }
  return true;
}

// Back among those that wait, before all that came later, with the tokens it has. They are read again.
void Batcher::preempt(Sequence& sequence) {
  ++counts_.preemptions;
  sequence.piece = 0;
  const size_t slot = sequence.slot;
  leave(sequence);
  const auto place =
      std::find_if(waiting_.begin(), waiting_.end(), [&](const auto& other) { return other->order > sequence.order; });
  waiting_.insert(place, std::move(running_[slot]));
}

// Those under way, the ones that began first before the others.
std::vector<Batcher::Sequence*> Batcher::in_order() const {
  std::vector<Sequence*> sequences;
  for (const std::unique_ptr<Sequence>& sequence : running_) {
    if (sequence != nullptr) sequences.push_back(sequence.get());
  }
  std::sort(sequences.begin(), sequences.end(),
            [](const Sequence* a, const Sequence* b) { return a->order < b->order; });
  return sequences;
}

// What each sequence reads in this pass: every answer its last token; prompts share what is left, so that a short one
// need not wait for the end of a long one. Whoever has made room for another by then reads nothing.
void Batcher::plan() {
  std::vector<Sequence*> prompts;
  bool answers = false;
  for (Sequence* sequence : in_order()) {
    sequence->piece = 0;
    if (!sequence->answering()) {
      prompts.push_back(sequence);
    } else if (sequence->slot != SIZE_MAX && reserve(*sequence, sequence->tokens.size())) {
      sequence->piece = 1;
      answers = true;
    }
  }
  size_t room = answers ? options_.prompt_piece : 2 * options_.prompt_piece;
  // So many prompts at once that each has little would only make all of them late.
  const size_t least = std::max(options_.prompt_piece / 8, size_t{1});
  size_t scored = kScoredRows;
  // A prompt that is about to end has its first token at the end of this pass: long ones let it go alone, but not twice
  // in a row, and then hold it up little.
  const size_t little = std::max(options_.prompt_piece / 4, size_t{1});
  const auto is_long = [&](const Sequence* sequence) { return sequence->unread() > little; };
  const bool all_long = std::all_of(prompts.begin(), prompts.end(), is_long);
  long_ones_wait_ = !all_long && !long_ones_wait_;
  size_t room_of_long = all_long ? room : long_ones_wait_ ? 0 : little;
  for (size_t i = 0; i < prompts.size() && room > 0; ++i) {
    Sequence& sequence = *prompts[i];
    if (sequence.slot == SIZE_MAX) continue;
    const size_t share = std::max(room / (prompts.size() - i), std::min(room, least));
    const bool is_long_one = is_long(&sequence);
    size_t count = std::min(is_long_one ? std::min(share, room_of_long) : share, sequence.unread());
    if (sequence.scoring()) count = std::min(count, scored);
    if (count == 0 || !reserve(sequence, sequence.read + count)) continue;
    sequence.piece = count;
    room -= count;
    if (is_long_one) room_of_long -= count;
    if (sequence.scoring()) scored -= count;
  }
  // Those they waited for may have had no room for their keys and values.
  const auto reads = [](const Sequence* sequence) { return sequence->piece > 0; };
  if (long_ones_wait_ && !answers && std::none_of(prompts.begin(), prompts.end(), reads)) plan();
}

void Batcher::build_batch() {
  batch_.clear();
  pieces_.clear();
  std::vector<Sequence*> sequences = in_order();
  // Together at the end, so that each head reads its weights once.
  const auto exact = std::stable_partition(sequences.begin(), sequences.end(), [](const Sequence* sequence) {
    return !sequence->request->options.logprobs && !sequence->request->options.prompt_logprobs;
  });
  const size_t others = static_cast<size_t>(exact - sequences.begin());
  for (size_t s = 0; s < sequences.size(); ++s) {
    Sequence* sequence = sequences[s];
    if (s == others) batch_.first_exact = batch_.logit_rows.size();
    const size_t count = sequence->piece;
    if (count == 0) continue;
    sequence->first_row = batch_.size();
    sequence->first_logits = batch_.logit_rows.size();
    batch_.add(sequence->slot, sequence->read, std::span(sequence->tokens).subspan(sequence->read, count));
    const size_t end = batch_.size();
    const bool to_end = count == sequence->unread();
    for (size_t row = sequence->scoring() ? sequence->first_row : to_end ? end - 1 : end; row < end; ++row) {
      batch_.logit_rows.push_back(row);
    }
    sequence->logits = batch_.logit_rows.size() - sequence->first_logits;
    pieces_.push_back(sequence);
    if (!sequence->answering()) counts_.prompt_tokens += count;
  }
}

// Row i of a piece's logits is about the token after position read - piece + i.
void Batcher::score_prompt(Sequence& sequence, MatView<const float> logits) {
  if (!sequence.scoring()) return;
  Request& request = *sequence.request;
  const size_t first = sequence.read - sequence.piece;
  if (sequence.scores.empty()) sequence.scores.emplace_back();  // nothing says how likely the first token is
  for (size_t i = 0; i < sequence.logits; ++i) {
    const size_t position = first + i + 1;
    if (position >= sequence.prompt_size()) break;
    if (position < sequence.scores.size()) continue;
    const TokenLogprobs scored = token_logprobs(logits.row_view(sequence.first_logits + i), sequence.tokens[position],
                                                std::max(request.options.top_logprobs, size_t{1}));
    sequence.scores.push_back({scored.logprob, scored.top.front().second, scored.top.front().first});
    request.prompt_logprobs[position] = scored;
  }
}

void Batcher::finish_prompt(Sequence& sequence) {
  Request& request = *sequence.request;
  request.prompt_read = true;
  if (request.options.prompt_logprobs) {
    // What came from the cache is known by its score and the best one's.
    for (size_t i = 1; i < request.prompt_logprobs.size(); ++i) {
      TokenLogprobs& known = request.prompt_logprobs[i];
      if (!known.top.empty()) continue;
      const TokenScore& score = sequence.scores[i];
      known = {score.logprob, {{score.best, score.best_logprob}}};
    }
    for (TokenLogprobs& known : request.prompt_logprobs) {
      if (known.top.size() > request.options.top_logprobs) known.top.resize(request.options.top_logprobs);
    }
  }
  BatchEvent event;
  event.kind = BatchEvent::Kind::kPrompt;
  event.request = request.id;
  event.cached_tokens = request.cached_tokens;
  event.prompt = std::move(request.prompt_logprobs);
  events_.push_back(std::move(event));
  keep(sequence);  // for the other choices
}

// The last token of a full context is not read.
size_t Batcher::most_tokens(const BatchRequest& options) const {
  return std::min(options.max_tokens, context_ + 1 - options.prompt.size());
}

size_t Batcher::tokens_left(const Sequence& sequence) const {
  return most_tokens(sequence.request->options) - (sequence.tokens.size() - sequence.prompt_size());
}

// The next token of every sequence that has been read to its end.
void Batcher::sample(MatView<const float> logits) {
  std::vector<Sequence*> ready;
  for (Sequence* sequence : pieces_) {
    if (sequence->unread() == 0 && sequence->request->options.max_tokens > 0) ready.push_back(sequence);
  }
  threads_.for_ranges(ready.size(), 1, [&](size_t begin, size_t end) {
    for (size_t i = begin; i < end; ++i) {
      Sequence& sequence = *ready[i];
      sequence.sample(logits.row_view(sequence.first_logits + sequence.logits - 1), tokens_left(sequence));
    }
  });
}

void Batcher::accept(Sequence& sequence) {
  const BatchRequest& options = sequence.request->options;
  if (options.max_tokens == 0) return end(sequence, BatchEnd::kLength);
  if (sequence.sampled < 0)
    return end(sequence, sequence.filter->can_end() ? BatchEnd::kStopToken : BatchEnd::kNoToken);
  ++counts_.generated_tokens;
  BatchEvent event;
  event.kind = BatchEvent::Kind::kToken;
  event.request = sequence.request->id;
  event.choice = sequence.choice;
  event.token = sequence.sampled;
  event.logprobs = std::move(sequence.sampled_logprobs);
  events_.push_back(std::move(event));
  const auto& stops = options.stop_tokens;
  if (std::find(stops.begin(), stops.end(), sequence.sampled) != stops.end())
    return end(sequence, BatchEnd::kStopToken);
  sequence.tokens.push_back(sequence.sampled);
  if (sequence.filter) {
    sequence.filter->accept(sequence.sampled);
    if (sequence.filter->complete()) return end(sequence, BatchEnd::kStopToken);
  }
  if (sequence.tokens.size() - sequence.prompt_size() == options.max_tokens) return end(sequence, BatchEnd::kLength);
  if (sequence.tokens.size() > context_) end(sequence, BatchEnd::kContext);
}

void Batcher::end(Sequence& sequence, BatchEnd reason) {
  BatchEvent event;
  event.kind = BatchEvent::Kind::kEnd;
  event.request = sequence.request->id;
  event.choice = sequence.choice;
  event.end = reason;
  events_.push_back(std::move(event));
  leave(sequence);
  --sequence.request->open_choices;
}

void Batcher::keep(const Sequence& sequence) {
  if (!options_.keep_prefixes) return;
  const std::span<const TokenScore> scores(sequence.scores);
  pool_.keep(std::span(sequence.tokens).first(sequence.read), sequence.pages,
             scores.size() >= sequence.read ? scores.first(sequence.read) : std::span<const TokenScore>());
}

// Its pages are others' from now on.
void Batcher::leave(Sequence& sequence) {
  if (sequence.slot == SIZE_MAX) return;
  keep(sequence);
  for (const uint32_t page : sequence.pages) pool_.release(page);
  sequence.pages.clear();
  sequence.slot = SIZE_MAX;
  sequence.read = 0;
}

}  // namespace tern
