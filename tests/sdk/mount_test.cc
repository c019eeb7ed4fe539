// Mounted programs as the host reads them: mount_asgi(), mount_wsgi(), mount_process().
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <bento/bento.hpp>

namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;

class ProgramMount : public testing::Test {
 protected:
  // What the last mount says to the host.
  std::string process() {
    const bento_service& service = *svc_.abi();
    const bento_mount& mount = *service.mounts[service.n_mounts - 1];
    EXPECT_EQ(mount.app.call, nullptr);
    return std::string(bento::detail::view(mount.process));
  }
  template <typename F>
  static std::string refusal(F describe) {
    try {
      describe();
    } catch (const bento::Error& error) {
      EXPECT_EQ(error.code(), BENTO_INVALID_ARGUMENT);
      return error.what();
    }
    return "";
  }

  bento::Service svc_;
};

TEST_F(ProgramMount, SaysOnlyWhatWasSaid) {
  svc_.mount_asgi("/", "fastapi_app:app");
  EXPECT_EQ(process(), R"({"kind":"asgi","app":"fastapi_app:app"})");
  svc_.mount_wsgi("old", "flask_app:create_app('x')");
  EXPECT_EQ(process(), R"json({"kind":"wsgi","app":"flask_app:create_app('x')"})json");
  EXPECT_EQ(bento::detail::view(svc_.abi()->mounts[1]->prefix), "/old");
  svc_.mount_wsgi("/g", "a:b", {.server = bento::WsgiServer::kGunicorn});
  EXPECT_EQ(process(), R"({"kind":"wsgi+gunicorn","app":"a:b"})");
  svc_.mount_process("/ui", {"node", "server.js"});
  EXPECT_EQ(process(), R"({"kind":"http","command":["node","server.js"]})");
}

TEST_F(ProgramMount, SaysEachOption) {
  svc_.mount_asgi("/", "a:b",
                  {.folder = "web",
                   .environment = {{"A", "b"}, {"C", ""}},
                   .interpreter = "venv/bin/python",
                   .processes = 2,
                   .start_timeout = 10s,
                   .stop_timeout = 1500ms,
                   .ready_path = "/health",
                   .max_memory = 1u << 30,
                   .max_requests = 1000,
                   .max_connections = 100,
                   .max_queue = 0,
                   .connect_timeout = 1s,
                   .send_timeout = 2s,
                   .read_timeout = 1min,
                   .tunnel_timeout = 1h,
                   .prefix_cookies = true});
  EXPECT_EQ(process(),
            R"({"kind":"asgi","app":"a:b","folder":"web","environment":{"A":"b","C":""},)"
            R"("interpreter":"venv/bin/python","processes":2,"start_timeout":10.0,)"
            R"("stop_timeout":1.5,"ready_path":"/health","max_memory":1073741824,)"
            R"("max_requests":1000,"max_connections":100,"max_queue":0,"connect_timeout":1.0,)"
            R"("send_timeout":2.0,"read_timeout":60.0,"tunnel_timeout":3600.0,)"
            R"("prefix_cookies":true})");
  svc_.mount_wsgi("/old", "a:b", {.environment = {{"A", "b"}}, .threads = 8});
  EXPECT_EQ(process(), R"({"kind":"wsgi","app":"a:b","environment":{"A":"b"},"threads":8})");
}

// The example of the SDK's guide.
void describe_programs(bento::Service& svc) {
  using namespace std::chrono_literals;
  svc.mount_asgi("/", "fastapi_app:app");
  svc.mount_wsgi("/old", "flask_app:create_app('prod')",
                 {.environment = {{"FLASK_DEBUG", "0"}}, .processes = 2, .threads = 8});
  svc.mount_process("/ui", {"node", "server.js"}, {.folder = "ui", .start_timeout = 10s});
}

TEST_F(ProgramMount, SaysWhatTheGuideShows) {
  describe_programs(svc_);
  EXPECT_EQ(svc_.abi()->n_mounts, 3u);
  EXPECT_EQ(process(),
            R"({"kind":"http","command":["node","server.js"],"folder":"ui","start_timeout":10.0})");
}

TEST_F(ProgramMount, RefusesWhatCannotBe) {
  const auto asgi = [this](const bento::MountOptions& options) {
    return refusal([&] { svc_.mount_asgi("/x", "a:b", options); });
  };
  EXPECT_EQ(refusal([&] { svc_.mount_asgi("/x", "app"); }),
            "mount /x: its app is \"app\"; expected MODULE:APP, such as web:app or "
            "web:create_app()");
  EXPECT_THAT(refusal([&] { svc_.mount_process("ui", {}); }), HasSubstr("mount /ui: its command"));
  EXPECT_THAT(refusal([&] { svc_.mount_process("/", {""}); }), HasSubstr("its command is empty"));
  EXPECT_THAT(refusal([&] { svc_.mount_process("/", {"x"}, {.interpreter = "python3"}); }),
              HasSubstr("interpreter is an option of Python apps"));
  EXPECT_THAT(refusal([&] { svc_.mount_wsgi("/", "a:b", {.tunnel_timeout = 1s}); }),
              HasSubstr("tunnel_timeout: WSGI has no WebSockets"));
  EXPECT_THAT(asgi({.server = bento::WsgiServer::kGunicorn}), HasSubstr("server is an option"));
  EXPECT_THAT(asgi({.threads = 2}), HasSubstr("mount /x: threads is an option of WSGI"));
  EXPECT_THAT(asgi({.processes = 0}), HasSubstr("mount /x: processes: 0"));
  EXPECT_THAT(asgi({.start_timeout = 0s}), HasSubstr("start_timeout: expected more than 0 s"));
  EXPECT_THAT(asgi({.read_timeout = -1s}), HasSubstr("read_timeout: expected more than 0 s"));
  EXPECT_THAT(asgi({.send_timeout = 25h}), HasSubstr("send_timeout: expected more than 0 s"));
  EXPECT_THAT(asgi({.environment = {{"", "x"}}}), HasSubstr("\"\" is no name of a variable"));
  EXPECT_THAT(asgi({.environment = {{"A=B", "x"}}}), HasSubstr("\"A=B\" is no name"));
  EXPECT_EQ(svc_.abi()->n_mounts, 0u) << "what was refused is not mounted";
}

}  // namespace
