#include "mount/options.h"

#include <algorithm>
#include <array>
#include <utility>
#include <vector>

#include "base/nearest_name.h"
#include "base/option_values.h"
#include "json/json.h"

namespace bentohost::mount {
namespace {

constexpr unsigned bit(AppKind kind) { return 1u << static_cast<unsigned>(kind); }
constexpr unsigned kWsgi = bit(AppKind::kWsgi) | bit(AppKind::kWsgiGunicorn);
constexpr unsigned kPython = bit(AppKind::kAsgi) | kWsgi;
constexpr unsigned kAll = kPython | bit(AppKind::kHttp);
constexpr unsigned kWebSocket = bit(AppKind::kAsgi) | bit(AppKind::kHttp);
constexpr std::array kKinds = {AppKind::kAsgi, AppKind::kWsgi, AppKind::kWsgiGunicorn,
                               AppKind::kHttp};
constexpr std::string_view kEnvironment = "env.";

Status invalid(std::string message) { return Status(BENTO_INVALID_ARGUMENT, std::move(message)); }

bool has_nul(std::string_view text) { return text.find('\0') != text.npos; }

std::string_view fault_of_path(std::string_view text) {
  return text.empty() || has_nul(text) ? "expected a path" : "";
}

std::string_view fault_of_target(std::string_view text) {
  const bool is_target = text.starts_with('/') && std::all_of(text.begin(), text.end(), [](char c) {
                           return c > ' ' && c < 0x7f && c != '#';
                         });
  return is_target ? ""
                   : "expected a path of a URL, such as /health: it starts with / and has no "
                     "blanks, # or bytes beyond ASCII";
}

constexpr std::array kOptions = {
    Option{"folder", "PATH", "working folder of the app, in which Python finds its modules", kAll,
           TextField{&AppSpec::folder, fault_of_path}},
    Option{"env.NAME", "VALUE",
           "a variable of its environment, which is else clean: PATH, HOME, LANG, TZ and the like",
           kAll, EnvironmentField{}},
    Option{
        "interpreter", "PATH",
        "the Python that runs it (python3): a name in PATH, or a path, such as that of a virtual "
        "environment",
        kPython, TextField{&AppSpec::interpreter, fault_of_path}},
    Option{"processes", "N", "processes of the app (1)", kAll,
           CountField{&AppSpec::processes, 1, 256}},
    Option{"threads", "N", "threads of each process (16): so many requests at once", kWsgi,
           CountField{&AppSpec::threads, 1, 1024}},
    Option{"start_timeout", "SECONDS", "longest wait for a new process to answer (30)", kAll,
           SecondsField{&AppSpec::start_timeout}},
    Option{"stop_timeout", "SECONDS", "from SIGTERM to SIGKILL when it is stopped (10)", kAll,
           SecondsField{&AppSpec::stop_timeout}},
    Option{
        "ready_path", "PATH",
        "asked at the start, below the mount's prefix, until it is answered, with any status (/)",
        kAll, TextField{&AppSpec::ready_path, fault_of_target}},
    Option{"max_memory", "BYTES", "a process that uses more is replaced (0: any)", kAll,
           BytesField{&AppSpec::max_memory}},
    Option{"max_requests", "N", "a process that has answered so many is replaced (0: any)", kAll,
           CountField{&AppSpec::max_requests, 0, 4'000'000'000u}},
    Option{"max_connections", "N",
           "most connections to each process (0: its threads for WSGI, else 1000)", kAll,
           CountField{&AppSpec::max_connections, 0, 65536}},
    Option{"max_queue", "N",
           "requests that may wait for a connection (1024); more are answered 503", kAll,
           CountField{&AppSpec::max_queue, 0, 1u << 24}},
    Option{"connect_timeout", "SECONDS", "longest wait for a connection to be accepted (5)", kAll,
           SecondsField{&AppSpec::connect_timeout}},
    Option{"send_timeout", "SECONDS", "how long the app may read nothing of a request (60)", kAll,
           SecondsField{&AppSpec::send_timeout}},
    Option{"read_timeout", "SECONDS", "how long the app may send nothing of a response (60)", kAll,
           SecondsField{&AppSpec::read_timeout}},
    Option{"tunnel_timeout", "SECONDS", "how long a WebSocket may be silent (3600)", kWebSocket,
           SecondsField{&AppSpec::tunnel_timeout}},
    Option{
        "prefix_cookies", "on|off",
        "put the mount's prefix in front of the Path of its cookies, so that apps with cookies of "
        "one name do not disturb each other (off)",
        kAll, SwitchField{&AppSpec::prefixes_cookies}},
};

std::string kinds_of(const Option& option) {
  std::vector<std::string_view> kinds;
  for (const AppKind kind : kKinds) {
    if (option.is_for(kind)) kinds.push_back(name_of(kind));
  }
  std::string text;
  for (std::size_t i = 0; i < kinds.size(); ++i) {
    text.append(i == 0 ? "" : i + 1 == kinds.size() ? " and " : ", ").append(kinds[i]);
  }
  return text;
}

// The table's option of this name for this kind. `environment` is how "env.NAME" is called here.
Result<const Option*> find(AppKind kind, std::string_view name, std::string_view environment) {
  std::vector<std::string_view> known;
  for (const Option& option : kOptions) {
    const bool is_environment = std::holds_alternative<EnvironmentField>(option.field);
    const std::string_view its_name = is_environment ? environment : option.name;
    if (name == its_name && option.is_for(kind)) return &option;
    if (name == its_name) {
      return invalid(std::string(name) + " is an option of " + kinds_of(option) + " apps, not of " +
                     std::string(name_of(kind)));
    }
    if (option.is_for(kind)) known.push_back(its_name);
  }
  std::string names;
  for (const std::string_view one : known) names.append(names.empty() ? "" : ", ").append(one);
  const std::string hint = did_you_mean(name, known);
  return invalid("an app of kind " + std::string(name_of(kind)) + " has no option " +
                 (name.empty() ? "\"\"" : std::string(name)) + (hint.empty() ? ";" : hint) +
                 " its options are " + names);
}

// Variables that would undo what the host tells the app's server.
std::string_view refusal_of_variable(AppKind kind, std::string_view name) {
  if (name == "SCRIPT_NAME") return "the host tells the app its prefix";
  if (kind != AppKind::kHttp && name == "WEB_CONCURRENCY") return "use the option processes";
  return "";
}

Status set_variable(AppSpec& app, std::string_view name, std::string_view value) {
  if (name.empty() || has_nul(name) || name.find('=') != name.npos) {
    return invalid("\"" + std::string(name) + "\" is no name of an environment variable");
  }
  const std::string what = "the environment variable " + std::string(name) + " ";
  if (has_nul(value)) return invalid(what + "has a NUL in its value");
  if (const auto why = refusal_of_variable(app.kind, name); !why.empty()) {
    return invalid(what + "cannot be set: " + std::string(why));
  }
  const auto known = std::find_if(app.environment.begin(), app.environment.end(),
                                  [&](const auto& variable) { return variable.first == name; });
  if (known == app.environment.end()) {
    app.environment.emplace_back(name, value);
  } else {
    known->second = value;
  }
  return {};
}

template <typename T, typename Target>
Status put(Result<T> value, Target& target) {
  if (!value.ok()) return std::move(value).take_status();
  target = *value;
  return {};
}

struct SetFromText {
  AppSpec& app;
  std::string_view text;

  Status operator()(const TextField& one) const {
    if (const auto fault = one.fault(text); !fault.empty()) return invalid(std::string(fault));
    app.*one.field = text;
    return {};
  }
  Status operator()(const CountField& one) const {
    return std::visit(
        [&](auto field) { return put(parse_count(text, one.least, one.most), app.*field); },
        one.field);
  }
  Status operator()(const BytesField& one) const { return put(parse_size(text), app.*one.field); }
  Status operator()(const SecondsField& one) const {
    return put(parse_seconds(text), app.*one.field);
  }
  Status operator()(const SwitchField& one) const {
    return put(parse_switch(text), app.*one.field);
  }
  Status operator()(const EnvironmentField&) const { return {}; }  // has a name of its own
};

// The text that the command line would have for it; nothing if it is of another type.
struct TextOfJson {
  const rapidjson::Value& value;

  Result<std::string> operator()(const TextField&) const {
    return value.IsString() ? string() : invalid("expected a text");
  }
  Result<std::string> operator()(const CountField&) const { return number("a number"); }
  Result<std::string> operator()(const BytesField&) const {
    return value.IsString() ? string() : number("a number of bytes, or a text such as \"512m\"");
  }
  Result<std::string> operator()(const SecondsField&) const {
    return number("a number of seconds");
  }
  Result<std::string> operator()(const SwitchField&) const {
    if (!value.IsBool()) return invalid("expected true or false");
    return std::string(value.GetBool() ? "on" : "off");
  }
  Result<std::string> operator()(const EnvironmentField&) const { return std::string(); }

 private:
  Result<std::string> string() const {
    return std::string(value.GetString(), value.GetStringLength());
  }
  Result<std::string> number(std::string_view what) const {
    if (!value.IsNumber()) return invalid("expected " + std::string(what));
    return write_json(value);
  }
};

std::string_view view(const rapidjson::Value& text) {
  return {text.GetString(), text.GetStringLength()};
}

Status set_environment(AppSpec& app, const rapidjson::Value& variables) {
  if (!variables.IsObject()) return invalid("expected an object, {\"NAME\": \"value\"}");
  for (const auto& variable : variables.GetObject()) {
    if (!variable.value.IsString()) {
      return invalid("the value of " + std::string(view(variable.name)) + " is not a text");
    }
    Status status = set_variable(app, view(variable.name), view(variable.value));
    if (!status.ok()) return status;
  }
  return {};
}

}  // namespace

std::span<const Option> options() { return kOptions; }

Status set_option(AppSpec& app, std::string_view name, std::string_view value) {
  if (name.starts_with(kEnvironment)) {
    return set_variable(app, name.substr(kEnvironment.size()), value);
  }
  const auto option = find(app.kind, name, "env.NAME");
  if (!option.ok()) return option.status();
  return std::visit(SetFromText{app, value}, (*option)->field);
}

Status set_option(AppSpec& app, std::string_view name, const rapidjson::Value& value) {
  const auto option = find(app.kind, name, "environment");
  if (!option.ok()) return option.status();
  Status status;
  if (std::holds_alternative<EnvironmentField>((*option)->field)) {
    status = set_environment(app, value);
  } else if (const auto text = std::visit(TextOfJson{value}, (*option)->field); text.ok()) {
    status = std::visit(SetFromText{app, *text}, (*option)->field);
  } else {
    status = text.status();
  }
  return std::move(status).prefixed("its " + std::string(name) + ": ");
}

std::string options_help() {
  constexpr std::size_t kIndent = 26, kWidth = 100;
  std::string all;
  for (const Option& option : kOptions) {
    std::string line = "  " + std::string(option.name) + "=" + std::string(option.argument);
    std::string doc(option.doc);
    if (option.kinds != kAll) doc += ". Only of " + kinds_of(option);
    for (std::string_view rest = doc; !rest.empty();) {
      line.resize(std::max(line.size() + 1, kIndent), ' ');
      std::size_t end = rest.size();
      if (end > kWidth - line.size()) end = rest.rfind(' ', kWidth - line.size());
      if (end == rest.npos) end = std::min(rest.find(' '), rest.size());
      all.append(line).append(rest.substr(0, end)).push_back('\n');
      rest.remove_prefix(std::min(end + 1, rest.size()));
      line.clear();
    }
  }
  return all;
}

}  // namespace bentohost::mount
