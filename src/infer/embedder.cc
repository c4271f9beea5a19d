#include "infer/embedder.h"

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "infer/decoder.h"
#include "model/forward.h"
#include "ops/rmsnorm.h"

namespace tern {
namespace {

constexpr Pooling kPoolings[] = {Pooling::kLast, Pooling::kMean, Pooling::kFirst};

}  // namespace

std::string_view pooling_name(Pooling pooling) {
  switch (pooling) {
    case Pooling::kLast:
      return "last";
    case Pooling::kMean:
      return "mean";
    case Pooling::kFirst:
      return "first";
  }
  return "";
}

Pooling parse_pooling(std::string_view name) {
  for (const Pooling pooling : kPoolings) {
    if (name == pooling_name(pooling)) return pooling;
  }
  fail("unknown pooling '{}', expected last, mean or first", name);
}

Embedder::Embedder(const Model& model, size_t context, Threads& threads)
    : model_(model),
      threads_(threads),
      context_(context == 0 ? model.config.context : std::min(context, model.config.context)),
      cache_(model.config, 1, context_),
      activations_(model.config, std::min(context_, kPrefillTokens), Kept::kOneLayer) {}

std::vector<float> Embedder::embed(std::span<const int32_t> tokens, Pooling pooling) {
  if (tokens.empty()) fail("expected at least one token to embed, there is none");
  if (tokens.size() > context_) fail("{} tokens to embed, the context holds {}", tokens.size(), context_);
  const size_t D = model_.config.dim;
  Buffer<float> states(activations_.max_tokens * D);
  Buffer<float> r(activations_.max_tokens);
  std::vector<double> pooled(D);
  for (size_t begin = 0; begin < tokens.size(); begin += activations_.max_tokens) {
    const size_t count = std::min(activations_.max_tokens, tokens.size() - begin);
    Batch batch;
    batch.add(0, begin, tokens.subspan(begin, count));
    forward(model_, batch, threads_, cache_, activations_, {});
    rmsnorm(activations_.x_out.mat(count, D), model_.weights.output_norm.view(), model_.config.norm_eps, threads_,
            r.view(), states.mat(count, D));
    for (size_t n = 0; n < count; ++n) {
      const size_t position = begin + n;
      const bool wanted = pooling == Pooling::kMean || position == (pooling == Pooling::kFirst ? 0 : tokens.size() - 1);
      if (!wanted) continue;
      for (size_t i = 0; i < D; ++i) pooled[i] += static_cast<double>(states[n * D + i]);
    }
  }
  const double count = pooling == Pooling::kMean ? static_cast<double>(tokens.size()) : 1;
  std::vector<float> embedding(D);
  for (size_t i = 0; i < D; ++i) embedding[i] = static_cast<float>(pooled[i] / count);
  return embedding;
}

void normalize_length(std::span<float> vector) {
  double square = 0;
  for (const float value : vector) square += static_cast<double>(value) * static_cast<double>(value);
  if (square == 0) return;
  const double length = std::sqrt(square);
  for (float& value : vector) value = static_cast<float>(static_cast<double>(value) / length);
}

}  // namespace tern
