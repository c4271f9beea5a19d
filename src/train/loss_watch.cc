#include "train/loss_watch.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>

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
  const std::string line(text);
  const char* at = line.c_str();
  char* end = nullptr;
  const auto count = [&] {
    const long long value = std::strtoll(at, &end, 10);
    at = end;
    return int64_t{value};
  };
  const auto number = [&] {
    const double value = std::strtod(at, &end);
    at = end;
    return value;
  };
  LossWatch watch;
  for (RunningSpread* spread : {&watch.loss_, &watch.norm_}) {
    spread->count_ = count();
    spread->mean_ = number();
    spread->variance_ = number();
  }
  watch.above_ = count();
  // Where a number is missing or has another form, it does not come out again as it stood there.
  if (watch.to_text() != text) {
    fail("{}: expected the spread of losses and gradient norms in seven numbers, found {}", where, quote(text));
  }
  return watch;
}

double diverged_loss(size_t vocab) { return std::log(static_cast<double>(vocab)) + kMarginNats; }

}  // namespace tern
