#include "base/output_fd.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/socket.h>

#include <cerrno>
#include <string>

namespace bentohost {
namespace {

using namespace std::chrono_literals;

// Writes until nothing more is taken; beyond this limit the pipe would be endless.
std::size_t fill(OutputFd& out) {
  const std::string text(4096, 'x');
  std::size_t taken = 0;
  while (taken < (16u << 20)) {
    const ssize_t n = out.write(text);
    if (n < 0) return taken;
    taken += static_cast<std::size_t>(n);
  }
  return taken;
}

struct Pair {
  explicit Pair(int (*make)(int[2])) {
    int fds[2] = {-1, -1};
    EXPECT_EQ(make(fds), 0);
    reader.reset(fds[0]);
    writer.reset(fds[1]);
  }
  UniqueFd reader, writer;
};
int make_sockets(int fds[2]) { return ::socketpair(AF_UNIX, SOCK_STREAM, 0, fds); }

TEST(OutputFd, DoesNotWaitForAReaderThatStandsStill) {
  for (const auto make : {+[](int fds[2]) { return ::pipe(fds); }, &make_sockets}) {
    Pair pair(make);
    OutputFd out(pair.writer.get());
    EXPECT_GT(fill(out), 0u);
    EXPECT_EQ(out.write("x"), -1);
    EXPECT_EQ(errno, EAGAIN);
    EXPECT_FALSE(out.wait_writable(1ms));
    std::string read(1 << 20, '\0');
    EXPECT_GT(::read(pair.reader.get(), read.data(), read.size()), 0);
    EXPECT_TRUE(out.wait_writable(1s));
    EXPECT_EQ(out.write("y"), 1);
  }
}

TEST(OutputFd, LeavesTheDescriptorsOwnFlagsAlone) {
  Pair pair(+[](int fds[2]) { return ::pipe(fds); });
  OutputFd out(pair.writer.get());
  EXPECT_EQ(out.write("x"), 1);
  EXPECT_EQ(::fcntl(pair.writer.get(), F_GETFL) & O_NONBLOCK, 0);
}

TEST(OutputFd, AReaderThatHasGoneIsAnError) {
  Pair pair(&make_sockets);
  OutputFd out(pair.writer.get());
  pair.reader.reset();
  EXPECT_EQ(out.write("x"), -1);  // and no SIGPIPE
  EXPECT_EQ(errno, EPIPE);
}

TEST(OutputFd, FollowsADescriptorThatIsGivenAnotherFile) {
  Pair pair(+[](int fds[2]) { return ::pipe(fds); });
  OutputFd out(pair.writer.get());
  EXPECT_EQ(out.write("x"), 1);
  char name[] = "/tmp/bentohost_output_fd_XXXXXX";
  const UniqueFd file(::mkstemp(name));
  ::unlink(name);
  ASSERT_EQ(::dup2(file.get(), pair.writer.get()), pair.writer.get());
  EXPECT_EQ(out.write("yz"), 2);
  EXPECT_EQ(::lseek(file.get(), 0, SEEK_CUR), 2);
}

}  // namespace
}  // namespace bentohost
