// `bentohost healthcheck`: asks a running server whether it is ready, for containers and scripts.
#pragma once

#include <string>
#include <vector>

namespace bentohost::app {

// `arguments` are those after "healthcheck": [--insecure] [--timeout SECONDS] [URL]. Prints errors
// on stderr. Returns the exit code: 0 ready, 1 not ready, 2 wrong arguments.
int healthcheck(const std::vector<std::string>& arguments);

}  // namespace bentohost::app
