#include "upstream/process/readiness_probe.h"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>
#include <optional>

#include "fakes/fake_clock.h"

namespace bentohost::upstream {
namespace {

using namespace std::chrono_literals;

TEST(StatusOfResponseTest, NeedsTheWholeHead) {
  const std::string head = "HTTP/1.1 404 Not Found\r\nA: b\r\n\r\n";
  for (std::size_t size = 0; size < head.size(); ++size) {
    EXPECT_EQ(status_of_response(head.substr(0, size)), 0) << size;
  }
  EXPECT_EQ(status_of_response(head), 404);
  EXPECT_EQ(status_of_response(head + "body"), 404);
  EXPECT_EQ(status_of_response("HTTP/1.0 200\r\n\r\n"), 200);
}

TEST(StatusOfResponseTest, SkipsInformationalResponses) {
  const std::string early = "HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n";
  EXPECT_EQ(status_of_response(early), 0);
  EXPECT_EQ(status_of_response(early + early + "HTTP/1.1 500 Oh\r\n\r\n"), 500);
}

TEST(StatusOfResponseTest, RefusesWhatIsNoResponse) {
  for (const char* text : {"hello\r\n\r\n", "h", "HTTP/2 200\r\n\r\n", "HTTP/1.1 20\r\n\r\n",
                           "HTTP/1.1 2x0 OK\r\n\r\n", "HTTP/1.1\r\n\r\n", "SSH-2.0-x\r\n"}) {
    EXPECT_EQ(status_of_response(text), -1) << text;
  }
  EXPECT_EQ(status_of_response("HTTP/1.1 200 OK\r\n" + std::string(70000, 'x')), -1);
}

// An app that the test plays itself, with a clock that stands still.
class ReadinessProbeTest : public testing::Test, private ReadinessProbe::Owner {
 protected:
  ReadinessProbeTest() {
    std::string name = testing::TempDir() + "/probe-XXXXXX";
    folder_ = ::mkdtemp(name.data());
    probe_.emplace(loop_, std::vector<std::string>{folder_ + "/s"}, "/old/ready",
                   static_cast<ReadinessProbe::Owner&>(*this));
    probe_->start();
  }
  ~ReadinessProbeTest() override { std::filesystem::remove_all(folder_); }

  void on_answer(const std::string& address, int http_status) override {
    EXPECT_EQ(address, folder_ + "/s");
    status_ = http_status;
    probe_.reset();
  }

  void listen() {
    sockaddr_un name{};
    name.sun_family = AF_UNIX;
    std::strncpy(name.sun_path, (folder_ + "/s").c_str(), sizeof name.sun_path - 1);
    listener_.reset(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    ASSERT_EQ(::bind(listener_.get(), reinterpret_cast<const sockaddr*>(&name), sizeof name), 0);
    ASSERT_EQ(::listen(listener_.get(), 8), 0);
  }
  // Lets time pass until the probe has connected, and returns what it asks.
  std::string accept() {
    for (int i = 0; i < 100; ++i) {
      turn(10ms);
      connection_.reset(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
      if (connection_) break;
    }
    turn(0ms);
    char text[1024];
    const ssize_t size = ::recv(connection_.get(), text, sizeof text, MSG_DONTWAIT);
    return size > 0 ? std::string(text, static_cast<std::size_t>(size)) : "";
  }
  void send(std::string_view text) {
    ASSERT_EQ(::write(connection_.get(), text.data(), text.size()),
              static_cast<ssize_t>(text.size()));
    turn(0ms);
  }
  void turn(Duration time) {
    clock_.advance(time);
    for (int i = 0; i < 3; ++i) loop_.step(0ms);
  }

  fakes::FakeClock clock_;
  EventLoop loop_{clock_};
  std::string folder_;
  std::optional<ReadinessProbe> probe_;
  UniqueFd listener_, connection_;
  std::optional<int> status_;
};

TEST_F(ReadinessProbeTest, AsksUntilSomethingListensAndAnswers) {
  for (int i = 0; i < 100; ++i) turn(40ms);
  EXPECT_STREQ(probe_->state(), "nothing listened");
  listen();
  const std::string request = accept();
  EXPECT_EQ(request.substr(0, request.find("\r\n\r\n") + 4),
            "GET /old/ready HTTP/1.1\r\nHost: localhost\r\nUser-Agent: bentohost\r\n"
            "Connection: close\r\n\r\n");
  EXPECT_STREQ(probe_->state(), "it accepted a connection, and sent no response");
  for (const char c : std::string("HTTP/1.1 404 Not Found\r\n\r")) {
    send({&c, 1});
    ASSERT_FALSE(status_.has_value());
  }
  send("\n");
  EXPECT_EQ(status_, 404);
}

TEST_F(ReadinessProbeTest, ProlongsAStartByTwoPercentAtMost) {
  for (int i = 0; i < 500; ++i) turn(1ms);
  listen();
  for (int i = 0; i < 10 && !connection_; ++i) {
    turn(1ms);
    connection_.reset(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
  }
  EXPECT_TRUE(connection_) << "a start of 500 ms was prolonged by more than 10 ms";
}

TEST_F(ReadinessProbeTest, WaitsForASlowAnswerOnOneConnection) {
  listen();
  ASSERT_NE(accept(), "");
  turn(1h);
  EXPECT_EQ(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC), -1)
      << "an app that is importing is not asked again and again";
  send("HTTP/1.1 200 OK\r\n\r\n");
  EXPECT_EQ(status_, 200);
}

TEST_F(ReadinessProbeTest, AsksAgainWhenTheConnectionEndsOrIsNotHttp) {
  listen();
  ASSERT_NE(accept(), "");
  connection_.reset();
  turn(0ms);
  EXPECT_STREQ(probe_->state(), "it accepted a connection, and sent no response");
  ASSERT_NE(accept(), "");
  send("HTTP/1.1 200 OK\r\n");
  connection_.reset();
  turn(0ms);
  EXPECT_STREQ(probe_->state(), "it closed in the middle of a response");
  ASSERT_NE(accept(), "");
  send("220 mail.example ESMTP\r\n");
  EXPECT_STREQ(probe_->state(), "what it sent is no HTTP/1 response");
  ASSERT_NE(accept(), "");
  send("HTTP/1.1 503 Later\r\n\r\n");
  EXPECT_EQ(status_, 503);
}

}  // namespace
}  // namespace bentohost::upstream
