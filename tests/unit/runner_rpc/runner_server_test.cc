// The server with loops of its own, and clients that speak its protocol byte by byte. The service
// has a runner whose processes never get ready, so that its calls wait as long as a test wants.
// (Results of calls are in the end-to-end tests.)
#include "runner_rpc/runner_server.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <cstring>
#include <filesystem>
#include <optional>
#include <thread>

#include "fakes/fake_plugin.h"
#include "fakes/local_service.h"
#include "runner_rpc/connection.h"
#include "wire/frame.h"

namespace bentohost::runner_rpc {
namespace {

using std::chrono::milliseconds;
using testing::HasSubstr;
using wire::FrameType;

constexpr const char* kHello = R"({"protocol":1,"client":"a test"})";

struct Reply {
  FrameType type{};
  std::uint64_t id = 0;
  std::uint32_t method = 0;
  std::string text;  // of the body
  Status error;      // of a kError
};

AlignedBuffer hello() {
  AlignedBuffer out;
  wire::FrameWriter frame(out, FrameType::kHello, 0, 0);
  frame.text(kHello);
  EXPECT_TRUE(frame.finish());
  return out;
}

class Client {
 public:
  explicit Client(const std::string& path) : fd_(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_un name{};
    name.sun_family = AF_UNIX;
    std::memcpy(name.sun_path, path.data(), path.size());
    EXPECT_EQ(::connect(fd_.get(), reinterpret_cast<const sockaddr*>(&name), sizeof name), 0);
  }

  void send(std::span<const char> bytes) {
    EXPECT_EQ(::send(fd_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL),
              static_cast<ssize_t>(bytes.size()));
  }
  void send(FrameType type, std::uint64_t id, std::string_view text = {}) {
    AlignedBuffer out;
    wire::FrameWriter frame(out, type, id, 0);
    frame.text(text);
    EXPECT_TRUE(frame.finish());
    send(out);
  }
  void call(std::uint64_t id, const wire::CallTarget& target) {
    const std::int64_t shape[] = {1};
    const std::int64_t number = 1;
    bento_value value{};
    value.size = sizeof value;
    value.kind = BENTO_TENSOR;
    value.tensor.dtype = BENTO_I64;
    value.tensor.ndim = 1;
    value.tensor.shape = shape;
    value.tensor.data = {&number, sizeof number};
    AlignedBuffer out;
    wire::FrameWriter frame(out, FrameType::kNamedCall, id, 0);
    frame.target(target, 1);
    frame.value(value);
    EXPECT_TRUE(frame.finish());
    send(out);
  }
  void say_hello(std::string_view text = kHello) {
    send(FrameType::kHello, 0, text);
    const auto reply = receive();
    ASSERT_TRUE(reply.has_value());
    EXPECT_EQ(reply->type, FrameType::kHello) << reply->error.message();
  }

  // Nullopt: the connection has ended.
  std::optional<Reply> receive() {
    for (;;) {
      auto frame = reader_.next();
      if (!frame.ok()) return std::nullopt;
      if (frame->has_value()) return reply_of(**frame);
      const auto room = reader_.writable();
      const ssize_t n = ::recv(fd_.get(), room.data(), room.size(), 0);
      if (n <= 0) return std::nullopt;
      reader_.commit(static_cast<std::size_t>(n));
    }
  }
  bool hears_within(Duration time) {
    pollfd one{fd_.get(), POLLIN, 0};
    return ::poll(&one, 1, static_cast<int>(time / milliseconds(1))) > 0;
  }
  void try_send(std::span<const char> bytes) {
    [[maybe_unused]] const ssize_t n = ::send(fd_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
  }
  void leave() { fd_.reset(); }

 private:
  static Reply reply_of(const wire::FrameReader::Frame& frame) {
    Reply reply{frame.header.type,
                frame.header.id,
                frame.header.method,
                std::string(frame.body.data(), frame.body.size()),
                {}};
    if (reply.type == FrameType::kError) reply.error = wire::decode_error(frame.body);
    return reply;
  }

  UniqueFd fd_;
  wire::FrameReader reader_;
};

class RunnerServerTest : public testing::Test {
 protected:
  RunnerServerTest() {
    char folder[] = "/tmp/bento_test_XXXXXX";
    EXPECT_NE(::mkdtemp(folder), nullptr);
    folder_ = folder;
    path_ = folder_ + "/runners";

    tensor_.size = sizeof tensor_;
    tensor_.kind = BENTO_TENSOR;
    tensor_.descriptor = to_bento("ndarray");
    method_.size = sizeof method_;
    method_.name = to_bento("wait");
    method_.in = method_.out = &tensor_;
    method_.run = [](void*, const bento_method*, bento_ctx*, const bento_value* const*, std::size_t,
                     const std::uint32_t*, std::size_t, bento_sink*,
                     bento_error*) -> bento_code { return BENTO_INTERNAL; };
    runner_.size = sizeof runner_;
    runner_.name = to_bento("sleeper");
    runner_.methods = methods_;
    runner_.n_methods = 1;
    runner_.create = [](const bento_host*, std::uint32_t, void**, bento_error*) -> bento_code {
      return BENTO_OK;
    };
    runner_.destroy = [](void*) {};
    plugin_.service.version = to_bento("3.1");
    plugin_.service.runners = runners_;
    plugin_.service.n_runners = 1;

    for (const auto& loop : loops_) loop->start();
    launcher_->start();
    options_.routes = [this] { return dispatcher_.snapshot(); };
    options_.host_version = "9.9";
  }
  ~RunnerServerTest() override {
    if (server_) server_->stop(TimePoint::min());
    if (service_ != nullptr) {
      EXPECT_EQ(service_->leases, 0u);
      service_->stop_runners(clock_.now());
    }
    for (const auto& loop : loops_) loop->stop();
    launcher_->stop();
    std::filesystem::remove_all(folder_);
  }

  void serve() {
    auto instance = plugin_.instance();
    ASSERT_TRUE(instance.ok()) << instance.status().message();
    auto service = std::make_shared<service::LiveService>(*std::move(instance), "");
    ASSERT_TRUE(service->create().ok() && service->start().ok());
    service::RunnerOptions runners;
    runners.exe = "/bin/false";
    service->start_runners(runners, {loops_, launcher_, clock_, metrics_});
    service_ = service;
    ASSERT_TRUE(fakes::serve(dispatcher_, {service}).ok());
    server_.emplace(options_, loops_);
    ASSERT_TRUE(server_->open(path_).ok());
    server_->serve();
  }
  Client connected() {
    Client client(path_);
    client.say_hello();
    return client;
  }
  // What a client is told before it is cut off.
  static Status last_words(Client& client) {
    const auto reply = client.receive();
    EXPECT_TRUE(reply.has_value() && reply->type == FrameType::kError && reply->id == 0);
    EXPECT_FALSE(client.receive().has_value());
    return reply.has_value() ? reply->error : Status();
  }
  void await_leases(std::size_t number) const {
    const TimePoint deadline = clock_.now() + std::chrono::seconds(20);
    while (service_->leases != number && clock_.now() < deadline) {
      std::this_thread::sleep_for(milliseconds(1));
    }
    EXPECT_EQ(service_->leases, number);
  }

  static constexpr wire::CallTarget kWait{"", "sleeper", "wait", "", 0};

  SteadyClock clock_;
  observe::Metrics metrics_{"test"};
  service::RequestDeps deps_{clock_, metrics_};
  RunnerServer::Loops loops_{std::make_shared<EventLoop>(clock_),
                             std::make_shared<EventLoop>(clock_)};
  const std::shared_ptr<EventLoop> launcher_ = std::make_shared<EventLoop>(clock_);
  fakes::FakePlugin plugin_;
  bento_io tensor_{};
  bento_method method_{};
  bento_runner runner_{};
  const bento_method* methods_[1] = {&method_};
  const bento_runner* runners_[1] = {&runner_};
  service::Dispatcher dispatcher_{deps_};
  std::shared_ptr<service::LiveService> service_;
  ServerOptions options_;
  std::string folder_, path_;
  std::optional<RunnerServer> server_;
};

TEST_F(RunnerServerTest, TellsItsLimitsInItsHello) {
  options_.max_frame = 12345;
  serve();
  Client client(path_);
  client.send(FrameType::kHello, 0, kHello);
  const auto reply = client.receive();
  ASSERT_TRUE(reply.has_value());
  EXPECT_THAT(reply->text, HasSubstr(R"("protocol":1)"));
  EXPECT_THAT(reply->text, HasSubstr(R"("host":"9.9")"));
  EXPECT_THAT(reply->text, HasSubstr(R"("max_frame":12345)"));
}

TEST_F(RunnerServerTest, ListsServicesRunnersAndMethods) {
  serve();
  Client client = connected();
  client.send(FrameType::kList, 5);
  const auto reply = client.receive();
  ASSERT_TRUE(reply.has_value());
  EXPECT_EQ(reply->type, FrameType::kResult);
  EXPECT_EQ(reply->id, 5u);
  EXPECT_THAT(reply->text, HasSubstr(R"("name":"fake","version":"3.1")"));
  EXPECT_THAT(reply->text, HasSubstr(R"("name":"sleeper","methods":[{"name":"wait")"));
  EXPECT_THAT(reply->text, HasSubstr(R"("kind":"tensor","descriptor":"ndarray","dtype":"any")"));
}

TEST_F(RunnerServerTest, CutsOffWhoDoesNotSpeakItsProtocol) {
  options_.max_frame = 8192;
  serve();
  const auto refusal = [&](bool says_hello, FrameType type, const std::string& text) {
    Client client(path_);
    if (says_hello) client.say_hello();
    client.send(type, says_hello ? 1 : 0, text);
    return last_words(client).message();
  };
  EXPECT_THAT(refusal(false, FrameType::kList, ""), HasSubstr("must be a hello"));
  EXPECT_THAT(refusal(false, FrameType::kHello, "{"), HasSubstr("no JSON object"));
  EXPECT_THAT(refusal(false, FrameType::kHello, "{}"), HasSubstr("comes with bentohost 9.9"));
  EXPECT_THAT(refusal(false, FrameType::kHello, R"({"protocol":"1"})"), HasSubstr("version 1"));
  EXPECT_THAT(refusal(false, FrameType::kHello, std::string(5000, ' ')), HasSubstr("too long"));
  EXPECT_THAT(refusal(true, FrameType::kHello, kHello), HasSubstr("frames of type 1"));
  EXPECT_THAT(refusal(true, FrameType::kNamedCall, "x"), HasSubstr("cut short"));
  EXPECT_THAT(refusal(true, FrameType::kCancel, std::string(9000, ' ')), HasSubstr("--max-body"));
  Client rubbish(path_);
  rubbish.send(std::string(64, 'x'));
  EXPECT_THAT(last_words(rubbish).message(), HasSubstr("wrong magic"));
}

TEST_F(RunnerServerTest, LetsNobodyInWithoutTheToken) {
  serve();
  ASSERT_TRUE(server_->open(folder_ + "/secret", "abcd").ok());
  for (const char* hello : {kHello, R"({"protocol":1,"token":"abce"})",
                            R"({"protocol":1,"token":""})", R"({"protocol":1,"token":"abc"})",
                            R"({"protocol":1,"token":"abcda"})", R"({"protocol":1,"token":7})"}) {
    Client client(folder_ + "/secret");
    client.send(FrameType::kHello, 0, hello);
    EXPECT_EQ(last_words(client).code(), BENTO_UNAUTHENTICATED) << hello;
  }
  Client client(folder_ + "/secret");
  client.say_hello(R"({"protocol":1,"token":"abcd"})");
}

TEST_F(RunnerServerTest, CutsOffWhoSaysNothing) {
  options_.hello_timeout = milliseconds(20);
  serve();
  Client client(path_);
  EXPECT_THAT(last_words(client).message(), HasSubstr("no hello came within 0.02 s"));
}

TEST_F(RunnerServerTest, RefusesOneClientTooManyUntilAnotherLeaves) {
  options_.max_connections = 1;
  serve();
  Client first = connected();
  Client second(path_);
  EXPECT_EQ(last_words(second).code(), BENTO_RESOURCE_EXHAUSTED);
  first.leave();
  std::optional<Reply> reply;
  do {  // until the server has noticed
    Client third(path_);
    third.try_send(hello());  // it may be closed already
    reply = third.receive();
    ASSERT_TRUE(reply.has_value());
  } while (reply->type != FrameType::kHello);
}

TEST_F(RunnerServerTest, AnswersWhatItCannotDoWithAnErrorOfThatCall) {
  serve();
  Client client = connected();
  const auto error = [&](const wire::CallTarget& target) {
    client.call(4, target);
    const auto reply = client.receive();
    EXPECT_TRUE(reply.has_value() && reply->type == FrameType::kError && reply->id == 4);
    EXPECT_EQ(reply->method, 0u) << "it has been looked at";
    return reply->error;
  };
  EXPECT_EQ(error({"", "none", "wait", "", 0}).code(), BENTO_NOT_FOUND);
  EXPECT_THAT(error({"", "none", "wait", "", 0}).message(), HasSubstr("here is fake.sleeper"));
  EXPECT_THAT(error({"", "sleeper", "none", "", 0}).message(), HasSubstr("no method"));
  EXPECT_THAT(error({"other", "sleeper", "wait", "", 0}).message(), HasSubstr("no service"));
  EXPECT_THAT(error({"fake", "none", "wait", "", 0}).message(), HasSubstr("has no runner"));
}

TEST_F(RunnerServerTest, EndsACallAtItsDeadlineOrAtTheHostsLimit) {
  options_.timeout = milliseconds(100);
  serve();
  Client client = connected();
  wire::CallTarget target = kWait;
  target.deadline_ms = 20;
  client.call(1, target);
  target.deadline_ms = 3'600'000;
  client.call(2, target);
  for (const std::uint64_t id : {1u, 2u}) {
    const auto reply = client.receive();
    ASSERT_TRUE(reply.has_value());
    EXPECT_EQ(reply->id, id);
    EXPECT_EQ(reply->error.code(), BENTO_DEADLINE_EXCEEDED);
  }
}

TEST_F(RunnerServerTest, HoldsItsGenerationWhileACallIsInFlightAndNotLonger) {
  serve();
  Client client = connected();
  client.call(1, kWait);
  client.call(2, kWait);
  await_leases(2);
  client.send(FrameType::kCancel, 1);
  await_leases(1);
  EXPECT_FALSE(client.hears_within(milliseconds(60))) << "a cancelled call is not answered";
  client.send(FrameType::kCancel, 1);  // of a call that is over
  client.leave();
  await_leases(0);
}

TEST_F(RunnerServerTest, CutsOffWhoUsesAnIdTwiceAtOnce) {
  serve();
  Client client = connected();
  client.call(1, kWait);
  client.call(1, kWait);
  EXPECT_THAT(last_words(client).message(), HasSubstr("id 1 is in flight already"));
  await_leases(0);
}

TEST_F(RunnerServerTest, ReadsNoMoreFromAClientWithTooManyCallsUntilSomeEnd) {
  options_.max_calls = 4;
  serve();
  Client client = connected();
  wire::CallTarget target = kWait;
  target.deadline_ms = 150;
  for (std::uint64_t id = 1; id <= 10; ++id) client.call(id, target);
  await_leases(4);
  for (std::uint64_t id = 1; id <= 10; ++id) {
    const auto reply = client.receive();
    ASSERT_TRUE(reply.has_value());
    EXPECT_EQ(reply->id, id);
  }
}

TEST_F(RunnerServerTest, ReadsNoMoreThanItHasMemoryFor) {
  options_.max_input_bytes = 1;
  serve();
  Client client = connected();
  wire::CallTarget target = kWait;
  target.deadline_ms = 60;
  for (std::uint64_t id = 1; id <= 3; ++id) client.call(id, target);
  for (std::uint64_t id = 1; id <= 3; ++id) {
    EXPECT_LE(service_->leases, 1u);
    const auto reply = client.receive();
    ASSERT_TRUE(reply.has_value());
    EXPECT_EQ(reply->id, id);
  }
}

TEST_F(RunnerServerTest, LeavesNothingOfAClientThatGoesWhileItIsNotRead) {
  options_.max_calls = 2;
  serve();
  Client client = connected();
  for (std::uint64_t id = 1; id <= 5; ++id) client.call(id, kWait);
  await_leases(2);
  client.leave();
  await_leases(0);
}

TEST_F(RunnerServerTest, RefusesGuestsBeforeItsOwnAppsWhenTheHostEnds) {
  serve();
  const auto variables = server_->private_environment();
  ASSERT_TRUE(variables.ok()) << variables.status().message();
  const auto value = [&](std::size_t i) { return variables->at(i).second; };
  ASSERT_EQ(variables->size(), 2u);
  EXPECT_EQ(variables->at(0).first, "BENTO_RUNNER_SOCKET");
  EXPECT_EQ(variables->at(1).first, "BENTO_RUNNER_TOKEN");
  const auto again = server_->private_environment();
  ASSERT_TRUE(again.ok());
  EXPECT_EQ(*again, *variables);
  struct stat info {};
  const std::string socket = value(0);
  ASSERT_EQ(::stat(std::filesystem::path(socket).parent_path().c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0700u);
  EXPECT_EQ(value(1).size(), 64u);
  Client app(socket), guest = connected();
  app.say_hello(R"({"protocol":1,"token":")" + value(1) + "\"}");

  server_->refuse_guests();
  guest.call(1, kWait);
  const auto refused = guest.receive();
  ASSERT_TRUE(refused.has_value());
  EXPECT_EQ(refused->error.code(), BENTO_UNAVAILABLE);
  EXPECT_EQ(refused->method, kNotBegun);
  app.call(1, kWait);
  await_leases(1);

  std::thread stopping(
      [&] { EXPECT_EQ(server_->stop(clock_.now() + std::chrono::seconds(20)), 0u); });
  for (std::uint64_t id = 2;; ++id) {  // until the stop has begun
    wire::CallTarget target = kWait;
    target.deadline_ms = 1;
    app.call(id, target);
    const auto reply = app.receive();
    ASSERT_TRUE(reply.has_value());
    if (reply->method == kNotBegun) break;
  }
  EXPECT_EQ(service_->leases, 1u) << "the stop waits for it";
  app.send(FrameType::kCancel, 1);
  stopping.join();
  EXPECT_FALSE(app.receive().has_value());
  EXPECT_FALSE(guest.receive().has_value());
  EXPECT_FALSE(std::filesystem::exists(socket));
  EXPECT_FALSE(std::filesystem::exists(path_));
}

TEST_F(RunnerServerTest, StopsAtItsDeadlineWhateverIsInFlight) {
  serve();
  Client client = connected();
  client.call(1, kWait);
  await_leases(1);
  EXPECT_EQ(server_->stop(clock_.now() + milliseconds(20)), 1u);
  EXPECT_FALSE(client.receive().has_value());
  await_leases(0);
}

}  // namespace
}  // namespace bentohost::runner_rpc
