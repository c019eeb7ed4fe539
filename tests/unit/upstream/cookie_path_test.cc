#include "upstream/cookie_path.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace bentohost::upstream {
namespace {

std::string prefixed(std::string cookie, std::string_view prefix = "/old") {
  http::Headers headers = {{"X-Other", "a; Path=/"}, {"set-cookie", std::move(cookie)}};
  prefix_cookie_paths(prefix, headers);
  EXPECT_EQ(headers[0].value, "a; Path=/");
  return headers[1].value;
}

TEST(CookiePath, GetsThePrefixInFront) {
  struct Row {
    std::string cookie, expected;
  };
  for (const Row& row : std::vector<Row>{
           {"s=1; Path=/", "s=1; Path=/old"},
           {"s=1; Path=/; HttpOnly", "s=1; Path=/old; HttpOnly"},
           {"s=1;path=/a;Secure", "s=1;path=/old/a;Secure"},
           {"s=1; PATH= / ", "s=1; PATH= /old "},
           {"s=1; Path=/old", "s=1; Path=/old"},
           {"s=1; Path=/old/x", "s=1; Path=/old/x"},
           {"s=1; Path=/older", "s=1; Path=/old/older"},
           {"s=1", "s=1"},
           {"s=1; Path=", "s=1; Path="},
           {"s=1; Path=x", "s=1; Path=x"},
           {"path=/", "path=/"},
           {"s=1; Path=/a; Path=/b", "s=1; Path=/old/a; Path=/old/b"},
           {"s=1;", "s=1;"},
           {"s=1; ;; Path=/", "s=1; ;; Path=/old"},
       }) {
    EXPECT_EQ(prefixed(row.cookie), row.expected);
  }
  EXPECT_EQ(prefixed("s=1; Path=/", ""), "s=1; Path=/");
}

}  // namespace
}  // namespace bentohost::upstream
