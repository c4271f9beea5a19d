// Micro-benchmarks of every kernel of every table this processor runs, in one thread:
//   tern_bench_kernels [--benchmark_filter=avx2/gemm_f32] [--benchmark_repetitions=5
//   --benchmark_report_aggregates_only]
// GMAC/s counts multiply-accumulates (two floating-point operations each); GB/s the bytes of the operands, each once.
// What models keep in buffers is aligned as they are.
#include <benchmark/benchmark.h>
#include <array>

#include <algorithm>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <string>
#include <utility>
#include <vector>

#include "base/rng.h"
#include "kernels/kernels.h"
#include "tensor/buffer.h"

namespace tern {
namespace {

std::vector<float> random_floats(size_t n, uint64_t seed) {
  Rng rng(seed);
  std::vector<float> x(n);
  for (float& v : x) v = static_cast<float>(rng.uniform() * 2.0 - 1.0);
  return x;
}

struct Work {
  double macs = 0;   // of one call
  double bytes = 0;  // of one call
};

void report(benchmark::State& state, const Work& work) {
  const auto calls = static_cast<double>(state.iterations());
  using benchmark::Counter;
  if (work.macs > 0) state.counters["GMAC/s"] = Counter(calls * work.macs * 1e-9, Counter::kIsRate);
  if (work.bytes > 0) state.counters["GB/s"] = Counter(calls * work.bytes * 1e-9, Counter::kIsRate);
}

void add(const std::string& name, std::function<void(benchmark::State&)> body) {
  benchmark::RegisterBenchmark(name.c_str(), [body](benchmark::State& state) {
    body(state);
  })->ComputeStatistics("max", [](const std::vector<double>& runs) {
    return *std::max_element(runs.begin(), runs.end());
  });
}

std::string shape(size_t m, size_t n, size_t k) {
  return "/m:" + std::to_string(m) + "/n:" + std::to_string(n) + "/k:" + std::to_string(k);
}

void ternary_gemm(benchmark::State& state, const Kernels& table, size_t m, size_t rows, size_t k) {
  const size_t blocks = (k + 15) / 16;
  Buffer<uint8_t> panels(round_up_to_panel(rows) / kPanel * blocks * kTernaryBlockBytes);
  Buffer<int8_t> q(m * blocks * 16);
  Rng rng(1);
  for (uint8_t& byte : panels) {
    for (int f = 0; f < 4; ++f) byte = static_cast<uint8_t>(byte * 4 + rng.below(3));
  }
  for (int8_t& value : q) value = static_cast<int8_t>(static_cast<int>(rng.below(255)) - 127);
  const std::vector<int32_t> q_sum(m, 17);
  const std::vector<float> row_scale(m, 0.01f);
  Buffer<float> out(m * rows);
  for (auto _ : state) {
    table.ternary_gemm(panels.data(), rows, blocks, q.data(), blocks * 16, q_sum.data(), row_scale.data(), m,
                       out.data(), rows);
    benchmark::ClobberMemory();
  }
  report(state, {static_cast<double>(m * rows * k), static_cast<double>(panels.size() + q.size() + out.size() * 4)});
}

enum class TripleStep { kTables, kGemm, kPack, kUnpack };

// Products of m tokens with triples of trits, and what they need before.
void triples(benchmark::State& state, const Kernels& table, TripleStep step, size_t m, size_t rows, size_t k) {
  const size_t panels = (rows + kTriplePanel - 1) / kTriplePanel;
  std::vector<uint8_t> codes(round_up_to_panel(rows) / kPanel * ((k + 15) / 16) * kTernaryBlockBytes);
  Rng rng(1);
  for (uint8_t& byte : codes) {
    for (int f = 0; f < 4; ++f) byte = static_cast<uint8_t>(byte * 4 + rng.below(3));
  }
  std::vector<int8_t> q(k);
  for (int8_t& value : q) value = static_cast<int8_t>(static_cast<int>(rng.below(255)) - 127);
  Buffer<uint8_t> packed(panels * triple_blocks(k) * kTripleBlockBytes);
  Buffer<uint8_t> tables(m * triple_blocks(k) * table.triple_table_bytes);
  const std::vector<float> row_scale(m, 0.01f);
  std::vector<float> out(m * rows);
  table.pack_triples(codes.data(), rows, k, packed.data());
  for (size_t t = 0; t < m; ++t) {
    table.triple_tables(q.data(), k, tables.data() + t * triple_blocks(k) * table.triple_table_bytes);
  }
  for (auto _ : state) {
    if (step == TripleStep::kTables) table.triple_tables(q.data(), k, tables.data());
    if (step == TripleStep::kGemm) {
      table.triple_gemm(packed.data(), rows, k, tables.data(), row_scale.data(), m, out.data(), rows);
    }
    if (step == TripleStep::kPack) table.pack_triples(codes.data(), rows, k, packed.data());
    if (step == TripleStep::kUnpack) table.unpack_triples(packed.data(), rows, k, codes.data());
    benchmark::ClobberMemory();
  }
  switch (step) {
    case TripleStep::kTables:
      return report(state, {0, static_cast<double>(q.size() + tables.size())});
    case TripleStep::kGemm:
      return report(
          state, {static_cast<double>(m * rows * k), static_cast<double>(packed.size() + m * (q.size() + rows * 4))});
    default:
      return report(state, {0, static_cast<double>(packed.size() + codes.size())});
  }
}

// What packs weights when a model is loaded: 16 rows of TQ2_0 blocks, or a row of the head's screen.
void load_packing(benchmark::State& state, const Kernels& table, bool screen, size_t k) {
  constexpr size_t kBlockTrits = 256, kBlockBytes = 66;  // TQ2_0
  const size_t blocks = k / kBlockTrits;
  const std::vector<uint8_t> row(blocks * kBlockBytes, 0x55);
  const std::vector<const uint8_t*> rows(kPanel, row.data());
  const std::vector<float> x = random_floats(k, 1);
  std::vector<uint8_t> panel(k / 16 * kTernaryBlockBytes);
  size_t count = 0;
  for (auto _ : state) {
    if (screen) {
      benchmark::DoNotOptimize(table.pack_screen_row(x.data(), k, 0.5f, panel.data(), &count));
    } else {
      benchmark::DoNotOptimize(table.pack_tq2_0_panel(rows.data(), blocks, 0x5555, panel.data()));
    }
    benchmark::ClobberMemory();
  }
  const size_t bytes = screen ? k * sizeof(float) + k / 4 : kPanel * row.size() + panel.size();
  report(state, {0, static_cast<double>(bytes)});
}

// The head's products: int8 weights or the 2-bit screen.
void head_gemm(benchmark::State& state, const Kernels& table, size_t m, size_t rows, size_t k, bool screen) {
  const size_t blocks = (k + 15) / 16;
  const size_t bytes = round_up_to_panel(rows) / kPanel * blocks * (screen ? kScreenBlockBytes : kInt8BlockBytes);
  Buffer<uint8_t> codes(screen ? bytes : 0);
  Buffer<int8_t> weights(screen ? 0 : bytes), q(m * blocks * 16);
  std::fill(codes.begin(), codes.end(), uint8_t{0x1B});
  std::fill(weights.begin(), weights.end(), int8_t{100});
  std::fill(q.begin(), q.end(), int8_t{-77});
  const std::vector<int32_t> q_sum(m, static_cast<int32_t>(blocks) * 16 * -77);
  const std::vector<float> row_scale(rows, 0.01f), token_scale(m, 0.01f);
  Buffer<float> out(m * rows);
  for (auto _ : state) {
    if (screen) {
      table.screen_gemm(codes.data(), rows, blocks, row_scale.data(), q.data(), blocks * 16, q_sum.data(),
                        token_scale.data(), m, out.data(), rows);
    } else {
      table.int8_gemm(weights.data(), rows, blocks, row_scale.data(), q.data(), blocks * 16, q_sum.data(),
                      token_scale.data(), m, out.data(), rows);
    }
    benchmark::ClobberMemory();
  }
  report(state, {static_cast<double>(m * rows * k), static_cast<double>(bytes + q.size() + (out.size() + rows) * 4)});
}

// Products of gradients in 16 bits.
void word_gemm(benchmark::State& state, const Kernels& table, size_t m, size_t n, size_t k) {
  const std::vector<float> x = random_floats(k, 1);
  const std::vector<int8_t> rows(kByteRows * n, -1);
  Buffer<int16_t> a(m * word_row(k)), b(round_up_to_panel(n) / kPanel * word_panel(k));
  for (size_t i = 0; i < m; ++i) table.quantize_words(x.data(), k, a.data() + i * word_row(k));
  for (size_t kk = 0; kk < word_row(k); kk += kByteRows) table.pack_byte_rows(rows.data(), n, kk, k, n, b.data());
  const std::vector<float> row_scale(m, 0.01f);
  Buffer<float> c(m * n);
  for (auto _ : state) {
    table.word_gemm(a.data(), b.data(), m, n, k, row_scale.data(), true, c.data(), n);
    benchmark::ClobberMemory();
  }
  report(state, {static_cast<double>(m * n * k), static_cast<double>((a.size() + b.size()) * 2 + c.size() * 4)});
}

// The columns of k rows of gradients as words.
void quantize_word_columns(benchmark::State& state, const Kernels& table, size_t k, size_t n) {
  const std::vector<float> x = random_floats(k * n, 1), factor(k, 1.0f), inverse(n, 32767.0f);
  std::vector<int16_t> rows(n * word_row(k));
  for (auto _ : state) {
    table.quantize_word_columns(x.data(), n, k, n, factor.data(), inverse.data(), rows.data());
    benchmark::ClobberMemory();
  }
  report(state, {0, static_cast<double>(x.size() * 4 + rows.size() * 2)});
}

// The same in bytes: n columns of k rows of gradients.
void quantize_byte_columns(benchmark::State& state, const Kernels& table, size_t k, size_t n) {
  const std::vector<float> x = random_floats(k * n, 1), factor(k, 1.0f), inverse(n, 20.0f);
  std::vector<int8_t> rows(n * k);
  std::vector<int32_t> sums(n);
  for (auto _ : state) {
    table.quantize_byte_columns(x.data(), n, k, n, factor.data(), inverse.data(), rows.data(), k, sums.data());
    benchmark::ClobberMemory();
  }
  report(state, {0, static_cast<double>(x.size() * 4 + rows.size())});
}

void largest_in_columns(benchmark::State& state, const Kernels& table, size_t k, size_t n) {
  const std::vector<float> x = random_floats(k * n, 1), factor(k, 1.0f);
  std::vector<float> largest(n);
  for (auto _ : state) {
    table.largest_in_columns(x.data(), n, k, n, factor.data(), largest.data());
    benchmark::ClobberMemory();
  }
  report(state, {0, static_cast<double>(x.size() * 4)});
}

// The product of m rows of bytes with n columns, over k tokens, a multiple of 16.
void byte_gemm(benchmark::State& state, const Kernels& table, size_t m, size_t n, size_t k) {
  const size_t blocks = k / kPanel;
  Buffer<int8_t> panels(round_up_to_panel(n) / kPanel * blocks * kInt8BlockBytes), q(m * k);
  std::fill(q.begin(), q.end(), int8_t{-77});
  const std::vector<int8_t> rows(kByteRows * n, 100);
  for (size_t kk = 0; kk < k; kk += kByteRows) table.pack_byte_panels(rows.data(), n, kk, blocks, n, panels.data());
  const std::vector<int32_t> sums(m, static_cast<int32_t>(k) * -77);
  const std::vector<float> row_scale(m, 0.01f);
  Buffer<float> c(m * n);
  for (auto _ : state) {
    table.byte_gemm(panels.data(), n, blocks, q.data(), k, sums.data(), row_scale.data(), m, c.data(), n);
    benchmark::ClobberMemory();
  }
  report(state, {static_cast<double>(m * n * k), static_cast<double>(panels.size() + q.size() + c.size() * 4)});
}

void gemm(benchmark::State& state, const Kernels& table, size_t m, size_t n, size_t k, bool transposed, bool bf16) {
  const auto a = random_floats(m * k, 1);
  const auto b = random_floats(round_up_to_panel(n) * k, 2);
  std::vector<uint16_t> b16(b.size());
  table.round_bf16(b.data(), b.size(), b16.data());
  std::vector<float> c(m * n);
  const size_t a_row = transposed ? 1 : k;
  const size_t a_col = transposed ? m : 1;
  for (auto _ : state) {
    if (bf16) {
      table.gemm_bf16(a.data(), a_row, a_col, b16.data(), k * 16, m, n, k, false, c.data(), n);
    } else {
      table.gemm_f32(a.data(), a_row, a_col, b.data(), k * 16, m, n, k, false, c.data(), n);
    }
    benchmark::ClobberMemory();
  }
  const size_t bytes = a.size() * 4 + b.size() * (bf16 ? 2 : 4) + c.size() * 4;
  report(state, {static_cast<double>(m * n * k), static_cast<double>(bytes)});
}

// A row kernel on rows of n floats; z and w are written.
using Row = std::vector<float>;
struct RowCase {
  const char* name;
  size_t bytes;  // an element
  std::function<void(const Kernels&, size_t n, Row& x, Row& y, Row& z, Row& w, std::vector<int8_t>& q)> run;
};

const std::vector<RowCase>& row_cases() {
  static const std::vector<RowCase> cases{
      {"dot", 8,
       [](auto& k, size_t n, Row& x, Row& y, Row&, Row&, auto&) {
         benchmark::DoNotOptimize(k.dot(x.data(), y.data(), n));
       }},
      {"sum_abs", 4,
       [](auto& k, size_t n, Row& x, Row&, Row&, Row&, auto&) { benchmark::DoNotOptimize(k.sum_abs(x.data(), n)); }},
      {"sum", 4,
       [](auto& k, size_t n, Row& x, Row&, Row&, Row&, auto&) { benchmark::DoNotOptimize(k.sum(x.data(), n)); }},
      {"max", 4,
       [](auto& k, size_t n, Row& x, Row&, Row&, Row&, auto&) { benchmark::DoNotOptimize(k.max(x.data(), n)); }},
      {"add", 12, [](auto& k, size_t n, Row& x, Row&, Row& z, Row&, auto&) { k.add(x.data(), n, z.data()); }},
      {"scale", 8, [](auto& k, size_t n, Row&, Row&, Row& z, Row&, auto&) { k.scale(1.0f, n, z.data()); }},
      {"add_product", 16,
       [](auto& k, size_t n, Row& x, Row& y, Row& z, Row&, auto&) {
         k.add_product(x.data(), y.data(), 1e-9f, n, z.data());
       }},
      {"round_bf16", 6,
       [](auto& k, size_t n, Row& x, Row&, Row& z, Row&, auto&) {
         k.round_bf16(x.data(), n, reinterpret_cast<uint16_t*>(z.data()));
       }},
      {"expand_bf16", 6,
       [](auto& k, size_t n, Row& x, Row&, Row& z, Row&, auto&) {
         k.expand_bf16(reinterpret_cast<uint16_t*>(x.data()), n, z.data());
       }},
      {"rmsnorm", 12,
       [](auto& k, size_t n, Row& x, Row& y, Row& z, Row&, auto&) {
         k.rmsnorm(x.data(), y.data(), n, 1e-5f, z.data());
       }},
      {"rmsnorm_backward", 20,
       [](auto& k, size_t n, Row& x, Row& y, Row& z, Row& w, auto&) {
         k.rmsnorm_backward(x.data(), y.data(), z.data(), n, 1e-9f, w.data());
       }},
      {"quantize_row", 5,
       [](auto& k, size_t n, Row& x, Row&, Row&, Row&, auto& q) {
         int32_t sum;
         k.quantize_row(x.data(), n, q.data(), &sum);
       }},
      {"dequantize_row", 5,
       [](auto& k, size_t n, Row&, Row&, Row& z, Row&, auto& q) { k.dequantize_row(q.data(), n, 0.1f, z.data()); }},
      {"ternarize_row", 5,
       [](auto& k, size_t n, Row& x, Row&, Row&, Row&, auto& q) { k.ternarize_row(x.data(), n, 1.5f, q.data()); }},
      {"binarize_row", 5,
       [](auto& k, size_t n, Row& x, Row&, Row&, Row&, auto& q) { k.binarize_row(x.data(), n, 0.01f, q.data()); }},
      {"silu_glu", 12,
       [](auto& k, size_t n, Row& x, Row& y, Row& z, Row&, auto&) { k.silu_glu(x.data(), y.data(), n, z.data()); }},
      {"relu2_glu", 12,
       [](auto& k, size_t n, Row& x, Row& y, Row& z, Row&, auto&) { k.relu2_glu(x.data(), y.data(), n, z.data()); }},
      {"silu_glu_backward", 20,
       [](auto& k, size_t n, Row& x, Row& y, Row& z, Row& w, auto&) {
         k.silu_glu_backward(x.data(), y.data(), x.data(), n, z.data(), w.data());
       }},
      {"relu2_glu_backward", 20,
       [](auto& k, size_t n, Row& x, Row& y, Row& z, Row& w, auto&) {
         k.relu2_glu_backward(x.data(), y.data(), x.data(), n, z.data(), w.data());
       }},
      {"rotate_pairs", 8,
       [](auto& k, size_t n, Row& x, Row& y, Row& z, Row&, auto&) {
         k.rotate_pairs(x.data(), y.data(), n / 2, 0.5f, z.data());
       }},
      {"exp_sum", 8,
       [](auto& k, size_t n, Row& x, Row&, Row& z, Row&, auto&) {
         benchmark::DoNotOptimize(k.exp_sum(x.data(), n, 0.5f, 1.0f, z.data()));
       }},
      {"softmax_block", 8,  // four rows
       [](auto& k, size_t n, Row&, Row& y, Row& z, Row&, auto&) {
         k.softmax_block({z.data(), n / 4, 4, n / 4, n / 4, 1, 0.2f}, nullptr, nullptr, true, y.data(), y.data() + 4,
                         y.data() + 8);
       }},
      {"pack_panel", 8,
       [](auto& k, size_t n, Row& x, Row&, Row& z, Row&, auto&) { k.pack_panel(x.data(), 16, n / 16, 16, z.data()); }},
      {"pack_panel_transposed", 8,
       [](auto& k, size_t n, Row& x, Row&, Row& z, Row&, auto&) {
         k.pack_panel_transposed(x.data(), n / 16, n / 16, 16, z.data());
       }},
      {"adamw", 28,
       [](auto& k, size_t n, Row& x, Row& y, Row& z, Row& w, auto&) {
         const AdamWStep step{1e-3f, 0.9f, 0.95f, 1.0f, 1.0f, 1e-8f, 0.1f, 1.0f};
         k.adamw(step, x.data(), n, y.data(), z.data(), w.data());
       }},
  };
  return cases;
}

void row_kernel(benchmark::State& state, const Kernels& table, const RowCase& kernel, size_t n) {
  Row x = random_floats(n, 1), y = random_floats(n, 2), z = random_floats(n, 3), w = random_floats(n, 4);
  for (float& v : w) v = v * v;
  std::vector<int8_t> q(n);
  for (auto _ : state) {
    kernel.run(table, n, x, y, z, w, q);
    benchmark::ClobberMemory();
  }
  report(state, {0, static_cast<double>(kernel.bytes * n)});
}

struct Shape {
  size_t m, n, k;
};

void register_table(const Kernels& table) {
  const std::string prefix = table.name;
  for (const auto& [n, k] :
       {std::pair<size_t, size_t>{2560, 2560}, {6912, 2560}, {2560, 6912}, {256, 256}, {128, 128}}) {
    for (const size_t m : std::initializer_list<size_t>{1, 4, 16, 128}) {
      add(prefix + "/ternary_gemm" + shape(m, n, k),
          [&table, m, n = n, k = k](auto& s) { ternary_gemm(s, table, m, n, k); });
    }
  }
  for (const auto& [n, k] : {std::pair<size_t, size_t>{2560, 2560},
                             {6912, 2560},
                             {2560, 6912},
                             {256, 256},
                             {262144, 6912}}) {  // the last one comes from memory
    const std::string size = "/n:" + std::to_string(n) + "/k:" + std::to_string(k);
    for (const auto& [name, step] : {std::pair<const char*, TripleStep>{"tables", TripleStep::kTables},
                                     {"pack", TripleStep::kPack},
                                     {"unpack", TripleStep::kUnpack}}) {
      add(prefix + "/triple_" + name + size,
          [&table, step = step, n = n, k = k](auto& s) { triples(s, table, step, 1, n, k); });
    }
    for (const size_t m : std::initializer_list<size_t>{1, 2, 4}) {
      add(prefix + "/triple_gemm" + shape(m, n, k),
          [&table, m, n = n, k = k](auto& s) { triples(s, table, TripleStep::kGemm, m, n, k); });
    }
  }
  for (const auto& [m, n, k] : {std::array<size_t, 3>{768, 128, 128},
                                {768, 256, 128},
                                {2048, 512, 1536},
                                {2048, 1536, 512},
                                {128, 128, 512},
                                {128, 1536, 512}}) {
    add(prefix + "/word_gemm" + shape(m, n, k),
        [&table, m = m, n = n, k = k](auto& s) { word_gemm(s, table, m, n, k); });
  }
  add(prefix + "/quantize_word_columns/k:512/n:128", [&table](auto& s) { quantize_word_columns(s, table, 512, 128); });
  for (const auto& [m, n] : {std::pair<size_t, size_t>{64, 128}, {64, 512}, {64, 1536}}) {
    add(prefix + "/byte_gemm" + shape(m, n, kWordRows),
        [&table, m = m, n = n](auto& s) { byte_gemm(s, table, m, n, kWordRows); });
  }
  add(prefix + "/quantize_byte_columns/k:512/n:64", [&table](auto& s) { quantize_byte_columns(s, table, 512, 64); });
  add(prefix + "/largest_in_columns/k:512/n:64", [&table](auto& s) { largest_in_columns(s, table, 512, 64); });
  for (const size_t k : std::initializer_list<size_t>{2560, 6912}) {
    const std::string size = "/k:" + std::to_string(k);
    add(prefix + "/pack_tq2_0_panel" + size, [&table, k](auto& s) { load_packing(s, table, false, k); });
    add(prefix + "/pack_screen_row" + size, [&table, k](auto& s) { load_packing(s, table, true, k); });
  }
  for (const size_t n : std::initializer_list<size_t>{128, 2560, 128256}) {  // the last one comes from memory
    for (const size_t m : std::initializer_list<size_t>{1, 4, 16, 128}) {
      if (n == 128256 && m == 128) continue;
      for (const bool screen : {false, true}) {
        add(prefix + (screen ? "/screen_gemm" : "/int8_gemm") + shape(m, n, 2560),
            [&table, m, n, screen](auto& s) { head_gemm(s, table, m, n, 2560, screen); });
      }
    }
  }
  constexpr Shape kTraining[] = {{768, 128, 128}, {768, 256, 256},   {768, 384, 128},  {768, 128, 384},
                                 {768, 384, 384}, {128, 384, 768},   {64, 64, 32},     {64, 32, 64},
                                 {1, 128, 128},   {1, 256, 256},     {1, 1024, 256},   {4, 256, 256},
                                 {1, 4096, 2560}, {512, 3200, 3200}, {128, 3200, 3200}};
  for (const Shape& p : kTraining) {
    for (const bool bf16 : {false, true}) {
      for (const bool transposed : {false, true}) {
        if (p.m == 1 && transposed) continue;
        const std::string name = prefix + (bf16 ? "/gemm_bf16" : "/gemm_f32") + (transposed ? "_transposed_a" : "");
        add(name + shape(p.m, p.n, p.k),
            [&table, p, transposed, bf16](auto& s) { gemm(s, table, p.m, p.n, p.k, transposed, bf16); });
      }
    }
  }
  for (const RowCase& kernel : row_cases()) {
    for (const size_t n : std::initializer_list<size_t>{128, 512, 2560}) {
      add(prefix + "/" + kernel.name + "/n:" + std::to_string(n),
          [&table, &kernel, n](auto& s) { row_kernel(s, table, kernel, n); });
    }
  }
}

}  // namespace
}  // namespace tern

int main(int argc, char** argv) {
  const tern::KernelList list = tern::runnable_kernels();
  for (size_t i = 0; i < list.count; ++i) tern::register_table(*list.tables[i]);
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 2;
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}
