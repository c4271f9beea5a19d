#include "eval/perplexity.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>

#include "base/error.h"
#include "eval/choice_score.h"
#include "eval/clean_text.h"

namespace tern {
namespace {

struct NamedConvention {
  std::string_view name;
  Convention convention;
  size_t context;  // where nobody says; 0: the model's
};

constexpr std::array kConventions = {
    NamedConvention{"tern", Convention::kTern, 0}, NamedConvention{"llama.cpp", Convention::kLlamaCpp, 512},
    NamedConvention{"gptq", Convention::kGptq, 2048}, NamedConvention{"lm-eval", Convention::kLmEval, 0}};

// What is measured, by which model.
struct Measurement {
  const Model& model;
  const Tokenizer& tokenizer;
  Threads& threads;
  KvType kv_type;
  TextFormat format;
  size_t context;
  bool is_shortened;  // because the model's context is shorter than the convention's
};

struct Scored {
  LossSum loss;
  size_t bytes = 0;  // of the predicted tokens' text
  size_t words = 0;
  std::string convention;
};

// Texts whose last tokens are predicted.
class Windows {
 public:
  void add(std::vector<int32_t> tokens, size_t predicted) {
    counted_.emplace_back(tokens.size(), uint8_t{0});
    std::fill(counted_.back().end() - static_cast<ptrdiff_t>(predicted), counted_.back().end(), uint8_t{1});
    tokens_.push_back(std::move(tokens));
  }

  LossSum score(const Measurement& m) const {
    std::vector<Scorer::Text> texts;
    for (size_t w = 0; w < tokens_.size(); ++w) texts.push_back({tokens_[w], counted_[w]});
    return Scorer(m.model.config, m.context, m.kv_type).score_texts(m.model, texts, m.threads);
  }

 private:
  std::vector<std::vector<int32_t>> tokens_;
  std::vector<std::vector<uint8_t>> counted_;
};

std::string window_text(const Measurement& m) {
  return fmt::format("windows of {} tokens{}", m.context, m.is_shortened ? " (the model's context is shorter)" : "");
}

Scored score_as_tern(const Measurement& m, std::string_view text) {
  const std::vector<int32_t> ids = text_tokens(m.tokenizer, text);
  Scorer scorer(m.model.config, m.context, m.kv_type);
  Scored scored{scorer.score(m.model, ids, m.threads), m.tokenizer.decode(ids, true).size(), 0, ""};
  scored.convention = tern_convention_text(m.context);
  return scored;
}

// Whole windows, the last `predicted` tokens of each predicted; `first` takes the place of each one's first token.
Scored score_whole_windows(const Measurement& m, std::vector<int32_t> ids, size_t predicted,
                           std::optional<int32_t> first) {
  if (ids.size() < m.context) fail("expected at least {} tokens for one window, got {}", m.context, ids.size());
  Windows windows;
  Scored scored;
  for (size_t begin = 0; begin + m.context <= ids.size(); begin += m.context) {
    if (first) ids[begin] = *first;
    const std::span<const int32_t> window = std::span(ids).subspan(begin, m.context);
    windows.add({window.begin(), window.end()}, predicted);
    scored.bytes += m.tokenizer.decode(window.last(predicted), true).size();
  }
  scored.loss = windows.score(m);
  return scored;
}

Scored score_as_llama_cpp(const Measurement& m, std::string_view text) {
  if (m.context < 4) fail("windows of {} tokens, expected at least 4", m.context);
  const bool bos = m.tokenizer.add_bos() && m.tokenizer.bos_id().has_value();
  const size_t predicted = m.context - m.context / 2 - 1;
  Scored scored = score_whole_windows(m, m.tokenizer.encode(text, m.tokenizer.add_bos(), false), predicted,
                                      bos ? m.tokenizer.bos_id() : std::nullopt);
  scored.convention =
      fmt::format("llama.cpp: {}, no overlap, the last {} of each predicted, {}, what is left of the text dropped",
                  window_text(m), predicted, bos ? "each begins with BOS" : "no BOS");
  return scored;
}

Scored score_as_gptq(const Measurement& m, std::string_view text) {
  if (m.context < 2) fail("windows of {} tokens, expected at least 2", m.context);
  const bool is_wiki = m.format == TextFormat::kWikiText;
  const std::string joined = is_wiki ? wikitext_joined_rows(text) : std::string(text);
  Scored scored = score_whole_windows(m, m.tokenizer.encode(joined, m.tokenizer.add_bos(), true), m.context - 1, {});
  scored.convention = fmt::format(
      "gptq: {}, no overlap, all but the first token of each predicted, the text tokenized once{}, what is left of it "
      "dropped",
      window_text(m), is_wiki ? " (WikiText's rows joined by two line ends)" : "");
  return scored;
}

// get_rolling_token_windows() of the harness with a context of one token, and make_disjoint_window().
void add_rolling_windows(std::span<const int32_t> tokens, int32_t prefix, size_t context, Windows& windows) {
  for (size_t done = 0; done < tokens.size();) {
    const size_t predicted = std::min(context, tokens.size() - done);
    const size_t end = done + predicted;
    // As many tokens as the model reads, and the last one's target.
    const size_t size = done == 0 ? predicted : context + 1;
    std::vector<int32_t> window(tokens.begin() + static_cast<ptrdiff_t>(end - size),
                                tokens.begin() + static_cast<ptrdiff_t>(end));
    if (done == 0) window.insert(window.begin(), prefix);
    windows.add(std::move(window), predicted);
    done = end;
  }
}

Scored score_as_lm_eval(const Measurement& m, std::string_view text) {
  const bool is_wiki = m.format == TextFormat::kWikiText;
  const std::vector<std::string> documents =
      is_wiki ? wikitext_pages(text) : std::vector<std::string>{std::string(text)};
  const int32_t prefix = prefix_token(m.tokenizer);
  Windows windows;
  Scored scored;
  for (const std::string& document : documents) {
    const std::string read = is_wiki ? wikitext_detokenized(document) : document;
    add_rolling_windows(m.tokenizer.encode(read, m.tokenizer.add_bos(), true), prefix, m.context, windows);
    scored.bytes += document.size();
    scored.words += count_words(document);
  }
  scored.loss = windows.score(m);
  scored.convention = fmt::format(
      "lm-eval: rolling {}, every token predicted, {} in front, the last window's from all tokens there is room for; "
      "{}",
      window_text(m), m.tokenizer.bos_id() ? "BOS" : "end-of-text token",
      is_wiki ? fmt::format("{} WikiText articles, detokenized, words and bytes of the original", documents.size())
              : "the text is one document");
  return scored;
}

Scored score(const Measurement& m, Convention convention, std::string_view text) {
  switch (convention) {
    case Convention::kLlamaCpp:
      return score_as_llama_cpp(m, text);
    case Convention::kGptq:
      return score_as_gptq(m, text);
    case Convention::kLmEval:
      return score_as_lm_eval(m, text);
    case Convention::kTern:
      break;
  }
  return score_as_tern(m, text);
}

}  // namespace

std::vector<int32_t> text_tokens(const Tokenizer& tokenizer, std::string_view text) {
  std::vector<int32_t> ids = tokenizer.encode(text, false, true);
  if (!tokenizer.eos_ids().empty()) ids.push_back(tokenizer.eos_ids()[0]);
  return ids;
}

Convention parse_convention(std::string_view name) {
  for (const NamedConvention& named : kConventions) {
    if (named.name == name) return named.convention;
  }
  fail("unknown convention '{}', expected tern, llama.cpp, gptq or lm-eval", name);
}

size_t usual_context(Convention convention) { return kConventions[static_cast<size_t>(convention)].context; }

std::string tern_convention_text(size_t context) {
  return fmt::format(
      "tern: consecutive windows of {} tokens, no overlap, every token but the first predicted once, no BOS, "
      "end-of-text token last",
      context);
}

PerplexityResult perplexity(const Model& model, const Tokenizer& tokenizer, std::string_view text, size_t context,
                            Threads& threads, KvType kv_type, Convention convention, TextFormat format) {
  if (text.empty()) fail("expected text to evaluate, it is empty");
  if (format == TextFormat::kWikiText && convention != Convention::kGptq && convention != Convention::kLmEval) {
    fail("a text of WikiText's format, expected the convention gptq or lm-eval: others read a text as it is");
  }
  const size_t usual = usual_context(convention);
  const size_t longest = usual == 0 ? model.config.context : usual;
  Measurement m{model, tokenizer, threads, kv_type, format, context, false};
  if (context == 0) {
    m.context = std::min(longest, model.config.context);
    m.is_shortened = m.context < longest;
  }
  const Scored scored = score(m, convention, text);
  if (scored.loss.tokens == 0) fail("expected a text with a token to predict");
  if (!std::isfinite(scored.loss.nats)) fail("the model's logits are not finite numbers");
  PerplexityResult result;
  result.context = m.context;
  result.convention = scored.convention;
  result.loss = scored.loss.mean();
  result.perplexity = std::exp(result.loss);
  result.tokens = scored.loss.tokens;
  result.bytes = scored.bytes;
  result.words = scored.words;
  const double nats_a_byte = scored.loss.nats / static_cast<double>(result.bytes);
  result.bits_per_byte = nats_a_byte / std::numbers::ln2;
  if (convention == Convention::kLmEval) {
    result.word_perplexity = std::exp(scored.loss.nats / static_cast<double>(result.words));
    result.byte_perplexity = std::exp(nats_a_byte);
  }
  return result;
}

}  // namespace tern
