// Config: the options of the command line, checked as far as is possible without loading a plugin.
// A value.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/log.h"
#include "base/option_values.h"
#include "base/status.h"
#include "http/net/listener.h"
#include "http/net/tls_context.h"
#include "http/parse/forwarded.h"
#include "http/server/limits.h"
#include "mount/app_spec.h"

namespace bentohost::app {

// --plugin [NAME][/PREFIX]=LIBRARY, or LIBRARY alone
struct PluginArg {
  std::string prefix;   // "" or "/iris"; with a name and without a prefix "/NAME"
  std::string library;  // a bare name or a path
  std::string name;     // of the service; empty: its own
};

// --set SERVICE.OPTION=VALUE
struct Setting {
  std::string service, option, value;
};

// --use [SERVICE:]NAME[=OPTIONS]
struct UseArg {
  std::string service;  // empty: around each service
  std::string name;     // of the plugin, and so of its service: "trusted_host"
};

// One for each core, at most 8: further cores are for the model.
std::size_t default_loops();

struct Config {
  std::vector<PluginArg> plugins;
  std::vector<mount::Mount> mounts;  // --mount, with what --mount-set says; paths are absolute
  std::vector<UseArg> uses;          // the first is outermost
  std::vector<Setting> settings;
  std::optional<std::string> host;    // default 127.0.0.1
  std::optional<std::uint16_t> port;  // default 3000
  std::vector<http::Address> bind, admin_bind;
  std::vector<std::string> admin_hosts;  // names of the admin port, beside those of admin_bind
  unsigned unix_socket_mode = http::kUnixSocketMode;
  http::TlsOptions tls;  // without a certfile: plain HTTP
  http::TrustedProxies forwarded_allow_ips;
  std::size_t threads = 512;             // for handlers that wait
  std::size_t max_handler_queue = 1024;  // requests that wait for a thread, and their bytes
  std::size_t max_handler_queue_bytes = 256u << 20;
  std::size_t max_body_memory = 1u << 30;  // bytes, for all requests together
  std::size_t background_threads = 4;
  std::size_t max_background = 1024;  // tasks that wait
  std::size_t loops = default_loops();
  std::size_t max_in_flight = 4096;
  std::size_t max_streams = 4096;
  http::Limits limits;
  std::uint32_t runner_workers = 1;
  std::map<std::string, std::uint32_t> runner_workers_of;  // by RUNNER, or by SERVICE.RUNNER
  std::vector<std::string> runner_bind;                    // paths of Unix sockets
  std::size_t max_queue = 1024;                            // calls of a runner method that wait
  std::size_t max_queue_bytes = 256u << 20;                // of their inputs
  std::size_t max_arena_bytes = 256u << 20;                // of memory shared with workers; 0: none
  Duration start_timeout = std::chrono::minutes(10);       // for the runners at the first start
  Duration timeout = std::chrono::seconds(60);
  Duration drain_delay{};
  bool watches = false;  // reload plugins when their files change
  bool unmaps_retired = false;
  bool tries_samples = false;  // before a reloaded plugin serves
  Duration reload_timeout = std::chrono::seconds(60);
  std::string copy_dir;  // for the copies of plugins; empty: a system folder
  Duration graceful_timeout = std::chrono::seconds(30);
  LogLevel log_level = LogLevel::kInfo;
  LogFormat log_format = LogFormat::kText;
  bool access_log = true;
  bool debug = false;
  bool supervisor = true;
  Duration watchdog = std::chrono::seconds(30);  // zero: none

  // The public addresses: --bind, and --host and --port if they are given or if there is neither
  // --bind nor a socket that systemd passes.
  std::vector<http::Address> addresses() const;
  http::ListenerSpecs listeners() const {
    return {addresses(), admin_bind, true, unix_socket_mode};
  }
};

// Pure parsers. INVALID_ARGUMENT says what was expected.
Result<PluginArg> parse_plugin(std::string_view text);
// PREFIX=KIND:APP, "/old=wsgi:flask_app:app"; "/" is the root. The paths of its options are not
// set.
Result<mount::Mount> parse_mount(std::string_view text);
Result<Setting> parse_setting(std::string_view text);
// The members of OPTIONS, a JSON object, are appended to `settings`.
Result<UseArg> parse_use(std::string_view text, std::vector<Setting>& settings);

// The command line's action and options. Its parsing asks for the working folder, from which the
// relative folders of mounts are meant.
struct CommandLine {
  enum class Action { kServe, kHelp, kVersion };
  Action action = Action::kServe;
  Config config;
  std::vector<std::string> mount_settings;  // of --mount-set; applied to config.mounts at the end
};
// INVALID_ARGUMENT: "--port 99999: expected a number from 0 to 65535".
Result<CommandLine> parse_command_line(const std::vector<std::string>& arguments);
std::string help_text();

// Checks that each of `names`, RUNNER or SERVICE.RUNNER, means one of `runners`, SERVICE.RUNNER.
// INVALID_ARGUMENT lists all runners, or those that a name could mean.
Status check_runner_names(const std::map<std::string, std::uint32_t>& names,
                          const std::vector<std::string>& runners);

// The options of `service` out of all settings, as a JSON object: each value is JSON if it parses
// as such, else text.
std::string settings_json(const std::vector<Setting>& settings, std::string_view service);

}  // namespace bentohost::app
