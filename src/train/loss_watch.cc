#include "train/loss_watch.h"

#include <algorithm>
#include <cmath>
#include <cstdio>

#include "base/error.h"
#include "base/text.h"

namespace tern {
namespace {

constexpr double kNewest = 0.02;     // weight of a new value
constexpr int64_t kEnough = 50;      // values before anything is a spike
constexpr double kMarginNats = 1.0;  // above the loss of guessing

}  // namespace

bool RunningSpread::is_spike(double value, double deviations) const {
  return deviations > 0 && count_ >= kEnough && value > mean_ + deviations * std::sqrt(variance_);
}

void RunningSpread::add(double value, double deviations) {
  if (is_spike(value, deviations)) value = mean_ + deviations * std::sqrt(variance_);
  // The first values weigh alike.
  const double weight = std::max(kNewest, 1.0 / static_cast<double>(count_ + 1));
  const double difference = value - mean_;
  mean_ += weight * difference;
  variance_ = (1.0 - weight) * (variance_ + weight * difference * difference);
  ++count_;
}

LossWatch::Verdict LossWatch::look(const WatchOptions& options, double loss, double gradient_norm, double limit) {
  above_ = loss > limit ? above_ + 1 : 0;
  const bool skip = loss_.is_spike(loss, options.skip_loss) || norm_.is_spike(gradient_norm, options.skip_norm);
  loss_.add(loss, options.skip_loss);
  norm_.add(gradient_norm, options.skip_norm);
  if (options.diverged_steps > 0 && above_ >= options.diverged_steps) return Verdict::kDiverged;
  return skip ? Verdict::kSkip : Verdict::kFine;
}

std::string LossWatch::to_text() const {
  return fmt::format("{} {:a} {:a} {} {:a} {:a} {}", loss_.count_, loss_.mean_, loss_.variance_, norm_.count_,
                     norm_.mean_, norm_.variance_, above_);
}

LossWatch LossWatch::from_text(std::string_view text, std::string_view where) {
  LossWatch watch;
  const std::string line(text);
  int used = 0;
  long long counts[3] = {};
  const int fields =
      std::sscanf(line.c_str(), "%lld %la %la %lld %la %la %lld%n", &counts[0], &watch.loss_.mean_,
                  &watch.loss_.variance_, &counts[1], &watch.norm_.mean_, &watch.norm_.variance_, &counts[2], &used);
  watch.loss_.count_ = counts[0];
  watch.norm_.count_ = counts[1];
  watch.above_ = counts[2];
  if (fields != 7 || watch.to_text() != text) {
    fail("{}: expected the spread of losses and gradient norms in seven numbers, found {}", where, quote(text));
  }
  return watch;
}

double diverged_loss(size_t vocab) { return std::log(static_cast<double>(vocab)) + kMarginNats; }

}  // namespace tern
