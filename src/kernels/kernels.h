// The hot loops of tern, one table of function pointers for each instruction set. kernels() is the table in use.
//
// The contract of every kernel, on every instruction set:
//  - Integers are exact. Floats are the same bits: reductions run over 16 virtual lanes (lane l has the elements i with
//    i % 16 = l) that are added in a fixed tree, matrix products add their terms one after the other in the order of k
//    with fused multiply-adds, and exp is the same polynomial. So a model trained or evaluated on one processor gives
//    the same numbers on another (docs/numerics.md).
//  - No threads, no allocation, no exceptions. Pointers need no alignment unless a line says so. Outputs do not overlap
//    inputs unless a line says "in place". A matrix without columns (k = 0) still has an address, one without rows
//    needs none.
#pragma once

#include <cstddef>
#include <cstdint>

namespace tern {

// Rows of a packed weight matrix that are stored side by side; every packed layout below is made of panels of this
// many.
inline constexpr size_t kPanel = 16;

inline constexpr size_t round_up_to_panel(size_t n) { return (n + kPanel - 1) / kPanel * kPanel; }

// ---- Dense panels -------------------------------------------------------------------------------------------------
// B (k, n) for products C = A B is stored as ceil(n / 16) panels, each (k, 16): element (kk, j) of panel p at
// [(p * k + kk) * 16 + j], column p * 16 + j of B; missing columns are zero. T is float, bfloat16 bits or int8.
//
// ---- Ternary panels ------------------------------------------------------------------------------------------------
// W (rows, k) of trits -1, 0, +1 is stored as ceil(rows / 16) panels of ceil(k / 16) blocks of 64 bytes. In block b,
// the byte r * 4 + i holds four 2-bit codes (trit + 1) of row r: bits 2f..2f+1 are column b * 16 + f * 4 + i (f, i in
// 0..3). Missing rows and columns are code 1. A 64-byte block, shifted by 2f and masked, is thus one vpdpbusd operand:
// 16 rows by 4 consecutive columns.
inline constexpr size_t kTernaryBlockBytes = 64;

// ---- Triple panels -------------------------------------------------------------------------------------------------
// The same trits in 5 bits for three of them, for decoding from memory: W (rows, k) as ceil(rows / 64) panels of
// ceil(k / 48) blocks of 640 bytes. Column c of a block belongs to a triple: with f = c / 4 % 4 and i = c % 4, to
// triple c / 16 * 4 + i as its trit f where f < 3, to triple 12 + i as its trit c / 16 where f = 3, so that a triple's
// first trits are fields of one byte of the ternary panels. What a panel's bytes mean is a matter of the instruction
// set that packed them and multiplies them (triple_*.h).
inline constexpr size_t kTriplePanel = 64;
inline constexpr size_t kTripleColumns = 48;
inline constexpr size_t kTripleBlockBytes = 640;

inline constexpr size_t triple_blocks(size_t k) { return (k + kTripleColumns - 1) / kTripleColumns; }

// ---- Head panels ---------------------------------------------------------------------------------------------------
// The output head in fewer bits (ops/head.h): W (rows, k) as ceil(rows / 16) panels of ceil(k / 16) blocks of 16 rows
// by 16 columns.
// Int8: in block b, the byte (c / 4) * 64 + r * 4 + c % 4 is column b * 16 + c of row r, in [-127, 127]; missing rows
// and columns are 0.
// 2-bit screen: in block b, bits 2f..2f+1 of the byte r * 4 + i are the code of row r, column b * 16 + f * 4 + i (f, i
// in 0..3); the codes 0, 1, 2, 3 mean the levels -3, -1, 1, 3.
inline constexpr size_t kInt8BlockBytes = 256;
inline constexpr size_t kScreenBlockBytes = 64;

// ---- Words ---------------------------------------------------------------------------------------------------------
// Products of gradients: A (m, k) of 16-bit words by B (k, n) of bytes, packed by each table in a form of its own,
// which no other table reads and no file holds. A row of A takes word_row(k) int16, B ceil(n / 16) panels of
// word_panel(k).
inline constexpr size_t word_row(size_t k) { return (k + 63) / 64 * 64; }
inline constexpr size_t word_panel(size_t k) { return word_row(k) * kPanel; }
// Rows of B that a sum of products of words with bytes holds in int32: 512 * 32767 * 128 < 2^31.
inline constexpr size_t kWordRows = 512;
// Rows of B that are packed at once.
inline constexpr size_t kByteRows = 4;

// Constants of one AdamW step (Loshchilov and Hutter 2019, algorithm 2), already corrected for bias.
struct AdamWStep {
  float learning_rate;
  float beta1, beta2;
  float bias_correction1;  // 1 / (1 - beta1^t)
  float bias_correction2;  // 1 / (1 - beta2^t)
  float epsilon;
  float weight_decay;
  float gradient_scale;  // multiplies every gradient (clipping)
};

// Scores of `rows` queries with the keys of one block, (rows, columns) with rows `stride` apart; `columns` is a
// multiple of 16. The queries are those of consecutive tokens, rows_per_token (heads) each: row i sees the block's
// first keys + i / rows_per_token keys, at least one, or all of them when that is more than there are.
struct ScoreTile {
  float* scores;
  size_t stride;
  size_t rows, columns;
  size_t keys;
  size_t rows_per_token;
  float factor;  // multiplies every score
};

struct Kernels {
  const char* name;  // "scalar", "avx2", ... (architecture_*.cc)

  // ---- Rows of n floats ----
  float (*dot)(const float* x, const float* y, size_t n);  // sum x*y
  float (*sum_abs)(const float* x, size_t n);              // sum |x|
  float (*sum)(const float* x, size_t n);                  // sum x
  // sum |x| and sum x*x, as sum_abs and dot have them.
  float (*sum_abs_and_squares)(const float* x, size_t n, float* squares);
  // Sum of the |x| >= threshold > 0, and how many they are.
  float (*sum_abs_from)(const float* x, size_t n, float threshold, size_t* count);
  void (*add)(const float* x, size_t n, float* y);                                        // y += x, in place
  void (*scale)(float factor, size_t n, float* x);                                        // x *= factor, in place
  void (*add_product)(const float* x, const float* y, float factor, size_t n, float* z);  // z += (x*y)*factor
  void (*round_bf16)(const float* x, size_t n, uint16_t* y);                              // nearest even
  void (*expand_bf16)(const uint16_t* x, size_t n, float* y);
  // The same, with sum_abs_and_squares of y.
  float (*expand_bf16_with_sums)(const uint16_t* x, size_t n, float* y, float* squares);

  // RMSNorm (Zhang and Sennrich 2019): y = x * r * gain, r = 1 / sqrt(mean(x*x) + eps); returns r.
  float (*rmsnorm)(const float* x, const float* gain, size_t n, float eps, float* y);
  // dx += r * (gain*dy - x * r*r * mean(x*gain*dy)).
  void (*rmsnorm_backward)(const float* x, const float* gain, const float* dy, size_t n, float r, float* dx);

  // Absmax quantization of one token (2402.17764; "Training Tips, Code and FAQ", Figure 3): a = max(max|x|, 1e-5),
  // q = clamp(round_half_even(x * (127/a)), -128, 127). Writes n int8 values and their sum; returns a / 127.
  float (*quantize_row)(const float* x, size_t n, int8_t* q, int32_t* q_sum);
  // y = q * factor.
  void (*dequantize_row)(const int8_t* q, size_t n, float factor, float* y);
  // trits = clamp(round_half_even(w * inverse_scale), -1, 1)
  void (*ternarize_row)(const float* w, size_t n, float inverse_scale, int8_t* trits);
  // trits = w - mean >= 0 ? 1 : -1
  void (*binarize_row)(const float* w, size_t n, float mean, int8_t* trits);

  // Gated linear units: y = act(gate) * up with act = SiLU (x * sigmoid(x)), ReLU^2 (max(x, 0)^2) or GELU by tanh
  // (x * sigmoid(2 * sqrt(2/pi) * (x + 0.044715 * x^3))), and derivatives of the first two.
  void (*silu_glu)(const float* gate, const float* up, size_t n, float* y);
  void (*relu2_glu)(const float* gate, const float* up, size_t n, float* y);
  void (*gelu_glu)(const float* gate, const float* up, size_t n, float* y);
  void (*silu_glu_backward)(const float* gate, const float* up, const float* dy, size_t n, float* dgate, float* dup);
  void (*relu2_glu_backward)(const float* gate, const float* up, const float* dy, size_t n, float* dgate, float* dup);

  // Rotates the pairs (x[i], x[i + half]) by the angle of cos[i], sin[i]; in place. sin negated gives the inverse
  // rotation.
  void (*rotate_pairs)(const float* cos, const float* sin, size_t half, float sign, float* x);

  // max of n > 0 values; y = exp(x*factor - shift) with its sum (x and y may be the same).
  float (*max)(const float* x, size_t n);
  float (*exp_sum)(const float* x, size_t n, float factor, float shift, float* y);

  // ---- Attention ----
  // One block of keys of a softmax that sees them block by block (Milakov and Gimelshein 2018). Every score s becomes
  // exp((s - largest) * factor), and 0 where row i does not see the key. largest[i] and sum[i] are the largest score
  // and the sum of the exponentials of the blocks up to this one; with `first` they begin here, else rescale[i] is the
  // factor that brings what earlier blocks gave to the new largest score. Where key_scale is given, (columns), s is the
  // score times its column's; value_scale multiplies what is stored, but not what is summed.
  void (*softmax_block)(const ScoreTile& tile, const float* key_scale, const float* value_scale, bool first,
                        float* largest, float* sum, float* rescale);
  // Its derivative, once largest and inverse_sum are those of all blocks: every score becomes the probability p =
  // exp((s - largest[i]) * factor) * inverse_sum[i], and dp, shaped as the scores, p * (dp - delta[i]) * factor.
  void (*softmax_block_backward)(const ScoreTile& tile, const float* largest, const float* inverse_sum,
                                 const float* delta, float* dp);
  // y (m, n) = x (m, n) with row i times factor[i]; x and y may be the same.
  void (*scale_rows)(const float* x, size_t x_stride, const float* factor, size_t m, size_t n, float* y,
                     size_t y_stride);

  // ---- Matrix products ----
  // C (m, n) = A B, or C += A B with `accumulate`: A element (i, kk) at a[i * a_row + kk * a_col], B float panels
  // (panels for columns 0..n), panel p at b + p * panel_stride. Each element is one chain of fused multiply-adds over
  // kk = 0..k-1, which starts at 0 or at the old C.
  void (*gemm_f32)(const float* a, size_t a_row, size_t a_col, const float* b, size_t panel_stride, size_t m, size_t n,
                   size_t k, bool accumulate, float* c, size_t c_stride);
  // The same with B in bfloat16 panels.
  void (*gemm_bf16)(const float* a, size_t a_row, size_t a_col, const uint16_t* b, size_t panel_stride, size_t m,
                    size_t n, size_t k, bool accumulate, float* c, size_t c_stride);
  // The same with B in int8 panels.
  void (*gemm_i8)(const float* a, size_t a_row, size_t a_col, const int8_t* b, size_t panel_stride, size_t m, size_t n,
                  size_t k, bool accumulate, float* c, size_t c_stride);
  // Packs rows x cols floats (row stride in elements) as one float panel: (rows, 16), cols <= 16, missing columns zero.
  void (*pack_panel)(const float* x, size_t stride, size_t rows, size_t cols, float* panel);
  // The same from the transpose: element (kk, j) of the panel is x[j * stride + kk], j < cols <= 16.
  void (*pack_panel_transposed)(const float* x, size_t stride, size_t rows, size_t cols, float* panel);

  // ---- Ternary products ----
  // out[t * out_stride + r] = float(sum_k w[r][k] * q[t][k]) * row_scale[t] for `rows` rows of ternary panels and m
  // tokens. q is int8 with |q| <= 128 and zeros up to k_blocks * 16; q_sum[t] the sum of token t's q. Sums are exact in
  // int32 for k < 2^23.
  void (*ternary_gemm)(const uint8_t* panels, size_t rows, size_t k_blocks, const int8_t* q, size_t q_stride,
                       const int32_t* q_sum, const float* row_scale, size_t m, float* out, size_t out_stride);

  // ---- Products with triples ----
  size_t triple_table_bytes;  // of the tables of one block's activations
  size_t triple_tile_panels;  // that are read side by side for one token
  // The sums that the trits of every triple can give with its activations q (k of them, |q| <= 128), in the form that
  // this instruction set looks them up; tables holds triple_blocks(k) * triple_table_bytes bytes.
  void (*triple_tables)(const int8_t* q, size_t k, uint8_t* tables);
  // out[t * out_stride + r] = float(sum_k w[r][k] * q[t][k]) * row_scale[t] for `rows` rows of triple panels and the m
  // tokens whose tables lie one after the other. Sums are exact in int32 for k < 2^23.
  void (*triple_gemm)(const uint8_t* panels, size_t rows, size_t k, const uint8_t* tables, const float* row_scale,
                      size_t m, float* out, size_t out_stride);
  // From ternary panels (`rows` rows of k trits, missing ones 0) to triple panels and back.
  void (*pack_triples)(const uint8_t* panels, size_t rows, size_t k, uint8_t* triples);
  void (*unpack_triples)(const uint8_t* triples, size_t rows, size_t k, uint8_t* panels);

  // ---- Products of gradients ----
  // A row of A: x in 16 bits, with a = max(max|x|, 1e-30), q = round_half_even(x * (32767 / a)). Returns a / 32767, or
  // NaN when an x is not finite.
  float (*quantize_words)(const float* x, size_t n, int16_t* row);
  // largest[j] = max(largest[j], |x[kk * stride + j] * factor[kk]|) over k rows of x, in place; what is not finite may
  // be passed over.
  void (*largest_in_columns)(const float* x, size_t stride, size_t k, size_t n, const float* factor, float* largest);
  // A (n, k) from the transpose: word kk of row j is round_half_even(x[kk * stride + j] * factor[kk] * inverse[j]),
  // which must lie within 16 bits.
  void (*quantize_word_columns)(const float* x, size_t stride, size_t k, size_t n, const float* factor,
                                const float* inverse, int16_t* rows);
  // Rows first..first + kByteRows - 1 of B (k, n), `first` a multiple of kByteRows, from as many rows of bytes,
  // x_stride apart. All rows up to word_row(k) are to be packed, those from k on with any bytes.
  void (*pack_byte_rows)(const int8_t* x, size_t x_stride, size_t first, size_t k, size_t n, int16_t* panels);
  // C (m, n) = float(sum of A B) * row_scale[i], or with `accumulate` C = fma(float(that sum), row_scale[i], C). Every
  // sum must lie within int32.
  void (*word_gemm)(const int16_t* a, const int16_t* b, size_t m, size_t n, size_t k, const float* row_scale,
                    bool accumulate, float* c, size_t c_stride);
  // The same in bytes, with the operands of int8_gemm: out[t * out_stride + r] += float(sum_k w[r][k] * q[t][k]) *
  // row_scale[t], one fma. Sums run along the tokens of a batch here, so that w and q are packed from transposes:
  void (*byte_gemm)(const int8_t* panels, size_t rows, size_t k_blocks, const int8_t* q, size_t q_stride,
                    const int32_t* q_sum, const float* row_scale, size_t m, float* out, size_t out_stride);
  // q (n, row_stride) (n, row_stride) from the transpose, k rows of x:
  // number kk of row j is round_half_even(x[kk * stride + j] * factor[kk] * inverse[j]), which must lie within 8 bits,
  // and 0 from k on; row_stride is a multiple of 16. sums[j] is the sum of row j.
  void (*quantize_byte_columns)(const float* x, size_t stride, size_t k, size_t n, const float* factor,
                                const float* inverse, int8_t* rows, size_t row_stride, int32_t* sums);
  // The columns first..first + kByteRows - 1, `first` a multiple of kByteRows, of n rows of head panels of int8 from as
  // many rows of bytes, x_stride apart: the transpose of x.
  void (*pack_byte_panels)(const int8_t* x, size_t x_stride, size_t first, size_t k_blocks, size_t n, int8_t* panels);

  // ---- Head products ----
  // out[t * out_stride + r] = (float(sum_k w[r][k] * q[t][k]) * row_scale[r]) * token_scale[t] for `rows` rows of head
  // panels and m tokens, w the int8 weights (k < 2^16) or the levels of the 2-bit codes (k < 2^21), q and q_sum as
  // above. Sums are exact in int32.
  void (*int8_gemm)(const int8_t* panels, size_t rows, size_t k_blocks, const float* row_scale, const int8_t* q,
                    size_t q_stride, const int32_t* q_sum, const float* token_scale, size_t m, float* out,
                    size_t out_stride);
  void (*screen_gemm)(const uint8_t* panels, size_t rows, size_t k_blocks, const float* row_scale, const int8_t* q,
                      size_t q_stride, const int32_t* q_sum, const float* token_scale, size_t m, float* out,
                      size_t out_stride);

  // ---- Loading ----
  // 16 rows of `blocks` TQ2_0 blocks (quant/ternary_codecs.h) as one ternary panel, k = 256 * blocks. False when a code
  // is 3 or a block's scale has other bits than `scale`: the panel is then without meaning.
  bool (*pack_tq2_0_panel)(const uint8_t* const* rows, size_t blocks, uint16_t scale, uint8_t* panel);
  // One row of a head panel of 2-bit codes from n floats: 0 for x <= -threshold, 1 below 0, 2 below threshold, 3 from
  // there on; 0 in missing columns. panel_row points to the row's first byte in block 0. Returns and counts what
  // sum_abs_from does.
  float (*pack_screen_row)(const float* x, size_t n, float threshold, uint8_t* panel_row, size_t* count);

  // ---- Optimizer ----
  // One AdamW step on n parameters p with gradient g and moments m, v (all updated in place but g).
  void (*adamw)(const AdamWStep& step, const float* g, size_t n, float* p, float* m, float* v);

  // ---- Products with triples, of many tokens ----
  // Nothing but zeros where codes, unpacked from triples, are multiplied faster.
  struct Mixed {
    size_t group = 0;          // of tokens: gemm takes multiples of it
    size_t scratch_bytes = 0;  // that gemm works in
    // triple_gemm from the tokens' activations themselves, |q| <= 128 and q_stride >= k apart, nothing read behind
    // column k of them; `scratch` is at a multiple of 64.
    void (*gemm)(const uint8_t* panels, size_t rows, size_t k, const int8_t* q, size_t q_stride, const float* row_scale,
                 size_t m, float* out, size_t out_stride, void* scratch) = nullptr;
  };
  Mixed mixed = {};
};

// The table in use: the best one this processor runs, or the one named by the environment variable TERN_ISA (amx,
// zen4, avx512vbmi, avx512, avxvnni, avx512bw, avx2 on x86-64, neon on arm64, scalar on both). Chosen at the first
// call. Error when TERN_ISA names an unknown table or one this processor cannot run.
const Kernels& kernels();

// Every table this processor can run, best first; tests loop over it.
struct KernelList {
  const Kernels* const* tables;
  size_t count;
};
KernelList runnable_kernels();

// Makes `table` the one in use; for tests that compare instruction sets. Not while a computation runs.
void use_kernels(const Kernels& table);

}  // namespace tern
