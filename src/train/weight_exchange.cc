#include "train/weight_exchange.h"

#include <array>
#include <cassert>
#include <cstring>
#include <functional>

#include "base/profile.h"
#include "base/rng.h"
#include "formats/token_file.h"
#include "kernels/kernels.h"

namespace tern {
namespace {

constexpr size_t kGrain = 1 << 16;  // numbers a thread converts at once

// A stretch of the model's memory: bytes that go over as they are, or f32 numbers that bf16 holds.
struct Stretch {
  std::span<std::byte> bytes;
  std::span<float> rounded;

  size_t packed_size() const { return bytes.size() + rounded.size() * sizeof(uint16_t); }
};

template <class T>
std::span<std::byte> bytes_of(T* data, size_t count) {
  return std::as_writable_bytes(std::span(data, count));
}

// The memory that holds a shard's weights, in order.
std::vector<Stretch> stretches(std::span<const TensorSpec> specs, ParameterRange shard, Model& model) {
  std::vector<Stretch> list;
  for (const TensorPiece& piece : pieces_of(specs, shard)) {
    const TensorSpec& spec = specs[piece.tensor];
    if (spec.is_norm()) {
      list.push_back({bytes_of(model.weights.norm(spec).data(), spec.cols), {}});
    } else if (spec.is_linear() && model.config.weights != WeightKind::kFull) {
      TernaryMatrix& matrix = model.weights.linear(spec).ternary;
      list.push_back({bytes_of(matrix.panels.data(), matrix.panels.size()), {}});
      list.push_back({bytes_of(&matrix.scale, 1), {}});
    } else {
      DenseMatrix& matrix = spec.is_linear() ? model.weights.linear(spec).dense : model.weights.dense(spec);
      assert(matrix.layout == DenseLayout::kPanels && matrix.type == DType::kF32);
      const size_t begin = piece.begin / spec.cols / kPanel * matrix.panel_size();
      const size_t end = round_up_to_panel(piece.end / spec.cols) / kPanel * matrix.panel_size();
      if (spec.is_linear() && model.quantized_share > 0) {  // on the way to ternary: no numbers that bf16 holds
        list.push_back({bytes_of(matrix.f32.data() + begin, end - begin), {}});
      } else {
        list.push_back({{}, {matrix.f32.data() + begin, end - begin}});
      }
    }
  }
  return list;
}

void pack(const Stretch& from, Threads& threads, std::byte* to) {
  if (!from.bytes.empty()) std::memcpy(to, from.bytes.data(), from.bytes.size());
  threads.for_ranges(from.rounded.size(), kGrain, [&](size_t begin, size_t end) {
    std::vector<uint16_t> bits(end - begin);
    kernels().round_bf16(from.rounded.data() + begin, bits.size(), bits.data());
    std::memcpy(to + begin * sizeof(uint16_t), bits.data(), bits.size() * sizeof(uint16_t));
  });
}

void unpack(const std::byte* from, Threads& threads, const Stretch& to) {
  if (!to.bytes.empty()) std::memcpy(to.bytes.data(), from, to.bytes.size());
  threads.for_ranges(to.rounded.size(), kGrain, [&](size_t begin, size_t end) {
    std::vector<uint16_t> bits(end - begin);
    std::memcpy(bits.data(), from + begin * sizeof(uint16_t), bits.size() * sizeof(uint16_t));
    kernels().expand_bf16(bits.data(), bits.size(), to.rounded.data() + begin);
  });
}

}  // namespace

size_t packed_bytes(std::span<const TensorSpec> specs, ParameterRange shard, const Model& model) {
  size_t bytes = 0;
  for (const Stretch& stretch : stretches(specs, shard, const_cast<Model&>(model))) bytes += stretch.packed_size();
  return bytes;
}

TritCounts gather_weights(std::span<const TensorSpec> specs, std::span<const ParameterRange> shards,
                          const TritCounts& counts, Communicator& processes, Threads& threads, Model& model) {
  if (processes.is_alone()) return counts;
  const Timed timed(threads, "gathering of weights");
  using Counts = std::array<uint64_t, 3>;  // what each process's bytes begin with
  std::vector<size_t> sizes;
  for (const ParameterRange& shard : shards) sizes.push_back(sizeof(Counts) + packed_bytes(specs, shard, model));
  std::vector<std::byte> mine(sizes[processes.rank()]);
  const Counts own{counts.trits, counts.zeros, counts.flips};
  std::memcpy(mine.data(), own.data(), sizeof(own));
  std::byte* to = mine.data() + sizeof(own);
  for (const Stretch& stretch : stretches(specs, shards[processes.rank()], model)) {
    pack(stretch, threads, to);
    to += stretch.packed_size();
  }
  const std::vector<std::byte> all = processes.all_gather(mine, sizes);
  TritCounts sum;
  const std::byte* from = all.data();
  for (size_t r = 0; r < shards.size(); ++r) {
    Counts theirs{};
    std::memcpy(theirs.data(), from, sizeof(theirs));
    sum.trits += theirs[0];
    sum.zeros += theirs[1];
    sum.flips += theirs[2];
    from += sizeof(theirs);
    for (const Stretch& stretch : stretches(specs, shards[r], model)) {
      if (r != processes.rank()) unpack(from, threads, stretch);
      from += stretch.packed_size();
    }
  }
  return sum;
}

uint64_t weights_hash(std::span<const TensorSpec> specs, const Model& model) {
  uint64_t hash = 0;
  size_t elements = 0;
  for (const TensorSpec& spec : specs) elements += spec.elements();
  for (const Stretch& stretch : stretches(specs, {0, elements}, const_cast<Model&>(model))) {
    TokenChecksum part;
    part.add(hash);
    part.add(stretch.bytes.empty() ? std::as_bytes(stretch.rounded) : Bytes(stretch.bytes));
    hash = mix_bits(part.value());
  }
  return hash;
}

}  // namespace tern
