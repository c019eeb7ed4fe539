#include "base/process/host_thread.h"

#include <unistd.h>

#include <set>

#include "base/mutex.h"

namespace bentohost {
namespace {

struct Registry {
  Mutex mutex;
  std::set<pid_t> tids BENTO_GUARDED_BY(mutex);
};

// Never destroyed: threads may end after static destructors have run.
Registry& registry() {
  static auto* const the_one = new Registry;
  return *the_one;
}

}  // namespace

HostThread::HostThread() {
  Registry& all = registry();
  const MutexLock lock(all.mutex);
  all.tids.insert(::gettid());
}

HostThread::~HostThread() {
  Registry& all = registry();
  const MutexLock lock(all.mutex);
  all.tids.erase(::gettid());
}

bool is_host_thread(pid_t tid) {
  if (tid == ::getpid()) return true;
  Registry& all = registry();
  const MutexLock lock(all.mutex);
  return all.tids.contains(tid);
}

}  // namespace bentohost
