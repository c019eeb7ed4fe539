// A service that is described by a file, line by line, in whatever way: its option `file`.
#include <unistd.h>

#include <bento/bento.hpp>
#include <cstdlib>
#include <fstream>
#include <stdexcept>

struct Echo {
  explicit Echo(const bento::RunnerContext& rc) : name(rc.options().instance()) {}
  std::string say(std::string_view text) { return name + ": " + std::string(text); }
  std::string crash(std::string_view) { std::abort(); }
  std::string name;
};

static void obey(bento::Service& svc, const std::string& command, const std::string& rest) {
  if (command == "api") {
    svc.api(rest, [](bento::Context& ctx) { return ctx.options().instance(); });
  } else if (command == "throw") {
    throw bento::Error(BENTO_INVALID_ARGUMENT, rest);
  } else if (command == "crash") {
    std::abort();
  } else if (command == "hang") {
    for (;;) ::pause();
  } else if (command == "name") {
    svc.name(rest);
  } else if (command == "option") {
    svc.option(rest, 1);
  } else if (command == "watch") {
    svc.watched(rest);
  } else if (command == "process") {  // another description in each process
    svc.doc(std::to_string(::getpid()));
  } else if (command == "version") {
    svc.version(rest);
  }
}

BENTO_SERVICE(svc) {
  svc.name("configured").version("1.0");
  svc.option("file", "configured.txt", "the file of the description");
  svc.configure([](bento::Service& service, const bento::Options& options) {
    const std::string path = service.watched(options.path("file"));
    std::ifstream file(path);
    if (!file) throw bento::Error(BENTO_NOT_FOUND, path + ": no such file");
    auto echo = service.runner<Echo>("echo");
    service.api("say", echo.method<&Echo::say>("say"));
    service.api("crash", echo.method<&Echo::crash>("crash"));
    for (std::string command, rest; file >> command && std::getline(file >> std::ws, rest);) {
      obey(service, command, rest);
    }
  });
}
