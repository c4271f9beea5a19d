// Measuring how fast models of a shape run: random weights, as `tern bench --shape` has them.
#pragma once

#include "base/threads.h"
#include "model/config.h"
#include "ops/key_values.h"
#include "ops/machine.h"
#include "report/measurements.h"
#include "report/package_energy.h"

namespace tern {

// What every measurement needs.
struct SpeedMeter {
  Threads& threads;
  MachineMeter& machine;
  const PackageEnergy& energy;
  double seconds = 0;  // that a test may take, about
  size_t repetitions = 0;
};

// One token after the other from an empty cache on, and a prompt, with the first `layers` layers. Numbers, of the best
// repetition (other programs can only slow one down):
//   decode_s, prefill_s     of one token
//   decode_joules           of one token, the median over the repetitions, where the counters can be read
//   bandwidth_share         of the machine's read bandwidth, decoding; the median
//   peak_share              of the machine's multiply-adds, reading a prompt; the median
//   peak_bytes              of resident memory while the model was made and measured, without the meter's; where the
//                           system says it
//   decode_tokens, prompt_tokens  how many were taken, so that a test ends in time
// The counts are those of a model of `most_layers`.
Measurement measure_model(const ModelConfig& config, size_t layers, size_t most_layers, const SpeedMeter& meter);

// Decoding `sequences` sequences at once behind `past` positions: pass_s, the seconds of a pass.
Measurement measure_batch(const ModelConfig& config, size_t layers, size_t sequences, size_t past, KvType kv_type,
                          const SpeedMeter& meter);

// bandwidth (bytes/s), integer_peak and float_peak (multiply-adds/s).
Measurement measure_machine(MachineMeter& machine);

}  // namespace tern
