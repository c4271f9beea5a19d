#include "train/optimizer.h"

#include <algorithm>
#include <cassert>
#include <cmath>

#include "base/error.h"
#include "base/profile.h"
#include "base/text.h"
#include "kernels/kernels.h"
#include "train/muon.h"

namespace tern {
namespace {

constexpr size_t kChunk = 4096;  // parameters a partial sum or an update goes through at once

bool is_muon(OptimizerKind kind, const TensorSpec& spec) { return kind == OptimizerKind::kMuon && spec.is_linear(); }

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

double gradient_norm(const Parameters& gradients, Threads& threads) {
  const Timed timed(threads, "gradient norm");
  const Buffer<float>& g = gradients.data();
  std::vector<double> sums((g.size() + kChunk - 1) / kChunk);
  threads.for_ranges(sums.size(), 1, [&](size_t begin, size_t end) {
    for (size_t i = begin; i < end; ++i) {
      const float* chunk = g.data() + i * kChunk;
      sums[i] = static_cast<double>(kernels().dot(chunk, chunk, std::min(kChunk, g.size() - i * kChunk)));
    }
  });
  double total = 0;
  for (double sum : sums) total += sum;
  return std::sqrt(total);
}

Optimizer::Optimizer(OptimizerKind kind, const ModelConfig& config, ParameterRange range)
    : kind_(kind), specs_(model_tensors(config)) {
  size_t offset = 0, first = 0, second = 0;
  for (size_t i = 0; i < specs_.size(); ++i) {
    const size_t size = specs_[i].elements();
    const size_t begin = std::clamp(range.begin, offset, offset + size) - offset;
    const size_t end = std::clamp(range.end, offset, offset + size) - offset;
    offset += size;
    if (begin >= end) continue;
    const bool muon = is_muon(kind, specs_[i]);
    assert((!muon || end - begin == size) && "Muon updates whole matrices");
    pieces_.push_back({i, begin, end, first, second, muon});
    first += end - begin;
    if (!muon) second += end - begin;
  }
  first_ = Buffer<float>(first);
  second_ = Buffer<float>(second);
}

Optimizer::Optimizer(OptimizerKind kind, const ModelConfig& config)
    : Optimizer(kind, config, {0, element_count(config)}) {}

std::vector<OptimizerTensor> Optimizer::tensors() {
  std::vector<OptimizerTensor> list;
  for (const Piece& piece : pieces_) {
    const std::string name = (piece.muon ? "muon." : "adam_m.") + tern_name(specs_[piece.tensor]);
    list.push_back({name, piece.tensor, {first_.data() + piece.first, piece.end - piece.begin}});
  }
  for (const Piece& piece : pieces_) {
    if (piece.muon) continue;
    const std::string name = "adam_v." + tern_name(specs_[piece.tensor]);
    list.push_back({name, piece.tensor, {second_.data() + piece.second, piece.end - piece.begin}});
  }
  return list;
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
  for (const Piece& piece : pieces_) {
    const TensorSpec& spec = specs_[piece.tensor];
    if (piece.muon) {
      muon_update(muon, gradients.mat(piece.tensor), threads, {first_.data() + piece.first, spec.rows, spec.cols},
                  masters.mat(piece.tensor));
      continue;
    }
    step.weight_decay = spec.is_linear() ? static_cast<float>(weight_decay) : 0.0f;
    const float* g = gradients.mat(piece.tensor).data + piece.begin;
    float* p = masters.mat(piece.tensor).data + piece.begin;
    float* m = first_.data() + piece.first;
    float* v = second_.data() + piece.second;
    threads.for_ranges(piece.end - piece.begin, kChunk, [&](size_t begin, size_t end) {
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
