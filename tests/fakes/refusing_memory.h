// The system calls of shared memory, of which a test refuses some: as a seccomp filter, a limit of
// descriptors or of address space would. `Side` tells the host's calls from the worker's.
#pragma once

#include <sys/mman.h>
#include <sys/socket.h>

#include <cerrno>
#include <functional>

#include "base/process/shared_memory.h"

namespace bentohost::fakes {

enum class Side { kHost, kWorker };

inline int refuse(int error) {
  errno = error;
  return -1;
}

template <Side kSide>
struct RefusingMemory {
  static inline bool refuses_create = false, refuses_resize = false, refuses_seals = false,
                     refuses_map = false, refuses_send = false, loses_descriptors = false;
  // Called when a receiver would wait: lets the other side answer. Null: it waits.
  static inline std::function<void()> instead_of_waiting = nullptr;

  static void refuse_nothing() {
    refuses_create = refuses_resize = refuses_seals = refuses_map = refuses_send =
        loses_descriptors = false;
  }
  static void reset() {
    refuse_nothing();
    instead_of_waiting = nullptr;
  }

  static constexpr SharedMemoryCalls calls = {
      .memfd_create =
          [](const char* name, unsigned flags) {
            return refuses_create ? refuse(EPERM) : kSystemCalls.memfd_create(name, flags);
          },
      .ftruncate =
          [](int fd, off_t size) {
            return refuses_resize ? refuse(ENOSPC) : kSystemCalls.ftruncate(fd, size);
          },
      .add_seals =
          [](int fd, int seals) {
            return refuses_seals ? refuse(EINVAL) : kSystemCalls.add_seals(fd, seals);
          },
      .mmap =
          [](std::size_t size, int fd) {
            if (!refuses_map) return kSystemCalls.mmap(size, fd);
            errno = ENOMEM;
            return MAP_FAILED;
          },
      .sendmsg = [](int socket, const msghdr* message, int flags) -> ssize_t {
        return refuses_send ? refuse(EPERM) : kSystemCalls.sendmsg(socket, message, flags);
      },
      .recvmsg = [](int socket, msghdr* message, int flags) -> ssize_t {
        if (instead_of_waiting && (flags & MSG_DONTWAIT) == 0) {
          instead_of_waiting();
          flags |= MSG_DONTWAIT;
        }
        if (loses_descriptors) message->msg_controllen = 0;  // as when no number is free for them
        return kSystemCalls.recvmsg(socket, message, flags);
      },
  };
};

using HostMemory = RefusingMemory<Side::kHost>;
using WorkerMemory = RefusingMemory<Side::kWorker>;

}  // namespace bentohost::fakes
