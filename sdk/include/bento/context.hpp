// Options, the service's configuration; Context, the request that a handler answers; RunnerContext,
// what a runner's constructor is given. Views of the host's objects: none of them is made by a
// plugin, and none outlives the call, or the runner, that it was passed to. Part of
// <bento/bento.hpp>.
//
//   svc.api("greet", [](bento::Context& ctx, std::string_view name) {
//     if (name.empty()) ctx.set_status(202);
//     return ctx.options().text("greeting") + ", " + std::string(name);
//   });
#pragma once

#include <bento/abi.h>
#include <rapidjson/document.h>

#include <bento/error.hpp>
#include <bento/headers.hpp>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace bento {

class Fetch;
class FetchStream;
struct FetchRequest;

// The service's options: declared with Service::option(), set with --set, checked by the host
// against their types and with their defaults filled in before any code sees them. They do not
// change while this generation of the plugin lives. All functions: any thread; the texts that they
// return are copies. To ask for an option that was not declared, or by the getter of another type,
// is a mistake of the plugin's and throws Error: 500.
//
//   declared with the default        getter          schema
//   "text", a std::string            text(), path()  string
//   0.5                              number()        number
//   1, or 1u for none below zero     integer()       integer
//   true                             boolean()       boolean
//   std::vector<std::string>         strings()       array of strings
class Options {
 public:
  explicit Options(const bento_host* host) : host_(host) {
    document_.Parse<rapidjson::kParseIterativeFlag>(host->options.ptr, host->options.len);
    if (document_.HasParseError() || !document_.IsObject()) document_.SetObject();
  }

  std::string text(const char* name) const {
    const rapidjson::Value& value = get(name, &rapidjson::Value::IsString, "text");
    return {value.GetString(), value.GetStringLength()};
  }
  // Also of an option whose default is a whole number.
  double number(const char* name) const {
    return get(name, &rapidjson::Value::IsNumber, "a number").GetDouble();
  }
  // Throws Error as well for a number beyond 64 bits with a sign.
  std::int64_t integer(const char* name) const {
    return get(name, &rapidjson::Value::IsInt64, "an integer").GetInt64();
  }
  bool boolean(const char* name) const {
    return get(name, &rapidjson::Value::IsBool, "a boolean").GetBool();
  }
  std::vector<std::string> strings(const char* name) const {
    std::vector<std::string> all;
    for (const auto& item : get(name, &rapidjson::Value::IsArray, "a list").GetArray()) {
      if (!item.IsString())
        detail::misuse(BENTO_INVALID_ARGUMENT,
                       std::string("option ") + name + " is not a list of texts");
      all.emplace_back(item.GetString(), item.GetStringLength());
    }
    return all;
  }
  // A text() that names a file or folder: a relative one is meant from the folder that the plugin's
  // library was found in (not from the host's working directory). It need not exist.
  std::string path(const char* name) const {
    std::string path = text(name);
    if (!path.empty() && path[0] == '/') return path;
    return std::string(detail::view(host_->plugin_dir)) + "/" + path;
  }
#if BENTO_ABI_TARGET_MINOR >= 1
  // What the operator calls the service, in --plugin NAME=LIBRARY: its own name unless told
  // otherwise, and from a host of ABI 1.0, which does not say, "".
  std::string instance() const {
    return BENTO_HAS(host_, instance) ? std::string(detail::view(host_->instance)) : std::string();
  }
#endif

 private:
  const rapidjson::Value& get(const char* name, bool (rapidjson::Value::*is)() const,
                              const char* what) const {
    const auto member = document_.FindMember(name);
    if (member == document_.MemberEnd()) {
      detail::misuse(BENTO_INVALID_ARGUMENT, std::string("there is no option ") + name);
    }
    if (!(member->value.*is)()) {
      detail::misuse(BENTO_INVALID_ARGUMENT, std::string("option ") + name + " is not " + what);
    }
    return member->value;
  }
  const bento_host* host_;
  rapidjson::Document document_;
};

// The levels of the host's log; --log-level says from which on lines are written.
enum class Log : std::int32_t {
  kTrace = BENTO_LOG_TRACE,
  kDebug = BENTO_LOG_DEBUG,
  kInfo = BENTO_LOG_INFO,
  kWarning = BENTO_LOG_WARNING,
  kError = BENTO_LOG_ERROR,
};

// What a runner's constructor is given, in the worker process. It lives as long as the runner that
// it was passed to, which may keep a reference to it. Any thread.
class RunnerContext {
 public:
  RunnerContext(const bento_host* host, std::uint32_t worker)
      : host_(host), options_(host), worker_(worker) {}
  const Options& options() const { return options_; }
  // Which of the --runner-workers processes this is: 0, 1, ... A process that replaces one that has
  // died has its number.
  std::uint32_t worker() const { return worker_; }
  // A line in the host's log.
  void log(Log level, std::string_view message) const {
    host_->log(host_, nullptr, static_cast<std::int32_t>(level), detail::str(message), {});
  }
  // For calls of the C ABI that this class does not have.
  const bento_host* host() const { return host_; }

 private:
  const bento_host* host_;
  Options options_;
  std::uint32_t worker_;
};

// One request, for the handler, app, middleware or background task that it was passed to. Valid
// until that returns; one thread at a time, the caller's or one that it waits for. Texts that it
// returns are views of the host's memory, valid as long as the Context; in a handler with a Stream
// only until Stream::end().
class Context {
 public:
  Context(const bento_host* host, bento_ctx* ctx, const Options& options)
      : host_(host), ctx_(ctx), options_(options) {}

  // Lives as long as the service: may be kept by what ends in on_shutdown.
  const Options& options() const { return options_; }
  // The request's head as the ABI has it: method, path, query, client and so on. A background task
  // has one with method, path and request id, and without headers and deadline.
  const bento_scope& scope() const { return *host_->scope(ctx_); }
  // As in the log and in the answer's X-Request-Id.
  std::string_view request_id() const { return detail::view(scope().request_id); }
  // The first header of that name, in any letter case, or "".
  std::string_view header(std::string_view name) const {
    const bento_pairs headers = scope().headers;
    for (std::size_t i = 0; i < headers.len; ++i) {
      if (detail::same_name(detail::view(headers.ptr[i].name), name)) {
        return detail::view(headers.ptr[i].value);
      }
    }
    return {};
  }
  // What the path has for {name} in the API's route, percent-decoded and never empty. Throws Error,
  // 500, if the route has no such parameter. (A Router has PathParams instead.)
  std::string_view path_param(std::string_view name) const {
    const bento_pairs params = scope().path_params;
    for (std::size_t i = 0; i < params.len; ++i) {
      if (detail::view(params.ptr[i].name) == name) return detail::view(params.ptr[i].value);
    }
    throw Error(BENTO_INTERNAL, "the route has no parameter {" + std::string(name) + "}");
  }
  // Whether to stop working, as nobody waits for the result any more. Cheap; poll it in long loops.
  // True when the client is gone; before the answer has begun, when the request's deadline is past;
  // once it is streamed, when the host is stopping or the request is a HEAD. In a background task:
  // when the host has stopped waiting for tasks. A handler that goes on is not interrupted, and its
  // answer is dropped.
  bool cancelled() const { return host_->cancelled(ctx_) != 0; }

  // The status and headers of the answer: of the value that the handler returns, or of the Stream
  // that it starts afterwards, over the status given there. Dropped when the request is answered
  // with an error, but for WWW-Authenticate with 401 and Allow with 405 (RFC 9110 15.5.2, 15.5.6).
  // Throw Error, 500: for a status that is not from 200 to 599; for a name that is not a token or a
  // value with a control byte (RFC 9110 5.5, 5.6.2); in a background task or a runner. add_header()
  // appends, it does not replace. Both are copied.
  void set_status(std::uint32_t status) {
    bento_error error = detail::make_error();
    detail::check(host_->set_status(ctx_, status, &error), error);
  }
  void add_header(std::string_view name, std::string_view value) {
    bento_error error = detail::make_error();
    detail::check(host_->add_header(ctx_, {detail::str(name), detail::str(value)}, &error), error);
  }
  // f(args...) or f(Context&, args...) runs after the answer has been sent, with copies of the
  // arguments; throws Error, 503, when too many tasks wait: see <bento/background.hpp>.
  template <typename F, typename... Args>
  void defer(F f, Args... args);
#if BENTO_ABI_TARGET_MINOR >= 1
  // A request to another HTTP server, that is under way when this returns: see <bento/fetch.hpp>.
  // Not in a quick handler, a hook or a runner.
  Fetch fetch(const FetchRequest& request) const;
  Fetch fetch(std::string_view url) const;  // GET
  FetchStream fetch_stream(const FetchRequest& request) const;
#endif
  // A line in the host's log, with the request's id.
  void log(Log level, std::string_view message) const {
    host_->log(host_, ctx_, static_cast<std::int32_t>(level), detail::str(message), {});
  }

  // For calls of the C ABI that this class does not have.
  const bento_host* host() const { return host_; }
  bento_ctx* abi() const { return ctx_; }

 private:
  const bento_host* host_;
  bento_ctx* ctx_;
  const Options& options_;
};

}  // namespace bento
