// The one thread that computes: it owns the batcher, takes requests from any other thread and hands their events back.
#pragma once

#include <chrono>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>
#include <unordered_map>
#include <vector>

#include "infer/batcher.h"

namespace tern {

class Engine {
 public:
  using Clock = std::chrono::steady_clock;
  // Called on the engine's thread, for every event of a request until its last answer ends; must be quick and not
  // throw.
  using Listener = std::function<void(const BatchEvent&)>;

  // `most_requests`: under way and waiting, beyond which submit() refuses. The model and the threads outlive the
  // engine, and nobody else uses the threads.
  Engine(const Model& model, const Batcher::Options& options, size_t most_requests, Threads& threads);
  ~Engine();  // stop()

  // Ends with whatever is under way: after it no listener is called and none is kept.
  void stop();

  // Error for a request that Batcher::check() refuses; none when too many are there. `deadline`: when its answers end
  // with kDeadline.
  std::optional<uint64_t> submit(BatchRequest request, std::optional<Clock::time_point> deadline, Listener listener);
  // No more events, of the whole request or of one of its answers, but for those already on their way.
  void cancel(uint64_t request);
  void cancel(uint64_t request, size_t choice);
  // All answers under way and waiting end with kShutdown.
  void shut_down();
  // Something else that needs the threads (embeddings), between two passes. False when too many requests are there.
  bool run(std::function<void()> job);

  Batcher::State state() const;  // after the last pass
  size_t requests() const;       // under way and waiting
  size_t context() const { return batcher_.context(); }

 private:
  struct Listening {
    Listener listener;
    std::optional<Clock::time_point> deadline;
    std::vector<bool> ended;  // of each choice
    size_t open = 0;
    uint64_t in_batcher = 0;
  };
  using Command = std::function<void()>;

  void work();
  void post(Command command);
  void on_event(const BatchEvent& event);
  void check_deadlines();
  void end_all(BatchEnd reason);
  void end_rest(uint64_t request, BatchEnd reason);
  void forget(uint64_t request);

  Batcher batcher_;
  size_t most_requests_;

  mutable std::mutex mutex_;  // of what follows
  std::condition_variable wake_;
  std::vector<Command> commands_;
  size_t requests_ = 0;
  uint64_t next_ = 1;
  bool stop_ = false;
  Batcher::State state_;

  // The engine's thread alone.
  std::unordered_map<uint64_t, Listening> listening_;
  std::unordered_map<uint64_t, uint64_t> of_batcher_;  // the batcher's number of a request -> ours

  std::thread thread_;
};

}  // namespace tern
