#include "server/engine.h"

#include <gtest/gtest.h>

#include <future>

#include "support/errors.h"
#include "support/models.h"

namespace tern {
namespace {

class EngineTest : public testing::Test {
 protected:
  EngineTest() {
    ModelConfig c;
    c.vocab = 64;
    c.dim = 32;
    c.layers = 1;
    c.heads = 2;
    c.kv_heads = 2;
    c.head_dim = 16;
    c.ffn = 32;
    c.context = 256;
    model_ = test::test_model(c, 3, threads_);
  }

  static BatchRequest request(size_t max_tokens, size_t choices = 1) {
    BatchRequest r;
    r.prompt = {1, 2, 3};
    r.max_tokens = max_tokens;
    r.choices = choices;
    return r;
  }

  Threads threads_{2};
  Model model_;
};

TEST_F(EngineTest, GivesEventsUntilTheEnd) {
  Engine engine(model_, {}, 4, threads_);
  std::promise<size_t> done;
  size_t tokens = 0;
  ASSERT_TRUE(engine.submit(request(9), std::nullopt, [&](const BatchEvent& event) {
    tokens += event.kind == BatchEvent::Kind::kToken;
    if (event.kind == BatchEvent::Kind::kEnd) done.set_value(tokens);
  }));
  EXPECT_EQ(done.get_future().get(), 9u);
}

TEST_F(EngineTest, RefusesMoreThanItMayHold) {
  Engine engine(model_, {}, 2, threads_);
  std::promise<void> hold;
  const std::shared_future<void> held = hold.get_future().share();
  ASSERT_TRUE(engine.run([held] { held.wait(); }));
  const auto ignore = [](const BatchEvent&) {};
  EXPECT_TRUE(engine.submit(request(1), std::nullopt, ignore).has_value());
  EXPECT_FALSE(engine.submit(request(1), std::nullopt, ignore).has_value());
  EXPECT_FALSE(engine.run([] {}));
  hold.set_value();
  while (engine.requests() > 0) std::this_thread::yield();
  EXPECT_TRUE(engine.submit(request(1), std::nullopt, ignore).has_value());
  test::expect_error([&] { engine.submit(request(1, 0), std::nullopt, ignore); }, "no answer");
}

TEST_F(EngineTest, EndsWhatIsLate) {
  Engine engine(model_, {}, 4, threads_);
  std::promise<BatchEnd> end;
  engine.submit(request(100, 1), Engine::Clock::now() - std::chrono::seconds(1), [&](const BatchEvent& event) {
    if (event.kind == BatchEvent::Kind::kEnd) end.set_value(event.end);
  });
  EXPECT_EQ(end.get_future().get(), BatchEnd::kDeadline);
  while (engine.requests() > 0) std::this_thread::yield();
  EXPECT_EQ(engine.state().used_pages, 0u);
}

TEST_F(EngineTest, CancelledOnesFallSilent) {
  Engine engine(model_, {}, 4, threads_);
  std::promise<void> begun, cancelled;
  const std::shared_future<void> go_on = cancelled.get_future().share();
  std::atomic<bool> first{true};
  std::atomic<size_t> of_choice[2] = {0, 0};
  const auto id = engine.submit(request(200, 2), std::nullopt, [&](const BatchEvent& event) {
    if (event.kind == BatchEvent::Kind::kToken) ++of_choice[event.choice];
    if (event.choice == 0 || !first.exchange(false)) return;
    begun.set_value();
    go_on.wait();
  });
  begun.get_future().wait();
  engine.cancel(*id, 0);
  engine.cancel(*id, 1);
  cancelled.set_value();
  while (engine.requests() > 0) std::this_thread::yield();
  EXPECT_LE(of_choice[0], 3u);
  EXPECT_LE(of_choice[1], 2u);
  const size_t then = of_choice[0] + of_choice[1];
  std::this_thread::sleep_for(std::chrono::milliseconds(20));
  EXPECT_EQ(of_choice[0] + of_choice[1], then);
  engine.cancel(*id);
  engine.cancel(777);
}

TEST_F(EngineTest, ShutsDownWhatIsUnderWayAndWaits) {
  Batcher::Options options;
  options.sequences = 1;
  Engine engine(model_, options, 4, threads_);
  std::promise<BatchEnd> ends[2];
  for (std::promise<BatchEnd>& end : ends) {
    engine.submit(request(250), std::nullopt, [&end, &engine](const BatchEvent& event) {
      if (event.kind == BatchEvent::Kind::kPrompt) engine.shut_down();
      if (event.kind == BatchEvent::Kind::kEnd) end.set_value(event.end);
    });
  }
  for (std::promise<BatchEnd>& end : ends) EXPECT_EQ(end.get_future().get(), BatchEnd::kShutdown);
}

TEST_F(EngineTest, AfterStopNobodyIsCalledOrKept) {
  Engine engine(model_, {}, 4, threads_);
  const auto held = std::make_shared<std::atomic<size_t>>(0);
  std::promise<void> begun;
  engine.submit(request(250, 2), std::nullopt, [held, &begun](const BatchEvent&) {
    if (++*held == 1) begun.set_value();
  });
  begun.get_future().wait();
  EXPECT_TRUE(engine.run([held] {}));
  engine.stop();
  engine.stop();
  EXPECT_EQ(held.use_count(), 1);
}

TEST_F(EngineTest, MayEndWithRequestsUnderWay) {
  Engine engine(model_, {}, 8, threads_);
  for (int i = 0; i < 5; ++i) engine.submit(request(200, 3), std::nullopt, [](const BatchEvent&) {});
}

}  // namespace
}  // namespace tern
