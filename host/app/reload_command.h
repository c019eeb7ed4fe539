// `bentohost reload [--force] [--timeout SECONDS] [--insecure] ADMIN [SERVICE...]`: makes a running
// bentohost reload its plugins, through its admin port.
#pragma once

#include <string>
#include <vector>

namespace bentohost::app {

// `arguments` are those after "reload". Prints a line for each service. Returns the exit code: 0
// when all of them serve what is in their files now, 1 when one does not, 2 for wrong usage.
int reload_command(const std::vector<std::string>& arguments);

}  // namespace bentohost::app
