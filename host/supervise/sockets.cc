#include "supervise/sockets.h"

#include <fcntl.h>
#include <sys/socket.h>

#include <array>
#include <charconv>
#include <cstdlib>
#include <optional>
#include <utility>

namespace bentohost::supervise {
namespace {

constexpr std::string_view kPrefix = "BENTOHOST_SOCKET_";
constexpr std::string_view kUnix = "unix:";

std::string variable(std::size_t i) { return std::string(kPrefix) + std::to_string(i); }

template <typename Number>
bool parse_number(std::string_view text, Number& out) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
  return error == std::errc() && end == text.data() + text.size();
}

std::optional<http::Listener> parse(std::string_view text) {
  std::array<std::string_view, 4> words;  // the fifth part, the address, may hold anything
  for (std::string_view& word : words) {
    const std::size_t space = text.find(' ');
    if (space == std::string_view::npos) return std::nullopt;
    word = text.substr(0, space);
    text.remove_prefix(space + 1);
  }
  int fd = -1;
  http::Listener listener;
  if (!parse_number(words[0], fd) || !parse_number(words[3], listener.address.port)) {
    return std::nullopt;
  }
  int listens = 0;
  socklen_t size = sizeof listens;
  if (::getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &size) != 0 || listens == 0) {
    return std::nullopt;
  }
  listener.fd.reset(fd);
  listener.role = words[1] == "admin" ? http::ListenerRole::kAdmin : http::ListenerRole::kPublic;
  listener.inherited = words[2] == "inherited";
  if (text.starts_with(kUnix)) {
    listener.address.path = text.substr(kUnix.size());
  } else {
    listener.address.host = text;
  }
  return listener;
}

}  // namespace

std::vector<std::string> socket_variables(const std::vector<http::Listener>& listeners) {
  std::vector<std::string> all;
  for (const http::Listener& each : listeners) {
    const std::string& path = each.address.path;
    all.push_back(variable(all.size()) + "=" + std::to_string(each.fd.get()) +
                  (each.role == http::ListenerRole::kAdmin ? " admin" : " public") +
                  (each.inherited ? " inherited " : " opened ") +
                  std::to_string(each.address.port) + " " +
                  (path.empty() ? each.address.host : std::string(kUnix) + path));
  }
  return all;
}

bool is_socket_variable(std::string_view assignment) { return assignment.starts_with(kPrefix); }

Result<std::vector<http::Listener>> take_sockets() {
  std::vector<http::Listener> listeners;
  for (std::size_t i = 0;; ++i) {
    const std::string name = variable(i);
    const char* const value = std::getenv(name.c_str());
    if (value == nullptr) return listeners;
    auto listener = parse(value);
    if (!listener) {
      return Status(BENTO_INVALID_ARGUMENT,
                    name + "=" + value +
                        " is not a listening socket; unset it: only bentohost itself sets it");
    }
    ::unsetenv(name.c_str());
    ::fcntl(listener->fd.get(), F_SETFD, FD_CLOEXEC);
    listeners.push_back(*std::move(listener));
  }
}

}  // namespace bentohost::supervise
