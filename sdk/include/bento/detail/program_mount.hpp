// The JSON that describes a mounted program to the host: bento_mount.process. Part of
// <bento/bento.hpp>; see <bento/mount.hpp>.
#pragma once

#include <bento/detail/json_writer.hpp>
#include <bento/error.hpp>
#include <bento/mount.hpp>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace bento::detail {

// What is started: an app of Python, or a command.
struct MountedProgram {
  std::string_view kind;             // "asgi", "wsgi", "http"
  std::string_view app;              // of "asgi" and "wsgi"
  std::vector<std::string> command;  // of "http"
};

class ProgramMount {
 public:
  // Throws Error, INVALID_ARGUMENT, with the prefix and the option at fault. The host checks the
  // rest when it loads the plugin: names of modules, and ranges.
  static std::string describe(std::string_view prefix, const MountedProgram& program,
                              const MountOptions& options) {
    ProgramMount mount(with_leading_slash(prefix), program, options);
    mount.check();
    mount.json_.object([&] { mount.write(); });
    return mount.json_.text();
  }

 private:
  ProgramMount(std::string prefix, const MountedProgram& program, const MountOptions& options)
      : prefix_(std::move(prefix)), program_(program), options_(options) {}

  [[noreturn]] void refuse(const std::string& why) const {
    throw Error(BENTO_INVALID_ARGUMENT, "mount " + prefix_ + ": " + why);
  }
  void check() const {
    const bool is_wsgi = program_.kind == "wsgi";
    if (program_.kind == "http") {
      if (program_.command.empty() || program_.command[0].empty()) refuse("its command is empty");
      if (!options_.interpreter.empty()) refuse("interpreter is an option of Python apps");
    } else if (program_.app.find(':') == std::string_view::npos) {
      refuse("its app is \"" + std::string(program_.app) +
             "\"; expected MODULE:APP, such as web:app or web:create_app()");
    }
    if (!is_wsgi && options_.server != WsgiServer::kBento) refuse("server is an option of WSGI");
    if (!is_wsgi && options_.threads) refuse("threads is an option of WSGI");
    if (is_wsgi && options_.tunnel_timeout) refuse("tunnel_timeout: WSGI has no WebSockets");
    if (options_.processes == 0u) refuse("processes: 0 of them serve nothing");
    if (options_.threads == 0u) refuse("threads: 0 of them serve nothing");
    for (const auto& [name, value] : options_.environment) {
      if (name.empty() || name.find_first_of(std::string_view("=\0", 2)) != std::string::npos) {
        refuse("environment: \"" + name + "\" is no name of a variable");
      }
    }
  }

  void write() {
    const bool is_gunicorn = options_.server == WsgiServer::kGunicorn;
    text("kind", is_gunicorn ? "wsgi+gunicorn" : program_.kind);
    if (program_.kind == "http") {
      json_.key("command");
      json_.write(program_.command);
    } else {
      text("app", program_.app);
    }
    if (!options_.folder.empty()) text("folder", options_.folder);
    if (!options_.environment.empty()) write_environment();
    if (!options_.interpreter.empty()) text("interpreter", options_.interpreter);
    number("processes", options_.processes);
    number("threads", options_.threads);
    seconds("start_timeout", options_.start_timeout);
    seconds("stop_timeout", options_.stop_timeout);
    if (!options_.ready_path.empty()) text("ready_path", options_.ready_path);
    number("max_memory", options_.max_memory);
    number("max_requests", options_.max_requests);
    number("max_connections", options_.max_connections);
    number("max_queue", options_.max_queue);
    seconds("connect_timeout", options_.connect_timeout);
    seconds("send_timeout", options_.send_timeout);
    seconds("read_timeout", options_.read_timeout);
    seconds("tunnel_timeout", options_.tunnel_timeout);
    if (options_.prefix_cookies) {
      json_.key("prefix_cookies");
      json_.write(true);
    }
  }
  void write_environment() {
    json_.key("environment");
    json_.object([&] {
      for (const auto& [name, value] : options_.environment) text(name, value);
    });
  }
  void text(std::string_view name, std::string_view value) {
    json_.key(name);
    json_.write_text(value);
  }
  template <typename N>
  void number(std::string_view name, const std::optional<N>& value) {
    if (!value) return;
    json_.key(name);
    json_.write(*value);
  }
  void seconds(std::string_view name, const std::optional<Seconds>& value) {
    if (!value) return;
    if (!(value->count() > 0 && value->count() <= 86400)) {
      refuse(std::string(name) + ": expected more than 0 s and at most a day");
    }
    json_.key(name);
    json_.write(value->count());
  }

  std::string prefix_;
  const MountedProgram& program_;
  const MountOptions& options_;
  JsonWriter json_;
};

}  // namespace bento::detail
