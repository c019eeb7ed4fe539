// Sockets: passes listening sockets from one process to the next across an exec: as descriptors
// that stay open, each with an environment variable that describes it:
//
//   BENTOHOST_SOCKET_0="5 public opened 3000 localhost"
//   BENTOHOST_SOCKET_1="6 admin inherited 0 unix:/run/admin.sock"
#pragma once

#include <string>
#include <vector>

#include "http/net/listener.h"

namespace bentohost::supervise {

// "BENTOHOST_SOCKET_0=5 public ...", one for each listener, in order.
std::vector<std::string> socket_variables(const std::vector<http::Listener>& listeners);
bool is_socket_variable(std::string_view assignment);

// The sockets of this process's environment. The variables are removed, so that children do not
// take them for theirs, and the descriptors are close-on-exec from now on. The listeners do not
// remove the files of Unix sockets. INVALID_ARGUMENT for a descriptor that is not a listening one.
Result<std::vector<http::Listener>> take_sockets();

}  // namespace bentohost::supervise
