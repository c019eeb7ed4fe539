#include <gtest/gtest.h>

#include <bento/middleware/https_redirect.hpp>

#include "sdk/fake_exchange.h"

namespace bento::middleware {
namespace {

using fakes::FakeExchange;

TEST(HTTPSRedirect, LetsHttpsPass) {
  FakeExchange exchange;
  exchange.scheme = "https";
  EXPECT_TRUE(exchange.request(HTTPSRedirect{}));
}

TEST(HTTPSRedirect, KeepsAllOfTheUrlButTheSchemeAndTheDefaultPorts) {
  const struct {
    const char *host, *server, *path, *query, *location;
  } kCases[] = {
      {"example.com", "", "/a", "b=c", "https://example.com/a?b=c"},
      {"example.com:80", "", "/", "", "https://example.com/"},
      {"example.com:443", "", "/", "", "https://example.com/"},
      {"example.com:8000", "", "/", "", "https://example.com:8000/"},
      {"[::1]:80", "", "/", "", "https://[::1]/"},
      {"[::1]:8000", "", "/", "", "https://[::1]:8000/"},
      {"example.com", "", "/\xc3\xa9?#%", "", "https://example.com/%C3%A9%3F%23%25"},
      {"example.com", "", "//evil.net/", "", "https://example.com//evil.net/"},
      {"example.com", "", "*", "", "https://example.com/"},
      // A Host that a URL would read as something else counts for nothing: _HOST_RE of Starlette.
      {"evil.net/?", "127.0.0.1:3000", "/", "", "https://127.0.0.1:3000/"},
      {"a@evil.net", "127.0.0.1:80", "/", "", "https://127.0.0.1/"},
      {"example.com:", "[::1]:3000", "/", "", "https://[::1]:3000/"},
      {"example.com:8x", "[::1]:80", "/", "", "https://[::1]/"},
      {"[evil.net]", "[::1]:3000", "/", "", "https://[::1]:3000/"},
      {"[::1", "[::1]:3000", "/", "", "https://[::1]:3000/"},
  };
  for (const auto& c : kCases) {
    FakeExchange exchange;
    exchange.headers = {{"host", c.host}};
    exchange.server = c.server;
    exchange.path = c.path;
    exchange.query = c.query;
    ASSERT_FALSE(exchange.request(HTTPSRedirect{}));
    EXPECT_EQ(exchange.answer->status, 308u);
    EXPECT_EQ(fakes::find(exchange.answer->headers, "location"), c.location);
  }
}

TEST(HTTPSRedirect, RefusesWhatItCannotRedirect) {
  FakeExchange exchange;
  exchange.server = "unix:/run/s";
  EXPECT_FALSE(exchange.request(HTTPSRedirect{}));
  EXPECT_EQ(exchange.answer->status, 400u);
}

}  // namespace
}  // namespace bento::middleware
