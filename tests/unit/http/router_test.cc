#include "http/router.h"

#include <gtest/gtest.h>

namespace bentohost::http {
namespace {

TEST(Router, FindsTheTargetOfAMethodAndAPath) {
  Router<int> router;
  ASSERT_TRUE(router.add("POST", "/classify", 1).ok());
  ASSERT_TRUE(router.add("GET", "/classify", 2).ok());
  const auto match = router.find("GET", "/classify");
  ASSERT_NE(match.target, nullptr);
  EXPECT_EQ(*match.target, 2);
  EXPECT_EQ(match.route, "/classify");
  EXPECT_EQ(match.allow, "");
}

TEST(Router, MatchesByteForByte) {
  Router<int> router;
  ASSERT_TRUE(router.add("GET", "/x", 1).ok());
  for (const char* other : {"/", "/X", "//x", "/x/", "/x ", ""}) {
    EXPECT_EQ(router.find("GET", other).target, nullptr) << other;
    EXPECT_EQ(router.find("GET", other).route, "") << other;
  }
}

TEST(Router, ToldOfAnotherMethodItListsThoseAllowed) {
  Router<int> router;
  ASSERT_TRUE(router.add("GET", "/x", 1).ok());
  ASSERT_TRUE(router.add("POST", "/x", 2).ok());
  const auto match = router.find("DELETE", "/x");
  EXPECT_EQ(match.target, nullptr);
  EXPECT_EQ(match.route, "/x");
  EXPECT_EQ(match.allow, "GET, HEAD, POST");
}

TEST(Router, GetAnswersHeadUnlessHeadHasItsOwn) {
  Router<int> router;
  ASSERT_TRUE(router.add("GET", "/a", 1).ok());
  ASSERT_TRUE(router.add("GET", "/b", 2).ok());
  ASSERT_TRUE(router.add("HEAD", "/b", 3).ok());
  EXPECT_EQ(*router.find("HEAD", "/a").target, 1);
  EXPECT_EQ(*router.find("HEAD", "/b").target, 3);
  EXPECT_EQ(router.find("PUT", "/b").allow, "GET, HEAD");
}

TEST(Router, RefusesAPairThatIsTaken) {
  Router<int> router;
  ASSERT_TRUE(router.add("GET", "/x", 1).ok());
  const Status status = router.add("GET", "/x", 2);
  EXPECT_EQ(status.code(), BENTO_FAILED_PRECONDITION);
  EXPECT_EQ(status.message(), "GET /x is taken already");
  EXPECT_EQ(*router.find("GET", "/x").target, 1);
}

TEST(CheckRoute, TakesLiteralPaths) {
  for (const char* route :
       {"/", "/classify", "/v1/models/iris.v2:predict", "/a/", "/a//b", "/...", "/\xc3\xa9"}) {
    EXPECT_TRUE(check_route(route).ok()) << route;
  }
}

TEST(CheckRoute, RefusesWhatNoPathMatchesOrWhatIsReserved) {
  for (const char* route : {"", "x", "//x", "/a?b", "/a#b", "/a b", "/a\tb", "/a\x7f", "/{id}",
                            "/.", "/a/../b", "/a/./b", "/a/.."}) {
    EXPECT_EQ(check_route(route).code(), BENTO_INVALID_ARGUMENT) << route;
  }
}

}  // namespace
}  // namespace bentohost::http
