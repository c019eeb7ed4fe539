#include "base/gentle.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

namespace bentohost {
namespace {

int niceness_of(pid_t process) { return ::getpriority(PRIO_PROCESS, static_cast<id_t>(process)); }

// A child that does `what` once it is told to.
template <typename F>
class Told {
 public:
  explicit Told(F what) {
    int ends[2];
    EXPECT_EQ(::pipe(ends), 0);
    pid_ = ::fork();
    if (pid_ == 0) {
      char told = 0;
      ::_exit(::read(ends[0], &told, 1) == 1 ? what() : 99);
    }
    ::close(ends[0]);
    tell_ = ends[1];
  }
  ~Told() { ::close(tell_); }
  pid_t pid() const { return pid_; }
  int result() {
    EXPECT_EQ(::write(tell_, "!", 1), 1);
    int status = -1;
    EXPECT_EQ(::waitpid(pid_, &status, 0), pid_);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 98;
  }

 private:
  pid_t pid_ = -1;
  int tell_ = -1;
};

// Where the priority could not be taken back it is not given away: then nothing changes, all along.
TEST(Gentle, IsAChildUntilItEndsThat) {
  const int before = niceness_of(0);
  Told child([before] {
    end_gentleness();
    return niceness_of(0) == before ? 0 : 1;
  });
  make_gentle(child.pid(), /*for_good=*/false);
  EXPECT_EQ(niceness_of(0), before);
  EXPECT_GE(niceness_of(child.pid()), before);
  EXPECT_EQ(child.result(), 0);
}

TEST(Gentle, ForGoodNeedsNoPermissionToComeBack) {
  Told child([] { return 0; });
  make_gentle(child.pid(), /*for_good=*/true);
  EXPECT_GE(niceness_of(child.pid()), 10);
  EXPECT_EQ(child.result(), 0);
}

}  // namespace
}  // namespace bentohost
