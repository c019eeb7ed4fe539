// Copying where the kernel does not do it in one call, as with sandboxes, FUSE and network file
// systems. A seccomp filter on the test's own thread makes the kernel fail.
#include "plugin/file_copy.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstddef>
#include <string>
#include <thread>

#include "base/unique_fd.h"

namespace bentohost::plugin {
namespace {

// From now on copy_file_range(2) fails with `error` in this thread; with 0 it copies nothing.
bool refuse_copy_file_range(unsigned error) {
  std::array<sock_filter, 4> code{
      sock_filter BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
      sock_filter BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_copy_file_range, 0, 1),
      sock_filter BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | error),
      sock_filter BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)};
  const sock_fprog program{code.size(), code.data()};
  return ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
         ::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program, 0, 0) == 0;
}

std::string content_of(int fd) {
  std::string content(500'000, '\0');
  const ssize_t n = ::pread(fd, content.data(), content.size(), 0);
  content.resize(n > 0 ? static_cast<std::size_t>(n) : 0);
  return content;
}

TEST(CopyBytes, AreReadAndWrittenWhereTheKernelRefusesToCopy) {
  const std::string content(300'000, 'x');
  const UniqueFd from(::memfd_create("from", MFD_CLOEXEC));
  ASSERT_EQ(::write(from.get(), content.data(), content.size()),
            static_cast<ssize_t>(content.size()));
  for (const int error : {0, EPERM, EIO, EBUSY, EXDEV, ETXTBSY, EOVERFLOW}) {
    const UniqueFd to(::memfd_create("to", MFD_CLOEXEC));
    bool is_refused = false;
    Status status;
    std::thread([&] {
      is_refused = refuse_copy_file_range(static_cast<unsigned>(error));
      status = copy_bytes(from.get(), to.get());
    }).join();
    if (!is_refused) GTEST_SKIP() << "no filter of system calls can be set here";
    EXPECT_TRUE(status.ok()) << status.message();
    EXPECT_EQ(content_of(to.get()), content) << error;
  }
}

TEST(CopyBytes, SaysWhatIsReallyWrong) {
  const UniqueFd from(::open("/dev/null", O_WRONLY | O_CLOEXEC));
  const UniqueFd to(::memfd_create("to", MFD_CLOEXEC));
  EXPECT_FALSE(copy_bytes(from.get(), to.get()).ok());
}

}  // namespace
}  // namespace bentohost::plugin
