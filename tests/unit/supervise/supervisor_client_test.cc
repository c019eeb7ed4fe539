// The serving process's link to its supervisor; the test holds the supervisor's end of it.
#include "supervise/supervisor_client.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <semaphore>

#include "base/clock.h"
#include "supervise/sockets.h"

namespace bentohost::supervise {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;

// Never closed: the thread of a client would end this process as soon as its supervisor is gone.
Control& supervisor_for(Orders orders = {}) {
  auto pair = Control::make();
  auto& ends = *new std::vector<Control>();  // reachable until the process ends
  static auto* const all = new std::vector<std::vector<Control>*>();
  all->push_back(&ends);
  orders.supervisor = ::getppid();
  orders.control = pair->second.release();
  ::setenv("BENTOHOST_SERVING", to_text(orders).c_str(), 1);
  ends.push_back(std::move(pair->first));
  return ends.back();
}

// The next message within ten seconds.
std::string next(Control& supervisor) {
  for (int i = 0; i < 1000; ++i) {
    if (auto message = supervisor.receive()) return *message;
    pollfd fd{supervisor.fd(), POLLIN, 0};
    ::poll(&fd, 1, 10);
  }
  return "nothing";
}

TEST(SupervisorClient, HasNoSupervisorWithoutOrders) {
  ::unsetenv("BENTOHOST_SERVING");
  const SupervisorClient client;
  EXPECT_FALSE(client.is_supervisor());
  EXPECT_FALSE(client.takes_over());
}

TEST(SupervisorClient, TakesNoOrdersForAnotherProcess) {
  Orders orders;
  orders.supervisor = ::getppid() + 1;
  orders.control = 1;
  ::setenv("BENTOHOST_SERVING", to_text(orders).c_str(), 1);
  const SupervisorClient client;
  EXPECT_FALSE(client.is_supervisor());
  EXPECT_EQ(std::getenv("BENTOHOST_SERVING"), nullptr) << "children would inherit it";
}

TEST(SupervisorClient, TakesItsOrdersOnce) {
  Orders orders;
  orders.take_over = true;
  orders.restarts = {{"SIGSEGV", 3}};
  (void)supervisor_for(orders);
  const std::string text = std::getenv("BENTOHOST_SERVING");
  const SupervisorClient client;
  EXPECT_TRUE(client.is_supervisor());
  EXPECT_TRUE(client.takes_over());
  EXPECT_EQ(client.restarts(), (RestartCounts{{"SIGSEGV", 3}}));
  EXPECT_EQ(std::getenv("BENTOHOST_SERVING"), nullptr);
  const int control = parse_orders(text)->control;
  EXPECT_NE(::fcntl(control, F_GETFD) & FD_CLOEXEC, 0) << "children would inherit it";
}

TEST(SupervisorClient, SaysThatItIsReadyAndThatItCrashes) {
  Control& supervisor = supervisor_for();
  SupervisorClient client;
  client.ready("serving at http://x");
  EXPECT_EQ(next(supervisor), "ready serving at http://x");
  SupervisorClient::crashing(11);
  EXPECT_EQ(next(supervisor), "crashing 11");
}

TEST(SupervisorClient, PassesItsOrdersOnAndIgnoresOthers) {
  Control& supervisor = supervisor_for();
  SupervisorClient client;
  std::vector<int> requests;
  std::counting_semaphore<8> requested{0};
  client.start([&](int number) {
    requests.push_back(number);
    requested.release();
  });
  for (const char* order : {"stop 15", "stop 9", "stop", "fly", "hand_over", "stop 2"}) {
    ASSERT_TRUE(supervisor.send(order));
  }
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(requested.try_acquire_for(10s));
  EXPECT_THAT(requests, ElementsAre(15, SupervisorClient::kHandOver, 2));
}

TEST(SupervisorClient, BeatsOnlyWhileAllLoopsTurn) {
  Orders orders;
  orders.beat = 20ms;
  Control& supervisor = supervisor_for(orders);
  SupervisorClient client;
  client.start([](int) {});
  static const SteadyClock clock;
  const auto turning = std::make_shared<EventLoop>(clock);
  const auto hanging = std::make_shared<EventLoop>(clock);
  turning->start();
  hanging->start();
  client.watch({turning, hanging});
  EXPECT_EQ(next(supervisor), "beat");

  std::binary_semaphore hangs{0}, goes_on{0};
  hanging->post([&] {
    hangs.release();
    goes_on.acquire();
  });
  hangs.acquire();
  // A beat that was due before may still come; then there is silence for many intervals.
  const TimePoint began = clock.now();
  TimePoint last = began;
  while (clock.now() - last < 300ms && clock.now() - began < 10s) {
    pollfd fd{supervisor.fd(), POLLIN, 0};
    ::poll(&fd, 1, 10);
    if (supervisor.receive()) last = clock.now();
  }
  EXPECT_LT(last - began, 5s) << "it beats though a loop hangs";
  goes_on.release();
  EXPECT_EQ(next(supervisor), "beat");
  turning->stop();
  hanging->stop();
}

// In a process of its own: that is what ends.
TEST(SupervisorClientDeathTest, EndsWithItsSupervisorAndLeavesNoSocketBehind) {
  const std::string path = "/tmp/bentohost client test " + std::to_string(::getpid());
  EXPECT_EXIT(
      {
        auto pair = Control::make();
        Orders orders;
        orders.supervisor = ::getppid();
        orders.control = pair->second.release();
        ::setenv("BENTOHOST_SERVING", to_text(orders).c_str(), 1);
        auto opened = http::listen_on({{}, 0, path});
        for (const std::string& each : socket_variables(*opened)) {
          const std::size_t equals = each.find('=');
          ::setenv(each.substr(0, equals).c_str(), each.c_str() + equals + 1, 1);
        }
        for (http::Listener& each : *opened) (void)each.fd.release();
        SupervisorClient client;
        if (!client.take_listeners().ok()) ::_exit(3);
        std::atomic<int> requested = 0;
        client.start([&](int number) { requested = number; });
        pair->first = Control();  // the supervisor is gone
        ::sleep(20);
        ::_exit(requested == SIGTERM ? 4 : 5);
      },
      testing::ExitedWithCode(1), "the supervisor is gone");
  struct stat info {};
  EXPECT_NE(::stat(path.c_str(), &info), 0) << "a new start would stumble over it";
}

}  // namespace
}  // namespace bentohost::supervise
