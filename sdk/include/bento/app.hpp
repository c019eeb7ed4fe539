// Apps: what Service::mount() puts beside the APIs, below a prefix. An app gets the exchange as it
// is: the host decodes and checks nothing. bento::Router is one. Part of <bento/bento.hpp>.
//
//   streaming (as ASGI)  void(bento::Context&, bento::Stream&), or a class with
//                        void call(bento::Context&, bento::Stream&) const
//   simple (as WSGI)     bento::Response(const bento::Request&), or with a bento::Context& before
//   it
//
//   svc.mount("/echo", [](const bento::Request& request) -> bento::Response {
//     return {.body = request.body};
//   });
//
// They are called by many threads at once, each on one of the host's --threads, where they may wait
// and call runners as the handlers of APIs do. What they throw is answered as there.
#pragma once

#include <bento/abi.h>

#include <algorithm>
#include <bento/context.hpp>
#include <bento/error.hpp>
#include <bento/headers.hpp>
#include <bento/stream.hpp>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

namespace bento {

// A whole answer. It is sent with a Content-Length; a status that is not from 200 to 599, and a
// header that cannot be sent, are answered 500.
struct Response {
  std::uint32_t status = 200;
  std::string content_type = "text/plain; charset=utf-8";  // empty: no Content-Type
  std::string body = {};
  Headers headers = {};
};

// A whole request, read before the app is called: a body that is too long, too slow or malformed is
// answered 413, 408 or 400 without calling it. The views are valid until the app returns.
struct Request {
  std::string_view method, query;
  std::string_view root_path;  // where the app is mounted: WSGI's SCRIPT_NAME
  std::string_view path;       // below that, "/" at least: WSGI's PATH_INFO
  std::string_view client;     // "127.0.0.1:51034"
  std::string_view request_id;
  Headers headers;
  std::string body;

  // The first of that name, in any letter case, or "". Valid as long as `headers` is not changed.
  std::string_view header(std::string_view name) const { return headers.get(name); }
};

namespace detail {

// The part of a path below root_path: "/" at least.
inline std::string_view path_below(const bento_scope& scope) {
  std::string_view path = view(scope.path);
  path.remove_prefix(std::min(path.size(), view(scope.root_path).size()));
  return path.empty() ? std::string_view("/") : path;
}

// Without its body.
inline Request make_request(const bento_scope& scope) {
  Request request;
  request.method = view(scope.method);
  request.query = view(scope.query);
  request.root_path = view(scope.root_path);
  request.path = path_below(scope);
  request.client = view(scope.client);
  request.request_id = view(scope.request_id);
  request.headers = Headers(scope.headers);
  return request;
}

inline Request read_request(const bento_scope& scope, Stream& stream) {
  Request request = make_request(scope);
  for (std::string_view piece : stream.body()) request.body += piece;
  return request;
}

inline void answer(Stream& stream, const Response& response) {
  stream.start(response.status, response.content_type, response.headers);
  stream.end(response.body);
}

template <typename F>
std::function<void(Context&, Stream&)> make_app(F app) {
  if constexpr (std::is_invocable_v<const F&, Context&, Stream&>) {
    return app;
  } else if constexpr (requires(const F& f, Context& ctx, Stream& s) { f.call(ctx, s); }) {
    return [app = std::move(app)](Context& ctx, Stream& stream) { app.call(ctx, stream); };
  } else if constexpr (std::is_invocable_r_v<Response, const F&, const Request&>) {
    return [app = std::move(app)](Context& ctx, Stream& stream) {
      answer(stream, app(read_request(ctx.scope(), stream)));
    };
  } else {
    static_assert(std::is_invocable_r_v<Response, const F&, Context&, const Request&>,
                  "an app is void(bento::Context&, bento::Stream&), a class with "
                  "void call(bento::Context&, bento::Stream&) const, or "
                  "bento::Response(const bento::Request&), with or without a bento::Context&");
    return [app = std::move(app)](Context& ctx, Stream& stream) {
      const Request request = read_request(ctx.scope(), stream);
      answer(stream, app(ctx, request));
    };
  }
}

}  // namespace detail
}  // namespace bento
