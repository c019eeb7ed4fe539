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

// An app for Service::mount(): made by httplib_app(), below. Many threads call it at once, and so
// the program's handlers, as cpp-httplib's own threads would.
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

// In a handler of a mounted program, and on its thread: the request's Context, with options, log
// and runner calls. Valid until the handler, or its content provider, returns. What a runner call
// throws is the handler's to catch: what passes it, cpp-httplib answers 500. Anywhere else this
// throws Error, 500.
inline Context& httplib_context() {
  if (detail::httplib_current != nullptr) return *detail::httplib_current;
  throw Error(BENTO_INTERNAL,
              "httplib_context() is for a mounted program's handlers, in their thread");
}

// Routes are added before the service is loaded; the server is not started: do not call listen().
inline HttplibApp httplib_app(std::shared_ptr<httplib::Server> server) {
  return HttplibApp(std::move(server));
}
// The same for a server that is not shared, which must outlive the service.
inline HttplibApp httplib_app(httplib::Server& server) {
  return HttplibApp(std::shared_ptr<httplib::Server>(std::shared_ptr<void>(), &server));
}

}  // namespace bento
