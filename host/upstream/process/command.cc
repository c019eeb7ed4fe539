#include "upstream/process/command.h"

#include <algorithm>
#include <array>
#include <map>
#include <string_view>

namespace bentohost::upstream {
namespace {

using mount::AppKind;

constexpr std::string_view kSocket = "{socket}", kPort = "{port}";
constexpr std::string_view kFactory = "()";

bool is_passed_on(std::string_view name) {
  static constexpr std::array<std::string_view, 9> kNames = {
      "PATH", "HOME", "LANG", "LANGUAGE", "TZ", "TMPDIR", "USER", "SSL_CERT_FILE", "SSL_CERT_DIR"};
  return name.starts_with("LC_") || std::find(kNames.begin(), kNames.end(), name) != kNames.end();
}

void replace_all(std::string& text, std::string_view what, const std::string& by) {
  for (std::size_t at = 0; (at = text.find(what, at)) != std::string::npos; at += by.size()) {
    text.replace(at, what.size(), by);
  }
}

bool is_in(const std::vector<std::string>& texts, std::string_view what) {
  return std::any_of(texts.begin(), texts.end(),
                     [&](const std::string& text) { return text.find(what) != std::string::npos; });
}

std::string seconds_up(Duration time) {
  return std::to_string(std::chrono::ceil<std::chrono::seconds>(time).count());
}

std::vector<std::string> uvicorn(const mount::Mount& mount, const CommandInput& input) {
  std::vector<std::string> arguments = {input.interpreter, "-m", "uvicorn"};
  std::string app = mount.app.app;
  if (app.ends_with(kFactory)) {
    app.resize(app.size() - kFactory.size());
    arguments.emplace_back("--factory");
  }
  if (!mount.prefix.empty()) arguments.insert(arguments.end(), {"--root-path", mount.prefix});
  arguments.insert(
      arguments.end(),
      {"--uds", input.socket, "--forwarded-allow-ips", "*", "--no-access-log", "--no-server-header",
       "--no-date-header", "--timeout-keep-alive", "75", "--lifespan", "auto", "--", app});
  return arguments;
}

// No limits of its own beside the host's: time, lengths of lines and headers.
std::vector<std::string> gunicorn(const mount::Mount& mount, const CommandInput& input) {
  return {input.interpreter,
          "-m",
          "gunicorn",
          "--bind",
          "unix:" + input.socket,
          "--umask",
          "0o77",
          "--worker-class",
          "gthread",
          "--threads",
          std::to_string(mount.app.threads),
          "--workers",
          "1",
          "--timeout",
          "0",
          "--keep-alive",
          "75",
          "--graceful-timeout",
          seconds_up(mount.app.stop_timeout),
          "--limit-request-line",
          "0",
          "--limit-request-field_size",
          "0",
          "--limit-request-fields",
          "1000",
          "--",
          mount.app.app};
}

std::vector<std::string> bento_wsgi(const mount::Mount& mount, const CommandInput& input) {
  std::vector<std::string> arguments = {
      input.interpreter, "-m",          "bento_wsgi",
      "--app",           mount.app.app, "--unix",
      input.socket,      "--threads",   std::to_string(mount.app.threads)};
  if (!mount.prefix.empty()) arguments.insert(arguments.end(), {"--root-path", mount.prefix});
  if (mount.app.processes > 1) arguments.emplace_back("--multiprocess");
  return arguments;
}

std::string python_path(const std::string& folder, const CommandInput& input,
                        const std::string& of_mount) {
  std::string path = folder;
  for (const std::string& each : input.python_path) path += ":" + each;
  return of_mount.empty() ? path : path + ":" + of_mount;
}

}  // namespace

bool takes_port(const mount::AppSpec& app) {
  return app.kind == AppKind::kHttp && !is_in(app.command, kSocket);
}

AppCommand command_for(const mount::Mount& mount, const CommandInput& input) {
  const mount::AppSpec& app = mount.app;
  AppCommand command;
  std::map<std::string, std::string> environment;
  for (const auto& [name, value] : input.host_environment) {
    if (is_passed_on(name)) environment[name] = value;
  }
  environment["PYTHONUNBUFFERED"] = "1";
  environment["BENTO_SOCKET"] = input.socket;
  const std::string port = std::to_string(input.port);
  if (input.port != 0) environment["PORT"] = port;
  if (app.kind == AppKind::kWsgiGunicorn && !mount.prefix.empty()) {
    environment["SCRIPT_NAME"] = mount.prefix;
  }
  for (const auto& [name, value] : input.extra_environment) environment[name] = value;
  for (const auto& [name, value] : app.environment) environment[name] = value;
  environment["PYTHONPATH"] = python_path(app.folder, input, environment["PYTHONPATH"]);
  command.environment.assign(environment.begin(), environment.end());

  const std::string ready = app.ready_path.empty() ? "/" : app.ready_path;
  const bool strips_prefix = app.kind == AppKind::kAsgi || app.kind == AppKind::kHttp;
  command.ready_target = strips_prefix ? ready : mount.prefix + ready;

  const bool names_port = app.kind == AppKind::kHttp && is_in(app.command, kPort);
  if (!(takes_port(app) && names_port)) command.addresses.push_back(input.socket);
  if (takes_port(app)) command.addresses.push_back("127.0.0.1:" + port);
  switch (app.kind) {
    case AppKind::kAsgi:
      command.arguments = uvicorn(mount, input);
      break;
    case AppKind::kWsgi:
      command.arguments = bento_wsgi(mount, input);
      break;
    case AppKind::kWsgiGunicorn:
      command.arguments = gunicorn(mount, input);
      break;
    case AppKind::kHttp:
      command.arguments = app.command;
      for (std::string& argument : command.arguments) {
        replace_all(argument, kSocket, input.socket);
        replace_all(argument, kPort, port);
      }
      break;
  }
  return command;
}

std::string value_of(const Variables& variables, const std::string& name) {
  for (const auto& [each, value] : variables) {
    if (each == name) return value;
  }
  return {};
}

}  // namespace bentohost::upstream
