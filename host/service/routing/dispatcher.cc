#include "service/routing/dispatcher.h"

#include <prometheus/gauge.h>

#include <algorithm>
#include <utility>

#include "base/recycled.h"
#include "http/problem.h"
#include "http/response_writer.h"
#include "http/route/redirect.h"
#include "http/syntax.h"
#include "service/middleware/blocking_middleware.h"
#include "service/middleware/buffered_exchange.h"
#include "service/middleware/hooked_exchange.h"
#include "service/operator_check.h"
#include "service/work.h"

namespace bentohost::service {
namespace {

constexpr std::size_t kSmallBody = 64u << 10;

// The methods of both lists, OPTIONS at the end.
std::string joined_methods(const std::string& one, const std::string& other) {
  std::vector<std::string> methods;
  for (const std::string* list : {&one, &other}) {
    http::for_each_member(*list, [&methods](std::string_view method) {
      const bool is_there = std::find(methods.begin(), methods.end(), method) != methods.end();
      if (!is_there && method != "OPTIONS") methods.emplace_back(method);
    });
  }
  std::string all;
  for (const std::string& method : methods) all += method + ", ";
  return all + "OPTIONS";
}

// RFC 9110 9.3.7.
http::Response options_response(const std::string& allowed) {
  http::Response response;
  response.status = 204;
  response.headers.push_back({"Allow", allowed});
  return response;
}

std::string wrong_method(const http::Request& from, const std::string& allowed) {
  return from.path + " takes " + allowed + ", not " + from.method;
}

// Whether the request has no body, or one whose Content-Length is at most kSmallBody.
bool has_small_body(const http::Request& request) {
  std::size_t length = 0;
  if (http::has_header(request.headers, "transfer-encoding")) return false;
  if (!http::has_header(request.headers, "content-length")) return true;
  return http::find_content_length(request.headers, length) && length <= kSmallBody;
}

// The service, by a pointer that holds its routes as well.
std::shared_ptr<const LiveService> service_of(ServiceRoutesPtr routes) {
  const LiveService* const service = &routes->service();
  return {std::move(routes), service};
}

}  // namespace

Dispatcher::Dispatcher(RequestDeps& deps) : deps_(deps), labels_(deps.metrics) {
  add_builtin_routes();
  auto empty = make_snapshot({});
  snapshot_ = *std::move(empty);  // the host's own pages, which do not collide
}

Route& Dispatcher::own_route(std::string_view method, const std::string& path,
                             std::function<void(const RequestPtr&)> call) {
  Route& route = own_routes_.emplace_back();
  route.call = std::move(call);
  route.owner = "bentohost's own " + path;
  route.method = method;
  route.path = path;
  route.label = labels_.get(path);
  (void)add_to(admin_router_, route);
  return route;
}

void Dispatcher::add_admin(std::string_view method, const std::string& path,
                           std::function<void(const RequestPtr&)> call) {
  own_route(method, path, std::move(call));
}

void Dispatcher::add_builtin_routes() {
  const auto page = [this](const std::string& path, std::function<void(const RequestPtr&)> call) {
    own_.push_back(&own_route("GET", path, std::move(call)));
  };
  const auto alive = [](const RequestPtr& request) {
    request->answer(http::Response::text(200, "ok\n"));
  };
  page("/livez", alive);
  page("/healthz", alive);
  page("/readyz", [this](const RequestPtr& request) {
    if (Status status = readiness(); !status.ok()) return request->fail(503, status.message());
    request->answer(http::Response::text(200, "ok\n"));
  });
  page("/metrics", [this](const RequestPtr& request) {
    show_load();
    http::Response response;
    response.content_type = observe::kMetricsContentType;
    response.body = deps_.metrics.text();
    request->answer(std::move(response));
  });
}

// These gauges are set when metrics are read, rather than at each change.
void Dispatcher::show_load() {
  const observe::LoadMetrics& load = deps_.metrics.load();
  if (deps_.threads != nullptr) {
    const ThreadPool::Load now = deps_.threads->load();
    load.threads->Set(static_cast<double>(now.threads));
    load.waiting->Set(static_cast<double>(now.waiting));
    load.waiting_bytes->Set(static_cast<double>(now.waiting_bytes));
  }
  for (const ServiceRoutesPtr& routes : snapshot()->services()) {
    const LiveService& service = routes->service();
    service.programs().show_load(service.spec().name, deps_.metrics);
  }
  if (deps_.body_memory != nullptr) {
    load.body_memory->Set(static_cast<double>(deps_.body_memory->used()));
  }
}

RoutingSnapshotPtr Dispatcher::snapshot() const {
  const MutexLock lock(mutex_);
  return snapshot_;
}

void Dispatcher::publish(RoutingSnapshotPtr snapshot) {
  {
    const MutexLock lock(mutex_);
    snapshot_.swap(snapshot);
  }
  // The old snapshot is destroyed here, outside of the lock, unless a request is using it.
}

Dispatcher::RouteMatch Dispatcher::find_route(const http::Request& request,
                                              const RoutingSnapshot& snapshot) const {
  if (request.role == http::ListenerRole::kAdmin) {
    return {admin_router_.find(request.method, request.path), nullptr, false};
  }
  RouteMatch found{snapshot.find(request.method, request.path), nullptr, false};
  if (found.match.target != nullptr && (*found.match.target)->service_routes != nullptr) {
    found.routes = snapshot.hold(*(*found.match.target)->service_routes);
  }
  return found;
}

Dispatcher::RouteMatch Dispatcher::find_pinned_route(const ServiceRoutesPtr& routes,
                                                     const http::Request& request,
                                                     const RoutingSnapshot& snapshot) const {
  if (routes == nullptr || snapshot.hold(*routes) != nullptr) return find_route(request, snapshot);
  // A reload has replaced `routes`: the request still uses them, and other services' current ones.
  RouteMatch found{routes->find(request.method, request.path), routes, false};
  if (found.match.target != nullptr) return found;
  found = find_route(request, snapshot);
  if (found.routes != nullptr &&
      found.routes->service().spec().name == routes->service().spec().name) {
    return {{}, nullptr, true};
  }
  return found;
}

std::string Dispatcher::allow(const http::Request& request, std::string_view path) const {
  if (request.role == http::ListenerRole::kAdmin) return admin_router_.allow(path);
  return snapshot()->allow(path);
}

http::BodyPlan Dispatcher::plan(const http::Request& request) {
  const RoutingSnapshotPtr now = snapshot();
  RouteMatch found = find_route(request, *now);
  const Route* route = found.routes != nullptr ? *found.match.target : nullptr;
  http::BodyPlan plan = route != nullptr ? route->plan : http::BodyPlan();
  // A program is not asked, and no thread of it held, before a small body is whole.
  if (route != nullptr && route->is_program && has_small_body(request)) plan.streamed = false;
  if (const ServiceRoutesPtr wrapped = now->around(request, found.match)) {
    // A middleware that may wait gets the body and the response as they come.
    plan.streamed |= wrapped->has_around();
    plan.target = std::shared_ptr<const Route>(
        wrapped, route != nullptr ? route : &wrapped->fallback_route());
  } else if (route != nullptr) {
    plan.target = std::shared_ptr<const Route>(std::move(found.routes), route);
  }
  return plan;
}

std::optional<Status> Dispatcher::refusal() const {
  if (deps_.draining.load(std::memory_order_relaxed)) {
    return Status(BENTO_UNAVAILABLE, "the server is shutting down");
  }
  if (deps_.slots.load(std::memory_order_relaxed) >= deps_.max_in_flight) {
    return Status(BENTO_UNAVAILABLE,
                  "the server is overloaded: " + std::to_string(deps_.max_in_flight) +
                      " requests are in flight");
  }
  return std::nullopt;
}

void Dispatcher::handle(http::Exchange& exchange) {
  // One allocation for both: most requests need no more.
  struct First {
    First(RequestDeps& deps, http::Exchange& front)
        : tracked(deps, front), context(deps, tracked, tracked) {}
    TrackedExchange tracked;
    RequestContext context;
  };
  const http::Request& from = exchange.request();
  const auto target = std::static_pointer_cast<const Route>(exchange.take_target());
  if (target == nullptr) {  // when its head came, the path was a page of the host's, or nothing
    const auto tracked = make_recycled<TrackedExchange>(deps_, exchange);
    tracked->set_label(labels_.unmatched());
    return dispatch(nullptr, tracked, *tracked, tracked, {false, false});
  }
  auto first = make_recycled<First>(deps_, exchange);
  std::shared_ptr<TrackedExchange> tracked(first, &first->tracked);
  ServiceRoutesPtr routes(target, target->service_routes);
  first->tracked.set_label(target->label);
  const bool is_work = target->call != nullptr;
  if (is_work) {
    if (auto status = refusal()) return refuse(routes, tracked, {*std::move(status), {}, {}});
  }
  first->tracked.lease(service_of(routes));
  if (!routes->steps().empty()) {
    // Of a program's requests, plan() has streamed some.
    const bool is_streamed =
        routes->has_around() ||
        (target->is_program ? exchange.is_body_streamed() : target->plan.streamed);
    return run_middleware(routes, 0, tracked, *tracked, first, {false, is_streamed});
  }
  first->tracked.answer_by_deadline(std::move(tracked));
  const Route* const service_route = target.get();
  RouteMatch found{{}, std::move(routes), false};
  if (target->has_parameters) found.match = found.routes->find(from.method, from.path);
  found.match.target = &service_route;
  RequestContext* const context = &first->context;
  route(RequestPtr(std::move(first), context), std::move(found));
}

void Dispatcher::refuse(http::Exchange& exchange, http::Refusal refusal) {
  aborted(refusal.reason);
  const auto target = std::static_pointer_cast<const Route>(exchange.take_target());
  const auto tracked = make_recycled<TrackedExchange>(deps_, exchange);
  tracked->set_label(target != nullptr ? target->label : labels_.unmatched());
  refuse(target != nullptr ? ServiceRoutesPtr(target, target->service_routes) : nullptr, tracked,
         refusal);
}

void Dispatcher::refuse(const ServiceRoutesPtr& routes,
                        const std::shared_ptr<TrackedExchange>& tracked,
                        const http::Refusal& refusal) {
  http::Exchange* exchange = tracked.get();
  std::shared_ptr<const void> outer = tracked;
  if (routes != nullptr) {
    tracked->lease(service_of(routes));
    for (const MiddlewareStep& step : routes->steps()) {
      if (step.is_around) continue;
      const auto hooked = make_recycled<HookedExchange>(deps_, *tracked, *exchange, outer, step.row,
                                                        service_of(routes));
      if (!hooked->enter(true)) return;
      exchange = hooked.get();
      outer = hooked;
    }
  }
  exchange->respond(http::problem(refusal, exchange->request().path, tracked->request_id()));
}

// Runs the middleware from step `step` inwards.
void Dispatcher::run_middleware(const ServiceRoutesPtr& routes, std::size_t step,
                                const std::shared_ptr<TrackedExchange>& tracked,
                                http::Exchange& exchange, const std::shared_ptr<const void>& outer,
                                EntryMode mode) {
  if (!mode.is_on_thread) tracked->answer_by_deadline(tracked);
  if (step == routes->steps().size()) return dispatch(routes, tracked, exchange, outer, mode);
  const MiddlewareStep& here = routes->steps()[step];
  if (!here.is_around) {
    const auto hooked = make_recycled<HookedExchange>(deps_, *tracked, exchange, outer, here.row,
                                                      service_of(routes));
    if (!hooked->enter(mode.is_streamed)) return;
    return run_middleware(routes, step + 1, tracked, *hooked, hooked, mode);
  }
  const auto run = [this, routes, step, tracked, &exchange, outer, &here] {
    run_blocking(
        deps_, *tracked, exchange, outer, here.row.front(), service_of(routes),
        [&](const std::shared_ptr<InnerExchange>& inner_exchange) {
          run_middleware(routes, step + 1, tracked, *inner_exchange, inner_exchange, {true, true});
        });
  };
  if (mode.is_on_thread) return run();
  run_for(tracked, exchange.request().body.size(), deps_, run,
          [this, tracked, &exchange, outer](const Status& status) {
            RequestContext(deps_, *tracked, exchange, outer).fail(status);
          });
}

// Inside of all middleware, which may have changed the path; the routes may have changed, too.
void Dispatcher::dispatch(const ServiceRoutesPtr& routes,
                          const std::shared_ptr<TrackedExchange>& tracked, http::Exchange& exchange,
                          const std::shared_ptr<const void>& outer, EntryMode mode) {
  const http::Request& from = exchange.request();
  const RoutingSnapshotPtr now = snapshot();
  RouteMatch found = find_pinned_route(routes, from, *now);
  tracked->set_label(from.role == http::ListenerRole::kAdmin && found.match.target != nullptr
                         ? (*found.match.target)->label
                         : now->label_of(found.match));
  if (routes == nullptr && found.routes != nullptr) {  // the route is newer than the request
    if (const auto status = refusal()) {
      RequestContext(deps_, *tracked, exchange, outer).fail(503, status->message());
      return;
    }
    tracked->lease(service_of(found.routes));
    tracked->answer_by_deadline(tracked);
  }
  if (from.role == http::ListenerRole::kAdmin) {
    if (const Status status = check_operator(from, deps_.admin_hosts); !status.ok()) {
      RequestContext(deps_, *tracked, exchange, outer).fail(status);
      return;
    }
  }
  const bool has_target = found.match.target != nullptr;
  const http::BodyPlan plan = has_target ? (*found.match.target)->plan : http::BodyPlan();
  if (has_target && mode.is_streamed && !plan.streamed) {
    const auto buffered = std::make_shared<BufferedExchange>(exchange, outer, deps_.body_memory);
    const auto request = std::make_shared<RequestContext>(deps_, *tracked, *buffered, buffered);
    if (mode.is_on_thread) request->set_on_thread();
    return run_for(request, deps_, [this, routes, buffered, plan, request] {
      request->set_on_thread();
      Status status = buffered->read_whole_body(plan.max_body);
      if (!status.ok()) return request->fail(status);
      route(request, find_pinned_route(routes, buffered->request(), *snapshot()));
    });
  }
  if (plan.streamed && !mode.is_streamed) exchange.allow_stream();
  const auto request = make_recycled<RequestContext>(deps_, *tracked, exchange, outer);
  if (mode.is_on_thread) request->set_on_thread();
  route(request, std::move(found));
}

void Dispatcher::route(const RequestPtr& request, RouteMatch&& found) {
  if (found.match.target == nullptr) return answer_unrouted(*request, found.is_hidden);
  const Route& route = **found.match.target;
  const http::Request& from = request->request();
  if (route.is_files && !FileMount::takes(from.method)) {
    return refuse_method(*request, joined_methods("GET, HEAD", allow(from)));
  }
  if (route.is_mount && !route.is_files) {
    request->set_amend([this, its = request.get()](http::Response& response) {
      add_routes_beside(*its, response);
    });
  }
  request->set_path_params(found.match.parameters);
  if (found.routes != nullptr) {
    request->set_service(service_of(std::move(found.routes)), route.root_path);
  }
  route.call(request);
}

void Dispatcher::answer_unrouted(RequestContext& request, bool is_hidden) {
  const http::Request& from = request.request();
  const std::string allowed = is_hidden ? std::string() : allow(from);
  if (allowed.empty()) {
    auto redirection = is_hidden ? std::nullopt : redirect(from);
    if (redirection) return request.answer(*std::move(redirection));
    return request.fail(404, "there is nothing at " + from.path);
  }
  refuse_method(request, allowed);
}

void Dispatcher::refuse_method(RequestContext& request, const std::string& allowed) {
  const http::Request& from = request.request();
  // "OPTIONS *" asks about the server, and so about all routes.
  if (from.method == "OPTIONS") return request.answer(options_response(allowed));
  request.fail(405, wrong_method(from, allowed), {{"Allow", allowed}});
}

void Dispatcher::add_routes_beside(const RequestContext& request, http::Response& response) const {
  const http::Request& from = request.request();
  const bool is_options = from.method == "OPTIONS";
  if (response.status != 404 && response.status != 405 && !is_options) return;
  const std::string here = allow(from);
  if (here.empty()) {
    auto redirection = response.status == 404 ? redirect(from) : std::nullopt;
    if (redirection) response = *std::move(redirection);
    return;
  }
  const auto allow_header = std::find_if(
      response.headers.begin(), response.headers.end(),
      [](const http::Header& h) { return http::equals_ignoring_case(h.name, "allow"); });
  if (response.status == 404 && is_options) {
    response = options_response(here);
  } else if (response.status == 404 || response.status == 405) {
    const bool has_own = response.status == 405 && allow_header != response.headers.end();
    const std::string all = has_own ? joined_methods(allow_header->value, here) : here;
    response = http::problem(405, wrong_method(from, all), from.path, request.request_id());
    response.headers.push_back({"Allow", all});
  } else if (allow_header != response.headers.end()) {
    allow_header->value = joined_methods(allow_header->value, here);
  }
}

// Like Starlette's redirect_slashes: 307 keeps the method and the body.
std::optional<http::Response> Dispatcher::redirect(const http::Request& request) const {
  const std::string& path = request.path;
  if (path.size() < 2 || !path.starts_with('/') || path.starts_with("//")) return std::nullopt;
  const bool has_slash = path.ends_with('/');
  if (allow(request, has_slash ? path.substr(0, path.size() - 1) : path + "/").empty()) {
    return std::nullopt;
  }
  http::Response response;
  response.status = 307;
  response.headers.push_back({"Location", has_slash
                                              ? http::location_without_slash(path, request.query)
                                              : http::location_with_slash(path, request.query)});
  return response;
}

void Dispatcher::aborted(std::string_view reason) { deps_.metrics.count_http_rejected(reason); }

void Dispatcher::connections(std::size_t open) {
  deps_.metrics.connections().Set(static_cast<double>(open));
}

Status Dispatcher::readiness() const {
  if (deps_.stopping || deps_.draining) {
    return Status(BENTO_UNAVAILABLE, "shutting down");
  }
  if (!started_) return Status(BENTO_UNAVAILABLE, "starting");
  std::string reasons;
  for (const ServiceRoutesPtr& routes : snapshot()->services()) {
    if (Status status = routes->service().readiness(); !status.ok()) {
      reasons +=
          (reasons.empty() ? "" : "; ") + routes->service().spec().name + ": " + status.message();
    }
  }
  return reasons.empty() ? Status() : Status(BENTO_UNAVAILABLE, std::move(reasons));
}

}  // namespace bentohost::service
