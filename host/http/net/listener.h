// Opens listening sockets. Errors name the address, the reason and the way out.
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
  std::string host;        // for TCP: a name or an address of either family
  std::uint16_t port = 0;  // 0: the system picks one
  std::string path;        // of a Unix socket; the others are then unused
};
// "127.0.0.1:3000", "[::1]:3000", "localhost:3000", ":3000" (any address), "unix:/run/x.sock".
// INVALID_ARGUMENT lists the expected forms.
Result<Address> parse_address(std::string_view text);

// A file that is removed when its owner is destroyed.
struct RemoveFile {
  void operator()(const std::string* path) const;
};
using OwnedFile = std::unique_ptr<const std::string, RemoveFile>;

struct Listener {
  UniqueFd fd;
  Address address;
  ListenerRole role = ListenerRole::kPublic;
  bool secure = false;     // TLS
  OwnedFile file = {};     // the file of a Unix socket that we made
  bool inherited = false;  // systemd holds it as well

  // "http://127.0.0.1:3000"; "unix:/run/x.sock".
  std::string url() const;
};

// The mode of a Unix socket's file: users who may write to it may connect.
inline constexpr unsigned kUnixSocketMode = 0660;  // its owner and group

// Opens a listener for each address that the host's name has and this machine can listen on, all at
// one port: "localhost" is 127.0.0.1 and ::1. Uses SO_REUSEADDR, so that a restart does not wait
// for old connections, but not SO_REUSEPORT, so that a second server on the same port is an error:
// UNAVAILABLE. Replaces a Unix socket that nobody listens on any more; its file gets `unix_mode`.
Result<std::vector<Listener>> listen_on(const Address& address,
                                        unsigned unix_mode = kUnixSocketMode);

// The sockets that systemd passes to this process (sd_listen_fds(3): LISTEN_PID, LISTEN_FDS).
// Removes the variables from the environment, since children must not think that they are theirs.
// INVALID_ARGUMENT for a descriptor that does not listen.
Result<std::vector<Listener>> inherited_listeners();
bool has_inherited_listeners();

// Opens all listeners or none: those that systemd passes, then the public, then the admin ones.
struct ListenerSpecs {
  std::vector<Address> open, admin;  // "public" is a keyword
  bool inherit = false;              // also the sockets that systemd passes
  unsigned unix_mode = kUnixSocketMode;
};
Result<std::vector<Listener>> open_listeners(const ListenerSpecs& specs);

// "127.0.0.1:3000", "[::1]:3000".
std::string authority(const std::string& host, std::uint16_t port);

}  // namespace bentohost::http
