#include "service/dispatcher.h"

#include <prometheus/gauge.h>

#include <algorithm>
#include <utility>

namespace bentohost::service {
namespace {

// What routes allow at a path, and the files there as well.
std::string allow_with_files(const std::string& allow) {
  std::string all = "GET, HEAD";
  for (std::size_t begin = 0; begin < allow.size();) {
    const std::size_t end = std::min(allow.find(", ", begin), allow.size());
    const std::string method = allow.substr(begin, end - begin);
    if (!FileMount::takes(method) && method != "OPTIONS") all += ", " + method;
    begin = end + 2;
  }
  return all + ", OPTIONS";
}

Status refuse_both(const std::string& what, const std::string& one, const std::string& other) {
  return Status(BENTO_FAILED_PRECONDITION,
                "two routes collide: " + what + " is asked for by " + one + " and by " + other +
                    "; put one plugin under a prefix: --plugin /PREFIX=LIBRARY");
}

}  // namespace

void Dispatcher::add_builtin_routes() {
  unmatched_ = environment_.metrics.route("");
  const auto builtin = [this](const std::string& path,
                              std::function<void(const RequestPtr&)> call) {
    (void)add_route("GET", path,
                    {std::move(call), {}, nullptr, nullptr, "bentohost's own " + path});
    (void)admin_router_.add("GET", path, &routes_.back());
  };
  const auto alive = [](const RequestPtr& request) {
    request->answer(http::Response::text(200, "ok\n"));
  };
  builtin("/livez", alive);
  builtin("/healthz", alive);
  builtin("/readyz", [this](const RequestPtr& request) {
    if (Status status = readiness(); !status.ok()) return request->fail(503, status.message());
    request->answer(http::Response::text(200, "ok\n"));
  });
  builtin("/metrics", [this](const RequestPtr& request) {
    http::Response response;
    response.content_type = observe::kMetricsContentType;
    response.body = environment_.metrics.text();
    request->answer(std::move(response));
  });
}

Status Dispatcher::add_route(std::string_view method, const std::string& path, Route route) {
  route.metrics = environment_.metrics.route(path);
  const std::string owner = route.owner;
  const Route* target = &routes_.emplace_back(std::move(route));
  const Status status = router_.add(method, path, target);
  if (status.code() != BENTO_FAILED_PRECONDITION) return status;
  const auto taken = router_.find(method, path);  // a template finds what has its shape
  return refuse_both(std::string(method) + " " + path, owner, (*taken.target)->owner);
}

Status Dispatcher::add(const LiveService& service) {
  for (const plugin::ApiSpec& api : service.spec().apis) {
    const Endpoint& endpoint = endpoints_.emplace_back(service, api);
    Route route{[this, &endpoint](const RequestPtr& request) {
                  endpoint.call(request, environment_.threads);
                },
                endpoint.plan(), nullptr, &service, "api " + service.spec().name + "." + api.name};
    Status status = add_route(api.http_method, service.prefix() + api.route, std::move(route));
    if (!status.ok()) return status;
  }
  for (const plugin::MountSpec& mount : service.spec().mounts) {
    if (Status status = add_files(service, mount); !status.ok()) return status;
  }
  services_.push_back(&service);
  return {};
}

Status Dispatcher::add_files(const LiveService& service, const plugin::MountSpec& mount) {
  const std::string path = service.prefix() + mount.prefix;
  const std::string root = path.ends_with('/') ? path.substr(0, path.size() - 1) : path;
  auto opened = FileMount::open(service.instance(), mount, root);
  if (!opened.ok()) return std::move(opened).take_status();
  const FileMount* files = &file_mounts_.emplace_back(*std::move(opened));
  // Streamed: that is how an answer may be written piece by piece.
  Route route{[this, files](const RequestPtr& request) {
                run_on(environment_.threads, [request, files] { files->serve(*request); });
              },
              {0, true},
              environment_.metrics.route(root + "/*"),
              &service,
              "the files of " + service.spec().name,
              true};
  const std::string owner = route.owner;
  Status status = router_.mount(path, &routes_.emplace_back(std::move(route)));
  if (status.code() != BENTO_FAILED_PRECONDITION) return status;
  const auto taken = router_.find({}, root + "/");
  return refuse_both(path, owner, (*taken.target)->owner);
}

http::BodyPlan Dispatcher::plan(const http::Request& request) {
  const auto match = router_of(request).find(request.method, request.path);
  return match.target == nullptr ? http::BodyPlan() : (*match.target)->plan;
}

void Dispatcher::handle(http::Exchange& exchange) {
  const http::Request& from = exchange.request();
  environment_.metrics.in_flight().Increment();
  const auto request = std::make_shared<RequestContext>(environment_, exchange);
  const auto match = router_of(from).find(from.method, from.path);
  if (match.target == nullptr) return answer_unrouted(*request, match.route);
  const Route& route = **match.target;
  request->set_route(route.metrics, match.route);
  if (route.is_mount && !FileMount::takes(from.method)) {
    return refuse_method(*request, allow_with_files(router_of(from).allow(from.path)));
  }
  request->set_path_params(match.parameters);
  if (route.service != nullptr) {
    if (environment_.draining.load(std::memory_order_relaxed)) {
      return request->fail(503, "the server is shutting down");
    }
    if (environment_.in_flight.load(std::memory_order_relaxed) >= environment_.max_in_flight) {
      return request->fail(
          503, "the server is overloaded: " + std::to_string(environment_.max_in_flight) +
                   " requests are in flight");
    }
    request->set_service(route.service);
  }
  route.call(request);
}

void Dispatcher::answer_unrouted(RequestContext& request, std::string_view route) {
  const http::Request& from = request.request();
  request.set_route(route.empty() ? unmatched_ : environment_.metrics.route(route), route);
  const std::string allow = router_of(from).allow(from.path);
  if (allow.empty()) return request.fail(404, "there is nothing at " + from.path);
  refuse_method(request, allow);
}

void Dispatcher::refuse_method(RequestContext& request, const std::string& allow) {
  const http::Request& from = request.request();
  // RFC 9110 9.3.7; "OPTIONS *" asks about the server, and so about all routes.
  if (from.method == "OPTIONS") {
    http::Response response;
    response.status = 204;
    response.headers.push_back({"Allow", allow});
    return request.answer(std::move(response));
  }
  request.fail(405, from.path + " takes " + allow + ", not " + from.method, {{"Allow", allow}});
}

void Dispatcher::rejected(const http::Request& request, const http::Response& response,
                          std::string_view reason) {
  cut(reason);
  const Duration took = environment_.clock.now() - request.arrived;
  unmatched_->observe(request.method, response.status, took, request.body_bytes,
                      response.body.size());
  if (environment_.access_log == nullptr) return;
  environment_.access_log->write({request.client, request.method, request.path, "", "",
                                  response.status, request.body_bytes, response.body.size(), took});
}

void Dispatcher::cut(std::string_view reason) { environment_.metrics.count_http_rejected(reason); }

void Dispatcher::connections(std::size_t open) {
  environment_.metrics.connections().Set(static_cast<double>(open));
}

Status Dispatcher::readiness() const {
  if (environment_.stopping || environment_.draining) {
    return Status(BENTO_UNAVAILABLE, "shutting down");
  }
  if (!started_) return Status(BENTO_UNAVAILABLE, "starting");
  std::string reasons;
  for (const LiveService* service : services_) {
    if (Status status = service->runners().readiness(); !status.ok()) {
      reasons += (reasons.empty() ? "" : "; ") + status.message();
    }
  }
  return reasons.empty() ? Status() : Status(BENTO_UNAVAILABLE, std::move(reasons));
}

}  // namespace bentohost::service
