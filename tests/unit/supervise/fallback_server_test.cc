#include "supervise/fallback_server.h"

#include <sys/socket.h>

#include "unit/http/raw_client.h"

namespace bentohost::supervise {
namespace {

TEST(FallbackServer, AnswersEachRequestWith503AndLeavesTheSocketsAsTheyWere) {
  auto opened = http::listen_on({"127.0.0.1", 0, {}});
  ASSERT_TRUE(opened.ok());
  const std::vector<http::Listener> listeners = *std::move(opened);
  const std::uint16_t port = listeners[0].address.port;
  http::RawClient early(port);  // connects while nobody accepts
  {
    const FallbackServer fallback({}, listeners);
    for (const char* path : {"/classify", "/readyz", "/livez"}) {
      http::RawClient client(port);
      client.send(std::string("GET ") + path + " HTTP/1.1\r\nHost: x\r\n\r\n");
      const std::string answer = client.read_to_end();
      EXPECT_TRUE(answer.starts_with("HTTP/1.1 503 ")) << answer;
      EXPECT_NE(answer.find("Retry-After: 1\r\n"), std::string::npos);
      EXPECT_NE(answer.find("application/problem+json"), std::string::npos);
    }
  }
  int listens = 0;
  socklen_t size = sizeof listens;
  ::getsockopt(listeners[0].fd.get(), SOL_SOCKET, SO_ACCEPTCONN, &listens, &size);
  EXPECT_EQ(listens, 1);
  http::RawClient late(port);  // is not refused
}

}  // namespace
}  // namespace bentohost::supervise
