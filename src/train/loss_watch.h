// Watches a run's losses and gradient norms: spikes, whose updates are left out, and a run that has diverged.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace tern {

struct WatchOptions {
  double skip_loss = 0;         // the update is left out when the loss is so many deviations above its mean; 0: never
  double skip_norm = 0;         // the same for the gradient norm
  int64_t diverged_steps = 20;  // consecutive steps with a loss that says so end the run; 0: never
};

// Mean and variance of a series, newer values weighing more (factor 0.98 a value, so about the last fifty).
class RunningSpread {
 public:
  // Whether there are enough values to tell, and this one lies more than `deviations` standard deviations above their
  // mean.
  bool is_spike(double value, double deviations) const;
  // Takes a value in; a spike counts as the largest value that is none, so that it cannot hide the next one, and a
  // level that stays is no spike any more after a while. Without limit where `deviations` is 0.
  void add(double value, double deviations);

  bool operator==(const RunningSpread&) const = default;

 private:
  friend class LossWatch;
  int64_t count_ = 0;
  double mean_ = 0;
  double variance_ = 0;
};

// What it remembers is part of the checkpoint: a resumed run leaves out the same updates.
class LossWatch {
 public:
  // What step's loss and gradient norm mean. `limit` is the loss above which a model has learned less than nothing.
  enum class Verdict : uint8_t { kFine, kSkip, kDiverged };
  Verdict look(const WatchOptions& options, double loss, double gradient_norm, double limit);

  // As one line, exactly; Error (with `where`) for a line that to_text() does not write.
  std::string to_text() const;
  static LossWatch from_text(std::string_view text, std::string_view where);

  bool operator==(const LossWatch&) const = default;

 private:
  RunningSpread loss_;
  RunningSpread norm_;
  int64_t above_ = 0;  // consecutive steps with a loss above the limit
};

// The loss above which a run has diverged: one nat more than guessing every token of the vocabulary alike.
double diverged_loss(size_t vocab);

}  // namespace tern
