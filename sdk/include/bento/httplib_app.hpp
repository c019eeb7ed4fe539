// httplib_app: mounts a program that is written for cpp-httplib, as it is. An optional part, not in
// <bento/bento.hpp>: what includes it links cpp-httplib, 0.11 to 0.18 (Debian 12 and 13).
//
//   auto legacy = std::make_shared<httplib::Server>();
//   legacy->Get(R"(/users/(\d+))", [](const httplib::Request&, httplib::Response&) {...});
//   svc.mount("/legacy", bento::httplib_app(legacy));
//
// A handler gets at the Context, and so at options and runners, by bento::httplib_context().
//
// The program sees paths below the mount's prefix, and a connection for each request; its handlers
// are called on the host's threads. Bodies pass both ways as they come. Connections, TLS, timeouts
// and limits are the host's, so what a Server has for them (listen, new_task_queue, timeouts,
// keep-alive, 100-continue) has no effect; payload_max_length has.
#pragma once

#include <httplib.h>

#include <bento/context.hpp>
#include <bento/detail/httplib_connection.hpp>
#include <bento/detail/httplib_version.hpp>
#include <bento/error.hpp>
#include <bento/stream.hpp>
#include <memory>
#include <utility>

namespace bento {

// An app for Service::mount().
class HttplibApp {
 public:
  explicit HttplibApp(std::shared_ptr<httplib::Server> server) : server_(std::move(server)) {
    detail::HttplibDoor::open(*server_);
  }
  void call(Context& context, Stream& stream) const {
    detail::HttplibConnection connection(context, stream);
    const detail::HttplibContextScope scope(context);
    connection.finish(detail::HttplibDoor::answer(*server_, connection));
  }

 private:
  std::shared_ptr<httplib::Server> server_;
};

// [in a handler of a mounted program, and on its thread] The request's Context: options, log,
// runner calls. What a runner call throws, the handler catches, or cpp-httplib answers 500. Valid
// until the handler, or its content provider, returns. Throws Error elsewhere.
inline Context& httplib_context() {
  if (detail::httplib_current != nullptr) return *detail::httplib_current;
  throw Error(BENTO_INTERNAL,
              "httplib_context() is for a mounted program's handlers, in their thread");
}

inline HttplibApp httplib_app(std::shared_ptr<httplib::Server> server) {
  return HttplibApp(std::move(server));
}
// `server` must outlive the service.
inline HttplibApp httplib_app(httplib::Server& server) {
  return HttplibApp(std::shared_ptr<httplib::Server>(std::shared_ptr<void>(), &server));
}

}  // namespace bento
