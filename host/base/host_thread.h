// Which threads of this process are the host's own: any other is a plugin's, or a library's that it
// brought. Any thread.
#pragma once

#include <sys/types.h>

namespace bentohost {

// Lives as long as the thread that makes it.
class HostThread {
 public:
  HostThread();
  ~HostThread();
  HostThread(const HostThread&) = delete;
  HostThread& operator=(const HostThread&) = delete;
};

// The main thread is one, too.
bool is_host_thread(pid_t tid);

}  // namespace bentohost
