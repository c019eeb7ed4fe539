#include "http/route/router.h"

#include <gtest/gtest.h>

#include <string>
#include <type_traits>
#include <utility>
#include <vector>

namespace bentohost::http {
namespace {

// Routes as "GET /a", mounts as "mount /a"; the target of each is its own text.
class Routes {
 public:
  Routes(std::initializer_list<std::string> routes) {
    for (const std::string& route : routes) EXPECT_TRUE(add(route).ok()) << route;
  }
  Status add(const std::string& route) {
    const std::size_t space = route.find(' ');
    const std::string method = route.substr(0, space), path = route.substr(space + 1);
    return method == "mount" ? router.mount(path, route) : router.add(method, path, route);
  }
  // The target, or without one "405 GET, HEAD, OPTIONS" or "404".
  std::string find(std::string_view method, std::string_view path) const {
    const auto match = router.find(method, path);
    if (match.target != nullptr) return *match.target;
    EXPECT_EQ(match.route.empty(), path == "*" || router.allow(path).empty()) << path;
    return match.route.empty() ? "404" : "405 " + router.allow(path);
  }

  Router<std::string> router;
};

// Literal routes

TEST(Router, FindsTheTargetOfAMethodAndAPath) {
  const Routes routes{"POST /classify", "GET /classify"};
  const auto match = routes.router.find("GET", "/classify");
  ASSERT_NE(match.target, nullptr);
  EXPECT_EQ(*match.target, "GET /classify");
  EXPECT_EQ(match.route, "/classify");
  EXPECT_EQ(match.root_path, "");
  EXPECT_EQ(match.path, "/classify");
  EXPECT_EQ(match.parameters.size(), 0u);
}

TEST(Router, MatchesByteForByte) {
  const Routes routes{"GET /x", "GET /y/{z}"};
  for (const char* other : {"/", "/X", "//x", "/x/", "/x ", "x", "", "*", "/x/y", "/Y/z"}) {
    EXPECT_EQ(routes.find("GET", other), "404") << other;
  }
}

TEST(Router, RefusesRoutesThatAreNone) {
  Routes routes{};
  for (const char* route : {"GET x", "GET /a b", "GET /{", "mount /{x}", "mount x", "mount //"}) {
    EXPECT_EQ(routes.add(route).code(), BENTO_INVALID_ARGUMENT) << route;
  }
}

// Methods

TEST(Router, ToldOfAnotherMethodItListsThoseAllowed) {
  const Routes routes{"GET /x", "POST /x", "POST /y/{z}", "OPTIONS /o", "PUT /o"};
  EXPECT_EQ(routes.find("DELETE", "/x"), "405 GET, HEAD, POST, OPTIONS");
  EXPECT_EQ(routes.router.find("DELETE", "/x").route, "/x");
  EXPECT_EQ(routes.find("GET", "/y/1"), "405 POST, OPTIONS");
  EXPECT_EQ(routes.router.find("GET", "/y/1").route, "/y/{z}");
  EXPECT_EQ(routes.router.find("GET", "/y/1").parameters.size(), 0u);
  EXPECT_EQ(routes.find("GET", "/o"), "405 OPTIONS, PUT");
  EXPECT_EQ(routes.find("OPTIONS", "/o"), "OPTIONS /o");
}

TEST(Router, AllowsWhatAllMatchingRoutesAllow) {
  const Routes routes{"GET /a/b", "POST /a/{x}", "PUT /{x}/b", "GET /{x}/{y}", "DELETE /c/{x}"};
  EXPECT_EQ(routes.router.allow("/a/b"), "GET, HEAD, POST, PUT, OPTIONS");
  EXPECT_EQ(routes.router.allow("/a/c"), "POST, GET, HEAD, OPTIONS");
  EXPECT_EQ(routes.router.allow("/nowhere"), "");
  EXPECT_EQ(routes.router.allow("*"), "GET, HEAD, POST, PUT, DELETE, OPTIONS");
}

TEST(Router, GetAnswersHeadUnlessHeadHasItsOwn) {
  const Routes routes{"GET /a", "GET /b", "HEAD /b", "GET /c/{x}", "POST /d"};
  EXPECT_EQ(routes.find("HEAD", "/a"), "GET /a");
  EXPECT_EQ(routes.find("HEAD", "/b"), "HEAD /b");
  EXPECT_EQ(routes.find("HEAD", "/c/1"), "GET /c/{x}");
  EXPECT_EQ(routes.find("HEAD", "/d"), "405 POST, OPTIONS");
  EXPECT_EQ(routes.find("PUT", "/b"), "405 GET, HEAD, OPTIONS");
}

// Parameters

TEST(Router, GivesParametersAsPiecesOfThePath) {
  const Routes routes{"POST /v1/models/{model}/versions/{version}:predict"};
  const std::string path = "/v1/models/iris clf/versions/7:predict";
  const auto match = routes.router.find("POST", path);
  ASSERT_NE(match.target, nullptr);
  EXPECT_EQ(match.route, "/v1/models/{model}/versions/{version}:predict");
  EXPECT_EQ(match.path, path);
  ASSERT_EQ(match.parameters.size(), 2u);
  EXPECT_EQ(match.parameters[0].name, "model");
  EXPECT_EQ(match.parameters[0].value, "iris clf");
  EXPECT_EQ(match.parameters[0].value.data(), path.data() + 11);
  EXPECT_EQ(match.parameters[1].name, "version");
  EXPECT_EQ(match.parameters[1].value, "7");
  EXPECT_EQ(match.parameters.find("version"), "7");
  EXPECT_EQ(match.parameters.find("other"), "");
}

TEST(Router, AParameterIsOneSegmentThatIsNotEmpty) {
  const Routes routes{"GET /a/{x}", "GET /b/v{x}.json", "GET /{x}/{y}/"};
  EXPECT_EQ(routes.find("GET", "/a/1"), "GET /a/{x}");
  EXPECT_EQ(routes.find("GET", "/b/v1.json"), "GET /b/v{x}.json");
  EXPECT_EQ(routes.find("GET", "/b/vv.json.json"), "GET /b/v{x}.json");
  EXPECT_EQ(routes.find("GET", "/1/2/"), "GET /{x}/{y}/");
  for (const char* path : {"/a", "/a/", "/a//", "/a/1/2", "/b/v.json", "/b/v1.xml", "/b/1.json",
                           "//2/", "/1//", "/1/2", "/", "//"}) {
    EXPECT_EQ(routes.find("GET", path), "404") << path;
  }
}

TEST(Router, TheTextAroundAParameterDoesNotOverlap) {
  const Routes routes{"GET /ab{x}ba"};
  EXPECT_EQ(routes.find("GET", "/aba"), "404");
  EXPECT_EQ(routes.find("GET", "/abba"), "404");
  EXPECT_EQ(routes.router.find("GET", "/abxba").parameters.find("x"), "x");
}

TEST(Router, TheMostLiteralRouteWins) {
  // Added in an order other than that of precedence.
  const Routes routes{"GET /m/{x}", "GET /{x}/b", "GET /m/{x}:go", "GET /m/v{x}:go", "GET /m/b"};
  EXPECT_EQ(routes.find("GET", "/m/b"), "GET /m/b");
  EXPECT_EQ(routes.find("GET", "/m/v1:go"), "GET /m/v{x}:go");
  EXPECT_EQ(routes.find("GET", "/m/1:go"), "GET /m/{x}:go");
  EXPECT_EQ(routes.find("GET", "/m/v1"), "GET /m/{x}");
  EXPECT_EQ(routes.find("GET", "/m/:go"), "GET /m/{x}");
  EXPECT_EQ(routes.find("GET", "/n/b"), "GET /{x}/b");
}

TEST(Router, GoesBackWhereALiteralSegmentLedNowhere) {
  const Routes routes{"GET /a/b/c", "GET /a/b/{x}/d", "GET /a/{y}/{z}/e", "GET /{w}/b/{v}"};
  EXPECT_EQ(routes.find("GET", "/a/b/1/d"), "GET /a/b/{x}/d");
  EXPECT_EQ(routes.find("GET", "/a/b/1/e"), "GET /a/{y}/{z}/e");
  const auto match = routes.router.find("GET", "/a/b/1");
  ASSERT_NE(match.target, nullptr);
  EXPECT_EQ(*match.target, "GET /{w}/b/{v}");
  ASSERT_EQ(match.parameters.size(), 2u);  // none are left from failed branches
  EXPECT_EQ(match.parameters.find("w"), "a");
  EXPECT_EQ(match.parameters.find("v"), "1");
}

TEST(Router, WhatMatchesTheMethodTooGoesFirst) {
  const Routes routes{"POST /a/b", "GET /a/{x}", "PUT /{x}/{y}"};
  EXPECT_EQ(routes.find("GET", "/a/b"), "GET /a/{x}");
  EXPECT_EQ(routes.find("PUT", "/a/b"), "PUT /{x}/{y}");
  EXPECT_EQ(routes.find("DELETE", "/a/b"), "405 POST, GET, HEAD, PUT, OPTIONS");
  EXPECT_EQ(routes.router.find("DELETE", "/a/b").route, "/a/b");
}

TEST(Router, TakesAsManyParametersAsARouteMayHave) {
  const Routes routes{"GET /{a}/{b}/{c}/{d}/{e}/{f}/{g}/{h}"};
  const auto match = routes.router.find("GET", "/1/2/3/4/5/6/7/8");
  ASSERT_EQ(match.parameters.size(), kMaxParameters);
  EXPECT_EQ(match.parameters.find("h"), "8");
}

// Mounts

TEST(Router, AMountTakesWhatIsBelowItOnSegmentBorders) {
  const Routes routes{"mount /app"};
  const std::vector<std::pair<std::string, std::string>> below = {
      {"/app", "/"}, {"/app/", "/"}, {"/app/x", "/x"}, {"/app//x", "//x"}, {"/app/x/y/", "/x/y/"}};
  for (const auto& [path, rest] : below) {
    const auto match = routes.router.find("BREW", path);
    ASSERT_NE(match.target, nullptr) << path;
    EXPECT_EQ(match.route, "/app/*");
    EXPECT_EQ(match.root_path, "/app");
    EXPECT_EQ(match.path, rest);
  }
  for (const char* path : {"/", "/apple", "/ap", "/x/app", "//app", "/app.x", "app", "*", ""}) {
    EXPECT_EQ(routes.find("GET", path), "404") << path;
  }
}

TEST(Router, AMountAtTheRootTakesTheRest) {
  const Routes routes{"mount /", "GET /x"};
  EXPECT_EQ(routes.find("GET", "/x"), "GET /x");
  for (const std::string path : {"/", "//", "/y", "/x/", "/y/z"}) {
    const auto match = routes.router.find("GET", path);
    ASSERT_NE(match.target, nullptr) << path;
    EXPECT_EQ(match.route, "/*");
    EXPECT_EQ(match.root_path, "");
    EXPECT_EQ(match.path, path);
  }
  EXPECT_EQ(routes.find("OPTIONS", "*"), "404");  // "*" is not a path
}

TEST(Router, TheLongestMountWins) {
  const Routes routes{"mount /", "mount /a/b/c", "mount /a", "GET /a/b/{x}"};
  EXPECT_EQ(routes.find("GET", "/a/b/c/d"), "mount /a/b/c");
  EXPECT_EQ(routes.find("GET", "/a/b/c"), "GET /a/b/{x}");  // routes take precedence over mounts
  EXPECT_EQ(routes.find("GET", "/a/b"), "mount /a");
  EXPECT_EQ(routes.find("GET", "/a/b/d/e"), "mount /a");
  EXPECT_EQ(routes.find("GET", "/b"), "mount /");
}

TEST(Router, AMountTakesWhatARouteHasNoMethodFor) {
  const Routes routes{"POST /app/echo", "POST /app/{x}/y", "mount /app"};
  EXPECT_EQ(routes.find("POST", "/app/echo"), "POST /app/echo");
  for (const char* path : {"/app/echo", "/app/1/y"}) {
    const auto match = routes.router.find("GET", path);
    ASSERT_NE(match.target, nullptr) << path;
    EXPECT_EQ(match.route, "/app/*");
    EXPECT_EQ(match.parameters.size(), 0u);
  }
}

TEST(Router, AFinalSlashOfAMountMeansNothing) {
  Routes routes{"mount /a/"};
  EXPECT_EQ(routes.find("GET", "/a"), "mount /a/");
  EXPECT_EQ(routes.find("GET", "/a/x"), "mount /a/");
  EXPECT_EQ(routes.add("mount /a").message(), "the mount /a/* is taken already");
}

// Duplicates

TEST(Router, RefusesAPairThatIsTaken) {
  Routes routes{"GET /x"};
  const Status status = routes.add("GET /x");
  EXPECT_EQ(status.code(), BENTO_FAILED_PRECONDITION);
  EXPECT_EQ(status.message(), "GET /x is taken already");
  EXPECT_EQ(routes.find("GET", "/x"), "GET /x");
}

TEST(Router, RefusesTwoTemplatesOfOneShape) {
  Routes routes{"GET /a/{x}", "GET /a/{x}:go", "GET /a/{x}/b"};
  const Status status = routes.add("GET /a/{y}");
  EXPECT_EQ(status.code(), BENTO_FAILED_PRECONDITION);
  EXPECT_EQ(status.message(), "GET /a/{y} is taken already, as /a/{x}");
  EXPECT_FALSE(routes.add("GET /a/{y}:go").ok());
  EXPECT_FALSE(routes.add("GET /a/{y}/b").ok());
  for (const char* other :
       {"GET /a/{y}:stop", "GET /a/v{y}", "GET /{y}/{x}", "GET /a/{y}/", "GET /a/y"}) {
    EXPECT_TRUE(routes.add(other).ok()) << other;
  }
}

TEST(Router, TemplatesOfOneShapeHaveTheirOwnNamesByMethod) {
  const Routes routes{"GET /a/{x}", "PUT /a/{y}"};
  const auto match = routes.router.find("PUT", "/a/1");
  EXPECT_EQ(match.route, "/a/{y}");
  EXPECT_EQ(match.parameters.find("y"), "1");
  EXPECT_EQ(match.parameters.find("x"), "");
}

TEST(Router, ATemplateTakenAsAPathFindsWhatHasItsShape) {
  const Routes routes{"GET /{a}/{b}", "GET /a/{x}", "GET /a/{x}:go", "GET /a/v{x}:go",
                      "GET /{a}/v{b}"};
  EXPECT_EQ(routes.find("GET", "/{p}/{q}"), "GET /{a}/{b}");
  EXPECT_EQ(routes.find("GET", "/a/{p}"), "GET /a/{x}");
  EXPECT_EQ(routes.find("GET", "/a/{p}:go"), "GET /a/{x}:go");
  EXPECT_EQ(routes.find("GET", "/a/v{p}:go"), "GET /a/v{x}:go");
  EXPECT_EQ(routes.find("GET", "/{p}/v{q}"), "GET /{a}/v{b}");
}

// Cost

// A match owns no memory, so that a look-up has nothing to allocate.
static_assert(std::is_trivially_copyable_v<Router<std::string>::Match>);

}  // namespace
}  // namespace bentohost::http
