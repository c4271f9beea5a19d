// The processes that share a training run, and what they say to each other. One implementation hands messages over
// (`exchange`); all sums are written on top of it, once, in an order that depends on nothing but the number of parts:
// pairs of neighbours, then pairs of pairs. So a run gives the same bits whenever it is repeated, and sums of the same
// parts are the same on any number of processes that hold them.
//
// All member functions but rank(), world() and host() are collective: every process calls them in the same order, from
// one thread. A process that ends without them ends the others.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"

namespace tern {

// A contiguous part of Parameters::data().
struct ParameterRange {
  size_t begin = 0;
  size_t end = 0;

  size_t size() const { return end - begin; }
  bool operator==(const ParameterRange&) const = default;
};

struct OutgoingMessage {
  size_t to = 0;
  Bytes bytes;
};

struct IncomingMessage {
  size_t from = 0;
  std::span<std::byte> bytes;  // filled; as many as the sender sends
};

class Communicator {
 public:
  virtual ~Communicator() = default;
  Communicator(const Communicator&) = delete;
  Communicator& operator=(const Communicator&) = delete;

  virtual size_t rank() const = 0;   // of this process, from 0
  virtual size_t world() const = 0;  // processes in all
  virtual std::string host() const = 0;

  bool is_first() const { return rank() == 0; }
  bool is_alone() const { return world() == 1; }
  // "process 2 of 4 on HOST", for messages.
  std::string name() const;
  // Payload that this process has sent so far.
  uint64_t sent_bytes() const { return sent_bytes_; }

  // Sends and receives; returns when all of it is done. Messages between two processes arrive in order.
  void exchange(std::span<const OutgoingMessage> sends, std::span<const IncomingMessage> receives);

  // parts[r] of `values` becomes the sum of all processes' numbers there, on process r alone; the rest of `values` is
  // left as it is. A process sends every number but its own once.
  void reduce_scatter(std::span<const ParameterRange> parts, std::span<float> values);
  // Every process's bytes, process r's being sizes[r] long, in the order of the processes.
  std::vector<std::byte> all_gather(Bytes mine, std::span<const size_t> sizes);
  // Every process's numbers, `numbers.size()` of each, in the order of the processes.
  std::vector<double> all_gather(std::span<const double> numbers);
  // Whether it is true for any process.
  bool any(bool mine);
  // Returns when all processes are here.
  void barrier() { any(false); }
  // Error, the same on all processes, unless all have the same content: "WHAT of process 1 on A is not that of process
  // 0 on B (checksums): ADVICE".
  void agree(std::string_view what, Bytes content, std::string_view advice);

 protected:
  Communicator() = default;

 private:
  virtual void deliver(std::span<const OutgoingMessage> sends, std::span<const IncomingMessage> receives) = 0;

  uint64_t sent_bytes_ = 0;
};

// The only process there is.
class SingleProcess final : public Communicator {
 public:
  size_t rank() const override { return 0; }
  size_t world() const override { return 1; }
  std::string host() const override { return "this machine"; }

 private:
  void deliver(std::span<const OutgoingMessage> sends, std::span<const IncomingMessage> receives) override;
};

// For runs that nobody shares; it holds nothing, so one serves all.
Communicator& single_process();

// parts[0] = the sum of all parts in the fixed order, `count` numbers each; the other parts are used up.
template <class T>
void sum_pairs(std::span<T* const> parts, size_t count) {
  for (size_t step = 1; step < parts.size(); step *= 2) {
    for (size_t i = 0; i + step < parts.size(); i += 2 * step) {
      T* to = parts[i];
      const T* from = parts[i + step];
      for (size_t k = 0; k < count; ++k) to[k] += from[k];
    }
  }
}

// The sum of the numbers in the fixed order.
double sum_pairs(std::span<const double> numbers);

}  // namespace tern
