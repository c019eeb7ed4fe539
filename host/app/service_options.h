// The options of the service table, made of the command line's. The configuration must outlive it.
#pragma once

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "app/config.h"
#include "reload/service_table.h"

namespace bentohost::app {

// `exe` is this program's own file: plugins and Python packages are found from it. `environment` is
// what mounted programs get: as service::ProgramOptions has it.
reload::ServiceTableOptions service_table_options(
    const Config& config, const std::string& exe,
    std::function<std::vector<std::pair<std::string, std::string>>()> environment);

}  // namespace bentohost::app
