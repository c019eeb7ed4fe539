// With uvicorn and gunicorn, as Debian packages them.
#include <sys/socket.h>
#include <sys/un.h>

#include <cstring>

#include "unit/upstream/process/processes_fixture.h"

namespace bentohost::upstream {
namespace {

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
  const std::string request = "GET " + target + " HTTP/1.0\r\nHost: a\r\n\r\n";
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
  start(python(mount::AppKind::kAsgi, "asgi_app:app"));
  ASSERT_TRUE(becomes_warm()) << first_failure();
  EXPECT_NE(get(servers_->address(), "/x").find("asgi /x under /old"), std::string::npos);
  stop(10s);
  EXPECT_FALSE(std::filesystem::exists(servers_->address()));
}

}  // namespace
}  // namespace bentohost::upstream
