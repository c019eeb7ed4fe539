// SharedMemory: memory of two processes at once: a mapping of a memfd, which has no name, so that
// nothing of it is left when both have ended, however they end. And how its descriptor gets from
// one process to the other.
#pragma once

#include <sys/socket.h>
#include <sys/types.h>

#include <cstddef>
#include <span>

#include "base/status.h"
#include "base/unique_fd.h"

namespace bentohost {

// The system calls behind it: the seam where tests refuse them, as a seccomp filter would. Each is
// the call of its name, and sets errno.
struct SharedMemoryCalls {
  int (*memfd_create)(const char* name, unsigned flags);
  int (*ftruncate)(int fd, off_t size);
  int (*add_seals)(int fd, int seals);
  void* (*mmap)(std::size_t size, int fd);  // to read and write, shared
  ssize_t (*sendmsg)(int socket, const msghdr* message, int flags);
  ssize_t (*recvmsg)(int socket, msghdr* message, int flags);
};
extern const SharedMemoryCalls kSystemCalls;

// Owns a mapping. Movable; one thread at a time. What the other process writes meanwhile may be
// seen half written, but touching the memory is always safe: its size can never change.
class SharedMemory {
 public:
  // What create() made: the memory as this process has it, and the descriptor for the other one.
  struct Made;
  // New memory of `size` bytes, all 0, sealed against shrinking and growing: a process that shrank
  // it would crash the other one (SIGBUS). RESOURCE_EXHAUSTED names the call that failed.
  static Result<Made> create(std::size_t size, const SharedMemoryCalls& calls = kSystemCalls);
  // Maps memory of `size` bytes that a process that is trusted has made.
  static Result<SharedMemory> map(const UniqueFd& fd, std::size_t size,
                                  const SharedMemoryCalls& calls = kSystemCalls);

  SharedMemory() = default;
  SharedMemory(SharedMemory&& other) noexcept;
  SharedMemory& operator=(SharedMemory&& other) noexcept;
  ~SharedMemory();

  char* data() const { return data_; }  // page-aligned
  std::size_t size() const { return size_; }

 private:
  SharedMemory(char* data, std::size_t size) : data_(data), size_(size) {}

  char* data_ = nullptr;
  std::size_t size_ = 0;
};

struct SharedMemory::Made {
  SharedMemory memory;
  UniqueFd fd;
};

// Gives the memory's pages back to the system, for all processes that have mapped it: it is all 0
// again. It stays mapped where it is, and costs nothing until somebody writes to it.
void empty_shared_memory(const UniqueFd& fd, std::size_t size);

// Two ends of a socket that keeps messages apart, close-on-exec. INTERNAL: the system made none.
struct SocketPair {
  UniqueFd ours, theirs;
};
Result<SocketPair> make_socket_pair();

// Sends one message without waiting, and with it `fd` unless it is negative. False: it was not
// sent.
bool send_with_fd(int socket, std::span<const char> bytes, int fd,
                  const SharedMemoryCalls& calls = kSystemCalls);

struct Received {
  enum class Outcome { kMessage, kNothingYet, kEnd };
  Outcome outcome = Outcome::kEnd;
  std::size_t length = 0;
  UniqueFd fd;  // that came with it, close-on-exec; none also if there was no room for it
};
// Receives one message of at most `room` bytes. `waits`: else nothing may have come yet. kEnd also
// for errors.
Received receive_with_fd(int socket, std::span<char> room, bool waits,
                         const SharedMemoryCalls& calls = kSystemCalls);

}  // namespace bentohost
