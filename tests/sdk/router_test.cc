// Routers: which handler a request gets, what that is handed, and what its result becomes. And what
// they are made of: queries, and files.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <bento/bento.hpp>
#include <filesystem>
#include <fstream>

#include "sdk/fake_channel.h"
#include "sdk/fake_host.h"

namespace garden {

struct Point {
  int x = 0, y = 0;
};
BENTO_FIELDS(Point, x, y)

enum class Order { asc, desc };
BENTO_ENUM(Order, asc, desc)

}  // namespace garden

namespace bento {
namespace {

using garden::Order;
using garden::Point;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Pair;

struct Answer {
  std::uint32_t status = 0;
  std::string type, body;
  std::vector<std::pair<std::string, std::string>> headers;  // but the type
  bool is_ended = false;
};

class RouterTest : public testing::Test {
 protected:
  RouterTest() { ctx_.scope.request_id = fakes::str("r1"); }

  Answer ask(std::string_view method, std::string_view path, std::string_view query = "",
             const std::string& body = "") {
    fakes::FakeChannel channel;
    channel.pieces = {body.substr(0, body.size() / 2), body.substr(body.size() / 2)};
    Stream stream(channel.get());
    ctx_.scope.method = fakes::str(method);
    ctx_.scope.path = fakes::str(path);
    ctx_.scope.query = fakes::str(query);
    const Options options(&host_.table);
    Context context(&host_.table, &ctx_, options);
    stream.run([&] { app_.call(context, stream); });
    Answer answer{channel.status, "", "", {}, channel.is_ended};
    for (const auto& header : channel.headers) {
      if (header.first == "Content-Type") {
        answer.type = header.second;
      } else {
        answer.headers.push_back(header);
      }
    }
    for (const std::string& piece : channel.sent) answer.body += piece;
    return answer;
  }
  std::string get(std::string_view path, std::string_view query = "") {
    return ask("GET", path, query).body;
  }
  // The error that the host would answer with: "404 message".
  std::string error(std::string_view method, std::string_view path, std::string_view query = "",
                    const std::string& body = "") {
    try {
      const Answer answer = ask(method, path, query, body);
      return "no error but " + std::to_string(answer.status);
    } catch (const Error& error) {
      const auto status = error.code() == BENTO_NOT_FOUND ? 404 : error.http_status();
      return std::to_string(status) + " " + error.what();
    }
  }

  fakes::FakeHost host_;
  bento_ctx ctx_;
  Router app_;
};

TEST_F(RouterTest, FindsARouteByMethodAndPath) {
  app_.get("/", [] { return "get"; })
      .post("/", [] { return "post"; })
      .put("/a/b", [] { return "put"; })
      .patch("/a/b", [] { return "patch"; })
      .del("/a/b", [] { return "del"; })
      .route("PURGE", "/a/b/", [] { return "purge"; });
  EXPECT_EQ(get("/"), "get");
  EXPECT_EQ(ask("POST", "/").body, "post");
  EXPECT_EQ(ask("PUT", "/a/b").body, "put");
  EXPECT_EQ(ask("PATCH", "/a/b").body, "patch");
  EXPECT_EQ(ask("DELETE", "/a/b").body, "del");
  EXPECT_EQ(ask("PURGE", "/a/b/").body, "purge");
  for (const std::string_view path : {"/a", "/a/", "/a/b/c", "//", "/A/b", "x"}) {
    EXPECT_EQ(error("GET", path), "404 there is nothing at " + std::string(path)) << path;
  }
}

TEST_F(RouterTest, MatchesWhatIsBelowItsMount) {
  app_.get("/", [] { return "root"; }).get("/a", [] { return "a"; });
  ctx_.scope.root_path = fakes::str("/web/app");
  EXPECT_EQ(get("/web/app"), "root");
  EXPECT_EQ(get("/web/app/"), "root");
  EXPECT_EQ(get("/web/app/a"), "a");
}

TEST_F(RouterTest, TellsTheHostOfTheRouteThatAnswers) {
  app_.get("/flowers/{id}", [] { return "flower"; }).post("/flowers/{id}", [] { return "posted"; });
  EXPECT_EQ(get("/flowers/7"), "flower");
  EXPECT_EQ(ask("HEAD", "/flowers/8").status, 200u);
  EXPECT_THAT(error("DELETE", "/flowers/8"), HasSubstr("405 "));
  EXPECT_EQ(error("GET", "/nowhere"), "404 there is nothing at /nowhere");
  EXPECT_THAT(host_.routes, ElementsAre("/flowers/{id}", "/flowers/{id}"));
}

TEST_F(RouterTest, RefusesAJsonThatIsNone) {
  app_.get("/{what}", [](const PathParams& path) { return Json{path.get("what")}; });
  EXPECT_EQ(get("/[1.5e3]"), "[1.5e3]");
  for (const char* none : {"/[NaN]", "/{", "/\"\xff\"", "/[1] x"}) {
    EXPECT_THAT(error("GET", none), HasSubstr("the result is not JSON")) << none;
  }
}

TEST_F(RouterTest, HandsOverWhatThePathHas) {
  app_.get("/users/{name}/items/{id}", [](const PathParams& path) {
    return path.get("name") + "'s " + std::to_string(path.get<int>("id") + 1);
  });
  app_.get("/tree/{rest:path}", [](const PathParams& path) { return path.get("rest"); });
  EXPECT_EQ(get("/users/ann b/items/-4"), "ann b's -3");
  EXPECT_EQ(
      error("GET", "/users/ann/items/4x"),
      "422 path parameter id: expected an integer from -2147483648 to 2147483647, got \"4x\"");
  EXPECT_EQ(error("GET", "/users//items/4"), "404 there is nothing at /users//items/4");
  EXPECT_EQ(get("/tree/a/b//c"), "a/b//c");
  EXPECT_EQ(get("/tree/"), "");
  EXPECT_EQ(ask("GET", "/tree").status, 307) << "a slash behind it is what is there";
}

TEST_F(RouterTest, PrefersTextToAParameterFromLeftToRight) {
  app_.get("/{all:path}", [] { return "rest"; })
      .get("/{a}/b", [] { return "{a}/b"; })
      .get("/{a}/{b}", [] { return "{a}/{b}"; })
      .get("/a/{b}", [] { return "a/{b}"; })
      .get("/a/new", [] { return "a/new"; })
      .post("/a/{b}", [] { return "posted"; });
  EXPECT_EQ(get("/a/new"), "a/new");
  EXPECT_EQ(get("/a/b"), "a/{b}");
  EXPECT_EQ(get("/x/b"), "{a}/b");
  EXPECT_EQ(get("/x/y"), "{a}/{b}");
  EXPECT_EQ(get("/x/y/z"), "rest");
  EXPECT_EQ(get("/"), "rest");
  EXPECT_EQ(ask("POST", "/a/new").body, "posted") << "which has no such route of its own";
}

TEST_F(RouterTest, RefusesPatternsThatAreNone) {
  const auto refused = [this](std::string_view path) -> std::string {
    try {
      app_.get(path, [] {});
      return "it is taken";
    } catch (const Error& error) {
      return error.what();
    }
  };
  for (const std::string_view bad :
       {"/x{a}", "/{a}x", "/{}", "/{a", "/a}", "/{a{b}}", "/{:path}", "/{a:int}"}) {
    EXPECT_THAT(refused(bad), HasSubstr("a parameter for a whole segment: {name}")) << bad;
  }
  EXPECT_THAT(refused("/{a:path}/b"), HasSubstr("{name:path} only at its end"));
  EXPECT_EQ(refused("/u/{a}"), "it is taken");
  EXPECT_EQ(refused("/u/{b}"), "route GET /u/{b} is defined twice");
}

TEST_F(RouterTest, AnswersHeadAndOptionsAndTellsWhatIsAllowed) {
  app_.get("/a/{b}", [] { return "text"; })
      .post("/a/b", [] { return "posted"; })
      .get("/own", [] { return "own"; })
      .route("OPTIONS", "/own", [] { return "options"; })
      .route("HEAD", "/own", [](Stream& stream) {
        stream.start(204, "", {{"X-Own", "1"}});
      });
  EXPECT_EQ(ask("HEAD", "/a/b").body, "text") << "the host drops it";
  EXPECT_EQ(ask("HEAD", "/own").headers[0].first, "X-Own");
  EXPECT_EQ(ask("OPTIONS", "/own").body, "options");

  const Answer options = ask("OPTIONS", "/a/b");
  EXPECT_EQ(options.status, 204u);
  EXPECT_TRUE(options.is_ended);
  EXPECT_THAT(options.headers, ElementsAre(Pair("Allow", "POST, GET, HEAD, OPTIONS")));
  EXPECT_EQ(error("DELETE", "/a/c"), "405 /a/c takes GET, HEAD, OPTIONS, not DELETE");
  EXPECT_EQ(error("OPTIONS", "/none"), "404 there is nothing at /none");
}

TEST_F(RouterTest, RedirectsToThePathWithoutASlashOrWithOne) {
  app_.post("v1/predict", [] { return "text"; }).get("/docs/", [] { return "docs"; });
  EXPECT_EQ(ask("POST", "/v1/predict").body, "text") << "its first slash may be left out";
  for (const auto& [path, location] :
       {std::pair{"/v1/predict/", "../predict?a=1"}, std::pair{"/docs", "./docs/?a=1"}}) {
    const Answer answer = ask("POST", path, "a=1");
    EXPECT_EQ(answer.status, 307u);
    EXPECT_THAT(answer.headers, ElementsAre(Pair("Location", location)));
  }
  EXPECT_EQ(error("GET", "/none/"), "404 there is nothing at /none/");
}

TEST_F(RouterTest, TakesAnEscapedSlashForASlash) {
  app_.get("/a/{b}", [](const PathParams& path) { return std::string(path.get("b")); });
  EXPECT_EQ(ask("GET", "/a/x").body, "x");
  EXPECT_EQ(error("GET", "/a/x/y"), "404 there is nothing at /a/x/y") << "as %2F comes";
}

TEST_F(RouterTest, HandsHandlersWhatTheyAskFor) {
  app_.post("/context", [](Context& ctx) { return std::string(ctx.request_id()); });
  app_.post("/struct", [](Point p) { return Point{p.y, p.x}; });
  app_.post("/context_struct", [](Context& ctx, const Point& p) {
    return std::string(ctx.request_id()) + std::to_string(p.x);
  });
  app_.post("/points",
            [](const std::vector<Point>& points) { return points.size() == 2 ? "2" : ""; });
  app_.post("/request", [](const Request& request) {
    return std::string(request.method) + " " + std::string(request.path) + " " + request.body;
  });
  app_.post("/context_request", [](Context& ctx, const Request& request) {
    return std::string(ctx.request_id()) + request.body;
  });
  app_.post("/{id}/all",
            [](const Query& query, const Point& p, const Request& request, const PathParams& path) {
              return query.get("q") + std::to_string(p.y) + request.body + path.get("id");
            });
  const std::string point = R"({"x":1,"y":2})";
  EXPECT_EQ(ask("POST", "/context").body, "r1");
  EXPECT_EQ(ask("POST", "/struct", "", point).body, R"({"x":2,"y":1})");
  EXPECT_EQ(ask("POST", "/context_struct", "", point).body, "r11");
  EXPECT_EQ(ask("POST", "/points", "", "[" + point + "," + point + "]").body, "2");
  EXPECT_EQ(ask("POST", "/request", "", "body").body, "POST /request body");
  EXPECT_EQ(ask("POST", "/context_request", "", "body").body, "r1body");
  EXPECT_EQ(ask("POST", "/7/all", "q=a", point).body, "a2" + point + "7");
}

std::string ordinary_function(Context&, Point p) { return std::to_string(p.x); }

TEST_F(RouterTest, TakesOrdinaryFunctions) {
  app_.post("/", ordinary_function);
  EXPECT_EQ(ask("POST", "/", "", R"({"x":3,"y":0})").body, "3");
}

TEST_F(RouterTest, StreamsAndSendsEvents) {
  app_.post("/upper", [](Context&, Stream& stream) {
    for (std::string_view piece : stream.body()) stream.send(std::string(piece) + ".");
  });
  app_.get("/events/{n}", [](const PathParams& path, EventStream& out) {
    for (int i = path.get<int>("n"); i > 0; --i) out.send({.data = std::to_string(i)});
  });
  EXPECT_EQ(ask("POST", "/upper", "", "abcd").body, "ab.cd.");
  EXPECT_EQ(get("/events/2"), "data: 2\n\ndata: 1\n\n");
  const Answer none = ask("GET", "/events/0");
  EXPECT_EQ(none.type, "text/event-stream");
  EXPECT_TRUE(none.is_ended);
}

TEST_F(RouterTest, MakesAnswersOfResults) {
  app_.get("/struct",
           [] {
             return Point{1, 2};
           })
      .get("/list",
           [] {
             return std::vector<Point>{{1, 2}};
           })
      .get("/text", [] { return std::string("t"); })
      .get("/view", [] { return std::string_view("v"); })
      .get("/html", [] { return Html{"<p>"}; })
      .get("/json", [] { return Json{"[1]"}; })
      .get("/bytes",
           [] {
             return Bytes{"\x01", "image/png"};
           })
      .get("/any",
           [] {
             return Bytes{"\x01", ""};
           })
      .get("/nothing", [] {})
      .get("/response", [] {
        Response response = make_response(Point{});
        response.status = 201;
        response.headers.add("Location", "/1");
        return response;
      });
  const auto answer = [this](std::string_view path) {
    const Answer got = ask("GET", path);
    EXPECT_TRUE(got.is_ended) << path;
    return std::to_string(got.status) + " " + got.type + " " + got.body;
  };
  EXPECT_EQ(answer("/struct"), R"(200 application/json {"x":1,"y":2})");
  EXPECT_EQ(answer("/list"), R"(200 application/json [{"x":1,"y":2}])");
  EXPECT_EQ(answer("/text"), "200 text/plain; charset=utf-8 t");
  EXPECT_EQ(answer("/view"), "200 text/plain; charset=utf-8 v");
  EXPECT_EQ(answer("/html"), "200 text/html; charset=utf-8 <p>");
  EXPECT_EQ(answer("/json"), "200 application/json [1]");
  EXPECT_EQ(answer("/bytes"), "200 image/png \x01");
  EXPECT_EQ(answer("/any"), "200 application/octet-stream \x01");
  EXPECT_EQ(answer("/nothing"), "204  ");
  EXPECT_EQ(answer("/response"), R"(201 application/json {"x":0,"y":0})");
  EXPECT_THAT(ask("GET", "/response").headers, ElementsAre(Pair("Location", "/1")));
}

TEST_F(RouterTest, LetsErrorsPass) {
  app_.post("/", [](const Point&) { return "never"; }).get("/", []() -> Point {
    throw Error(BENTO_NOT_FOUND, "no such point");
  });
  EXPECT_EQ(error("GET", "/"), "404 no such point");
  EXPECT_EQ(error("POST", "/", "", R"({"x":"1"})"),
            "422 /x: expected an integer, got \"1\"; /y: is missing");
  EXPECT_THAT(error("POST", "/", "", "{"), HasSubstr("line 1 column 2: "));
}

TEST_F(RouterTest, HandsBackgroundTasksToTheHostBeforeItAnswers) {
  static int deferred;
  deferred = 0;
  host_.table.defer = [](bento_ctx*, bento_code (*)(void*, bento_ctx*, bento_error*), void* arg,
                         void (*drop)(void*), bento_error*) {
    ++deferred;
    drop(arg);
    return bento_code{BENTO_OK};
  };
  app_.get("/", [] { return TaskResponse(Point{1, 2}, [] {}); });
  EXPECT_EQ(get("/"), R"({"x":1,"y":2})");
  EXPECT_EQ(deferred, 1);
}

TEST_F(RouterTest, IsAnAppThatCanBeMounted) {
  app_.get("/a", [] { return "a"; });
  Service svc;
  svc.mount("/web", std::move(app_));
  const bento_service& abi = *svc.abi();
  ASSERT_EQ(abi.n_mounts, 1u);
  EXPECT_NE(abi.mounts[0]->app.call, nullptr);
}

class FilesTest : public RouterTest {
 protected:
  FilesTest() {
    std::string name = testing::TempDir() + "bento_files_XXXXXX";
    folder_ = mkdtemp(name.data());
    std::filesystem::create_directories(folder_ / "www/docs");
    write("secret.txt", "secret");
    write("www/index.html", "front");
    write("www/style.css", "p {}");
    write("www/docs/index.html", "docs");
    write("www/docs/large.bin", std::string(200'000, 'x'));
    write("www/.hidden", "hidden");
    write("www/empty", "");
    std::filesystem::create_symlink(folder_ / "secret.txt", folder_ / "www/link.txt");
    std::filesystem::create_symlink("style.css", folder_ / "www/inner.css");
    app_.files("/static", folder_ / "www");
  }
  ~FilesTest() override { std::filesystem::remove_all(folder_); }

  void write(const std::string& name, const std::string& text) const {
    std::ofstream(folder_ / name) << text;
  }
  std::filesystem::path folder_;
};

TEST_F(FilesTest, AreAnsweredWithTypeAndLength) {
  const Answer style = ask("GET", "/static/style.css");
  EXPECT_EQ(style.body, "p {}");
  EXPECT_EQ(style.type, "text/css; charset=utf-8");
  EXPECT_THAT(style.headers, ElementsAre(Pair("Content-Length", "4")));
  EXPECT_EQ(get("/static/"), "front");
  EXPECT_EQ(get("/static/docs/"), "docs");
  EXPECT_EQ(get("/static/docs/large.bin").size(), 200'000u);
  EXPECT_EQ(get("/static/empty"), "");
  EXPECT_EQ(get("/static/inner.css"), "p {}");
}

TEST_F(FilesTest, AreOnlyThoseOfTheFolder) {
  for (const std::string_view path :
       {"/static/../secret.txt", "/static/docs/../../secret.txt", "/static/docs/..\\..\\secret.txt",
        "/static//etc/passwd", "/static/link.txt", "/static/.hidden", "/static/./style.css",
        "/static/docs", "/static/docs//index.html", "/static/style.css/", "/static/none"}) {
    EXPECT_EQ(error("GET", path), "404 there is no such file") << path;
  }
  EXPECT_EQ(error("GET", std::string_view("/static/style.css\0.html", 23)),
            "404 there is no such file");
  EXPECT_THAT(error("POST", "/static/style.css"), HasSubstr("405 "));
}

TEST(Files, OfTheRootAndOfAFolderBesideThePlugin) {
  Router app;
  app.files("/", "www");
  fakes::FakeHost host;
  bento_ctx ctx;
  ctx.scope.method = fakes::str("GET");
  ctx.scope.path = fakes::str("/index.html");
  const Options options(&host.table);
  Context context(&host.table, &ctx, options);
  fakes::FakeChannel channel;
  Stream stream(channel.get());
  EXPECT_THROW(app.call(context, stream), Error) << "/plugins/www is not there";
}

}  // namespace
}  // namespace bento
