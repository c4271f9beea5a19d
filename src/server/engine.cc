#include "server/engine.h"

#include <utility>

#include "base/log.h"

namespace tern {

Engine::Engine(const Model& model, const Batcher::Options& options, size_t most_requests, Threads& threads)
    : batcher_(model, options, threads), most_requests_(most_requests), thread_([this] { work(); }) {
  state_ = batcher_.state();
}

Engine::~Engine() { stop(); }

void Engine::stop() {
  if (!thread_.joinable()) return;
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
  }
  wake_.notify_one();
  thread_.join();
  commands_.clear();
  listening_.clear();
}

void Engine::post(Command command) {
  {
    const std::lock_guard lock(mutex_);
    commands_.push_back(std::move(command));
  }
  wake_.notify_one();
}

std::optional<uint64_t> Engine::submit(BatchRequest request, std::optional<Clock::time_point> deadline,
                                       Listener listener) {
  batcher_.check(request);
  uint64_t id = 0;
  {
    const std::lock_guard lock(mutex_);
    if (requests_ >= most_requests_) return std::nullopt;
    ++requests_;
    id = next_++;
  }
  auto shared = std::make_shared<std::pair<BatchRequest, Listener>>(std::move(request), std::move(listener));
  post([this, id, deadline, shared] {
    const size_t choices = shared->first.choices;
    const uint64_t in_batcher = batcher_.add(std::move(shared->first));
    of_batcher_[in_batcher] = id;
    listening_[id] = {std::move(shared->second), deadline, std::vector<bool>(choices), choices, in_batcher};
  });
  return id;
}

void Engine::cancel(uint64_t request) {
  post([this, request] { forget(request); });
}

void Engine::cancel(uint64_t request, size_t choice) {
  post([this, request, choice] {
    const auto found = listening_.find(request);
    if (found == listening_.end() || found->second.ended[choice]) return;
    found->second.ended[choice] = true;
    batcher_.cancel(found->second.in_batcher, choice);
    if (--found->second.open == 0) forget(request);
  });
}

void Engine::shut_down() {
  post([this] { end_all(BatchEnd::kShutdown); });
}

bool Engine::run(std::function<void()> job) {
  {
    const std::lock_guard lock(mutex_);
    if (requests_ >= most_requests_) return false;
    ++requests_;
  }
  post([this, job = std::move(job)] {
    job();
    const std::lock_guard lock(mutex_);
    --requests_;
  });
  return true;
}

Batcher::State Engine::state() const {
  const std::lock_guard lock(mutex_);
  return state_;
}

size_t Engine::requests() const {
  const std::lock_guard lock(mutex_);
  return requests_;
}

void Engine::work() {
  bool busy = false;
  while (true) {
    std::vector<Command> commands;
    {
      std::unique_lock lock(mutex_);
      state_ = batcher_.state();
      if (!busy) wake_.wait(lock, [this] { return stop_ || !commands_.empty(); });
      if (stop_) return;
      commands.swap(commands_);
    }
    for (const Command& command : commands) command();
    check_deadlines();
    try {
      busy = batcher_.step([this](const BatchEvent& event) { on_event(event); });
    } catch (const std::exception& error) {  // memory, most likely: whoever is under way is told, others may come
      log_warning("a pass failed: {}", error.what());
      end_all(BatchEnd::kFailed);
      busy = false;
    }
  }
}

void Engine::on_event(const BatchEvent& event) {
  const auto id = of_batcher_.find(event.request);
  if (id == of_batcher_.end()) return;
  const uint64_t request = id->second;
  Listening& listening = listening_.at(request);
  if (listening.ended[event.choice]) return;
  BatchEvent ours = event;
  ours.request = request;
  listening.listener(ours);
  if (event.kind != BatchEvent::Kind::kEnd) return;
  listening.ended[event.choice] = true;
  if (--listening.open == 0) forget(request);
}

void Engine::check_deadlines() {
  const auto now = Clock::now();
  std::vector<uint64_t> late;
  for (const auto& [id, listening] : listening_) {
    if (listening.deadline && *listening.deadline <= now) late.push_back(id);
  }
  for (const uint64_t id : late) end_rest(id, BatchEnd::kDeadline);
}

void Engine::end_all(BatchEnd reason) {
  while (!listening_.empty()) end_rest(listening_.begin()->first, reason);
}

void Engine::end_rest(uint64_t request, BatchEnd reason) {
  const Listening& listening = listening_.at(request);
  for (size_t choice = 0; choice < listening.ended.size(); ++choice) {
    if (listening.ended[choice]) continue;
    BatchEvent event;
    event.kind = BatchEvent::Kind::kEnd;
    event.request = request;
    event.choice = choice;
    event.end = reason;
    listening.listener(event);
  }
  forget(request);
}

void Engine::forget(uint64_t request) {
  const auto found = listening_.find(request);
  if (found == listening_.end()) return;
  batcher_.cancel(found->second.in_batcher);
  of_batcher_.erase(found->second.in_batcher);
  listening_.erase(found);
  const std::lock_guard lock(mutex_);
  --requests_;
}

}  // namespace tern
