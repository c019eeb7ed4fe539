#include "base/process/shared_memory.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <string>
#include <utility>

namespace bentohost {
namespace {

Status failed(const char* call) {
  return Status(BENTO_RESOURCE_EXHAUSTED,
                std::string("shared memory: ") + call + ": " + std::strerror(errno));
}

union Control {
  cmsghdr header;  // for its alignment
  char bytes[CMSG_SPACE(sizeof(int))];
};

}  // namespace

const SharedMemoryCalls kSystemCalls = {
    .memfd_create = [](const char* name, unsigned flags) { return ::memfd_create(name, flags); },
    .ftruncate = [](int fd, off_t size) { return ::ftruncate(fd, size); },
    .add_seals = [](int fd, int seals) { return ::fcntl(fd, F_ADD_SEALS, seals); },
    .mmap = [](std::size_t size,
               int fd) { return ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0); },
    .sendmsg = [](int socket, const msghdr* message,
                  int flags) { return ::sendmsg(socket, message, flags); },
    .recvmsg = [](int socket, msghdr* message,
                  int flags) { return ::recvmsg(socket, message, flags); },
};

Result<SharedMemory::Made> SharedMemory::create(std::size_t size, const SharedMemoryCalls& calls) {
  rlimit limit{};  // beyond it, ftruncate() sends SIGXFSZ
  if (::getrlimit(RLIMIT_FSIZE, &limit) == 0 && size > limit.rlim_cur) {
    return Status(BENTO_RESOURCE_EXHAUSTED,
                  "shared memory: larger than a file may be (RLIMIT_FSIZE)");
  }
  UniqueFd fd(calls.memfd_create("bentohost-arena", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  if (!fd) return failed("memfd_create");
  if (calls.ftruncate(fd.get(), static_cast<off_t>(size)) != 0) return failed("ftruncate");
  if (calls.add_seals(fd.get(), F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) != 0)
    return failed("fcntl(F_ADD_SEALS)");
  auto memory = map(fd, size, calls);
  if (!memory.ok()) return memory.status();
  return Made{*std::move(memory), std::move(fd)};
}

Result<SharedMemory> SharedMemory::map(const UniqueFd& fd, std::size_t size,
                                       const SharedMemoryCalls& calls) {
  void* const data = calls.mmap(size, fd.get());
  if (data == MAP_FAILED) return failed("mmap");
  // A process that a plugin forks would keep the memory when nobody else does.
  (void)::madvise(data, size, MADV_DONTFORK);
  return SharedMemory(static_cast<char*>(data), size);
}

SharedMemory::SharedMemory(SharedMemory&& other) noexcept
    : data_(std::exchange(other.data_, nullptr)), size_(std::exchange(other.size_, 0)) {}

SharedMemory& SharedMemory::operator=(SharedMemory&& other) noexcept {
  std::swap(data_, other.data_);
  std::swap(size_, other.size_);
  return *this;
}

SharedMemory::~SharedMemory() {
  if (data_ != nullptr) ::munmap(data_, size_);
}

void empty_shared_memory(const UniqueFd& fd, std::size_t size) {
  // Where this fails, the memory is freed when the other process has unmapped it, too.
  (void)::fallocate(fd.get(), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0,
                    static_cast<off_t>(size));
}

Result<SocketPair> make_socket_pair() {
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0)
    return Status(BENTO_INTERNAL, std::string("socketpair: ") + std::strerror(errno));
  return SocketPair{UniqueFd(ends[0]), UniqueFd(ends[1])};
}

bool send_with_fd(int socket, std::span<const char> bytes, int fd, const SharedMemoryCalls& calls) {
  iovec part{const_cast<char*>(bytes.data()), bytes.size()};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  Control control{};
  if (fd >= 0) {
    message.msg_control = control.bytes;
    message.msg_controllen = sizeof control.bytes;
    cmsghdr* const head = CMSG_FIRSTHDR(&message);
    head->cmsg_level = SOL_SOCKET;
    head->cmsg_type = SCM_RIGHTS;
    head->cmsg_len = CMSG_LEN(sizeof fd);
    std::memcpy(CMSG_DATA(head), &fd, sizeof fd);
  }
  ssize_t n = -1;
  do {
    n = calls.sendmsg(socket, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
  } while (n < 0 && errno == EINTR);
  return n == static_cast<ssize_t>(bytes.size());
}

Received receive_with_fd(int socket, std::span<char> room, bool waits,
                         const SharedMemoryCalls& calls) {
  iovec part{room.data(), room.size()};
  Control control{};
  msghdr message{};
  ssize_t n = -1;
  do {
    message = {};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    message.msg_control = control.bytes;
    message.msg_controllen = sizeof control.bytes;
    n = calls.recvmsg(socket, &message, MSG_CMSG_CLOEXEC | (waits ? 0 : MSG_DONTWAIT));
  } while (n < 0 && errno == EINTR);
  Received received;
  if (n < 0 && errno == EAGAIN) received.outcome = Received::Outcome::kNothingYet;
  if (n <= 0) return received;
  received.outcome = Received::Outcome::kMessage;
  received.length = static_cast<std::size_t>(n);
  for (cmsghdr* head = CMSG_FIRSTHDR(&message); head != nullptr;
       head = CMSG_NXTHDR(&message, head)) {
    if (head->cmsg_level != SOL_SOCKET || head->cmsg_type != SCM_RIGHTS) continue;
    int fd = -1;
    std::memcpy(&fd, CMSG_DATA(head), sizeof fd);
    received.fd.reset(fd);
  }
  return received;
}

}  // namespace bentohost
