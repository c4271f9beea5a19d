#include "model/check.h"

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "base/text.h"
#include "formats/token_file.h"
#include "model/stored_model.h"
#include "quant/dequantize.h"
#include "quant/ternary_codecs.h"
#include "template/named_templates.h"

namespace tern {
namespace {

constexpr float kLargestF16 = 65504.0f;

using Problems = std::vector<std::string>;

// The one place where an Error is an answer: each part is looked at although others are broken.
template <class Body>
bool passes(Problems& problems, Body&& body) {
  try {
    body();
    return true;
  } catch (const Error& error) {
    problems.emplace_back(error.what());
    return false;
  }
}

void check_trits(const TensorSpec& spec, const StoredTensor& stored) {
  with_context(fmt::format("tensor {}", quote(stored.tensor.name)), [&] {
    std::vector<int8_t> trits(spec.cols);
    float scale = 0;
    for (size_t r = 0; r < spec.rows; ++r) scale = merge_scales(scale, decode_trits(stored, r, trits));
    if (!(scale > 0 && std::isfinite(scale * stored.scale))) {
      fail("expected a finite scale above 0, it is {}", scale * stored.scale);
    }
  });
}

void check_numbers(const NamedTensor& tensor) {
  const size_t cols = tensor.shape.back();
  std::vector<float> row(cols);
  size_t broken = 0;
  std::string first;
  for (size_t r = 0; r < tensor.elements() / cols; ++r) {
    dequantize(tensor, r, row);
    for (size_t c = 0; c < cols; ++c) {
      if (std::fabs(row[c]) <= kLargestF16) continue;
      if (broken++ == 0) first = fmt::format("row {} column {} is {}", r, c, row[c]);
    }
  }
  if (broken > 0) {
    fail("tensor {}: expected numbers of at most {}, {} of {} are not: {}", quote(tensor.name), kLargestF16, broken,
         tensor.elements(), first);
  }
}

void check_tensor(const TensorSpec& spec, const StoredModel& model) {
  const StoredTensor stored = model.find(spec);
  check_stored_shape(spec, stored);
  if (holds_trits(stored) && !spec.is_linear()) {
    fail("tensor {}: expected real numbers, it holds trits ({})", quote(stored.tensor.name),
         dtype_info(stored.tensor.type).name);
  }
  const bool is_ternary_layer = spec.is_linear() && model.config.weights != WeightKind::kFull;
  if (is_ternary_layer && holds_trits(stored)) return check_trits(spec, stored);
  if (is_ternary_layer) check_ternary_type(stored.tensor);
  check_numbers(stored.tensor);
}

void check_tokens(const StoredModel& model, Problems& problems) {
  const size_t vocab = model.config.vocab;
  passes(problems, [&] {
    const std::optional<Vocabulary> vocabulary = model.read_vocabulary();
    if (!vocabulary) return;
    validate(*vocabulary);
    if (vocabulary->tokens.size() > vocab) {
      fail("the tokenizer has {} tokens, the embedding only {} rows", vocabulary->tokens.size(), vocab);
    }
  });
  for (const auto& [key, id] : model.named_ids) {
    if (id < 0 || static_cast<size_t>(id) >= vocab) {
      problems.push_back(fmt::format("{}: token {}, the embedding has {} rows", key, id, vocab));
    }
  }
}

void check_template(const StoredModel& model, Problems& problems) {
  passes(problems, [&] {
    const std::optional<std::string> source = model.read_chat_template();
    if (source && is_faulty_bitnet_template(*source)) {
      fail("the chat template (\"Human: ... BITNETAssistant: \") is not the one that the model was trained with");
    }
  });
}

// Shards of a training directory: checksum, and every id below the vocabulary.
void check_shards(const std::filesystem::path& directory, size_t vocab, Problems& problems) {
  std::vector<std::filesystem::path> paths;
  for (const auto& entry : std::filesystem::directory_iterator(directory)) {
    if (entry.path().extension() == ".tok") paths.push_back(entry.path());
  }
  std::sort(paths.begin(), paths.end());
  for (const std::filesystem::path& path : paths) {
    passes(problems, [&] {
      const TokenFile shard(path);
      if (shard.info().vocabulary_size > vocab) {
        fail("{}: ids below {}, the embedding has {} rows", path.filename().string(), shard.info().vocabulary_size,
             vocab);
      }
    });
  }
}

}  // namespace

std::vector<std::string> check_model(const std::filesystem::path& path) {
  Problems problems;
  StoredModel model;
  if (!passes(problems, [&] { model = open_model(path); })) return problems;
  for (const NamedTensor& tensor : model.tensors) {
    if (!model.is_known(tensor)) {
      problems.push_back(fmt::format("tensor {} has no place in a model of this configuration", quote(tensor.name)));
    }
  }
  for (const TensorSpec& spec : model_tensors(model.config)) {
    passes(problems, [&] { check_tensor(spec, model); });
  }
  check_tokens(model, problems);
  check_template(model, problems);
  if (model.source == "run") check_shards(path, model.config.vocab, problems);
  return problems;
}

}  // namespace tern
