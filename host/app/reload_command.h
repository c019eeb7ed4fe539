// `bentohost reload [--force] [--timeout SECONDS] [--insecure] ADMIN [SERVICE...]`: has a running
// bentohost reload its plugins, by its admin port.
#pragma once

#include <string>
#include <vector>

namespace bentohost::app {

// What stands behind the word `reload`. A line on stdout for each service; returns the exit code: 0
// when all of them serve what is in their files now, 1 when one does not, 2 for wrong usage.
int reload_command(const std::vector<std::string>& arguments);

}  // namespace bentohost::app
