// How long inference takes: reading a prompt, and decoding one token after the other.
#pragma once

#include <functional>
#include <span>
#include <string>
#include <vector>

#include "infer/decoder.h"
#include "model/memory.h"
#include "ops/machine.h"

namespace tern {

// Either a prompt is read (prompt > 0), in passes of up to kPrefillTokens, its last token (or all) through the head, or
// tokens are decoded (generate > 0) from an empty cache on, all sequences in one pass. Or behind `past` positions whose
// keys and values are 0: what attending to that many costs does not depend on their values.
struct SpeedTest {
  size_t prompt = 0;
  size_t generate = 0;
  size_t sequences = 1;  // 1 when a prompt is read
  size_t past = 0;
  bool all_logits = false;  // of a prompt: every token goes through the head, as when texts are scored

  size_t positions() const { return past + prompt + generate; }  // of each sequence
  size_t tokens() const { return (prompt + generate) * sequences; }
  size_t max_batch() const;   // tokens in one pass
  size_t max_logits() const;  // and those of them that go through the head
  std::string name() const;   // "pp512", "pp512 logits", "tg128", "tg128 b4"
};

struct SpeedSamples {
  std::string started;          // UTC, "2026-01-31T12:00:00Z"
  std::vector<double> seconds;  // of each repetition
  double head_rows = 0;         // that a screened head read one by one, a token
};

// Bytes that a token of a decoding test needs: the weights and the head once for all sequences of a pass, the keys and
// values of the mean position, and, of a single sequence, the rows that a screened head reads besides (several share
// some).
double decoded_token_bytes(const ModelConfig& config, const WeightBytes& weights, const SpeedTest& test,
                           double head_rows, KvType kv_type);

// Runs the test once to warm up and then `repetitions` times, `between` before each of these. The tokens are random,
// keys and values kept as `kv_type`.
// Error when the context does not hold them.
SpeedSamples measure_speed(const Model& model, const SpeedTest& test, size_t repetitions,
                           const std::function<void()>& between, Threads& threads, KvType kv_type = KvType::kF32);

struct Statistics {
  double mean = 0;
  double deviation = 0;  // of the sample (n - 1); 0 for a single value
  double median = 0;
};
Statistics statistics(std::vector<double> values);  // not empty

// The median over the repetitions of `reached` (bytes/s, multiply-adds/s), each against the machine's rate just before
// and after it (one rate more than repetitions): other programs slow both down.
double share_reached(std::span<const double> reached, std::span<const MachineRates> machine,
                     double MachineRates::*rate);

}  // namespace tern
