// Listening sockets, with errors that name the address, the reason and the way out.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "base/unique_fd.h"
#include "http/message.h"

namespace bentohost::http {

// Where to listen.
struct Address {
  std::string host;        // a name or an address of either family; of TCP
  std::uint16_t port = 0;  // 0: the system picks one
  std::string path;        // of a Unix socket; then the others mean nothing
};
// "127.0.0.1:3000", "[::1]:3000", "localhost:3000", ":3000" (any address), "unix:/run/x.sock".
// INVALID_ARGUMENT says which of these was expected.
Result<Address> parse_address(std::string_view text);

// A file that is removed when its owner goes.
struct RemoveFile {
  void operator()(const std::string* path) const;
};
using OwnedFile = std::unique_ptr<const std::string, RemoveFile>;

struct Listener {
  UniqueFd fd;
  Address address;
  ListenerRole role = ListenerRole::kPublic;
  bool secure = false;     // TLS
  OwnedFile file = {};     // of a Unix socket that we made
  bool inherited = false;  // systemd has it as well

  // "http://127.0.0.1:3000"; "unix:/run/x.sock".
  std::string url() const;
};

// Of a Unix socket's file: whoever may write to it may connect.
inline constexpr unsigned kUnixSocketMode = 0660;  // its owner and group

// One for each address that the host's name has and this machine can listen on, all at one port:
// "localhost" is 127.0.0.1 and ::1. SO_REUSEADDR, so that a restart does not wait for old
// connections; no SO_REUSEPORT, so that a second server on the same port is an error: UNAVAILABLE.
// A Unix socket that nobody listens on any more is replaced; its file gets `unix_mode`.
Result<std::vector<Listener>> listen_on(const Address& address,
                                        unsigned unix_mode = kUnixSocketMode);

// The sockets that systemd passes (sd_listen_fds(3): LISTEN_PID, LISTEN_FDS); none for others'. The
// variables are taken out of the environment, for children must not take them for theirs.
// INVALID_ARGUMENT for a descriptor that does not listen.
Result<std::vector<Listener>> inherited_listeners();
bool has_inherited_listeners();

// Opens all of them, or none: first those that systemd passes, then those of each door.
struct ListenerSpecs {
  std::vector<Address> open, admin;  // "public" is a keyword
  bool inherit = false;              // also the sockets that systemd passes
  unsigned unix_mode = kUnixSocketMode;
};
Result<std::vector<Listener>> open_listeners(const ListenerSpecs& specs);

// "127.0.0.1:3000", "[::1]:3000".
std::string authority(const std::string& host, std::uint16_t port);

}  // namespace bentohost::http
