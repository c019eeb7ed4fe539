// With uvicorn and gunicorn, as Debian packages them.
#include <gmock/gmock.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <cstring>

#include "unit/upstream/process/processes_fixture.h"
#include "upstream/process/process_tree.h"

namespace bentohost::upstream {
namespace {

using testing::HasSubstr;

bool has_module(const std::string& name) {
  return std::system(("/usr/bin/python3 -c 'import " + name + "' 2>/dev/null").c_str()) == 0;
}

// The answer to a GET request, whole.
std::string get(const std::string& socket, const std::string& target) {
  sockaddr_un name{};
  name.sun_family = AF_UNIX;
  std::strncpy(name.sun_path, socket.c_str(), sizeof name.sun_path - 1);
  const UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (::connect(fd.get(), reinterpret_cast<const sockaddr*>(&name), sizeof name) != 0) return "";
  const std::string request = "GET " + target + " HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
  EXPECT_EQ(::write(fd.get(), request.data(), request.size()),
            static_cast<ssize_t>(request.size()));
  std::string answer;
  char chunk[4096];
  for (ssize_t size = 0; (size = ::read(fd.get(), chunk, sizeof chunk)) > 0;) {
    answer.append(chunk, static_cast<std::size_t>(size));
  }
  return answer;
}

class RealServersTest : public ProcessesTest {
 protected:
  mount::Mount python(mount::AppKind kind, const std::string& app) const {
    mount::Mount mount = mount_of({});
    mount.app.kind = kind;
    mount.app.command.clear();
    mount.app.app = app;
    mount.app.folder = TEST_APPS_DIR;
    mount.app.interpreter = "/usr/bin/python3";
    return mount;
  }
};

TEST_F(RealServersTest, UvicornServesAnAsgiAppUntilItIsStopped) {
  if (!has_module("uvicorn")) GTEST_SKIP() << "python3's uvicorn is not installed";
  start(python(mount::AppKind::kAsgi, "asgi_app:create()"));
  ASSERT_TRUE(becomes_warm()) << first_failure();
  const std::string socket = servers_->address();
  EXPECT_THAT(get(socket, "/x"), HasSubstr("asgi /x under /old"));
  stop(10s);
  EXPECT_FALSE(std::filesystem::exists(socket));
}

TEST_F(RealServersTest, GunicornServesAWsgiAppUntilItIsStopped) {
  if (!has_module("gunicorn.app")) GTEST_SKIP() << "python3's gunicorn is not installed";
  start(python(mount::AppKind::kWsgiGunicorn, "wsgi_app:create()"));
  ASSERT_TRUE(becomes_warm()) << first_failure();
  const std::string socket = servers_->address();
  EXPECT_THAT(get(socket, "/old/x"), HasSubstr("wsgi /x under /old"));
  stop(10s);
  EXPECT_FALSE(std::filesystem::exists(socket));
}

TEST_F(RealServersTest, OurWorkerServesAWsgiAppUntilItIsStopped) {
  if (!std::filesystem::exists(TEST_PYTHON_DIR "/bento_wsgi")) GTEST_SKIP() << "it is not there";
  start(python(mount::AppKind::kWsgi, "wsgi_app:app"), {}, {TEST_PYTHON_DIR});
  ASSERT_TRUE(becomes_warm()) << first_failure();
  EXPECT_THAT(get(servers_->address(), "/old/x"), HasSubstr("wsgi /x under /old"));
  stop(10s);
}

TEST_F(RealServersTest, NothingIsLeftWhenGunicornsMasterIsKilled) {
  if (!has_module("gunicorn.app")) GTEST_SKIP() << "python3's gunicorn is not installed";
  start(python(mount::AppKind::kWsgiGunicorn, "wsgi_app:app"));
  ASSERT_TRUE(becomes_warm()) << first_failure();
  std::vector<pid_t> all;  // the guardian, the master, the worker
  for (const ProcessInfo& process : descendants_of(::getpid())) {
    if (process.state != 'Z') all.push_back(process.pid);
  }
  pid_t master = -1;
  for (const ProcessInfo& process : descendants_of(::getpid())) {
    if (!descendants_of(process.pid).empty() && process.parent != ::getpid()) master = process.pid;
  }
  ASSERT_GT(master, 0);
  ::kill(master, SIGKILL);
  EXPECT_TRUE(all_end(all, 3s));
  EXPECT_TRUE(eventually([&] { return servers_->last() == 2 && is_warm(); }));
}

struct Failure {
  const char* name;
  mount::AppKind kind;
  const char* app;
  const char* message;

  friend std::ostream& operator<<(std::ostream& out, const Failure& failure) {
    return out << failure.name;
  }
};

class RealFailuresTest : public RealServersTest, public testing::WithParamInterface<Failure> {};

TEST_P(RealFailuresTest, AreToldInWords) {
  const auto& [name, kind, app, message] = GetParam();
  const bool is_asgi = kind == mount::AppKind::kAsgi;
  if (!has_module(is_asgi ? "uvicorn" : "gunicorn.app")) GTEST_SKIP() << "not installed";
  mount::Mount mount = python(kind, app);
  start(mount);
  EXPECT_THAT(first_failure(), HasSubstr(message));
}

constexpr auto kAsgi = mount::AppKind::kAsgi, kGunicorn = mount::AppKind::kWsgiGunicorn;
INSTANTIATE_TEST_SUITE_P(
    All, RealFailuresTest,
    testing::Values(
        Failure{"NoModule", kAsgi, "no_such:app", "Could not import module \"no_such\""},
        Failure{"NoAttribute", kAsgi, "asgi_app:none", "Attribute \"none\" not found"},
        Failure{"SyntaxError", kAsgi, "broken_app:app", "SyntaxError"},
        Failure{"Lifespan", kAsgi, "asgi_app:broken_lifespan", "the model is missing"},
        Failure{"Exit78", kAsgi, "exit_78:app", "the app exited with code 78 before it answered"},
        Failure{"NoApp", kAsgi, "asgi_app:number", "the object is neither an ASGI nor a WSGI app"},
        Failure{"WsgiAsAsgi", kAsgi, "wsgi_app:app", "mount it as \"wsgi\""},
        Failure{"NoModuleGunicorn", kGunicorn, "no_such:app", "No module named 'no_such'"},
        Failure{"NoAttributeGunicorn", kGunicorn, "wsgi_app:none", "exited with code 4"},
        Failure{"SyntaxErrorGunicorn", kGunicorn, "broken_app:app", "SyntaxError"},
        Failure{"NoAppGunicorn", kGunicorn, "wsgi_app:number",
                "Application object must be callable"},
        Failure{"AsgiAsWsgi", kGunicorn, "asgi_app:app", "mount it as \"asgi\""}),
    [](const auto& test) { return std::string(test.param.name); });

}  // namespace
}  // namespace bentohost::upstream
