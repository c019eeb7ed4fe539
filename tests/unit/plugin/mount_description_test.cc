#include "plugin/mount_description.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <bento/bento.hpp>

#include "plugin/description.h"

namespace bentohost::plugin {
namespace {

using testing::HasSubstr;

constexpr std::string_view kOptions =
    R"({"properties":{"folder":{"type":"string"},"number":{"type":"integer"}}})";

class MountTest : public testing::Test {
 protected:
  MountTest() { mount_.size = sizeof mount_; }

  Result<MountSpec> describe(std::string_view prefix, std::string_view process) {
    mount_.prefix = to_bento(prefix);
    process_ = process;
    mount_.process = to_bento(process_);
    return describe_mount(&mount_, kOptions);
  }
  // Why files at /static are refused; "" if they are not.
  std::string refusal(std::string_view process) {
    return describe("/static", process).status().message();
  }

  std::string process_;
  bento_mount mount_{};
};

TEST_F(MountTest, CopiesWhatThePluginSays) {
  const auto spec =
      describe("/static/", R"({"kind":"files","folder":"www","cache_control":"no-cache"})");
  ASSERT_TRUE(spec.ok()) << spec.status().message();
  EXPECT_EQ(spec->prefix, "/static");
  EXPECT_EQ(spec->folder, "www");
  EXPECT_EQ(spec->folder_option, "");
  EXPECT_EQ(spec->cache_control, "no-cache");
  EXPECT_EQ(describe("/", R"({"kind":"files","folder":"/srv"})")->prefix, "/");
}

TEST_F(MountTest, TakesAFolderFromAnOptionThatIsAText) {
  EXPECT_EQ(describe("/a", R"({"kind":"files","folder_option":"folder"})")->folder_option,
            "folder");
  for (const char* option : {"number", "other"}) {
    EXPECT_THAT(refusal(R"({"kind":"files","folder_option":")" + std::string(option) + R"("})"),
                HasSubstr("mount /static: the service has no option " + std::string(option)));
  }
  EXPECT_FALSE(describe_mount(&mount_, "").ok()) << "it has no options at all";
}

TEST_F(MountTest, RefusesOtherKinds) {
  EXPECT_EQ(refusal(R"({"kind":"rack","app":"a"})"),
            "mount /static: is of kind \"rack\"; this bentohost serves mounts of kind files, asgi, "
            "wsgi, wsgi+gunicorn and http");
  mount_.app.call = [](void*, const bento_call*, bento_error*) { return bento_code{BENTO_OK}; };
  EXPECT_THAT(refusal(R"({"kind":"files","folder":"www"})"), HasSubstr("either an app"));
}

TEST_F(MountTest, ReadsPrograms) {
  EXPECT_FALSE(describe("/a", R"({"kind":"files","folder":"www"})")->program);
  const auto spec = describe(
      "/old/",
      R"({"kind":"wsgi","app":"flask_app:app","folder":"web","threads":8,"start_timeout":1.5})");
  ASSERT_TRUE(spec.ok()) << spec.status().message();
  EXPECT_EQ(spec->prefix, "/old");
  ASSERT_TRUE(spec->program);
  EXPECT_EQ(spec->program->kind, mount::AppKind::kWsgi);
  EXPECT_EQ(spec->program->app, "flask_app:app");
  EXPECT_EQ(spec->program->folder, "web") << "as the plugin says it";
  EXPECT_EQ(spec->program->threads, 8u);
  EXPECT_EQ(spec->program->start_timeout, std::chrono::milliseconds(1500));
  EXPECT_EQ(spec->folder, "") << "that of files";
  EXPECT_TRUE(describe("/", R"({"kind":"http","command":["node","server.js"]})")->program);
}

TEST_F(MountTest, ReadsEachOptionThatTheSdkWrites) {
  using namespace std::chrono_literals;
  bento::Service svc;
  bento::MountOptions options{.folder = "web",
                              .environment = {{"A", "b"}},
                              .interpreter = "venv/bin/python",
                              .processes = 2,
                              .start_timeout = 10s,
                              .stop_timeout = 250ms,
                              .ready_path = "/health",
                              .max_memory = std::uint64_t{3} << 30,
                              .max_requests = 1000,
                              .max_connections = 10,
                              .max_queue = 20,
                              .connect_timeout = 1s,
                              .send_timeout = 2s,
                              .read_timeout = 3s,
                              .tunnel_timeout = 4s,
                              .prefix_cookies = true};
  svc.name("all").mount_asgi("/a", "a:b", options);
  options.tunnel_timeout.reset();
  options.threads = 8;
  options.server = bento::WsgiServer::kGunicorn;
  svc.mount_wsgi("/b", "a:b", options).mount_process("/c", {"node", "server.js"});
  const auto spec = plugin::describe(svc.abi());
  ASSERT_TRUE(spec.ok()) << spec.status().message();
  ASSERT_EQ(spec->mounts.size(), 3u);
  const mount::AppSpec& app = *spec->mounts[0].program;
  EXPECT_EQ(app.kind, mount::AppKind::kAsgi);
  EXPECT_EQ(app.app, "a:b");
  EXPECT_EQ(app.folder, "web");
  EXPECT_EQ(app.environment[0].second, "b");
  EXPECT_EQ(app.interpreter, "venv/bin/python");
  EXPECT_EQ(app.processes, 2u);
  EXPECT_EQ(app.start_timeout, 10s);
  EXPECT_EQ(app.stop_timeout, 250ms);
  EXPECT_EQ(app.ready_path, "/health");
  EXPECT_EQ(app.max_memory, std::uint64_t{3} << 30);
  EXPECT_EQ(app.max_requests, 1000u);
  EXPECT_EQ(app.max_connections, 10u);
  EXPECT_EQ(app.max_queue, 20u);
  EXPECT_EQ(app.connect_timeout, 1s);
  EXPECT_EQ(app.send_timeout, 2s);
  EXPECT_EQ(app.read_timeout, 3s);
  EXPECT_EQ(app.tunnel_timeout, 4s);
  EXPECT_TRUE(app.prefixes_cookies);
  EXPECT_EQ(spec->mounts[1].program->kind, mount::AppKind::kWsgiGunicorn);
  EXPECT_EQ(spec->mounts[1].program->threads, 8u);
  EXPECT_EQ(spec->mounts[2].program->command, (std::vector<std::string>{"node", "server.js"}));
  EXPECT_EQ(spec->mounts[2].program->start_timeout, mount::AppSpec().start_timeout);
}

TEST_F(MountTest, RefusesProgramsThatAreNone) {
  for (const auto& [process, why] : {
           std::pair{R"({"kind":"asgi"})", "mount /static: it has no app"},
           std::pair{R"({"kind":"asgi","app":"a"})", "mount /static: its app is \"a\"; expected"},
           std::pair{R"({"kind":"asgi","app":"a:b","threads":1})",
                     "mount /static: threads is an option of wsgi"},
           std::pair{R"({"kind":"http","command":"x"})",
                     "mount /static: an app of kind http needs"},
           std::pair{R"({"kind":"wsgi","app":"a:b","cache_control":""})",
                     "mount /static: an app of kind wsgi has no option"},
       }) {
    EXPECT_THAT(refusal(process), HasSubstr(why)) << process;
  }
}

TEST_F(MountTest, RefusesFilesThatAreNone) {
  for (const auto& [process, why] : {
           std::pair{"", "its process: "},
           std::pair{"[]", "not a JSON object"},
           std::pair{"{}", "has no kind"},
           std::pair{R"({"kind":1})", "has no kind"},
           std::pair{R"({"kind":"files"})", "need either a folder"},
           std::pair{R"({"kind":"files","folder":"a","folder_option":"folder"})", "not both"},
           std::pair{R"({"kind":"files","folder":1})", "its folder is not a string"},
           std::pair{R"({"kind":"files","folder":"a\u0000b"})", "a NUL"},
           std::pair{R"({"kind":"files","folder":"a","listing":"on"})", "have no \"listing\""},
           std::pair{R"({"kind":"files","folder":"a","cache_control":"a\r\nb"})", "in a header"},
       }) {
    EXPECT_THAT(refusal(process), HasSubstr(why)) << process;
    EXPECT_THAT(refusal(process), HasSubstr("mount /static: ")) << process;
  }
}

TEST_F(MountTest, RefusesPrefixesThatAreNone) {
  for (const char* prefix : {"", "/a/../b", "/a/{b}", "/metrics", "/metrics/", "/docs"}) {
    EXPECT_FALSE(describe(prefix, R"({"kind":"files","folder":"www"})").ok()) << prefix;
  }
}

TEST_F(MountTest, RefusesTwoAtOnePrefix) {
  bento_mount other = mount_;
  mount_.prefix = to_bento("/a");
  other.prefix = to_bento("/a/");
  mount_.process = other.process = to_bento(R"({"kind":"files","folder":"www"})");
  const bento_mount* const mounts[] = {&mount_, &other};
  bento_service service{};
  service.size = sizeof service;
  service.name = to_bento("iris");
  service.mounts = mounts;
  service.n_mounts = 1;
  EXPECT_EQ(plugin::describe(&service)->mounts.size(), 1u);
  service.n_mounts = 2;
  EXPECT_EQ(plugin::describe(&service).status().message(), "service iris: two mounts are at /a");
}

}  // namespace
}  // namespace bentohost::plugin
