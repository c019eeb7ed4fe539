// How the server of a mounted app is started: the arguments and the environment, by the kind of the
// app. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "mount/app_spec.h"

namespace bentohost::upstream {

using Variables = std::vector<std::pair<std::string, std::string>>;

struct CommandInput {
  std::string interpreter;  // of Python apps: the program's path
  std::string socket;       // the path of the Unix socket that it is to listen on
  std::uint16_t port = 0;   // a free port of 127.0.0.1, if takes_port()
  // The host's environment. Only a few of its variables are passed on.
  Variables host_environment;
  // What the host adds for all apps: it goes before the mount's own variables of the same names.
  Variables extra_environment;
  std::vector<std::string> python_path;  // folders of the packages that the host brings
};

struct AppCommand {
  // The first is the program: a path, or a name to be looked up in PATH.
  std::vector<std::string> arguments;
  Variables environment;               // all of it, sorted by name
  std::vector<std::string> addresses;  // where it will answer, at one of them (app_servers.h)
  std::string ready_target;            // what the readiness probe asks for
};

// Whether the app may listen on a port: a command that does not say {socket}.
bool takes_port(const mount::AppSpec& app);

AppCommand command_for(const mount::Mount& mount, const CommandInput& input);

// The value of a variable, or "".
std::string value_of(const Variables& variables, const std::string& name);

}  // namespace bentohost::upstream
