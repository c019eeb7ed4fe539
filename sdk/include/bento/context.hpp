// Options, RunnerContext and Context: what a service is told, and what a handler sees of its
// request. Part of <bento/bento.hpp>.
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

// The service's options: declared with Service::option, set with --set, checked by the host and
// with their defaults filled in. Asking for one that was not declared, or as another type, throws
// Error: 500.
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
  double number(const char* name) const {
    return get(name, &rapidjson::Value::IsNumber, "a number").GetDouble();
  }
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
        detail::misuse(BENTO_INVALID_ARGUMENT, std::string("option ") + name + " holds no text");
      all.emplace_back(item.GetString(), item.GetStringLength());
    }
    return all;
  }
  // A file's path; a relative one is meant from the folder that the plugin's library is in.
  std::string path(const char* name) const {
    std::string path = text(name);
    if (!path.empty() && path[0] == '/') return path;
    return std::string(detail::view(host_->plugin_dir)) + "/" + path;
  }

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

enum class Log : std::int32_t {
  kTrace = BENTO_LOG_TRACE,
  kDebug = BENTO_LOG_DEBUG,
  kInfo = BENTO_LOG_INFO,
  kWarning = BENTO_LOG_WARNING,
  kError = BENTO_LOG_ERROR,
};

// What a runner's constructor is given, in the runner's own process.
class RunnerContext {
 public:
  RunnerContext(const bento_host* host, std::uint32_t worker)
      : host_(host), options_(host), worker_(worker) {}
  const Options& options() const { return options_; }
  std::uint32_t worker() const { return worker_; }  // 0, 1, ... of --runner-workers
  void log(Log level, std::string_view message) const {
    host_->log(host_, nullptr, static_cast<std::int32_t>(level), detail::str(message), {});
  }

 private:
  const bento_host* host_;
  Options options_;
  std::uint32_t worker_;
};

// One request, for the handler of an API. Valid until the handler returns; one thread at a time.
class Context {
 public:
  Context(const bento_host* host, bento_ctx* ctx, const Options& options)
      : host_(host), ctx_(ctx), options_(options) {}

  const Options& options() const { return options_; }
  const bento_scope& scope() const { return *host_->scope(ctx_); }
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
  // What the path has for {name} in the API's route; throws if that has no such parameter.
  std::string_view path_param(std::string_view name) const {
    const bento_pairs params = scope().path_params;
    for (std::size_t i = 0; i < params.len; ++i) {
      if (detail::view(params.ptr[i].name) == name) return detail::view(params.ptr[i].value);
    }
    throw Error(BENTO_INTERNAL, "the route has no parameter {" + std::string(name) + "}");
  }
  // True when the client is gone, the deadline is past or the host is stopping: an answer is of no
  // use.
  bool cancelled() const { return host_->cancelled(ctx_) != 0; }

  // The answer's status and headers; those of an answer that fails are dropped. What is no status
  // from 200 to 599, and no header, throws Error: 500.
  void set_status(std::uint32_t status) {
    bento_error error = detail::make_error();
    detail::check(host_->set_status(ctx_, status, &error), error);
  }
  void add_header(std::string_view name, std::string_view value) {
    bento_error error = detail::make_error();
    detail::check(host_->add_header(ctx_, {detail::str(name), detail::str(value)}, &error), error);
  }
  // f(args...) or f(Context&, args...) runs after the answer has been sent: see
  // <bento/background.hpp>.
  template <typename F, typename... Args>
  void defer(F f, Args... args);
  void log(Log level, std::string_view message) const {
    host_->log(host_, ctx_, static_cast<std::int32_t>(level), detail::str(message), {});
  }

  const bento_host* host() const { return host_; }
  bento_ctx* abi() const { return ctx_; }

 private:
  const bento_host* host_;
  bento_ctx* ctx_;
  const Options& options_;
};

}  // namespace bento
