#include "upstream/process/readiness_probe.h"

#include <arpa/inet.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <string_view>
#include <utility>

namespace bentohost::upstream {
namespace {

constexpr std::size_t kLongestHead = 64u << 10;

// Starts to connect; empty after an error.
UniqueFd start_to_connect(const std::string& address) {
  const bool is_unix = address.starts_with('/');
  UniqueFd fd(::socket(is_unix ? AF_UNIX : AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd) return fd;
  int result = -1;
  if (is_unix) {
    sockaddr_un name{};
    name.sun_family = AF_UNIX;
    std::strncpy(name.sun_path, address.c_str(), sizeof name.sun_path - 1);
    result = ::connect(fd.get(), reinterpret_cast<const sockaddr*>(&name), sizeof name);
  } else {
    sockaddr_in name{};
    name.sin_family = AF_INET;
    const std::size_t colon = address.find(':');
    name.sin_port = ::htons(static_cast<std::uint16_t>(std::atoi(address.c_str() + colon + 1)));
    ::inet_pton(AF_INET, address.substr(0, colon).c_str(), &name.sin_addr);
    result = ::connect(fd.get(), reinterpret_cast<const sockaddr*>(&name), sizeof name);
  }
  if (result != 0 && errno != EINPROGRESS) fd.reset();
  return fd;
}

}  // namespace

int status_of_response(std::string_view bytes) {
  constexpr std::string_view kVersion = "HTTP/1.";  // then "1 200"
  while (true) {
    if (!bytes.starts_with(kVersion.substr(0, bytes.size()))) return -1;
    const std::size_t end = bytes.find("\r\n\r\n");
    if (end == std::string_view::npos) return bytes.size() > kLongestHead ? -1 : 0;
    const auto is_digit = [](char c) { return c >= '0' && c <= '9'; };
    const std::string_view code = bytes.substr(std::min(end, kVersion.size() + 1), 4);
    if (code.size() != 4 || code[0] != ' ' || !std::all_of(code.begin() + 1, code.end(), is_digit))
      return -1;
    const int status = (code[1] - '0') * 100 + (code[2] - '0') * 10 + (code[3] - '0');
    if (status >= 200) return status;
    if (status < 100) return -1;
    bytes.remove_prefix(end + 4);
  }
}

ReadinessProbe::ReadinessProbe(EventLoop& loop, std::vector<std::string> addresses,
                               const std::string& target, Owner& owner)
    : loop_(loop),
      addresses_(std::move(addresses)),
      request_(
          "GET " + target +
          " HTTP/1.1\r\nHost: localhost\r\nUser-Agent: bentohost\r\nConnection: close\r\n\r\n"),
      owner_(owner),
      timer_(loop.timers(), *this) {}

ReadinessProbe::~ReadinessProbe() { disconnect(); }

void ReadinessProbe::start() {
  started_ = loop_.clock().now();
  timer_.set(started_ + kShortestInterval);
}

void ReadinessProbe::disconnect() {
  if (socket_) loop_.unwatch(socket_.get());
  socket_.reset();
}

void ReadinessProbe::retry(const char* state) {
  state_ = state;
  disconnect();
  const TimePoint now = loop_.clock().now();
  const Duration share = (now - started_) / kFractionOfStart;
  timer_.set(now + std::clamp(share, kShortestInterval, kLongestInterval));
}

void ReadinessProbe::attempt() {
  const std::string& address = addresses_[next_++ % addresses_.size()];
  socket_ = start_to_connect(address);
  if (!socket_) return retry(state_);
  address_ = address;
  sent_ = 0;
  received_.clear();
  const Status status =
      loop_.watch(socket_.get(), EPOLLIN | EPOLLOUT, [this](std::uint32_t) { on_events(); });
  if (!status.ok()) {
    socket_.reset();
    retry(state_);
  }
}

void ReadinessProbe::on_events() {
  if (sent_ < request_.size() && !send_request()) return;
  read_response();
}

// False: the attempt failed.
bool ReadinessProbe::send_request() {
  const ssize_t size = ::send(socket_.get(), request_.data() + sent_, request_.size() - sent_,
                              MSG_NOSIGNAL | MSG_DONTWAIT);
  if (size < 0 && (errno == EAGAIN || errno == EINTR)) return true;
  if (size < 0) {
    // A response may have come all the same: see read_response().
    if (errno == EPIPE) sent_ = request_.size();
    if (errno == EPIPE) return true;
    retry(state_);
    return false;
  }
  state_ = "it accepted a connection, and sent no response";
  sent_ += static_cast<std::size_t>(size);
  if (sent_ == request_.size()) loop_.set_events(socket_.get(), EPOLLIN);
  return true;
}

void ReadinessProbe::read_response() {
  std::array<char, 4096> chunk;
  const ssize_t size = ::recv(socket_.get(), chunk.data(), chunk.size(), MSG_DONTWAIT);
  if (size < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (size <= 0) return retry(received_.empty() ? state_ : "it closed in the middle of a response");
  received_.append(chunk.data(), static_cast<std::size_t>(size));
  const int status = status_of_response(received_);
  if (status < 0) return retry("what it sent is no HTTP/1 response");
  if (status == 0) return;
  disconnect();
  const std::string address = address_;
  owner_.on_answer(address, status);
}

}  // namespace bentohost::upstream
