#include "base/loop/thread_pool.h"

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <fstream>
#include <latch>
#include <string_view>

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

TEST(ThreadPool, RunsAFunctionThatStillWaitsWhenItStops) {
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

// Counts whether it is run or dropped.
class CountedJob final : public ThreadPool::Job {
 public:
  struct Counts {
    std::atomic<int> run = 0, dropped = 0;
    std::atomic<bool> is_wanted = true;
  };
  explicit CountedJob(Counts& counts, std::size_t bytes = 0) : Job(bytes), counts_(counts) {}
  bool is_wanted() const override { return counts_.is_wanted; }
  void run() override { ++counts_.run; }
  void drop() override { ++counts_.dropped; }

 private:
  Counts& counts_;
};

// Keeps the only thread of a pool busy.
class Busy {
 public:
  explicit Busy(ThreadPool& pool) {
    pool.run([this] {
      started_.count_down();
      release_.wait();
    });
    started_.wait();
  }
  void end() { release_.count_down(); }

 private:
  std::latch started_{1}, release_{1};
};

TEST(ThreadPool, DropsAJobThatNobodyWantsWhenItsTurnComes) {
  CountedJob::Counts unwanted, wanted;
  ThreadPool pool(1, 1);
  Busy busy(pool);
  ASSERT_TRUE(pool.run(std::make_unique<CountedJob>(unwanted)).ok());
  ASSERT_TRUE(pool.run(std::make_unique<CountedJob>(wanted)).ok());
  unwanted.is_wanted = false;
  std::latch both(1);
  pool.run([&] { both.count_down(); });
  busy.end();
  both.wait();
  EXPECT_EQ(pool.stop(in_ten_seconds()), 0u);
  EXPECT_EQ(unwanted.run, 0);
  EXPECT_EQ(unwanted.dropped, 1);
  EXPECT_EQ(wanted.run, 1);
  EXPECT_EQ(wanted.dropped, 0);
}

TEST(ThreadPool, BeginsNoJobOnceItStops) {
  CountedJob::Counts counts;
  ThreadPool pool(1, 1);
  Busy busy(pool);
  ASSERT_TRUE(pool.run(std::make_unique<CountedJob>(counts)).ok());
  EXPECT_EQ(pool.stop(TimePoint::min()), 1u);
  busy.end();
  EXPECT_EQ(counts.run, 0);
  EXPECT_EQ(counts.dropped, 1);
}

TEST(ThreadPool, RefusesJobsBeyondItsBounds) {
  CountedJob::Counts counts;
  ThreadPool pool(ThreadPool::Options{
      .max_threads = 1, .permits = 1, .max_waiting = 3, .max_waiting_bytes = 100});
  Busy busy(pool);
  EXPECT_TRUE(pool.run(std::make_unique<CountedJob>(counts, 60)).ok());
  EXPECT_EQ(pool.run(std::make_unique<CountedJob>(counts, 41)).code(), BENTO_RESOURCE_EXHAUSTED);
  EXPECT_TRUE(pool.run(std::make_unique<CountedJob>(counts, 40)).ok());
  EXPECT_EQ(pool.load().waiting_bytes, 100u);
  EXPECT_TRUE(pool.run(std::make_unique<CountedJob>(counts)).ok());
  EXPECT_EQ(pool.run(std::make_unique<CountedJob>(counts)).code(), BENTO_RESOURCE_EXHAUSTED);
  EXPECT_EQ(pool.load().waiting, 3u);
  busy.end();
  EXPECT_EQ(pool.stop(in_ten_seconds()), 0u);
  EXPECT_EQ(counts.run + counts.dropped, 3) << "those that it took, and no other";
}

TEST(ThreadPool, MakesRoomByDroppingWhatNobodyWants) {
  CountedJob::Counts unwanted, wanted;
  unwanted.is_wanted = false;
  ThreadPool pool(ThreadPool::Options{.max_threads = 1, .permits = 1, .max_waiting = 1});
  Busy busy(pool);
  EXPECT_TRUE(pool.run(std::make_unique<CountedJob>(unwanted)).ok());
  EXPECT_TRUE(pool.run(std::make_unique<CountedJob>(wanted)).ok());
  EXPECT_EQ(unwanted.dropped, 1);
  busy.end();
  EXPECT_EQ(pool.stop(in_ten_seconds()), 0u);
}

// The thread outlives the test.
std::latch& destructor_may_end() {
  static auto* const latch = new std::latch(1);
  return *latch;
}
struct SlowToGo {
  ~SlowToGo() { destructor_may_end().wait(); }
  int touched = 0;
};

TEST(ThreadPool, WaitsForAThreadsDestructorsNoLongerThanForItsJobs) {
  {
    ThreadPool pool(1, 1);
    std::latch ran(1);
    pool.run([&ran] {
      thread_local SlowToGo slow;
      ++slow.touched;
      ran.count_down();
    });
    ran.wait();
    EXPECT_EQ(pool.stop(SteadyClock().now() + std::chrono::milliseconds(20)), 1u);
  }
  destructor_may_end().count_down();
}

TEST(ThreadPool, GivesAJobTheStackOfAnyThread) {
  std::size_t size = 0;
  ThreadPool pool(1, 1);
  pool.run([&size] {
    pthread_attr_t attributes;
    ASSERT_EQ(pthread_getattr_np(pthread_self(), &attributes), 0);
    pthread_attr_getstacksize(&attributes, &size);
    pthread_attr_destroy(&attributes);
  });
  EXPECT_EQ(pool.stop(in_ten_seconds()), 0u);
  EXPECT_GE(size, (8u << 20) - (64u << 10)) << "less a guard page";
}

TEST(ThreadPool, KeepsThreadsForWhatMustNotLackOne) {
  ThreadPool pool(ThreadPool::Options{.max_threads = 4, .permits = 4, .kept_threads = 2});
  EXPECT_EQ(pool.load().threads, 2u);
  EXPECT_EQ(pool.stop(in_ten_seconds()), 0u);
}

// Sanitizers need more address space than this limit leaves them.
TEST(ThreadPool, RefusesAJobAtOnceWhereTheSystemHasNoThreadToGive) {
  if (std::string_view(BENTO_SANITIZE) != "") GTEST_SKIP();
  const auto without_threads = [] {
    ThreadPool pool(4, 4);
    std::ifstream statm("/proc/self/statm");
    std::size_t pages = 0;
    statm >> pages;
    const rlimit none{pages * static_cast<std::size_t>(::sysconf(_SC_PAGESIZE)) + (1u << 20),
                      RLIM_INFINITY};
    ::setrlimit(RLIMIT_AS, &none);
    CountedJob::Counts counts;
    const Status status = pool.run(std::make_unique<CountedJob>(counts));
    bool has_run = false;
    pool.run([&has_run] { has_run = true; });  // a job that must run is run in the end
    pool.stop(in_ten_seconds());
    std::fprintf(stderr, "%d %s %d", status.code(), status.message().c_str(), has_run ? 1 : 0);
    ::_exit(counts.run + counts.dropped);
  };
  GTEST_FLAG_SET(death_test_style, "threadsafe");  // glibc keeps the stacks of ended threads
  EXPECT_EXIT(without_threads(), testing::ExitedWithCode(0),
              "14 no thread can be started: Resource temporarily unavailable 1");
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
