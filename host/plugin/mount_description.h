// What a plugin says of one of its mounts, checked. Pure but for reading the plugin's struct; any
// thread.
#pragma once

#include <bento/abi.h>

#include <string>
#include <string_view>

#include "base/status.h"

namespace bentohost::plugin {

// An app of the plugin's, or files that the host serves.
struct MountSpec {
  std::string prefix;         // "/static"; "/" is all that no route takes
  std::string folder;         // relative to the plugin's; empty: what folder_option says
  std::string folder_option;  // the option, of type string, that has the folder
  std::string cache_control;  // may be empty
  bento_app app{};            // an app if it has a call; then the three above say nothing
};

// FAILED_PRECONDITION, naming the prefix and what is wrong. `options_schema` is the service's.
Result<MountSpec> describe_mount(const bento_mount* mount, std::string_view options_schema);

}  // namespace bentohost::plugin
