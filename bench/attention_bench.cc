// Attention in one thread: a training step's (keys and values stored, forward, backward), prefill and decoding.
//   tern_bench_attention [--benchmark_filter=decode] [--benchmark_repetitions=15 --benchmark_report_aggregates_only]
// GMAC/s counts the multiply-accumulates below the diagonal: two products forward, five backward. GB/s is the cache
// that decoding reads.
#include <benchmark/benchmark.h>

#include <algorithm>
#include <initializer_list>
#include <string>
#include <vector>

#include "base/rng.h"
#include "model/kv_cache.h"
#include "ops/attention.h"

namespace tern {
namespace {

struct Shape {
  size_t sequences, tokens, heads, kv_heads, head_dim;

  std::string name() const {
    return "/B:" + std::to_string(sequences) + "/T:" + std::to_string(tokens) + "/H:" + std::to_string(heads) +
           "/G:" + std::to_string(kv_heads) + "/E:" + std::to_string(head_dim);
  }
  ModelConfig config() const {
    ModelConfig c;
    c.layers = 1;
    c.heads = heads;
    c.kv_heads = kv_heads;
    c.head_dim = head_dim;
    return c;
  }
};

// Whole sequences, their keys and values in the cache.
struct Problem {
  Shape shape;
  Threads threads{1};
  KvCache cache;
  AttentionScratch scratch;
  std::vector<AttentionSpan> spans;
  Buffer<float> q, k, v, out, softmax, dout, dq, dk, dv;

  Problem(const Shape& s, KvType type)
      : shape(s),
        cache(s.config(), s.sequences, s.tokens, type),
        q(numbers(s.heads, 1)),
        k(numbers(s.kv_heads, 2)),
        v(numbers(s.kv_heads, 3)),
        out(numbers(s.heads, 0)),
        softmax(rows() * 2 * s.heads),
        dout(numbers(s.heads, 4)),
        dq(numbers(s.heads, 0)),
        dk(numbers(s.kv_heads, 0)),
        dv(numbers(s.kv_heads, 0)) {
    for (size_t i = 0; i < s.sequences; ++i) spans.push_back({i, i * s.tokens, s.tokens, 0});
    store();
  }

  size_t rows() const { return shape.sequences * shape.tokens; }
  Buffer<float> numbers(size_t heads, uint64_t seed) const {
    Buffer<float> x(rows() * heads * shape.head_dim);
    Rng rng(seed);
    for (float& value : x) value = static_cast<float>(rng.uniform() * 2.0 - 1.0);
    return x;
  }
  MatView<float> mat(Buffer<float>& x) { return x.mat(rows(), x.size() / rows()); }

  void store() { store_keys_values(spans, mat(k), mat(v), threads, cache.layer(0)); }
  void forward() { attention(cache.layer(0), spans, mat(q), threads, scratch, mat(out), mat(softmax)); }
  void backward() {
    attention_backward(cache.layer(0), spans, mat(q), mat(out), mat(softmax), mat(dout), threads, scratch, mat(dq),
                       mat(dk), mat(dv));
  }
  // The next token of every sequence, as if it were the last one in the cache.
  void decode() {
    std::vector<AttentionSpan> last = spans;
    for (AttentionSpan& span : last) span = {span.sequence, span.sequence, 1, shape.tokens - 1};
    attention(cache.layer(0), last, mat(q).row_range(0, last.size()), threads, scratch,
              mat(out).row_range(0, last.size()));
  }
  double macs() const {  // of one product
    return static_cast<double>(shape.sequences * shape.heads * shape.head_dim) *
           static_cast<double>(shape.tokens * (shape.tokens + 1) / 2);
  }
};

void add(const std::string& name, const Shape& shape, KvType type, double products, void (Problem::*run)()) {
  benchmark::RegisterBenchmark((name + "/" + std::string(kv_type_name(type)) + shape.name()).c_str(),
                               [=](benchmark::State& state) {
                                 Problem problem(shape, type);
                                 for (auto _ : state) (problem.*run)();
                                 using benchmark::Counter;
                                 const double runs = static_cast<double>(state.iterations()) * 1e-9;
                                 if (products > 0) {
                                   state.counters["GMAC/s"] =
                                       Counter(runs * products * problem.macs(), Counter::kIsRate);
                                 }
                                 if (run == &Problem::decode) {
                                   const auto bytes = static_cast<double>(problem.cache.bytes());
                                   state.counters["GB/s"] = Counter(runs * bytes, Counter::kIsRate);
                                 }
                               })
      ->ComputeStatistics("min",
                          [](const std::vector<double>& runs) { return *std::min_element(runs.begin(), runs.end()); });
}

void register_all() {
  for (const Shape& shape : {Shape{12, 64, 4, 4, 32}, {16, 256, 8, 8, 32}, {4, 512, 12, 4, 64}}) {
    add("store", shape, KvType::kF32, 0, &Problem::store);
    add("forward", shape, KvType::kF32, 2, &Problem::forward);
    add("backward", shape, KvType::kF32, 5, &Problem::backward);
  }
  for (const KvType type : {KvType::kF32, KvType::kBF16, KvType::kInt8}) {
    add("prefill", {1, 512, 20, 5, 128}, type, 2, &Problem::forward);
    for (const size_t context : std::initializer_list<size_t>{256, 1024, 4096}) {
      add("decode", {1, context, 20, 5, 128}, type, 0, &Problem::decode);
    }
    add("decode", {8, 512, 20, 5, 128}, type, 0, &Problem::decode);
  }
}

}  // namespace
}  // namespace tern

int main(int argc, char** argv) {
  tern::register_all();
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 2;
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}
