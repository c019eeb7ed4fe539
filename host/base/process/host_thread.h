// Marks the host's own threads: any other thread belongs to a plugin or to one of its libraries.
// Any thread.
#pragma once

#include <pthread.h>
#include <sys/types.h>

#include <string>
#include <thread>
#include <utility>

#include "base/process/signal_stack.h"

namespace bentohost {

// Marks the thread that makes it, for as long as this lives.
class HostThread {
 public:
  HostThread();
  ~HostThread();
  HostThread(const HostThread&) = delete;
  HostThread& operator=(const HostThread&) = delete;
};

// True for the main thread, too.
bool is_host_thread(pid_t tid);

// Starts a thread that is marked as the host's, has a signal stack for crash reports, and is called
// `name` in `ps -L` and in debuggers (at most 15 characters). Throws std::system_error if the
// system cannot start a thread.
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
