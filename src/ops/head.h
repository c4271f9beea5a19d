// The output head: logits (N, V) = x (N, D) W^T, exactly or with fewer bytes of W read.
//
//   exact     W in f32 or bf16 (dense_forward).
//   int8      W as int8 with a scale a row (absmax), x quantized to int8 by the model's quantizer: half the bytes
//             of bf16. logit = (sum_k w q * row scale) * token scale, the sum exact in int32.
//   screened  W as 2 bits, then the exact logits of all rows that could be the largest (ops/screen.h): an eighth.
//
// Every kind gives the same bits on every thread count, instruction set and batch.
#pragma once

#include <cstdint>
#include <string_view>

#include "base/threads.h"
#include "ops/matrix.h"
#include "ops/screen.h"
#include "tensor/buffer.h"
#include "tensor/view.h"

namespace tern {

enum class HeadKind : uint8_t { kExact, kInt8, kScreened };

std::string_view head_kind_name(HeadKind kind);   // "exact", "int8", "screened"
HeadKind parse_head_kind(std::string_view name);  // Error for other names

// W as int8 head panels (kernels/kernels.h): w = int8 * scale.
struct Int8Matrix {
  size_t rows = 0;      // V
  size_t cols = 0;      // D
  size_t k_blocks = 0;  // blocks of 16 columns
  Buffer<int8_t> panels;
  Buffer<float> scale;  // (V)
};

// Each row of `weights` (V, D; either layout) by absmax; D at most 65,535, where the sums stay exact in int32.
Int8Matrix make_int8_matrix(const DenseMatrix& weights, Threads& threads);

// What a kind needs beside the real weights.
struct Head {
  HeadKind kind = HeadKind::kExact;
  Int8Matrix int8;  // kInt8
  Screen screen;    // kScreened
};

struct HeadOptions {
  HeadKind kind = HeadKind::kExact;
  size_t exact_rows = 0;  // kScreened: the k of top-k; at least that many of the best logits are exact
};

// How the weights lie that a head of this kind reads.
DenseLayout head_layout(HeadKind kind);

// Makes the head of `weights` and lays these out as the kind reads them (in rows for kScreened, else in panels), so
// that they are never in memory twice. Error for a kind that weights of this shape cannot have.
Head make_head(const HeadOptions& options, Threads& threads, DenseMatrix& weights);

// logits (N, V) of x (N, D); `weights` (V, D) are those that the head was made of. Returns how many rows of these
// tokens read one by one, all tokens together: a screened head's.
size_t head_forward(const Head& head, const DenseMatrix& weights, MatView<const float> x, Threads& threads,
                    MatView<float> logits);

// The same as the exact kind has it, to the bit, whatever kind the weights are laid out for.
void exact_head_forward(const DenseMatrix& weights, MatView<const float> x, Threads& threads, MatView<float> logits);

}  // namespace tern
