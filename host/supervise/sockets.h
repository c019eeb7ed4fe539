// Sockets: how listening sockets get from one process to the next across an exec: as descriptors
// that stay open, each with an environment variable that says what it is:
//
//   BENTOHOST_SOCKET_0="5 public opened 3000 localhost"
//   BENTOHOST_SOCKET_1="6 admin inherited 0 unix:/run/admin.sock"
#pragma once

#include <string>
#include <vector>

#include "http/net/listener.h"

namespace bentohost::supervise {

// "BENTOHOST_SOCKET_0=5 public ...", one for each, in order.
std::vector<std::string> socket_variables(const std::vector<http::Listener>& listeners);
bool is_socket_variable(std::string_view assignment);

// Those of this process's environment, which are taken out of it: children must not take them for
// theirs. The descriptors are close-on-exec from now on. Unix sockets' files are not removed with
// the listener: whoever made them does that. INVALID_ARGUMENT for what does not listen.
Result<std::vector<http::Listener>> take_sockets();

}  // namespace bentohost::supervise
