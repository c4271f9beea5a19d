#include "eval/score_cache.h"

#include <bit>
#include <charconv>
#include <span>
#include <vector>

#include "base/crc32c.h"
#include "base/error.h"
#include "base/rng.h"
#include "formats/token_file.h"
#include "model/tensors.h"

namespace tern {
namespace {

constexpr std::string_view kHeader = "tern evaluation scores 1\n";
constexpr size_t kRecord = 3 * 17 + 2 + 8 + 1;  // bytes of a line

std::string record(uint64_t model, uint64_t request, const ChoiceScore& score) {
  const auto bits = std::bit_cast<uint64_t>(score.log_likelihood);
  std::string line = fmt::format("{:016x} {:016x} {:016x} {:d} ", model, request, bits, score.is_greedy ? 1 : 0);
  return line + fmt::format("{:08x}\n", crc32c(as_bytes(line)));
}

uint64_t number(std::string_view digits) {
  uint64_t value = 0;
  std::from_chars(digits.data(), digits.data() + digits.size(), value, 16);
  return value;
}

template <class Row>
uint64_t hash_of_rows(size_t rows, Threads& threads, const Row& add_row) {
  std::vector<uint64_t> sums(rows);
  threads.for_ranges(rows, 16, [&](size_t begin, size_t end) {
    for (size_t row = begin; row < end; ++row) {
      TokenChecksum sum;
      add_row(row, sum);
      sums[row] = mix_bits(sum.value());
    }
  });
  TokenChecksum all;
  for (const uint64_t sum : sums) all.add(sum);
  return all.value();
}

uint64_t hash_of(const DenseMatrix& w, Threads& threads) {
  return hash_of_rows(w.rows, threads, [&](size_t row, TokenChecksum& sum) {
    std::vector<float> values(w.cols);
    w.get_row(row, VecView<float>(values.data(), values.size()));
    sum.add(std::as_bytes(std::span(values)));
  });
}

uint64_t hash_of(const TernaryMatrix& w, Threads& threads) {
  if (w.layout != TernaryLayout::kCodes) fail("expected weights in codes to hash, they are in triples");
  const uint64_t trits = hash_of_rows(w.rows, threads, [&](size_t row, TokenChecksum& sum) {
    std::vector<int8_t> values(w.cols);
    w.get_row(row, VecView<int8_t>(values.data(), values.size()));
    sum.add(std::as_bytes(std::span(values)));
  });
  return mix_bits(trits + std::bit_cast<uint32_t>(w.scale));
}

uint64_t hash_of(const Model& model, const TensorSpec& spec, Threads& threads) {
  const Weights& weights = model.weights;
  if (spec.is_norm()) {
    TokenChecksum sum;
    sum.add(std::as_bytes(std::span(weights.norm(spec).data(), spec.cols)));
    return sum.value();
  }
  if (!spec.is_linear()) return hash_of(weights.dense(spec), threads);
  const Linear& linear = weights.linear(spec);
  return linear.kind == WeightKind::kFull ? hash_of(linear.dense, threads) : hash_of(linear.ternary, threads);
}

}  // namespace

uint64_t scoring_hash(const Model& model, KvType kv_type, Threads& threads) {
  TokenChecksum sum;
  for (const TensorSpec& spec : model_tensors(model.config)) sum.add(mix_bits(hash_of(model, spec, threads)));
  sum.add(std::bit_cast<uint32_t>(model.quantized_share));
  sum.add(static_cast<uint64_t>(kv_type));
  sum.add(as_bytes(config_to_json(model.config) + std::string(head_kind_name(model.logit_head.kind))));
  return sum.value();
}

ScoreCache::ScoreCache(const std::filesystem::path& path, uint64_t model) : file_(path), model_(model) {
  const std::string text = file_.read();
  const std::string_view start = std::string_view(text).substr(0, kHeader.size());
  if (!kHeader.starts_with(start))
    fail("{}: expected a file of evaluation scores, it is something else", path.string());
  if (start.size() < kHeader.size()) {
    file_.truncate(0);
    file_.append(kHeader);
    return;
  }
  const size_t whole = text.rfind('\n') + 1;
  if (whole < text.size()) file_.truncate(whole);
  read(text.substr(0, whole), path.string());
}

void ScoreCache::read(const std::string& text, const std::string& where) {
  size_t line = 1;
  for (size_t at = kHeader.size(); at < text.size(); at += kRecord) {
    ++line;
    const std::string_view fields = std::string_view(text).substr(at, kRecord);
    if (fields.size() < kRecord)
      fail("{}: line {}: expected a record of {} bytes, it has {}", where, line, kRecord, fields.size());
    const uint64_t model = number(fields.substr(0, 16)), request = number(fields.substr(17, 16));
    const ChoiceScore score{std::bit_cast<double>(number(fields.substr(34, 16))), fields[51] == '1', 0};
    if (fields != record(model, request, score))
      fail("{}: line {}: expected a record of scores, it is damaged", where, line);
    if (model == model_) scores_.insert_or_assign(request, score);
  }
}

std::optional<ChoiceScore> ScoreCache::find(uint64_t request) const {
  const auto found = scores_.find(request);
  if (found == scores_.end()) return {};
  return found->second;
}

void ScoreCache::add(uint64_t request, const ChoiceScore& score) {
  scores_.insert_or_assign(request, ChoiceScore{score.log_likelihood, score.is_greedy, 0});
  unwritten_ += record(model_, request, score);
}

void ScoreCache::flush() {
  if (unwritten_.empty()) return;
  file_.append(unwritten_);
  unwritten_.clear();
}

}  // namespace tern
