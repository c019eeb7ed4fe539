#include "service/background.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <future>
#include <vector>

#include "fakes/fake_plugin.h"
#include "plugin/tickets.h"
#include "service/live_service.h"

namespace bentohost::service {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::HasSubstr;

class BackgroundTest : public testing::Test {
 protected:
  BackgroundTest() {
    auto instance = plugin_.instance();
    service_ = std::make_shared<const LiveService>(*std::move(instance), "");
  }
  void make(std::size_t threads, std::size_t max_tasks) {
    background_.emplace(Background::Options{threads, max_tasks, 1s}, clock_, metrics_);
  }
  std::shared_ptr<BackgroundRow> row() {
    return std::make_shared<BackgroundRow>(*background_, service_, "id-1", "POST", "/classify");
  }
  // A task that calls `f`, and counts its drop.
  BackgroundTask task(std::function<bento_code(bento_ctx*, bento_error*)> f) {
    struct Kept {
      std::function<bento_code(bento_ctx*, bento_error*)> f;
      BackgroundTest* test;
    };
    return {[](void* arg, bento_ctx* ctx, bento_error* error) {
              return static_cast<Kept*>(arg)->f(ctx, error);
            },
            nullptr, new Kept{std::move(f), this},
            [](void* arg) {
              const std::unique_ptr<Kept> kept(static_cast<Kept*>(arg));
              ++kept->test->drops_;
            }};
  }
  BackgroundTask note(int number) {
    return task([this, number](bento_ctx*, bento_error*) {
      ran_.push_back(number);
      return bento_code{BENTO_OK};
    });
  }

  // An asynchronous one, which calls `f`.
  BackgroundTask async_task(std::function<bento_code(bento_ctx*, bento_done*, bento_error*)> f) {
    struct Kept {
      std::function<bento_code(bento_ctx*, bento_done*, bento_error*)> f;
      BackgroundTest* test;
    };
    return {nullptr,
            [](void* arg, bento_ctx* ctx, bento_done* done, bento_error* error) {
              return static_cast<Kept*>(arg)->f(ctx, done, error);
            },
            new Kept{std::move(f), this},
            [](void* arg) {
              const std::unique_ptr<Kept> kept(static_cast<Kept*>(arg));
              ++kept->test->drops_;
            }};
  }
  BackgroundTask async_note(int number) {
    return async_task([this, number](bento_ctx*, bento_done* done, bento_error*) {
      ran_.push_back(number);
      done->finish(done, BENTO_OK, nullptr);
      return bento_code{BENTO_OK};
    });
  }

  SteadyClock clock_;
  observe::Metrics metrics_{"test"};
  fakes::FakePlugin plugin_;
  std::shared_ptr<const LiveService> service_;
  std::optional<Background> background_;
  std::vector<int> ran_;
  std::atomic<int> drops_ = 0;
};

TEST_F(BackgroundTest, RunsTheTasksOfARowInOrder) {
  make(4, 10);
  auto one = row();
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(one->add(note(i)).ok());
  EXPECT_THAT(metrics_.text(), HasSubstr("bentohost_background_tasks{state=\"queued\"} 3"));
  one->begin(std::move(one));
  EXPECT_TRUE(background_->stop(clock_.now() + 5s, 1s));
  EXPECT_THAT(ran_, ElementsAre(0, 1, 2));
  EXPECT_EQ(drops_, 3);
  EXPECT_THAT(metrics_.text(), HasSubstr("bentohost_background_tasks_total{result=\"done\"} 3"));
  EXPECT_THAT(metrics_.text(), HasSubstr("bentohost_background_tasks{state=\"queued\"} 0"));
}

TEST_F(BackgroundTest, TellsATaskOfItsRequest) {
  make(1, 10);
  auto one = row();
  ASSERT_TRUE(one->add(task([](bento_ctx* ctx, bento_error*) {
                   EXPECT_EQ(ctx->request_id(), "id-1");
                   EXPECT_EQ(to_view(ctx->scope()->path), "/classify");
                   EXPECT_FALSE(ctx->cancelled());
                   EXPECT_EQ(ctx->set_status(200).code(), BENTO_UNIMPLEMENTED);
                   return bento_code{BENTO_OK};
                 }))
                  .ok());
  one->begin(std::move(one));
  EXPECT_TRUE(background_->stop(clock_.now() + 5s, 1s));
}

TEST_F(BackgroundTest, EndsARowWithItsFirstFailureAndLogsIt) {
  make(1, 10);
  testing::internal::CaptureStderr();
  auto one = row();
  ASSERT_TRUE(one->add(note(0)).ok());
  ASSERT_TRUE(one->add(task([](bento_ctx*, bento_error* error) {
                   return Status(BENTO_UNAVAILABLE, "nobody there").give(error);
                 }))
                  .ok());
  ASSERT_TRUE(one->add(note(2)).ok());
  one->begin(std::move(one));
  EXPECT_TRUE(background_->stop(clock_.now() + 5s, 1s));
  const std::string log = testing::internal::GetCapturedStderr();
  EXPECT_THAT(ran_, ElementsAre(0));
  EXPECT_EQ(drops_, 3) << "once for each, run or not";
  EXPECT_THAT(log, HasSubstr("a background task failed: nobody there"));
  EXPECT_THAT(log, HasSubstr("id-1"));
  EXPECT_THAT(metrics_.text(), HasSubstr("bentohost_background_tasks_total{result=\"failed\"} 1"));
  EXPECT_THAT(metrics_.text(), HasSubstr("bentohost_background_tasks_total{result=\"dropped\"} 1"));
}

TEST_F(BackgroundTest, RefusesMoreThanMayWait) {
  make(1, 2);
  auto one = row(), other = row();
  ASSERT_TRUE(one->add(note(0)).ok());
  ASSERT_TRUE(one->add(note(1)).ok());
  const BackgroundTask third = note(2);
  const Status status = other->add(third);
  EXPECT_EQ(status.code(), BENTO_RESOURCE_EXHAUSTED);
  EXPECT_THAT(status.message(), HasSubstr("--max-background"));
  third.drop(third.arg);  // the caller still owns it
  one.reset();            // its response never came
  EXPECT_EQ(drops_, 3);
  EXPECT_TRUE(other->add(note(3)).ok());
}

TEST_F(BackgroundTest, TellsWhatRunsAtItsEndAndDropsTheRest) {
  make(1, 10);
  std::promise<void> begun;
  auto one = row();
  ASSERT_TRUE(one->add(task([&](bento_ctx* ctx, bento_error*) {
                   begun.set_value();
                   while (!ctx->cancelled()) std::this_thread::yield();
                   return bento_code{BENTO_OK};
                 }))
                  .ok());
  ASSERT_TRUE(one->add(note(1)).ok());
  one->begin(std::move(one));
  auto waits = row();
  ASSERT_TRUE(waits->add(note(2)).ok());
  waits->begin(std::move(waits));
  begun.get_future().wait();
  testing::internal::CaptureStderr();
  EXPECT_TRUE(background_->stop(clock_.now(), 5s));
  EXPECT_THAT(testing::internal::GetCapturedStderr(), HasSubstr("tasks=2"));
  EXPECT_TRUE(ran_.empty());
  EXPECT_EQ(drops_, 3);
}

// ---- asynchronous tasks ----------------------------------------------------------------------

// A task that waits for a ticket, asks it again when it is woken, and finishes with what it says.
struct Waiting {
  bento_done* done;
  plugin::TicketPtr ticket;

  // Takes ownership of itself.
  static bento_code begin(bento_done* done, plugin::TicketPtr ticket) {
    auto* const self = new Waiting{done, std::move(ticket)};
    if (!self->ticket->when(&Waiting::wake, self)) wake(self);
    return BENTO_OK;
  }
  static void wake(void* arg) {
    const std::unique_ptr<Waiting> self(static_cast<Waiting*>(arg));
    const auto next = self->ticket->next();
    if (next.ok()) return self->done->finish(self->done, BENTO_OK, nullptr);
    bento_error error{};
    error.size = sizeof error;
    self->done->finish(self->done, next.status().give(&error), &error);
  }
};

TEST_F(BackgroundTest, RunsBothKindsOfTasksInOrder) {
  make(2, 10);
  auto one = row();
  for (int i = 0; i < 6; ++i) ASSERT_TRUE(one->add(i % 3 == 0 ? note(i) : async_note(i)).ok());
  one->begin(std::move(one));
  EXPECT_TRUE(background_->stop(clock_.now() + 5s, 1s));
  EXPECT_THAT(ran_, ElementsAre(0, 1, 2, 3, 4, 5));
  EXPECT_EQ(drops_, 6);
  EXPECT_THAT(metrics_.text(), HasSubstr("bentohost_background_tasks_total{result=\"done\"} 6"));
  EXPECT_THAT(metrics_.text(), HasSubstr("bentohost_background_tasks{state=\"running\"} 0"));
}

TEST_F(BackgroundTest, AsynchronousTasksWaitBesideEachOtherWithoutAThread) {
  make(1, 100);
  std::atomic<int> waiting = 0;
  for (int i = 0; i < 20; ++i) {
    auto one = row();
    ASSERT_TRUE(one->add(async_task([&](bento_ctx* ctx, bento_done* done, bento_error*) {
                     ++waiting;
                     auto waiter = ctx->waiter();
                     EXPECT_TRUE(waiter.ok());
                     return Waiting::begin(done,
                                           plugin::make_timer(*waiter, clock_.now(), 20'000'000));
                   }))
                    .ok());
    one->begin(std::move(one));
  }
  EXPECT_TRUE(background_->stop(clock_.now() + 5s, 1s));
  EXPECT_EQ(waiting, 20);
  EXPECT_THAT(metrics_.text(), HasSubstr("bentohost_background_tasks_total{result=\"done\"} 20"));
}

TEST_F(BackgroundTest, CancelsAsynchronousTasksWhenTheHostStops) {
  make(1, 10);
  std::promise<void> begun;
  void* resolver = nullptr;
  auto one = row();
  ASSERT_TRUE(one->add(async_task([&](bento_ctx* ctx, bento_done* done, bento_error*) {
                   auto ticket = plugin::make_promise(*ctx->waiter(), &resolver);
                   begun.set_value();
                   return Waiting::begin(done, std::move(ticket));
                 }))
                  .ok());
  ASSERT_TRUE(one->add(note(1)).ok());
  one->begin(std::move(one));
  begun.get_future().wait();
  testing::internal::CaptureStderr();
  EXPECT_TRUE(background_->stop(clock_.now(), 5s));
  EXPECT_THAT(testing::internal::GetCapturedStderr(),
              HasSubstr("a background task failed: the host is stopping"));
  EXPECT_TRUE(ran_.empty());
  EXPECT_EQ(drops_, 2);
  plugin::resolve(resolver, BENTO_OK, nullptr, nullptr);
}

TEST_F(BackgroundTest, SaysThatAnAsynchronousTaskDoesNotFinish) {
  make(1, 10);
  std::promise<bento_done*> begun;
  auto one = row();
  ASSERT_TRUE(one->add(async_task([&](bento_ctx*, bento_done* done, bento_error*) {
                   begun.set_value(done);
                   return bento_code{BENTO_OK};
                 }))
                  .ok());
  one->begin(std::move(one));
  bento_done* const done = begun.get_future().get();
  EXPECT_FALSE(background_->stop(clock_.now(), 20ms));
  done->finish(done, BENTO_OK, nullptr);  // so that nothing is left
  EXPECT_TRUE(background_->stop(clock_.now() + 5s, 5s));
  EXPECT_EQ(drops_, 1);
}

TEST_F(BackgroundTest, OffloadsTheWorkOfAnAsynchronousTask) {
  make(1, 10);
  auto one = row();
  ASSERT_TRUE(one->add(async_task([&](bento_ctx* ctx, bento_done* done, bento_error*) {
                   auto ticket = ctx->offload(
                       [](void* ran) { static_cast<std::vector<int>*>(ran)->push_back(7); }, &ran_);
                   EXPECT_TRUE(ticket.ok()) << ticket.status().message();
                   return Waiting::begin(done, *std::move(ticket));
                 }))
                  .ok());
  one->begin(std::move(one));
  EXPECT_TRUE(background_->stop(clock_.now() + 5s, 1s));
  EXPECT_THAT(ran_, ElementsAre(7));
}

TEST_F(BackgroundTest, AnAsynchronousTaskThatReturnsAnErrorEndsItsRow) {
  make(1, 10);
  testing::internal::CaptureStderr();
  auto one = row();
  ASSERT_TRUE(one->add(async_task([](bento_ctx*, bento_done*, bento_error* error) {
                   return Status(BENTO_UNAVAILABLE, "nobody there").give(error);
                 }))
                  .ok());
  ASSERT_TRUE(one->add(note(1)).ok());
  one->begin(std::move(one));
  EXPECT_TRUE(background_->stop(clock_.now() + 5s, 1s));
  EXPECT_THAT(testing::internal::GetCapturedStderr(),
              HasSubstr("a background task failed: nobody there"));
  EXPECT_TRUE(ran_.empty());
  EXPECT_EQ(drops_, 2);
}

// It waits for long, and so it holds its place until it has ended.
TEST_F(BackgroundTest, AnAsynchronousTaskThatRunsCountsAsOneThatWaits) {
  make(1, 1);
  std::promise<bento_done*> begun;
  auto one = row(), other = row();
  ASSERT_TRUE(one->add(async_task([&](bento_ctx*, bento_done* done, bento_error*) {
                   begun.set_value(done);
                   return bento_code{BENTO_OK};
                 }))
                  .ok());
  one->begin(std::move(one));
  bento_done* const done = begun.get_future().get();
  const BackgroundTask second = async_note(2);
  EXPECT_EQ(other->add(second).code(), BENTO_RESOURCE_EXHAUSTED);
  second.drop(second.arg);  // the caller still owns it
  done->finish(done, BENTO_OK, nullptr);
  EXPECT_TRUE(background_->stop(clock_.now() + 5s, 1s));
}

}  // namespace
}  // namespace bentohost::service
