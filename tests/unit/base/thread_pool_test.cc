#include "base/thread_pool.h"

#include <gtest/gtest.h>

#include <atomic>
#include <latch>

namespace bentohost {
namespace {

TimePoint in_ten_seconds() { return SteadyClock().now() + std::chrono::seconds(10); }

TEST(ThreadPool, RunsJobsThatWaitForEachOtherSideBySide) {
  constexpr int kJobs = 20;
  std::latch all(kJobs);
  ThreadPool pool(kJobs, kJobs);
  for (int i = 0; i < kJobs; ++i) pool.run([&all] { all.arrive_and_wait(); });
  EXPECT_EQ(pool.stop(in_ten_seconds()), 0u);
}

TEST(ThreadPool, RunsNoMoreAtOnceThanItMay) {
  std::atomic<int> running = 0;
  std::atomic<int> done = 0;
  std::latch all(100);
  ThreadPool pool(3, 3);
  for (int i = 0; i < 100; ++i) {
    pool.run([&] {
      EXPECT_LE(++running, 3);
      --running;
      ++done;
      all.count_down();
    });
  }
  all.wait();
  EXPECT_EQ(pool.stop(in_ten_seconds()), 0u);
  EXPECT_EQ(done, 100);
}

TEST(ThreadPool, GivesTheSeatOfAJobThatWaitsToAnother) {
  std::latch second_ran(1);
  ThreadPool pool(2, 1);
  pool.run([&] {
    const ThreadPool::Blocking waiting;
    second_ran.wait();
  });
  pool.run([&] { second_ran.count_down(); });
  second_ran.wait();
  EXPECT_EQ(pool.stop(in_ten_seconds()), 0u);
}

TEST(ThreadPool, RunsAJobThoughAllSeatsAreHeldByJobsThatWaitInSilence) {
  constexpr int kJobs = 10;
  std::latch all(kJobs);
  ThreadPool pool(kJobs, 2);
  for (int i = 0; i < kJobs; ++i) pool.run([&all] { all.arrive_and_wait(); });
  EXPECT_EQ(pool.stop(in_ten_seconds()), 0u);
}

TEST(ThreadPool, RunsWhatStillWaitsWhenItStops) {
  std::latch started(1);
  std::latch release(1);
  std::atomic<bool> ran = false;
  ThreadPool pool(1, 1);
  pool.run([&] {
    started.count_down();
    release.wait();
  });
  started.wait();
  pool.run([&] {
    ran = true;
    release.count_down();
  });
  EXPECT_EQ(pool.stop(in_ten_seconds()), 0u);
  EXPECT_TRUE(ran);
}

TEST(ThreadPool, LeavesBehindAJobThatDoesNotReturn) {
  std::latch started(1);
  std::latch release(1);
  std::latch ended(1);
  {
    ThreadPool pool(1, 1);
    pool.run([&] {
      started.count_down();
      release.wait();
      ended.count_down();
    });
    started.wait();
    EXPECT_EQ(pool.stop(TimePoint::min()), 1u);
  }
  release.count_down();
  ended.wait();
}

}  // namespace
}  // namespace bentohost
