#include "http/server/crash_responses.h"

#include <sys/socket.h>

#include <cstdlib>

#include "sanitizers/sanitizers.h"
#include "unit/http/raw_client.h"
#include "unit/http/test_server.h"

namespace bentohost::http {
namespace {

// These change the process for good, so each test runs in a child process.
template <typename F>
void in_a_child(F&& f) {
  if (kThreadSanitizer) GTEST_SKIP() << "ThreadSanitizer and death tests do not go together";
  EXPECT_EXIT(
      {
        prepare_crash_responses();
        std::forward<F>(f)();
        std::_Exit(testing::Test::HasFailure() ? 1 : 0);
      },
      testing::ExitedWithCode(0), "");
}

struct Pair {
  Pair() {
    EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    connection_opened(fds[0]);
  }
  std::string heard() const {
    std::string text(4096, '\0');
    const ssize_t n = ::recv(fds[1], text.data(), text.size(), MSG_DONTWAIT);
    text.resize(n > 0 ? static_cast<std::size_t>(n) : 0);
    return text;
  }
  bool has_ended() const {
    char byte = 0;
    return ::recv(fds[1], &byte, 1, MSG_DONTWAIT) == 0;
  }
  int fds[2];
};

TEST(LastWords, AnswerThoseThatWaitAndNobodyElse) {
  in_a_child([] {
    Pair waits, head, answered, idle;
    await_answer(waits.fds[0], false);
    await_answer(head.fds[0], true);
    await_answer(answered.fds[0], false);
    EXPECT_TRUE(claim_answer(answered.fds[0]));
    send_crash_responses();
    const std::string answer = waits.heard();
    EXPECT_TRUE(answer.starts_with("HTTP/1.1 503 Service Unavailable\r\n")) << answer;
    for (const char* line : {"\r\nRetry-After: 1\r\n", "\r\nConnection: close\r\n",
                             "\r\nContent-Type: application/problem+json\r\n"}) {
      EXPECT_NE(answer.find(line), std::string::npos) << answer;
    }
    EXPECT_EQ(answer.find("Date:"), std::string::npos);
    const std::size_t end = answer.find("\r\n\r\n") + 4;
    EXPECT_NE(answer.find("\r\nContent-Length: " + std::to_string(answer.size() - end) + "\r\n"),
              std::string::npos);
    EXPECT_EQ(head.heard(), answer.substr(0, end));
    EXPECT_TRUE(waits.has_ended() && head.has_ended());
    EXPECT_EQ(answered.heard() + idle.heard(), "");
    EXPECT_FALSE(answered.has_ended() || idle.has_ended());
  });
}

TEST(LastWords, AreTheEndOfEveryConnectionInTheEnd) {
  in_a_child([] {
    Pair idle, closed;
    connection_closed(closed.fds[0]);
    send_crash_responses();
    EXPECT_FALSE(idle.has_ended());
    end_connections();
    EXPECT_TRUE(idle.has_ended());
    EXPECT_FALSE(closed.has_ended());
  });
}

TEST(LastWords, AreFollowedByNoOther) {
  in_a_child([] {
    Pair pair;
    await_answer(pair.fds[0], false);
    send_crash_responses();
    EXPECT_FALSE(claim_answer(pair.fds[0]));
  });
}

TEST(LastWords, AreForThoseThatComeTooLateAsWell) {
  in_a_child([] {
    EXPECT_FALSE(are_crash_responses_sent());
    send_crash_responses();
    EXPECT_TRUE(are_crash_responses_sent());
    Pair pair;
    await_answer(pair.fds[0], false);
    EXPECT_TRUE(pair.heard().starts_with("HTTP/1.1 503 "));
    EXPECT_FALSE(claim_answer(pair.fds[0]));
  });
}

TEST(LastWords, OfAServerAreForRequestsInItsHandler) {
  in_a_child([] {
    TestServer server([](Exchange& exchange) {
      if (exchange.request().path == "/crash") return send_crash_responses();
      exchange.respond(Response::text(200, "well"));
    });
    RawClient kept(server.port()), crashing(server.port());
    EXPECT_EQ(kept.ask("GET /a HTTP/1.1\r\nHost: x\r\n\r\n").body, "well");
    EXPECT_EQ(crashing.ask("GET /crash HTTP/1.1\r\nHost: x\r\n\r\n").status, 503);
    EXPECT_TRUE(crashing.at_end());
    EXPECT_EQ(kept.ask("GET /a HTTP/1.1\r\nHost: x\r\n\r\n").status, 503);
    EXPECT_TRUE(kept.at_end());
    std::_Exit(testing::Test::HasFailure() ? 1 : 0);  // the crash's exchange is never answered
  });
}

TEST(LastWords, WithoutPreparationThereAreNone) {
  Pair pair;
  await_answer(pair.fds[0], false);
  EXPECT_TRUE(claim_answer(pair.fds[0]));
}

}  // namespace
}  // namespace bentohost::http
