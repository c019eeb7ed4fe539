#include <Poco/Exception.h>
#include <Poco/Util/HelpFormatter.h>
#include <Poco/Util/Option.h>
#include <Poco/Util/OptionException.h>
#include <Poco/Util/OptionProcessor.h>
#include <Poco/Util/OptionSet.h>

#include <filesystem>
#include <sstream>
#include <system_error>
#include <utility>

#include "app/config.h"
#include "app/options.h"
#include "mount/options.h"
#include "mount/parse.h"

namespace bentohost::app {
namespace {

Poco::Util::OptionSet option_set() {
  Poco::Util::OptionSet options;
  for (const OptionEntry& entry : all_options()) {
    const bool is_help = std::string_view(entry.name) == "help";
    Poco::Util::Option option(entry.name, is_help ? "h" : "", entry.description, false);
    if (entry.argument != nullptr) option.argument(entry.argument);
    option.repeatable(entry.repeatable);
    options.addOption(option);
  }
  return options;
}

Status apply(CommandLine& line, const std::string& name, const std::string& value) {
  for (const OptionEntry& entry : all_options()) {
    if (name != entry.name) continue;
    return entry.apply(line, value)
        .prefixed("--" + name + (value.empty() ? "" : " " + value) + ": ");
  }
  return {};
}

// A command line with any TLS option must not end up serving plain HTTP.
Status check_tls(const http::TlsOptions& tls) {
  const http::TlsOptions none;
  const bool is_asked_for = !tls.keyfile.empty() || !tls.keyfile_password.empty() ||
                            !tls.ca_certs.empty() || !tls.ciphers.empty() ||
                            tls.cert_reqs != none.cert_reqs || tls.min_version != none.min_version;
  if (!is_asked_for || !tls.certfile.empty()) return {};
  return Status(BENTO_INVALID_ARGUMENT, "TLS needs a certificate: give one with --ssl-certfile");
}

// Applies --mount-set, which may stand before its --mount.
Status complete_mounts(CommandLine& line) {
  std::vector<mount::Mount>& mounts = line.config.mounts;
  for (const std::string& setting : line.mount_settings) {
    Status status = mount::apply_setting(mounts, setting);
    if (!status.ok()) return std::move(status).prefixed("--mount-set " + setting + ": ");
  }
  if (mounts.empty()) return {};
  std::error_code error;
  const std::string folder = std::filesystem::current_path(error);
  if (error) return Status(BENTO_INVALID_ARGUMENT, "the working folder: " + error.message());
  for (mount::Mount& mount : mounts) mount::resolve_paths(mount.app, folder);
  return {};
}

}  // namespace

Result<CommandLine> parse_command_line(const std::vector<std::string>& arguments) {
  CommandLine line;
  const Poco::Util::OptionSet options = option_set();
  Poco::Util::OptionProcessor processor(options);
  processor.setUnixStyle(true);
  try {
    for (const std::string& argument : arguments) {
      std::string name, value;
      if (!processor.process(argument, name, value)) {
        return Status(BENTO_INVALID_ARGUMENT,
                      "unexpected argument " + argument + "; a plugin is given with --plugin");
      }
      if (name.empty()) continue;  // the option's value is the next argument
      Status status = apply(line, name, value);
      if (!status.ok()) return status;
      if (line.action != CommandLine::Action::kServe) return line;
    }
    processor.checkRequired();
  } catch (const Poco::Exception& e) {
    return Status(BENTO_INVALID_ARGUMENT, e.displayText());
  }
  if (line.config.plugins.empty() && line.config.mounts.empty()) {
    return Status(
        BENTO_INVALID_ARGUMENT,
        "nothing to serve; give a plugin, such as --plugin libiris.so, or a program, such "
        "as --mount /=asgi:fastapi_app:app");
  }
  if (Status status = complete_mounts(line); !status.ok()) return status;
  if (Status status = check_tls(line.config.tls); !status.ok()) return status;
  return line;
}

std::string help_text() {
  const Poco::Util::OptionSet options = option_set();
  Poco::Util::HelpFormatter help(options);
  help.setCommand("bentohost");
  help.setUsage("--plugin LIBRARY | --mount /PREFIX=KIND:APP [option...]");
  help.setHeader(
      "Serves the services of plugins over HTTP, their runners in processes of their own.");
  help.setFooter(
      "`bentohost healthcheck [URL]` asks a running server whether it is ready (URL may be "
      "unix:PATH), `bentohost reload URL [SERVICE...]` makes one reload its plugins, through its "
      "--admin-bind. SIGTERM and SIGINT end it after the requests in flight; a second one ends it "
      "at once. SIGHUP makes it reload the plugins whose files have changed, and read the "
      "certificate files again. SIGUSR2 starts the program that is on disk now, and hands the "
      "service over without losing a request.");
  help.setUnixStyle(true);
  help.setWidth(100);
  std::ostringstream out;
  help.format(out);
  out << "\nThe options of a --mount, set with --mount-set /PREFIX.OPTION=VALUE:\n"
      << mount::options_help();
  return out.str();
}

}  // namespace bentohost::app
