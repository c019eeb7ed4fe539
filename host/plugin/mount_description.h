// The checked description of one of a plugin's mounts. Pure, except that it reads the plugin's
// struct; any thread.
#pragma once

#include <bento/abi.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/status.h"
#include "mount/app_spec.h"

namespace bentohost::plugin {

// Either an app of the plugin, or files that the host serves, or a program that the host starts.
struct MountSpec {
  std::string prefix;         // "/static"; "/": all paths without a route
  std::string folder;         // relative to the plugin's; empty: see folder_option
  std::string folder_option;  // the option, of type string, that has the folder
  std::string cache_control;  // may be empty
  // An app if it has a call, or call_async; the three above are then unused. With both, takes_async
  // chooses.
  bento_app app{};
  bento_code (*call_async)(void*, const bento_call*, bento_done*, bento_error*) = nullptr;
  std::int32_t (*takes_async)(void*, const bento_scope*) = nullptr;
  bool is_app() const { return app.call != nullptr || call_async != nullptr; }
  // A program if it is there; all but the prefix is then unused. Its paths are as the plugin says
  // them: mount::resolve_paths() makes them absolute, from plugin_dir.
  std::optional<mount::AppSpec> program;
};

// FAILED_PRECONDITION, naming the prefix and what is wrong. `options_schema` is the service's.
Result<MountSpec> describe_mount(const bento_mount* mount, std::string_view options_schema);

}  // namespace bentohost::plugin
