#include "mount/parse.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "json/json.h"

namespace bentohost::mount {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Pair;

// Why `text` is no app; "" if it is one.
std::string refusal(std::string_view text) { return parse_app(text).status().message(); }

Result<AppSpec> from_json(std::string_view text) {
  const auto object = parse_json(text);
  EXPECT_TRUE(object.ok()) << text;
  return parse_app_json(*object);
}

TEST(ParseApp, ReadsTheKindAndTheNameOfAPythonApp) {
  for (const auto& [text, kind, name] : {
           std::tuple{"asgi:fastapi_app:app", AppKind::kAsgi, "fastapi_app:app"},
           std::tuple{"asgi:web:create()", AppKind::kAsgi, "web:create()"},
           std::tuple{"wsgi:flask_app:create_app()", AppKind::kWsgi, "flask_app:create_app()"},
           std::tuple{"wsgi:shop.web.main:site.app", AppKind::kWsgi, "shop.web.main:site.app"},
           std::tuple{"wsgi+gunicorn:a:b", AppKind::kWsgiGunicorn, "a:b"},
       }) {
    const auto app = parse_app(text);
    ASSERT_TRUE(app.ok()) << app.status().message();
    EXPECT_EQ(app->kind, kind) << text;
    EXPECT_EQ(app->app, name);
    EXPECT_TRUE(app->command.empty());
  }
}

TEST(ParseApp, SplitsTheCommandOfAnyOtherProgram) {
  const auto app = parse_app("http:node 'my server.js' --port=8080");
  ASSERT_TRUE(app.ok()) << app.status().message();
  EXPECT_EQ(app->kind, AppKind::kHttp);
  EXPECT_EQ(app->app, "");
  EXPECT_THAT(app->command, ElementsAre("node", "my server.js", "--port=8080"));
  EXPECT_THAT(parse_app("http:./serve:all")->command, ElementsAre("./serve:all"));
}

TEST(ParseApp, SaysWhatIsWrong) {
  for (const auto& [text, why] : {
           std::pair{"", "\"\" is not an app; expected KIND:APP"},
           std::pair{"asgi", "expected KIND:APP"},
           std::pair{"fastapi_app:app", "KIND is one of asgi, wsgi, wsgi+gunicorn and http"},
           std::pair{"ASGI:a:b", "KIND is one of"},
           std::pair{"asgi:fastapi_app", "its app is \"fastapi_app\"; expected MODULE:APP"},
           std::pair{"asgi:", "its app is \"\"; expected MODULE:APP"},
           std::pair{"http:", "its command is empty"},
           std::pair{"http:   ", "its command is empty"},
           std::pair{"http:'' x", "its command is empty"},
           std::pair{"http:node 'x", "its command: a quote is not closed: '"},
       }) {
    EXPECT_THAT(refusal(text), HasSubstr(why)) << text;
    EXPECT_EQ(parse_app(text).status().code(), BENTO_INVALID_ARGUMENT);
  }
}

TEST(ParseAppJson, ReadsEachOption) {
  const auto app = from_json(R"({"kind":"wsgi+gunicorn","app":"flask_app:app","folder":"web",
      "environment":{"A":"b","C":""},"interpreter":"venv/bin/python","processes":2,"threads":8,
      "start_timeout":12.5,"stop_timeout":3,"ready_path":"/health?x=1","max_memory":"512m",
      "max_requests":1000,"max_connections":9,"max_queue":0,"connect_timeout":1,"send_timeout":2,
      "read_timeout":3,"prefix_cookies":true})");
  ASSERT_TRUE(app.ok()) << app.status().message();
  EXPECT_EQ(app->kind, AppKind::kWsgiGunicorn);
  EXPECT_EQ(app->app, "flask_app:app");
  EXPECT_EQ(app->folder, "web");
  EXPECT_THAT(app->environment, ElementsAre(Pair("A", "b"), Pair("C", "")));
  EXPECT_EQ(app->interpreter, "venv/bin/python");
  EXPECT_EQ(app->processes, 2u);
  EXPECT_EQ(app->threads, 8u);
  EXPECT_EQ(app->start_timeout, 12500ms);
  EXPECT_EQ(app->stop_timeout, 3s);
  EXPECT_EQ(app->ready_path, "/health?x=1");
  EXPECT_EQ(app->max_memory, 512u << 20);
  EXPECT_EQ(app->max_requests, 1000u);
  EXPECT_EQ(app->max_connections, 9u);
  EXPECT_EQ(app->max_queue, 0u);
  EXPECT_EQ(app->connect_timeout, 1s);
  EXPECT_EQ(app->send_timeout, 2s);
  EXPECT_EQ(app->read_timeout, 3s);
  EXPECT_TRUE(app->prefixes_cookies);
  EXPECT_EQ(from_json(R"({"kind":"asgi","app":"a:b","tunnel_timeout":60})")->tunnel_timeout, 60s);
}

TEST(ParseAppJson, ReadsACommand) {
  const auto app = from_json(R"({"kind":"http","command":["node","a b.js"],"max_memory":4096})");
  ASSERT_TRUE(app.ok()) << app.status().message();
  EXPECT_THAT(app->command, ElementsAre("node", "a b.js"));
  EXPECT_EQ(app->max_memory, 4096u);
}

TEST(ParseAppJson, SaysWhatIsWrong) {
  const auto asgi = [](const std::string& more) {
    return from_json(R"({"kind":"asgi","app":"a:b",)" + more + "}").status().message();
  };
  for (const auto& [object, why] : {
           std::pair{"[]", "it is not a JSON object"},
           std::pair{"{}", "it has no kind"},
           std::pair{R"({"kind":1})", "its kind is not a text"},
           std::pair{R"({"kind":"rack"})",
                     "\"rack\" is no kind of app; expected asgi, wsgi, wsgi+gunicorn and http"},
           std::pair{R"({"kind":"asgi"})", "it has no app"},
           std::pair{R"({"kind":"asgi","app":1})", "its app is not a text"},
           std::pair{R"({"kind":"asgi","app":"a"})", "expected MODULE:APP"},
           std::pair{R"({"kind":"asgi","app":"a:b","command":[]})",
                     "an app of kind asgi has an app, not a command"},
           std::pair{R"({"kind":"http"})", "an app of kind http needs a command"},
           std::pair{R"({"kind":"http","command":"node"})", "needs a command: an array of texts"},
           std::pair{R"({"kind":"http","command":["a",1]})",
                     "its command is not an array of texts"},
           std::pair{R"({"kind":"http","command":[]})", "its command is empty"},
           std::pair{R"({"kind":"http","command":["a\u0000b"]})", "its command has a NUL in it"},
           std::pair{R"({"kind":"http","command":["a"],"app":"a:b"})",
                     "an app of kind http has a command, not an app"},
       }) {
    EXPECT_THAT(from_json(object).status().message(), HasSubstr(why)) << object;
  }
  for (const auto& [member, why] : {
           std::pair{R"("thread":1)", "an app of kind asgi has no option thread; its options are"},
           std::pair{R"("env.A":"b")", "has no option env.A"},
           std::pair{R"("threads":1)",
                     "threads is an option of wsgi and wsgi+gunicorn apps, not of asgi"},
           std::pair{R"("processes":"2")", "its processes: expected a number"},
           std::pair{R"("processes":0)", "its processes: expected a number from 1 to 256"},
           std::pair{R"("processes":1.5)", "its processes: expected a number from 1 to 256"},
           std::pair{R"("start_timeout":"30")", "its start_timeout: expected a number of seconds"},
           std::pair{R"("start_timeout":0)", "more than 0"},
           std::pair{R"("max_memory":true)", "expected a number of bytes, or a text"},
           std::pair{R"("max_memory":"1x")", "its max_memory: expected a size in bytes"},
           std::pair{R"("prefix_cookies":"on")", "its prefix_cookies: expected true or false"},
           std::pair{R"("folder":1)", "its folder: expected a text"},
           std::pair{R"("folder":"")", "its folder: expected a path"},
           std::pair{R"("folder":"a\u0000b")", "its folder: expected a path"},
           std::pair{R"("ready_path":"health")", "its ready_path: expected a path of a URL"},
           std::pair{R"("ready_path":"/a b")", "its ready_path: expected a path of a URL"},
           std::pair{R"("environment":[])", "its environment: expected an object"},
           std::pair{R"("environment":{"A":1})", "its environment: the value of A is not a text"},
           std::pair{R"("environment":{"":"1"})", "is no name of an environment variable"},
           std::pair{R"("environment":{"A=B":"1"})", "is no name of an environment variable"},
           std::pair{R"("environment":{"A":"\u0000"})", "has a NUL in its value"},
           std::pair{R"("environment":{"SCRIPT_NAME":"/x"})", "SCRIPT_NAME cannot be set"},
           std::pair{R"("environment":{"WEB_CONCURRENCY":"2"})", "use the option processes"},
       }) {
    EXPECT_THAT(asgi(member), HasSubstr(why)) << member;
  }
  EXPECT_THAT(asgi(R"("proceses":2)"), HasSubstr("did you mean processes? its options are folder, "
                                                 "environment, interpreter, processes, start_"));
}

class SettingTest : public testing::Test {
 protected:
  SettingTest() {
    for (const auto& [prefix, app] : {std::pair{"", "asgi:a:b"}, std::pair{"/old", "wsgi:a:b"},
                                      std::pair{"/old.v2", "http:node x"}}) {
      mounts_.push_back({prefix, *parse_app(app)});
    }
  }
  std::string refusal(std::string_view setting) {
    return apply_setting(mounts_, setting).message();
  }

  std::vector<Mount> mounts_;
};

TEST_F(SettingTest, GoesToTheMountWithTheLongestPrefixThatFits) {
  for (const char* setting : {"/.processes=2", "/old.threads=8", "/old.env.A.B=c=d.e",
                              "/old.v2.processes=3", "/old.env.A.B=f", "/.env.PORT="}) {
    EXPECT_EQ(refusal(setting), "") << setting;
  }
  EXPECT_EQ(mounts_[0].app.processes, 2u);
  EXPECT_THAT(mounts_[0].app.environment, ElementsAre(Pair("PORT", "")));
  EXPECT_EQ(mounts_[1].app.threads, 8u);
  EXPECT_THAT(mounts_[1].app.environment, ElementsAre(Pair("A.B", "f"))) << "the last one wins";
  EXPECT_EQ(mounts_[2].app.processes, 3u);
}

TEST_F(SettingTest, SaysWhatIsWrong) {
  for (const auto& [setting, why] : {
           std::pair{"", "expected PREFIX.OPTION=VALUE"},
           std::pair{"/old.threads", "expected PREFIX.OPTION=VALUE"},
           std::pair{"/old=threads.1", "expected PREFIX.OPTION=VALUE"},
           std::pair{"old.threads=1", "expected PREFIX.OPTION=VALUE"},
           std::pair{"/new.threads=1", "there is no --mount at /new; they are at /, /old, /old.v2"},
           std::pair{"/new.env.A=1", "there is no --mount at /new; they"},
           std::pair{"/old.thread=1",
                     "an app of kind wsgi has no option thread; did you mean threads? its options "
                     "are folder, env.NAME, interpreter, processes, threads, "},
           std::pair{"/old.=1", "has no option \"\"; its"},
           std::pair{"/old.environment=1", "has no option environment"},
           std::pair{"/old.threads=0", "expected a number from 1 to 1024"},
           std::pair{"/old.threads=", "expected a number from 1 to 1024"},
           std::pair{"/.threads=1",
                     "threads is an option of wsgi and wsgi+gunicorn apps, not of asgi"},
           std::pair{"/old.tunnel_timeout=1", "is an option of asgi and http apps, not of wsgi"},
           std::pair{"/old.v2.interpreter=x", "asgi, wsgi and wsgi+gunicorn apps, not of http"},
           std::pair{"/old.prefix_cookies=true", "expected on or off"},
           std::pair{"/old.env.=1", "\"\" is no name of an environment variable"},
           std::pair{"/old.folder=", "expected a path"},
       }) {
    EXPECT_THAT(refusal(setting), HasSubstr(why)) << setting;
  }
  mounts_.clear();
  EXPECT_EQ(refusal("/a.threads=1"), "there is no --mount at /a; there are none");
}

TEST(ResolvePaths, MakesThemAbsolute) {
  for (const auto& [folder, interpreter, whole, program] : {
           std::tuple{"", "", "/srv", ""},
           std::tuple{"web", "python3.12", "/srv/web", "python3.12"},
           std::tuple{"/opt/web", "venv/bin/python", "/opt/web", "/opt/web/venv/bin/python"},
           std::tuple{"../web", "/usr/bin/python3", "/srv/../web", "/usr/bin/python3"},
       }) {
    AppSpec app;
    app.folder = folder;
    app.interpreter = interpreter;
    resolve_paths(app, "/srv");
    EXPECT_EQ(app.folder, whole);
    EXPECT_EQ(app.interpreter, program);
  }
}

}  // namespace
}  // namespace bentohost::mount
