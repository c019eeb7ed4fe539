// Router: a small web framework, to be mounted beside the APIs as an app. Not for what an API can
// do: there the host decodes and checks. Part of <bento/bento.hpp>.
//
//   bento::Router app;
//   app.get("/metadata", [] { return Metadata{"iris", "1.0"}; });
//   app.post("/flowers/{id}", [](const bento::PathParams& path, const Flower& flower) {
//     return store(path.get<int>("id"), flower);
//   });
//   svc.mount("/", std::move(app));
//
// A handler asks by type for what it needs, in any order:
//
//   bento::Context&             the request's: options, log, runner calls
//   const bento::PathParams&    what the path has for {name}, or for {name:path}: all that is left
//   const bento::Query&         see <bento/query.hpp>
//   a struct with BENTO_FIELDS  the body, from JSON: 422 with all that is wrong with it
//   const bento::Request&       all of the request
//   bento::Stream&, bento::EventStream&  to read and answer piece by piece; it then returns void
//
// A handler that is a coroutine (<bento/async.hpp>) asks by value for structs and the bento::Query,
// and for AsyncStream& and AsyncEventStream&; it returns an Async of what is said here, or a
// Generator.
//
// It returns a struct with BENTO_FIELDS or a std::vector of these (JSON), a text, bento::Html,
// bento::Json, bento::Bytes, a bento::Response with a status and headers of its own, a
// bento::TaskResponse of one of these, or nothing (204). What it throws is answered as an API's
// errors are. GET answers HEAD; OPTIONS is answered with Allow, and a method that a path does not
// have is 405. A path of which only the slash at the end is missing, or too much, is redirected
// (307, as in Starlette).
//
// Routes are added by one thread, before the router is mounted; Service::mount() takes a copy.
// Handlers are const objects that many threads call at once, on the host's --threads, and may wait.
// Each route is one of its own in metrics and the access log: "/web/flowers/{id}".
#pragma once

#include <algorithm>
#include <bento/app.hpp>
#include <bento/context.hpp>
#include <bento/detail/async_exchange.hpp>
#include <bento/detail/folder.hpp>
#include <bento/detail/json_writer.hpp>
#include <bento/detail/route_pattern.hpp>
#include <bento/detail/router_exchange.hpp>
#include <bento/detail/text.hpp>
#include <bento/error.hpp>
#include <bento/fields.hpp>
#include <bento/io.hpp>
#include <bento/query.hpp>
#include <bento/stream.hpp>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace bento {

// A result that is answered as text/html, UTF-8.
struct Html {
  std::string text;
};

// The answer that a handler's result becomes. Throws Error, 500, for a Json whose text is not JSON,
// and for a struct that JSON cannot hold. To give a result another status:
//   bento::Response response = bento::make_response(flower);
//   response.status = 201;
template <typename T>
Response make_response(T result) {
  if constexpr (std::is_same_v<T, Response>) {
    return result;
  } else if constexpr (std::is_same_v<T, Html>) {
    return {.content_type = "text/html; charset=utf-8", .body = std::move(result.text)};
  } else if constexpr (std::is_same_v<T, Json>) {
    detail::check_json_result(result.text);
    return {.content_type = "application/json", .body = std::move(result.text)};
  } else if constexpr (std::is_same_v<T, Bytes>) {
    return {.content_type = result.mime.empty() ? "application/octet-stream" : result.mime,
            .body = std::move(result.data)};
  } else if constexpr (std::is_constructible_v<std::string, T>) {
    return {.body = std::string(std::move(result))};
  } else {
    static_assert(detail::JsonBody<T>,
                  "a handler returns a struct with BENTO_FIELDS or a std::vector of these, a text, "
                  "a bento::Html, Json, Bytes, Response or TaskResponse, or nothing");
    return {.content_type = "application/json", .body = to_json(result)};
  }
}

// Routes, and the app that they make. A value; copies have the same handlers.
class Router {
 public:
  // A route for one method: see route(). They return the router, to be chained.
  template <typename F>
  Router& get(std::string_view path, F handler) {
    return route("GET", path, std::move(handler));
  }
  template <typename F>
  Router& post(std::string_view path, F handler) {
    return route("POST", path, std::move(handler));
  }
  template <typename F>
  Router& put(std::string_view path, F handler) {
    return route("PUT", path, std::move(handler));
  }
  template <typename F>
  Router& patch(std::string_view path, F handler) {
    return route("PATCH", path, std::move(handler));
  }
  template <typename F>
  Router& del(std::string_view path, F handler) {
    return route("DELETE", path, std::move(handler));
  }
  // Calls `handler` for requests with this method, in capitals, at the paths of a pattern, below
  // where the router is mounted:
  //
  //   /flowers/new           that path
  //   /flowers/{id}          a parameter: one segment, which is not empty
  //   /static/{file:path}    at the end: all that is left, slashes and all, or nothing
  //
  // The first slash may be left out. Of two routes that match a path, the one with text where the
  // other has a parameter is taken. Throws Error for a path that is not such a pattern, and for a
  // second handler of the same paths and method.
  template <typename F>
  Router& route(std::string_view method, std::string_view path, F handler) {
    Route route{std::string(method), std::string(path), detail::RoutePattern(path), {}, {}};
    if constexpr (detail::is_coroutine_handler<F>()) {
      route.async_handler = detail::make_async_handler(std::move(handler));
      has_coroutines_ = true;
    } else {
      route.handler = detail::make_route_handler(std::move(handler));
    }
    add(std::move(route), path);
    return *this;
  }
  // GET for the files of a folder, at `prefix` and below, and index.html for a folder; no
  // dot-files, nothing outside of it. Small and plain, read by the handler's thread:
  // Service::files() has the host serve them, with ETags, conditions and ranges. A relative folder
  // is meant from the one that the plugin's library was found in.
  Router& files(const std::string& prefix, std::filesystem::path folder) {
    return get((prefix == "/" ? "" : prefix) + "/{file:path}",
               [folder = std::move(folder)](Context& ctx, const PathParams& path, Stream& stream) {
                 const std::filesystem::path base = detail::view(ctx.host()->plugin_dir);
                 detail::Folder(base / folder).send(path.get("file"), stream);
               });
  }

  // For the host, as <bento/app.hpp> has it: answers one request by the path below the mount.
  // Throws Error: 404 where no route has the path, 405 where none has the method, and what a
  // handler throws.
  void call(Context& ctx, Stream& stream) const {
    const bento_scope& scope = ctx.scope();
    const std::string_view path = detail::path_below(scope);
    const std::string_view method = detail::view(scope.method);
    if (answer(method, path, ctx, stream)) return;
    if (method == "HEAD" && answer("GET", path, ctx, stream)) return;
    const std::string whole(detail::view(scope.path)), allowed = allow(path);
    if (allowed.empty()) {
      if (redirect(path, detail::view(scope.query), stream)) return;
      throw Error(BENTO_NOT_FOUND, "there is nothing at " + whole);
    }
    if (method == "OPTIONS") {
      stream.start(204, "", {{"Allow", allowed}});
      stream.end();
      return;
    }
    ctx.add_header("Allow", allowed);
    throw Error(BENTO_UNIMPLEMENTED, whole + " takes " + allowed + ", not " + std::string(method),
                405);
  }

#if BENTO_ABI_TARGET_MINOR >= 1
  // For the host: whether any handler is a coroutine, whether that of a request is; and call() for
  // such a request, on the event loop.
  bool has_coroutines() const { return has_coroutines_; }
  bool is_for_async(const bento_scope& scope) const {
    std::optional<PathParams> params;
    const Route* route = find(scope, params);
    return route != nullptr && route->async_handler;
  }
  void call_async(Context ctx, const bento_call& call, bento_done* done) const {
    std::optional<PathParams> params;
    const Route* route = find(*call.scope, params);
    if (route == nullptr) throw Error(BENTO_INTERNAL, "no route has this request");
    tell(route->path, ctx);
    detail::drive(route->async_handler, ctx, call.channel, *std::move(params), done);
  }
#endif

 private:
  struct Route {
    std::string method, path;
    detail::RoutePattern pattern;
    detail::RouteHandler handler;
    detail::AsyncHandler async_handler;  // in place of it
  };

  void add(Route route, std::string_view path) {
    const auto collides = [&](const Route& other) {
      return other.method == route.method && other.pattern.equals(route.pattern);
    };
    if (std::any_of(routes_.begin(), routes_.end(), collides)) {
      throw Error(BENTO_FAILED_PRECONDITION,
                  "route " + route.method + " " + std::string(path) + " is defined twice");
    }
    const auto place = std::upper_bound(
        routes_.begin(), routes_.end(), route,
        [](const Route& a, const Route& b) { return a.pattern.precedes(b.pattern); });
    routes_.insert(place, std::move(route));
  }
  // For metrics and the access log, which else know the mount alone.
  static void tell(const std::string& path, Context& ctx) {
    bento_error ignored = detail::make_error();
    (void)ctx.host()->set_route(ctx.abi(), detail::str(path), &ignored);
  }
  // False if no route has this method and path.
  bool answer(std::string_view method, std::string_view path, Context& ctx, Stream& stream) const {
    for (const Route& route : routes_) {
      if (route.method != method) continue;
      if (std::optional<PathParams> params = route.pattern.match(path)) {
        if (!route.handler) {
          detail::misuse(BENTO_FAILED_PRECONDITION,
                         "the route " + route.path +
                             " has a coroutine, which cannot be called on "
                             "a thread: mount its router with Service::mount()");
        }
        tell(route.path, ctx);
        detail::RouterExchange exchange(ctx, stream, *std::move(params));
        route.handler(exchange);
        return true;
      }
    }
    return false;
  }
#if BENTO_ABI_TARGET_MINOR >= 1
  // Null if no route has this method and path.
  const Route* find(const bento_scope& scope, std::optional<PathParams>& params) const {
    const std::string_view path = detail::path_below(scope), method = detail::view(scope.method);
    const Route* route = find(method, path, params);
    return route != nullptr || method != "HEAD" ? route : find("GET", path, params);
  }
  const Route* find(std::string_view method, std::string_view path,
                    std::optional<PathParams>& params) const {
    for (const Route& route : routes_) {
      if (route.method == method && (params = route.pattern.match(path))) return &route;
    }
    return nullptr;
  }
#endif
  // False: there is no such path with a slash at its end in place of none, or the other way round.
  // Relative, so that it holds below any prefix and cannot lead to another host.
  bool redirect(std::string_view path, std::string_view query, Stream& stream) const {
    const bool has_slash = path.ends_with('/');
    const std::string other(has_slash ? path.substr(0, path.size() - 1) : path);
    if (path.size() < 2 || path.starts_with("//") ||
        allow(has_slash ? other : other + "/").empty()) {
      return false;
    }
    std::string location = has_slash ? "../" : "./";
    location += detail::percent_encoded(std::string_view(other).substr(other.rfind('/') + 1));
    location += has_slash ? "" : "/";
    if (!query.empty()) location.append("?").append(query);
    stream.start(307, "", {{"Location", location}});
    stream.end();
    return true;
  }
  // "GET, HEAD, OPTIONS"; empty if nothing is at this path.
  std::string allow(std::string_view path) const {
    std::vector<std::string_view> methods;
    const auto list = [&](std::string_view method) {
      if (std::find(methods.begin(), methods.end(), method) == methods.end()) {
        methods.push_back(method);
      }
    };
    for (const Route& route : routes_) {
      if (!route.pattern.match(path)) continue;
      list(route.method);
      if (route.method == "GET") list("HEAD");
    }
    if (methods.empty()) return {};
    list("OPTIONS");
    std::string all;
    for (const std::string_view method : methods) {
      all.append(all.empty() ? "" : ", ").append(method);
    }
    return all;
  }

  bool has_coroutines_ = false;
  std::vector<Route> routes_;  // in the order in which they are asked
};

}  // namespace bento
