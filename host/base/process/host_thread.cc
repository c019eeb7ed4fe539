#include "base/process/host_thread.h"

#include <unistd.h>

#include <mutex>
#include <set>

namespace bentohost {
namespace {

struct Registry {
  std::mutex mutex;
  std::set<pid_t> tids;
};

// Never destroyed: threads may end after static destructors have run.
Registry& registry() {
  static auto* const the_one = new Registry;
  return *the_one;
}

}  // namespace

HostThread::HostThread() {
  std::lock_guard lock(registry().mutex);
  registry().tids.insert(::gettid());
}

HostThread::~HostThread() {
  std::lock_guard lock(registry().mutex);
  registry().tids.erase(::gettid());
}

bool is_host_thread(pid_t tid) {
  if (tid == ::getpid()) return true;
  std::lock_guard lock(registry().mutex);
  return registry().tids.contains(tid);
}

}  // namespace bentohost
