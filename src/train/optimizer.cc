#include "train/optimizer.h"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <cstring>

#include "base/error.h"
#include "base/profile.h"
#include "base/text.h"
#include "kernels/kernels.h"
#include "train/muon.h"

namespace tern {
namespace {

constexpr size_t kChunk = kShardUnit;  // parameters a partial sum or an update goes through at once

bool is_muon(OptimizerKind kind, const TensorSpec& spec) { return kind == OptimizerKind::kMuon && spec.is_linear(); }

std::string first_name(OptimizerKind kind, const TensorSpec& spec) {
  return (is_muon(kind, spec) ? "muon." : "adam_m.") + tern_name(spec);
}
std::string second_name(const TensorSpec& spec) { return "adam_v." + tern_name(spec); }

size_t element_count(const ModelConfig& config) {
  size_t count = 0;
  for (const TensorSpec& spec : model_tensors(config)) count += spec.elements();
  return count;
}

AdamWStep adamw_step(const OptimizerOptions& options, double learning_rate, float gradient_scale, int64_t updates) {
  const auto t = static_cast<double>(updates);
  AdamWStep step{};
  step.learning_rate = static_cast<float>(learning_rate);
  step.beta1 = options.beta1;
  step.beta2 = options.beta2;
  step.bias_correction1 = static_cast<float>(1.0 / (1.0 - std::pow(static_cast<double>(options.beta1), t)));
  step.bias_correction2 = static_cast<float>(1.0 / (1.0 - std::pow(static_cast<double>(options.beta2), t)));
  step.epsilon = options.epsilon;
  step.gradient_scale = gradient_scale;
  return step;
}

}  // namespace

std::string_view optimizer_name(OptimizerKind kind) { return kind == OptimizerKind::kAdamW ? "adamw" : "muon"; }

OptimizerKind parse_optimizer(std::string_view name) {
  for (OptimizerKind kind : {OptimizerKind::kAdamW, OptimizerKind::kMuon}) {
    if (optimizer_name(kind) == name) return kind;
  }
  fail("unknown optimizer {}, expected adamw or muon", quote(name));
}

double gradient_norm(const Parameters& gradients, std::span<const ParameterRange> shards, Communicator& processes,
                     Threads& threads) {
  const Timed timed(threads, "gradient norm");
  std::vector<std::span<const float>> chunks;
  std::vector<size_t> bytes;  // of every process's sums
  for (size_t r = 0; r < shards.size(); ++r) {
    size_t count = 0;
    for (const TensorPiece& piece : pieces_of(gradients.specs(), shards[r])) {
      for (size_t begin = piece.begin; begin < piece.end; begin += kChunk, ++count) {
        if (r != processes.rank()) continue;
        chunks.emplace_back(gradients.mat(piece.tensor).data + begin, std::min(kChunk, piece.end - begin));
      }
    }
    bytes.push_back(count * sizeof(double));
  }
  std::vector<double> sums(chunks.size());
  threads.for_ranges(sums.size(), 1, [&](size_t begin, size_t end) {
    for (size_t i = begin; i < end; ++i) {
      sums[i] = static_cast<double>(kernels().dot(chunks[i].data(), chunks[i].data(), chunks[i].size()));
    }
  });
  const std::vector<std::byte> all = processes.all_gather(std::as_bytes(std::span<const double>(sums)), bytes);
  sums.resize(all.size() / sizeof(double));
  std::memcpy(sums.data(), all.data(), all.size());
  double total = 0;
  for (double sum : sums) total += sum;
  return std::sqrt(total);
}

double gradient_norm(const Parameters& gradients, Threads& threads) {
  const ParameterRange all{0, gradients.count()};
  return gradient_norm(gradients, std::span(&all, 1), single_process(), threads);
}

Optimizer::Optimizer(OptimizerKind kind, const ModelConfig& config, ParameterRange range)
    : kind_(kind), specs_(model_tensors(config)) {
  size_t first = 0, second = 0;
  for (const TensorPiece& piece : pieces_of(specs_, range)) {
    const bool muon = is_muon(kind, specs_[piece.tensor]);
    assert((!muon || piece.size() == specs_[piece.tensor].elements()) && "Muon updates whole matrices");
    pieces_.push_back({piece, first, second, muon});
    first += piece.size();
    if (!muon) second += piece.size();
  }
  first_ = Buffer<float>(first);
  second_ = Buffer<float>(second);
}

Optimizer::Optimizer(OptimizerKind kind, const ModelConfig& config)
    : Optimizer(kind, config, {0, element_count(config)}) {}

std::vector<OptimizerTensor> Optimizer::tensors() {
  std::vector<OptimizerTensor> list;
  for (const auto& [piece, first, second, muon] : pieces_) {
    const std::string name = first_name(kind_, specs_[piece.tensor]);
    list.push_back({name, piece.tensor, piece.begin, {first_.data() + first, piece.size()}});
  }
  for (const auto& [piece, first, second, muon] : pieces_) {
    if (muon) continue;
    const std::string name = second_name(specs_[piece.tensor]);
    list.push_back({name, piece.tensor, piece.begin, {second_.data() + second, piece.size()}});
  }
  return list;
}

std::vector<std::pair<std::string, size_t>> Optimizer::all_names() const {
  std::vector<std::pair<std::string, size_t>> names;
  for (size_t i = 0; i < specs_.size(); ++i) names.emplace_back(first_name(kind_, specs_[i]), i);
  for (size_t i = 0; i < specs_.size(); ++i) {
    if (!is_muon(kind_, specs_[i])) names.emplace_back(second_name(specs_[i]), i);
  }
  return names;
}

void Optimizer::update(const OptimizerOptions& options, double learning_rate, double weight_decay, double norm,
                       const Parameters& gradients, Threads& threads, Parameters& masters) {
  const Timed timed(threads, "optimizer");
  ++updates_;
  const auto clip = static_cast<double>(options.clip_norm);
  const float gradient_scale = clip > 0 && norm > clip ? static_cast<float>(clip / norm) : 1.0f;
  AdamWStep step = adamw_step(options, learning_rate, gradient_scale, updates_);
  const MuonStep muon{static_cast<float>(learning_rate), static_cast<float>(weight_decay), options.momentum,
                      gradient_scale, options.newton_schulz_steps};
  for (const Memory& memory : pieces_) {
    const TensorPiece& piece = memory.piece;
    const TensorSpec& spec = specs_[piece.tensor];
    if (memory.muon) {
      muon_update(muon, gradients.mat(piece.tensor), threads, {first_.data() + memory.first, spec.rows, spec.cols},
                  masters.mat(piece.tensor));
      continue;
    }
    step.weight_decay = spec.is_linear() ? static_cast<float>(weight_decay) : 0.0f;
    const float* g = gradients.mat(piece.tensor).data + piece.begin;
    float* p = masters.mat(piece.tensor).data + piece.begin;
    float* m = first_.data() + memory.first;
    float* v = second_.data() + memory.second;
    threads.for_ranges(piece.size(), kChunk, [&](size_t begin, size_t end) {
      kernels().adamw(step, g + begin, end - begin, p + begin, m + begin, v + begin);
    });
  }
}

size_t optimizer_bytes(OptimizerKind kind, const ModelConfig& config) {
  size_t count = 0;
  for (const TensorSpec& spec : model_tensors(config)) count += spec.elements() * (is_muon(kind, spec) ? 1 : 2);
  return count * sizeof(float);
}

}  // namespace tern
