#include "http/server/rejected_connections.h"

#include <sys/socket.h>

#include <utility>

namespace bentohost::http {
namespace {

// The client has this long to read the response.
constexpr Duration kMoment = std::chrono::seconds(1);

}  // namespace

void RejectedConnections::say(UniqueFd fd, std::string_view answer) {
  [[maybe_unused]] const ssize_t n =
      send(fd.get(), answer.data(), answer.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
  shutdown(fd.get(), SHUT_WR);
  if (held_.size() == kMost) held_.pop_front();
  held_.push_back({std::move(fd), loop_.now() + kMoment});
  timer_.set(held_.front().until);
}

void RejectedConnections::on_timer() {
  while (!held_.empty() && held_.front().until <= loop_.now()) held_.pop_front();
  if (!held_.empty()) timer_.set(held_.front().until);
}

}  // namespace bentohost::http
