// The environment variables that pass state from one process to the next.
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>

#include "supervise/resume.h"
#include "supervise/serving_process.h"
#include "supervise/sockets.h"

namespace bentohost::supervise {
namespace {

void set(const std::string& assignment) {
  const std::size_t equals = assignment.find('=');
  ::setenv(assignment.substr(0, equals).c_str(), assignment.c_str() + equals + 1, 1);
}

TEST(Orders, GoThroughAnEnvironmentUnchanged) {
  Orders orders;
  orders.supervisor = 12;
  orders.control = 7;
  orders.take_over = true;
  orders.beat = std::chrono::milliseconds(250);
  orders.restarts = {{"SIGSEGV", 2}};
  EXPECT_EQ(to_text(orders), "12 7 take_over 250 SIGSEGV:2");
  const auto parsed = parse_orders(to_text(orders));
  ASSERT_TRUE(parsed);
  EXPECT_EQ(to_text(*parsed), to_text(orders));
  orders.restarts.clear();
  orders.take_over = false;
  EXPECT_FALSE(parse_orders(to_text(orders))->take_over);
  for (const char* text : {"", "x", "1 2", "1 2 start", "1 2 start -1"}) {
    EXPECT_FALSE(parse_orders(text)) << text;
  }
}

TEST(Resumed, IsForThisProcessAloneAndTakenOnce) {
  set("BENTOHOST_RESUME=" + to_text(Resumed{34, 9, {{"exit_1", 1}}}));
  const auto resumed = take_resumed();
  ASSERT_TRUE(resumed);
  EXPECT_EQ(resumed->serving, 34);
  EXPECT_EQ(resumed->control, 9);
  EXPECT_EQ(resumed->restarts, (RestartCounts{{"exit_1", 1}}));
  EXPECT_FALSE(take_resumed());
  set("BENTOHOST_RESUME=1 34 9");
  EXPECT_FALSE(take_resumed());
  EXPECT_EQ(std::getenv("BENTOHOST_RESUME"), nullptr);
}

TEST(Sockets, GoThroughAnEnvironmentUnchanged) {
  auto opened = http::listen_on({"127.0.0.1", 0, {}});
  const std::string path = "/tmp/bentohost test " + std::to_string(::getpid());
  auto local = http::listen_on({{}, 0, path});
  ASSERT_TRUE(opened.ok() && local.ok());
  (*local)[0].role = http::ListenerRole::kAdmin;
  (*local)[0].inherited = true;
  std::vector<http::Listener> listeners;
  listeners.push_back(std::move((*opened)[0]));
  listeners.push_back(std::move((*local)[0]));
  for (const std::string& each : socket_variables(listeners)) {
    EXPECT_TRUE(is_socket_variable(each));
    set(each);
  }
  std::vector<std::string> urls;
  for (http::Listener& each : listeners) {
    urls.push_back(each.url());
    ::fcntl(each.fd.release(), F_SETFD, 0);  // as after an exec
  }
  const auto taken = take_sockets();
  ASSERT_TRUE(taken.ok());
  ASSERT_EQ((*taken).size(), 2u);
  for (std::size_t i = 0; i < 2; ++i) {
    const http::Listener& each = (*taken)[i];
    EXPECT_EQ(each.url(), urls[i]);
    EXPECT_EQ(each.file, nullptr);
    EXPECT_NE(::fcntl(each.fd.get(), F_GETFD) & FD_CLOEXEC, 0);
    EXPECT_EQ(each.inherited, i == 1);
    EXPECT_EQ(each.role, i == 1 ? http::ListenerRole::kAdmin : http::ListenerRole::kPublic);
  }
  EXPECT_EQ(std::getenv("BENTOHOST_SOCKET_0"), nullptr);
  EXPECT_TRUE((*take_sockets()).empty());
}

TEST(Sockets, WhatDoesNotListenIsRefusedByName) {
  for (const char* value : {"", "0 public opened 1 x", "nonsense", "999 public opened 1 x"}) {
    ::setenv("BENTOHOST_SOCKET_0", value, 1);
    const auto taken = take_sockets();
    ASSERT_FALSE(taken.ok()) << value;
    EXPECT_NE(taken.status().message().find("BENTOHOST_SOCKET_0"), std::string::npos);
  }
  ::unsetenv("BENTOHOST_SOCKET_0");
}

TEST(Environment, OfChildrenHasNothingThatIsForUsAlone) {
  for (const char* name : {"NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID", "BENTOHOST_SERVING",
                           "BENTOHOST_SOCKET_7"}) {
    ::setenv(name, "x", 1);
  }
  ::setenv("BENTOHOST_PLUGIN_PATH", "/plugins", 1);
  const auto all = environment_for_children();
  const auto has = [&](const std::string& start) {
    return std::any_of(all.begin(), all.end(),
                       [&](const std::string& each) { return each.starts_with(start); });
  };
  EXPECT_TRUE(has("BENTOHOST_PLUGIN_PATH=/plugins"));
  for (const char* start : {"NOTIFY", "WATCHDOG", "BENTOHOST_S"}) EXPECT_FALSE(has(start)) << start;
}

TEST(ServingProcess, IsToldWhatToDoAndWhatToServe) {
  auto listener = http::listen_on({"127.0.0.1", 0, {}});
  ASSERT_TRUE(listener.ok());
  const std::vector<http::Listener> listeners = *std::move(listener);
  // The exit code says whether it has both variables, and the descriptor.
  const Program program{"/bin/sh",
                        {"sh", "-c",
                         "test \"${BENTOHOST_SOCKET_0% public opened *}\" = $0 && "
                         "test -S /proc/self/fd/$0 && set -- $BENTOHOST_SERVING && "
                         "test -S /proc/self/fd/$2 && test $1 = $PPID && exit 42",
                         std::to_string(listeners[0].fd.get())}};
  auto started = start_serving(program, listeners, {}, TimePoint());
  ASSERT_TRUE(started.ok()) << started.status().message();
  int status = 0;
  ASSERT_EQ(::waitpid(started->pid, &status, 0), started->pid);
  EXPECT_EQ(WEXITSTATUS(status), 42);
  EXPECT_EQ(started->control.receive(), std::nullopt);
  EXPECT_TRUE(started->control.has_ended());
}

TEST(ServingProcess, OfAProgramThatIsNotThereIsAnErrorWithItsName) {
  const auto started = start_serving({"/nowhere/bentohost", {"bentohost"}}, {}, {}, TimePoint());
  ASSERT_FALSE(started.ok());
  EXPECT_NE(started.status().message().find("/nowhere/bentohost"), std::string::npos);
}

}  // namespace
}  // namespace bentohost::supervise
