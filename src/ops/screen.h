// The output head in two passes: a 2-bit screen of all rows, then the exact logits of the rows that the screen cannot
// tell from the best one. In decoding, the screen is an eighth of the bytes of a bf16 head.
//
// Row w of the head is held as w' = h l with levels l in {-3, -1, 1, 3} and the h of least squared error; e = w - w'.
// The activations x are quantized to x' by the absmax quantizer; d = x - x'. The screen's logit is a = w' x' (exact in
// integers), the exact one
//   w x = a + e x + w' d.
//
// Assumption: given a, the two errors are normal with mean 0 and variance
//   s^2 = (|e|^2 |x|^2 + |w'|^2 |d|^2) / D,
// as sums of D small terms of either sign are; h of least error makes e and w' uncorrelated (e w' = 0 exactly), so that
// large a are not biased. A real matrix is not random, and trained rows share directions: mean m and deviation r of
// (w x - a) / s over the first rows scored exactly replace 0 and 1 where they are larger.
//
// The rule: score the exact_rows best a exactly; let T be the largest of these logits, a lower bound of the maximum. A
// row stays unscored only when a < T - (m + z r) s. The true best row's exact logit is T at least, so it is missed only
// when its error is above (m + z r) s. Over V rows the probability that any row's is lies below V Q(z), Q the normal
// tail; z makes that kMissProbability = 1e-6 a token (z = 6.74 for V = 128256), whatever the distribution of the
// logits.
//
// What is exact, bit for bit, as dense_forward computes it: the logits of the exact_rows best rows and of all that
// might be the largest, so that the largest logit is the exact head's but for one token in a million. The other logits
// are the screen's, off by s (about a third of the deviation of a row's logits): good enough for the tail that sampling
// draws from now and then, not for scores of rare tokens. When more than a quarter of the rows remain, all are scored.
#pragma once

#include <cstdint>

#include "base/threads.h"
#include "ops/matrix.h"
#include "tensor/buffer.h"
#include "tensor/view.h"

namespace tern {

inline constexpr double kMissProbability = 1e-6;  // a token
// Rows that are exact whatever their logits: enough to see the spread of the errors (to 6 %) and for top-k.
inline constexpr size_t kScreenExactRows = 128;
inline constexpr size_t kScreenSmallestVocab = 4 * kScreenExactRows;

// The 2-bit rows in head panels (kernels/kernels.h).
struct Screen {
  size_t rows = 0;                // V
  size_t cols = 0;                // D
  size_t k_blocks = 0;            // blocks of 16 columns
  size_t exact_rows = 0;          // at least as many logits are exact
  Buffer<uint8_t> panels;         // of codes
  Buffer<float> half_step;        // (V): h
  Buffer<float> residual_square;  // (V): |e|^2 / D; not finite where a number of the row is not
  Buffer<float> level_square;     // (V): |w'|^2 / D
  float most_residual = 0;        // the largest of each; not finite where one is not
  float most_level = 0;
};

// The screen of `weights`, which may lie in either layout. exact_rows is raised to kScreenExactRows at least.
Screen make_screen(const DenseMatrix& weights, size_t exact_rows, Threads& threads);

// z with V Q(z) <= kMissProbability for V = rows.
double screen_deviations(size_t rows);

// logits (N, V) of x (N, D); `weights` is what the screen was made of, in rows. Returns how many logits are exact, all
// tokens together. A token's logits depend on nothing but its x.
size_t screened_forward(const Screen& screen, const DenseMatrix& weights, MatView<const float> x, Threads& threads,
                        MatView<float> logits);

// All logits exactly, of weights in rows: the bits that dense_forward gives with panels, if not as fast.
void rows_forward(const DenseMatrix& weights, MatView<const float> x, Threads& threads, MatView<float> logits);

}  // namespace tern
