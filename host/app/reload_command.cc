#include "app/reload_command.h"

#include <cstdio>
#include <string_view>
#include <utility>

#include "app/client.h"
#include "app/config.h"
#include "base/log.h"
#include "json/json.h"

namespace bentohost::app {
namespace {

struct Wish {
  std::string admin;
  std::vector<std::string> services;
  Duration timeout = std::chrono::seconds(300);  // create, on_startup and runners have 60 s each
  bool force = false, verify = true;
};

constexpr char kUsage[] =
    "usage: bentohost reload [--force] [--timeout SECONDS] [--insecure] ADMIN [SERVICE...]\n"
    "  Reloads these services, or all of them, and prints the result of each.\n"
    "  ADMIN       the address of --admin-bind: http://127.0.0.1:3001, or unix:PATH\n"
    "  --force     also a service whose file has not changed\n"
    "  --timeout   for each service; 300 s by default\n"
    "  --insecure  accepts any certificate, with https://\n"
    "  The exit code is 0 when each service serves what is in its file, 1 when one does not, 2 "
    "for\n"
    "  a wrong command line.\n";

int usage(const std::string& what) {
  std::fprintf(stderr, "bentohost reload: %s\n%s", what.c_str(), kUsage);
  return 2;
}

int failed(const std::string& why) {
  std::fprintf(stderr, "bentohost reload: %s\n", why.c_str());
  return 1;
}

// All services of the host, including those with middleware alone.
Result<std::vector<std::string>> services_of(const Wish& wish) {
  auto answer = ask({"GET", wish.admin, "/plugins", wish.timeout, wish.verify});
  if (!answer.ok()) return std::move(answer).take_status();
  auto doc = parse_json((*answer).body);
  std::vector<std::string> services;
  if ((*answer).status == 200 && doc.ok() && doc->IsObject() && doc->HasMember("plugins")) {
    for (const auto& plugin : (*doc)["plugins"].GetArray()) {
      services.emplace_back(plugin["service"].GetString());
    }
    return services;
  }
  return Status(BENTO_UNAVAILABLE, wish.admin + "/plugins is " + std::to_string((*answer).status) +
                                       ": is it a bentohost's --admin-bind?");
}

// Reloads one service and prints the result. False: it failed.
bool reload(const Wish& wish, const std::string& service) {
  const std::string path = "/plugins/" + service + "/reload" + (wish.force ? "?force=true" : "");
  auto answer = ask({"POST", wish.admin, path, wish.timeout, wish.verify});
  std::string line = service + ": ";
  bool ok = false;
  auto doc = parse_json(answer.ok() ? (*answer).body : std::string());
  if (!answer.ok()) {
    line += answer.status().message();
  } else if (!doc.ok() || !doc->IsObject() || !doc->HasMember("result")) {
    line += "answered " + std::to_string((*answer).status);
  } else if (ok = (*answer).status == 200; ok) {
    line += (*doc)["result"].GetString() == std::string_view("ok") ? "reloaded" : "unchanged";
    line += ", generation " + std::to_string((*doc)["generation"].GetUint64());
  } else if ((*answer).status == 404) {
    line += (*doc)["detail"].GetString();
  } else {
    line += std::string("failed in ") + (*doc)["result"].GetString() + ": " +
            (*doc)["detail"].GetString() + "; generation " +
            std::to_string((*doc)["generation"].GetUint64()) + " serves on";
  }
  std::string printable;
  append_printable(printable, line);
  std::puts(printable.c_str());
  return ok;
}

}  // namespace

int reload_command(const std::vector<std::string>& arguments) {
  Wish wish;
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    const std::string& argument = arguments[i];
    if (argument == "--help" || argument == "-h") {
      std::fputs(kUsage, stdout);
      return 0;
    }
    if (argument == "--force") {
      wish.force = true;
    } else if (argument == "--insecure") {
      wish.verify = false;
    } else if (argument == "--timeout" && i + 1 < arguments.size()) {
      const auto given = parse_seconds(arguments[++i]);
      if (!given.ok()) return usage("--timeout: " + given.status().message());
      wish.timeout = *given;
    } else if (argument.starts_with("-")) {
      return usage("unknown option " + argument);
    } else if (wish.admin.empty()) {
      wish.admin = argument;
    } else {
      wish.services.push_back(argument);
    }
  }
  if (wish.admin.empty()) return usage("ADMIN is missing: the address of the host's --admin-bind");
  if (wish.services.empty()) {
    auto services = services_of(wish);
    if (services.status().code() == BENTO_INVALID_ARGUMENT) {
      return usage(services.status().message());
    }
    if (!services.ok()) return failed(services.status().message());
    wish.services = *std::move(services);
  }
  bool all = true;
  for (const std::string& service : wish.services) all = reload(wish, service) && all;
  return all ? 0 : 1;
}

}  // namespace bentohost::app
