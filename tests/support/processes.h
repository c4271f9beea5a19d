// Processes that are threads of the test: what MPI's do, without MPI.
#pragma once

#include <condition_variable>
#include <deque>
#include <exception>
#include <map>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

#include "train/communicator.h"

namespace tern::test {

// The messages on their way.
class Post {
 public:
  void send(size_t from, size_t to, Bytes bytes) {
    const std::lock_guard lock(mutex_);
    boxes_[{from, to}].emplace_back(bytes.begin(), bytes.end());
    arrived_.notify_all();
  }
  std::vector<std::byte> receive(size_t from, size_t to) {
    std::unique_lock lock(mutex_);
    std::deque<std::vector<std::byte>>& box = boxes_[{from, to}];
    arrived_.wait(lock, [&] { return !box.empty(); });
    std::vector<std::byte> message = std::move(box.front());
    box.pop_front();
    return message;
  }
  bool empty() const {
    for (const auto& [ends, box] : boxes_) {
      if (!box.empty()) return false;
    }
    return true;
  }

 private:
  std::mutex mutex_;
  std::condition_variable arrived_;
  std::map<std::pair<size_t, size_t>, std::deque<std::vector<std::byte>>> boxes_;
};

class ThreadProcess final : public Communicator {
 public:
  ThreadProcess(size_t rank, size_t world, Post& post) : rank_(rank), world_(world), post_(post) {}
  size_t rank() const override { return rank_; }
  size_t world() const override { return world_; }
  std::string host() const override { return "host" + std::to_string(rank_); }

 private:
  void deliver(std::span<const OutgoingMessage> sends, std::span<const IncomingMessage> receives) override {
    for (const OutgoingMessage& message : sends) post_.send(rank_, message.to, message.bytes);
    for (const IncomingMessage& message : receives) {
      const std::vector<std::byte> bytes = post_.receive(message.from, rank_);
      if (bytes.size() != message.bytes.size()) throw std::logic_error("a message of another size than expected");
      std::copy(bytes.begin(), bytes.end(), message.bytes.begin());
    }
  }

  size_t rank_, world_;
  Post& post_;
};

// Calls body(processes) in `world` threads at once; then throws what the first of them threw. A body that throws before
// the others are done with it would leave them waiting: all throw, or none.
template <class Body>
void with_processes(size_t world, const Body& body) {
  Post post;
  std::vector<std::exception_ptr> errors(world);
  std::vector<std::thread> threads;
  for (size_t rank = 0; rank < world; ++rank) {
    threads.emplace_back([&, rank] {
      ThreadProcess process(rank, world, post);
      try {
        body(process);
      } catch (...) {
        errors[rank] = std::current_exception();
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (const std::exception_ptr& error : errors) {
    if (error) std::rethrow_exception(error);
  }
  if (!post.empty()) throw std::logic_error("a message that nobody received");
}

}  // namespace tern::test
