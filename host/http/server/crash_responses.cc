#include "http/server/crash_responses.h"

#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "http/problem.h"
#include "http/response_writer.h"

namespace bentohost::http {
namespace {

enum State : std::uint8_t { kNothing, kOpen, kAwaited, kAwaitedHead, kSpoken };
using Entry = std::atomic<std::uint8_t>;
static_assert(Entry::is_always_lock_free && sizeof(Entry) == 1);

// Connections whose descriptors are beyond this get no crash response.
constexpr std::size_t kMost = 1u << 22;

Entry* entries = nullptr;  // zeroed by the system, page by page as they are used
std::size_t count = 0;
std::atomic<int> highest = -1;  // descriptor that was ever a connection
std::atomic<bool> has_spoken = false;
// Built in advance: a signal handler must not allocate.
std::string* answer = nullptr;
std::size_t head_size = 0;

Entry* entry(int fd) {
  return fd >= 0 && static_cast<std::size_t>(fd) < count ? &entries[fd] : nullptr;
}

void speak_for(int fd) {
  std::uint8_t state = entries[fd].load();
  do {
    if (state != kAwaited && state != kAwaitedHead) return;
  } while (!entries[fd].compare_exchange_weak(state, kSpoken));
  const std::size_t size = state == kAwaitedHead ? head_size : answer->size();
  [[maybe_unused]] const ssize_t n = ::send(fd, answer->data(), size, MSG_DONTWAIT | MSG_NOSIGNAL);
  ::shutdown(fd, SHUT_WR);
}

}  // namespace

void prepare_crash_responses() {
  if (entries != nullptr) return;
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  const std::size_t size = std::min<std::size_t>(limit.rlim_cur, kMost);
  void* const memory = ::mmap(nullptr, size, PROT_READ | PROT_WRITE,
                              MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory == MAP_FAILED) return;
  const Response response = problem(503, "the server has crashed and is being restarted");
  answer = new std::string;  // never destroyed: a crash may come at any time
  append_head(response, {.close = true}, *answer);
  // No Date: it would be the start's, and a signal handler cannot make one (RFC 9110 6.6.1).
  if (const std::size_t date = answer->find("Date: "); date != std::string::npos) {
    answer->erase(date, answer->find("\r\n", date) + 2 - date);
  }
  head_size = answer->size();
  *answer += response.body;
  entries = static_cast<Entry*>(memory);
  count = size;
}

void connection_opened(int fd) {
  Entry* const it = entry(fd);
  if (it == nullptr) return;
  int before = highest.load(std::memory_order_relaxed);
  while (before < fd && !highest.compare_exchange_weak(before, fd)) {
  }
  it->store(kOpen);
}

void connection_closed(int fd) {
  if (Entry* const it = entry(fd); it != nullptr) it->store(kNothing);
}

void await_answer(int fd, bool head_only) {
  Entry* const it = entry(fd);
  if (it == nullptr) return;
  it->store(head_only ? kAwaitedHead : kAwaited);
  if (has_spoken.load()) speak_for(fd);  // the crash may have passed this entry already
}

bool claim_answer(int fd) {
  Entry* const it = entry(fd);
  return it == nullptr || it->exchange(kOpen) != kSpoken;
}

bool are_crash_responses_sent() { return has_spoken.load(std::memory_order_relaxed); }

void send_crash_responses() {
  has_spoken.store(true);
  const int last = highest.load();
  for (int fd = 0; fd <= last; ++fd) speak_for(fd);
}

void end_connections() {
  const int last = highest.load();
  for (int fd = 0; fd <= last; ++fd) {
    if (entries[fd].load() == kOpen) ::shutdown(fd, SHUT_WR);
  }
}

}  // namespace bentohost::http
