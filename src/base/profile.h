// Where the time goes: seconds, calls and multiply-adds of the parts of a computation. A Profile that is attached to a
// thread pool (Threads::set_profile) collects what the operations on that pool measure of themselves with Timed;
// without one they measure nothing.
#pragma once

#include <cstdint>
#include <vector>

#include "base/clock.h"
#include "base/threads.h"

namespace tern {

struct ProfileEntry {
  const char* part;  // static text
  double seconds = 0;
  double multiply_adds = 0;  // 0 where they are not what takes the time
  uint64_t calls = 0;
};

// Used by the pool's owner alone, not by its workers.
class Profile {
 public:
  void add(const char* part, double seconds, double multiply_adds);
  // What takes longest first.
  std::vector<ProfileEntry> entries() const;

 private:
  std::vector<ProfileEntry> entries_;
};

// From here to the end of the block is `part`, static text. Parts must not contain each other.
class Timed {
 public:
  Timed(const Threads& threads, const char* part, double multiply_adds = 0)
      : profile_(threads.profile()), part_(part), multiply_adds_(multiply_adds), begin_(profile_ ? now_s() : 0) {}
  ~Timed() {
    if (profile_ != nullptr) profile_->add(part_, now_s() - begin_, multiply_adds_);
  }
  Timed(const Timed&) = delete;
  Timed& operator=(const Timed&) = delete;

 private:
  Profile* profile_;
  const char* part_;
  double multiply_adds_;
  double begin_;
};

// Multiply-adds of an (m, k) by (k, n) product.
inline double product_size(size_t m, size_t n, size_t k) {
  return static_cast<double>(m) * static_cast<double>(n) * static_cast<double>(k);
}

}  // namespace tern
