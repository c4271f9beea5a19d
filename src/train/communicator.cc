#include "train/communicator.h"

#include <algorithm>
#include <cassert>
#include <cstring>
#include <numeric>

#include "base/error.h"
#include "base/rng.h"
#include "formats/token_file.h"
#include "tensor/buffer.h"

namespace tern {
namespace {

constexpr size_t kHostBytes = 64;

// Floats that all other processes' parts of a sum take together while they wait for being added, and the least of one.
constexpr size_t kReduceFloats = size_t{4} << 20;
constexpr size_t kLeastChunk = 4096;

}  // namespace

std::string Communicator::name() const { return fmt::format("process {} of {} on {}", rank(), world(), host()); }

void Communicator::exchange(std::span<const OutgoingMessage> sends, std::span<const IncomingMessage> receives) {
  for (const OutgoingMessage& message : sends) sent_bytes_ += message.bytes.size();
  deliver(sends, receives);
}

void Communicator::reduce_scatter(std::span<const ParameterRange> parts, std::span<float> values) {
  assert(parts.size() == world());
  if (is_alone()) return;
  size_t longest = 0;
  for (const ParameterRange& part : parts) longest = std::max(longest, part.size());
  const size_t chunk = std::min(longest, std::max(kLeastChunk, kReduceFloats / world()));
  Buffer<float> others(chunk * world());
  for (size_t first = 0; first < longest; first += chunk) {
    const auto piece = [&](size_t r) {
      const ParameterRange& part = parts[r];
      const size_t begin = std::min(part.begin + first, part.end);
      return values.subspan(begin, std::min(chunk, part.end - begin));
    };
    const std::span<float> mine = piece(rank());
    std::vector<OutgoingMessage> sends;
    std::vector<IncomingMessage> receives;
    std::vector<float*> terms;
    for (size_t r = 0; r < world(); ++r) {
      terms.push_back(r == rank() ? mine.data() : others.data() + r * chunk);
      if (r == rank()) continue;
      if (!piece(r).empty()) sends.push_back({r, std::as_bytes(piece(r))});
      if (!mine.empty()) receives.push_back({r, std::as_writable_bytes(std::span(terms[r], mine.size()))});
    }
    exchange(sends, receives);
    if (mine.empty()) continue;
    sum_pairs<float>(terms, mine.size());
    if (rank() != 0) std::copy_n(terms[0], mine.size(), mine.data());
  }
}

std::vector<std::byte> Communicator::all_gather(Bytes mine, std::span<const size_t> sizes) {
  assert(sizes.size() == world() && mine.size() == sizes[rank()]);
  std::vector<std::byte> all(std::accumulate(sizes.begin(), sizes.end(), size_t{0}));
  std::vector<OutgoingMessage> sends;
  std::vector<IncomingMessage> receives;
  size_t begin = 0;
  for (size_t r = 0; r < world(); ++r) {
    const std::span<std::byte> place(all.data() + begin, sizes[r]);
    begin += sizes[r];
    if (r == rank()) {
      std::copy(mine.begin(), mine.end(), place.begin());
      continue;
    }
    if (!mine.empty()) sends.push_back({r, mine});
    if (!place.empty()) receives.push_back({r, place});
  }
  if (!is_alone()) exchange(sends, receives);
  return all;
}

std::vector<double> Communicator::all_gather(std::span<const double> numbers) {
  const std::vector<size_t> sizes(world(), numbers.size_bytes());
  const std::vector<std::byte> bytes = all_gather(std::as_bytes(numbers), sizes);
  std::vector<double> all(numbers.size() * world());
  if (!all.empty()) std::memcpy(all.data(), bytes.data(), bytes.size());
  return all;
}

bool Communicator::any(bool mine) {
  const double number = mine ? 1 : 0;
  const std::vector<double> all = all_gather(std::span(&number, 1));
  return std::any_of(all.begin(), all.end(), [](double value) { return value != 0; });
}

void Communicator::agree(std::string_view what, Bytes content, std::string_view advice) {
  struct Entry {
    uint64_t hash;
    char host[kHostBytes];
  };
  TokenChecksum checksum;
  checksum.add(content.size());
  checksum.add(content);
  Entry mine{mix_bits(checksum.value()), {}};
  host().copy(mine.host, kHostBytes - 1);
  const std::vector<std::byte> bytes =
      all_gather(std::as_bytes(std::span(&mine, 1)), std::vector<size_t>(world(), sizeof(Entry)));
  std::vector<Entry> all(world());
  std::memcpy(all.data(), bytes.data(), bytes.size());
  for (size_t r = 1; r < world(); ++r) {
    if (all[r].hash == all[0].hash) continue;
    fail("{} of process {} on {} is not that of process 0 on {} ({:016x}, expected {:016x}): {}", what, r, all[r].host,
         all[0].host, all[r].hash, all[0].hash, advice);
  }
}

void SingleProcess::deliver(std::span<const OutgoingMessage> sends, std::span<const IncomingMessage> receives) {
  assert(sends.empty() && receives.empty() && "there is nobody else");
  static_cast<void>(sends);
  static_cast<void>(receives);
}

Communicator& single_process() {
  static SingleProcess only;
  return only;
}

double sum_pairs(std::span<const double> numbers) {
  if (numbers.empty()) return 0;
  std::vector<double> sums(numbers.begin(), numbers.end());
  std::vector<double*> parts;
  for (double& sum : sums) parts.push_back(&sum);
  sum_pairs<double>(parts, 1);
  return sums[0];
}

}  // namespace tern
