#include "app/options.h"

#include <utility>

namespace bentohost::app {
namespace {

Status apply_plugin(CommandLine& line, std::string_view text) {
  auto plugin = parse_plugin(text);
  if (!plugin.ok()) return std::move(plugin).take_status();
  line.config.plugins.push_back(*std::move(plugin));
  return {};
}

Status apply_mount(CommandLine& line, std::string_view text) {
  auto mount = parse_mount(text);
  if (!mount.ok()) return std::move(mount).take_status();
  for (const mount::Mount& other : line.config.mounts) {
    if (other.prefix == mount->prefix) {
      return Status(BENTO_INVALID_ARGUMENT, "there is another --mount at this prefix");
    }
  }
  line.config.mounts.push_back(*std::move(mount));
  return {};
}

Status apply_mount_set(CommandLine& line, std::string_view text) {
  line.mount_settings.emplace_back(text);
  return {};
}

Status apply_use(CommandLine& line, std::string_view text) {
  auto use = parse_use(text, line.config.settings);
  if (!use.ok()) return std::move(use).take_status();
  line.config.uses.push_back(*std::move(use));
  return {};
}

Status apply_setting(CommandLine& line, std::string_view text) {
  auto setting = parse_setting(text);
  if (!setting.ok()) return std::move(setting).take_status();
  line.config.settings.push_back(*std::move(setting));
  return {};
}

Status apply_runner_workers(CommandLine& line, std::string_view text) {
  const std::size_t equals = text.find('=');
  auto count = parse_count(text.substr(equals == std::string_view::npos ? 0 : equals + 1), 1, 1024);
  if (!count.ok())
    return Status(BENTO_INVALID_ARGUMENT, count.status().message() + ", or [SERVICE.]RUNNER=N");
  if (equals == std::string_view::npos) {
    line.config.runner_workers = *count;
  } else {
    line.config.runner_workers_of[std::string(text.substr(0, equals))] = *count;
  }
  return {};
}

Status apply_runner_bind(CommandLine& line, std::string_view text) {
  constexpr std::string_view kUnix = "unix:";
  if (!text.starts_with(kUnix) || text.size() == kUnix.size()) {
    return Status(BENTO_INVALID_ARGUMENT, "expected unix:PATH");
  }
  line.config.runner_bind.emplace_back(text.substr(kUnix.size()));
  return {};
}

Status apply_log_level(CommandLine& line, std::string_view text) {
  if (parse_log_level(text, line.config.log_level)) return {};
  return Status(BENTO_INVALID_ARGUMENT, "expected trace, debug, info, warning, error or off");
}

Status apply_log_format(CommandLine& line, std::string_view text) {
  if (parse_log_format(text, line.config.log_format)) return {};
  return Status(BENTO_INVALID_ARGUMENT, "expected text or json");
}

std::function<Status(CommandLine&, std::string_view)> act(CommandLine::Action action) {
  return [action](CommandLine& line, std::string_view) {
    line.action = action;
    return Status();
  };
}

}  // namespace

std::vector<OptionEntry> service_options() {
  return {
      {"plugin", "[[NAME][/PREFIX]=]LIBRARY",
       "serve this plugin; a bare name (iris, or libiris.so) is looked up in "
       "$BENTOHOST_PLUGIN_PATH, the plugin folder and here. A prefix goes in front of its routes. "
       "NAME is the service's, in place of its own, wherever it is named: so that a plugin may "
       "serve "
       "several times, with other options; its prefix is /NAME if none is given (NAME/=: none). "
       "Repeatable",
       true, apply_plugin},
      {"mount", "/PREFIX=KIND:APP",
       "start this program, and pass requests below the prefix on to it: asgi:MODULE:APP, "
       "wsgi:MODULE:APP, wsgi+gunicorn:MODULE:APP, or http:COMMAND. Repeatable",
       true, apply_mount},
      {"mount-set", "/PREFIX.OPTION=VALUE",
       "set an option of a --mount: they are listed below. Repeatable", true, apply_mount_set},
      {"use", "[SERVICE:]NAME[=OPTIONS]",
       "put this middleware around each service, or one: trusted_host, cors, gzip, ... OPTIONS are "
       "a JSON object. Repeatable; the first is outermost",
       true, apply_use},
      {"set", "SERVICE.OPTION=VALUE",
       "set a service's option: JSON if it parses, else text. Repeatable", true, apply_setting},
      {"runner-workers", "[[SERVICE.]RUNNER=]N",
       "worker processes of each runner (1), or of the named one; add SERVICE where several "
       "services have a runner of that name. Repeatable",
       true, apply_runner_workers},
      {"runner-bind", "unix:PATH",
       "let this user's other programs call the runners there, by the Python package bento_runner. "
       "Repeatable",
       true, apply_runner_bind},
      {"start-timeout", "SECONDS",
       "longest wait for the runners at the first start (600); runners that fail are restarted "
       "until then. Exit code 78 when it is over, or a runner says that a restart is useless",
       false,
       store(
           parse_seconds, [](Config & c) -> auto& { return c.start_timeout; })},
      {"max-queue", "N", "calls that may wait for a runner method (1024); more are answered 503",
       false,
       store(
           count_between(1, 1u << 24), [](Config & c) -> auto& { return c.max_queue; })},
      {"max-queue-bytes", "BYTES",
       "total inputs of calls that may wait for a runner method (256m); more are answered 503, a "
       "single larger call 413",
       false,
       store(
           parse_size, [](Config & c) -> auto& { return c.max_queue_bytes; })},
      {"max-arena-bytes", "BYTES",
       "memory shared with all runners (256m), through which values of more than 256 KiB pass; the "
       "rest goes through pipes, which is slower. 0: all of it",
       false,
       store(
           parse_size, [](Config & c) -> auto& { return c.max_arena_bytes; })},
      {"timeout", "SECONDS",
       "longest time from the end of a request's body to its answer (60); then 504", false,
       store(
           parse_seconds, [](Config & c) -> auto& { return c.timeout; })},
      {"max-in-flight", "N",
       "most API requests at once, including those whose handler has not returned yet (4096); more "
       "are answered 503",
       false,
       store(
           count_between(1, 1u << 24), [](Config & c) -> auto& { return c.max_in_flight; })},
      {"max-streams", "N",
       "most responses that handlers and direct APIs stream at once (4096); more are answered 503. "
       "A stream that has begun does not count against --max-in-flight",
       false,
       store(
           count_between(1, 1u << 24), [](Config & c) -> auto& { return c.max_streams; })},
      {"threads", "N", "most handlers that may wait at once, a thread for each (512)", false,
       store(
           count_between(1, 65536), [](Config & c) -> auto& { return c.threads; })},
      {"max-handler-queue", "N",
       "requests that may wait for one of these threads (1024); more are answered 503", false,
       store(
           count_between(0, 1u << 24), [](Config & c) -> auto& { return c.max_handler_queue; })},
      {"max-handler-queue-bytes", "BYTES",
       "total size of the bodies of these requests (256m); more are answered 503", false,
       store(
           parse_size, [](Config & c) -> auto& { return c.max_handler_queue_bytes; })},
      {"background-threads", "N", "background tasks that run at once (4)", false,
       store(
           count_between(1, 4096), [](Config & c) -> auto& { return c.background_threads; })},
      {"max-background", "N", "background tasks that may wait (1024); more are refused", false,
       store(
           count_between(0, 1u << 24), [](Config & c) -> auto& { return c.max_background; })},
      {"loops", "N", "event loops that serve connections (one a core, at most 8)", false,
       store(
           count_between(1, 256), [](Config & c) -> auto& { return c.loops; })},
  };
}

std::vector<OptionEntry> reload_options() {
  const auto set = [](auto field) {
    return [field](CommandLine& line, std::string_view) {
      field(line.config) = true;
      return Status();
    };
  };
  return {
      {"reload", nullptr,
       "reload a plugin when its file has changed (SIGHUP and `bentohost reload` work without it)",
       false, set([](Config & c) -> auto& { return c.watches; })},
      {"reload-timeout", "SECONDS",
       "longest time for a reloaded plugin's create and on_startup, each, and for its runners (60)",
       false,
       store(
           parse_seconds, [](Config & c) -> auto& { return c.reload_timeout; })},
      {"reload-samples", nullptr,
       "have each API of a reloaded plugin answer its own sample before it serves", false,
       set([](Config & c) -> auto& { return c.tries_samples; })},
      {"reload-unmap", nullptr,
       "unmap the code of replaced plugins (by default it stays: plugins often crash in unloading)",
       false, set([](Config & c) -> auto& { return c.unmaps_retired; })},
      {"copy-dir", "FOLDER",
       "where plugins are copied to before they are loaded; not a noexec mount ($CACHE_DIRECTORY, "
       "$RUNTIME_DIRECTORY, $XDG_RUNTIME_DIR, $TMPDIR, /tmp or /var/tmp)",
       false,
       store(
           any_text, [](Config & c) -> auto& { return c.copy_dir; })},
  };
}

std::vector<OptionEntry> general_options() {
  return {
      {"drain-delay", "SECONDS",
       "when told to stop, serve on for this long with readyz at 503 (0), so that load balancers "
       "notice",
       false,
       store(
           parse_delay, [](Config & c) -> auto& { return c.drain_delay; })},
      {"timeout-graceful-shutdown", "SECONDS",
       "longest wait for requests in flight when told to stop (30)", false,
       store(
           parse_seconds, [](Config & c) -> auto& { return c.graceful_timeout; })},
      {"log-level", "LEVEL", "trace, debug, info, warning, error or off (info)", false,
       apply_log_level},
      {"log-format", "FORMAT", "text or json (text)", false, apply_log_format},
      {"access-log", "on|off", "a line on stdout for each request (on)", false,
       store(
           parse_switch, [](Config & c) -> auto& { return c.access_log; })},
      {"debug", nullptr, "tell clients the details of errors 500", false,
       [](CommandLine& line, std::string_view) {
         line.config.debug = true;
         return Status();
       }},
      {"watchdog", "SECONDS",
       "replace the serving process when its event loops have not turned for this long (30); 0: "
       "never",
       false,
       store(
           parse_delay, [](Config & c) -> auto& { return c.watchdog; })},
      {"no-supervisor", nullptr,
       "serve in this process, for debuggers: a crash of a plugin then ends the service", false,
       [](CommandLine& line, std::string_view) {
         line.config.supervisor = false;
         return Status();
       }},
      {"version", nullptr, "print the version and end", false, act(CommandLine::Action::kVersion)},
      {"help", nullptr, "print this and end", false, act(CommandLine::Action::kHelp)},
  };
}

const std::vector<OptionEntry>& all_options() {
  static const std::vector<OptionEntry> kAll = [] {
    std::vector<OptionEntry> all;
    for (auto section : {service_options(), http_options(), reload_options(), general_options()}) {
      for (OptionEntry& entry : section) all.push_back(std::move(entry));
    }
    return all;
  }();
  return kAll;
}

}  // namespace bentohost::app
