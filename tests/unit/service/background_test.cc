#include "service/background.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <future>
#include <vector>

#include "fakes/fake_plugin.h"
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
    struct BufferedExchange {
      std::function<bento_code(bento_ctx*, bento_error*)> f;
      BackgroundTest* test;
    };
    return {[](void* arg, bento_ctx* ctx, bento_error* error) {
              return static_cast<BufferedExchange*>(arg)->f(ctx, error);
            },
            new BufferedExchange{std::move(f), this},
            [](void* arg) {
              const std::unique_ptr<BufferedExchange> buffered(static_cast<BufferedExchange*>(arg));
              ++buffered->test->drops_;
            }};
  }
  BackgroundTask note(int number) {
    return task([this, number](bento_ctx*, bento_error*) {
      ran_.push_back(number);
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

}  // namespace
}  // namespace bentohost::service
