#include "train/start_model.h"

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "model/load.h"
#include "tokenizer/hf_json.h"
#include "train/corpus.h"

namespace tern {
namespace {

bool is_sub_norm(const TensorSpec& spec) {
  return spec.role == TensorRole::kAttnSubNorm || spec.role == TensorRole::kFfnSubNorm;
}

std::string in_one_line(std::string json) {
  std::erase_if(json, [](char c) { return c == '\n' || c == ' '; });
  return json;
}

// The share of numbers that are not 0 when all others are -g or +g for one g; 0 when they are anything else.
double share_of_trits(MatView<const float> values) {
  const float* end = values.data + values.rows * values.cols;
  float g = 0;
  for (const float* v = values.data; v < end; ++v) g = std::max(g, std::fabs(*v));
  size_t nonzero = 0;
  for (const float* v = values.data; v < end; ++v) {
    if (*v != 0 && std::fabs(*v) != g) return 0;
    nonzero += static_cast<size_t>(*v != 0);
  }
  return static_cast<double>(nonzero) / static_cast<double>(values.rows * values.cols);
}

}  // namespace

ModelConfig start_config(const std::string& from) { return open_model(from).config; }

StoredModel open_start_model(const TrainOptions& options) {
  StoredModel stored = open_model(options.from);
  if (const std::string_view detail = untrainable_detail(stored.config); !detail.empty()) {
    fail("{}: the model has {}, which runs but cannot be trained", stored.where, detail);
  }
  ModelConfig expected = stored.config;
  expected.weights = options.model.weights;
  expected.sub_norms = expected.sub_norms || options.model.sub_norms;
  if (options.model != expected) {
    fail("{}: the options describe another model: expected {}, they say {}", stored.where,
         in_one_line(config_to_json(expected)), in_one_line(config_to_json(options.model)));
  }
  if (options.context > stored.config.context) {
    fail("{}: context is {}, expected at most the model's {}", stored.where, options.context, stored.config.context);
  }
  return stored;
}

Vocabulary start_vocabulary(const StoredModel& stored, const std::string& tokenizer) {
  std::optional<Vocabulary> vocabulary = stored.read_vocabulary();
  if (vocabulary && !tokenizer.empty()) {
    fail("{}: the model has a tokenizer, expected none besides, got {}", stored.where, tokenizer);
  }
  if (!vocabulary && (tokenizer.empty() || tokenizer == "byte" || tokenizer == "char")) {
    fail("{}: expected a tokenizer in the model, there is none: give the file it was trained with", stored.where);
  }
  Vocabulary kept = as_run_keeps_it(vocabulary ? *std::move(vocabulary) : load_vocabulary(tokenizer));
  if (kept.tokens.size() > stored.config.vocab) {
    fail("{}: the tokenizer has {} tokens, the embedding only {} rows", stored.where, kept.tokens.size(),
         stored.config.vocab);
  }
  return kept;
}

void load_masters(const StoredModel& stored, WeightKind target, Threads& threads, Parameters& masters) {
  const bool keeps_trits = stored.config.weights != WeightKind::kFull && target != WeightKind::kFull;
  with_context(stored.where, [&] {
    for (const NamedTensor& tensor : stored.tensors) {
      if (!stored.is_known(tensor)) fail("tensor '{}' has no place in a model of this configuration", tensor.name);
    }
    for (size_t i = 0; i < masters.specs().size(); ++i) {
      const TensorSpec& spec = masters.specs()[i];
      const MatView<float> values = masters.mat(i);
      if (is_sub_norm(spec) && !stored.config.sub_norms) {
        std::fill_n(values.data, values.cols, 1.0f);
        continue;
      }
      const Buffer<float> numbers = read_numbers(spec, stored.find(spec), stored.config.head_dim, threads);
      std::copy_n(numbers.data(), spec.elements(), values.data);
      const double share = keeps_trits && spec.is_linear() ? share_of_trits(values) : 0;
      if (share == 0 || share == 1) continue;
      threads.for_ranges(spec.rows, 1, [&](size_t begin, size_t end) {
        for (size_t r = begin; r < end; ++r) {
          for (float& value : values.row_view(r)) value = static_cast<float>(static_cast<double>(value) / share);
        }
      });
    }
  });
}

}  // namespace tern
