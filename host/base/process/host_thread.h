// Which threads of this process are the host's own: any other is a plugin's, or a library's that it
// brought. Any thread.
#pragma once

#include <pthread.h>
#include <sys/types.h>

#include <string>
#include <thread>
#include <utility>

#include "base/process/signal_stack.h"

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

// Starts a thread that is marked as the host's, has a stack for the report of its crash, and bears
// `name` in `ps -L` and in a debugger (at most 15 characters). Throws std::system_error where the
// system has no thread to give.
template <typename Body>
std::thread start_host_thread(std::string name, Body body) {
  return std::thread([name = std::move(name), body = std::move(body)]() mutable {
    const HostThread mark;
    const SignalStack for_crashes;
    ::pthread_setname_np(::pthread_self(), name.c_str());
    body();
  });
}

}  // namespace bentohost
