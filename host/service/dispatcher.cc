#include "service/dispatcher.h"

#include <prometheus/gauge.h>

#include <algorithm>
#include <utility>

#include "service/around.h"
#include "service/channel.h"
#include "service/held.h"
#include "service/hooks.h"

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

// "" for "/", and no '/' at the end: what ASGI calls root_path.
std::string root_of(const std::string& path) {
  return path.ends_with('/') ? path.substr(0, path.size() - 1) : path;
}

// All middleware of `owners`, from the outermost in. Neighbours in hooks are one step.
MiddlewareSteps middleware_steps(const std::vector<const LiveService*>& owners) {
  MiddlewareSteps steps;
  for (const LiveService* owner : owners) {
    for (const plugin::MiddlewareSpec& spec : owner->spec().middleware) {
      const bool is_around = spec.abi->around != nullptr;
      if (steps.empty() || is_around || steps.back().is_around) {
        steps.push_back({is_around, {}});
      }
      steps.back().row.push_back({owner->instance().self(), spec.abi,
                                  "middleware " + spec.name + " of " + owner->spec().name,
                                  owner->instance().config().path});
    }
  }
  return steps;
}

Status refuse_both(const std::string& what, const std::string& one, const std::string& other) {
  return Status(BENTO_FAILED_PRECONDITION,
                "two routes collide: " + what + " is asked for by " + one + " and by " + other +
                    "; put one plugin under a prefix: --plugin /PREFIX=LIBRARY");
}

}  // namespace

void Dispatcher::add_builtin_routes() {
  (void)label("");
  const auto builtin = [this](const std::string& path,
                              std::function<void(const RequestPtr&)> call) {
    Route route;
    route.call = std::move(call);
    route.owner = "bentohost's own " + path;
    (void)add_route("GET", path, std::move(route));
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

const RouteLabel* Dispatcher::label(const std::string& route) {
  const auto [at, is_new] = labels_.try_emplace(route);
  if (is_new) at->second = {environment_.metrics.route(route), route};
  return &at->second;
}

const RouteLabel* Dispatcher::label_of(const Match& match) const {
  if (match.target != nullptr) return (*match.target)->label;
  const auto known = labels_.find(match.route);  // one that does not take the method
  return &(known != labels_.end() ? known : labels_.find(""))->second;
}

Status Dispatcher::add_route(std::string_view method, const std::string& path, Route route) {
  route.label = label(path);
  const std::string owner = route.owner;
  const Route* target = &routes_.emplace_back(std::move(route));
  const Status status = router_.add(method, path, target);
  if (status.code() != BENTO_FAILED_PRECONDITION) return status;
  const auto taken = router_.find(method, path);  // a template finds what has its shape
  return refuse_both(std::string(method) + " " + path, owner, (*taken.target)->owner);
}

Status Dispatcher::add_mount(const std::string& path, Route route) {
  const std::string root = route.root_path;
  route.label = label(root + "/*");
  const std::string owner = route.owner;
  Status status = router_.mount(path, &routes_.emplace_back(std::move(route)));
  if (status.code() != BENTO_FAILED_PRECONDITION) return status;
  const auto taken = router_.find({}, root + "/");
  return refuse_both(path, owner, (*taken.target)->owner);
}

Status Dispatcher::add(const LiveService& service, const std::vector<const LiveService*>& around) {
  Served& served = served_.emplace_back(Served{&service, {}, false});
  std::vector<const LiveService*> owners = around;
  owners.push_back(&service);
  served.steps = middleware_steps(owners);
  for (const MiddlewareStep& step : served.steps) served.has_around |= step.is_around;
  has_middleware_ |= !served.steps.empty();

  for (const plugin::ApiSpec& api : service.spec().apis) {
    const Endpoint& endpoint = endpoints_.emplace_back(service, api);
    Route route;
    route.call = [this, &endpoint](const RequestPtr& request) {
      endpoint.call(request, environment_.threads);
    };
    route.plan = endpoint.plan();
    route.owner = "api " + service.spec().name + "." + api.name;
    route.served = &served;
    route.root_path = service.prefix();
    Status status = add_route(api.http_method, service.prefix() + api.route, std::move(route));
    if (!status.ok()) return status;
  }
  for (const plugin::MountSpec& mount : service.spec().mounts) {
    const bool is_app = mount.app.call != nullptr;
    Status status = is_app ? add_app(served, mount) : add_files(served, mount);
    if (!status.ok()) return status;
  }
  return {};
}

Status Dispatcher::add_files(const Served& served, const plugin::MountSpec& mount) {
  const LiveService& service = *served.service;
  const std::string path = service.prefix() + mount.prefix;
  Route route;
  route.root_path = root_of(path);
  auto opened = FileMount::open(service.instance(), mount, route.root_path);
  if (!opened.ok()) return std::move(opened).take_status();
  const FileMount* files = &file_mounts_.emplace_back(*std::move(opened));
  route.call = [this, files](const RequestPtr& request) {
    run_on(request->is_on_thread() ? nullptr : environment_.threads,
           [request, files] { files->serve(*request); });
  };
  route.plan = {0, true};  // streamed: that is how an answer may be written piece by piece
  route.owner = "the files of " + service.spec().name;
  route.served = &served;
  route.is_files = true;
  return add_mount(path, std::move(route));
}

Status Dispatcher::add_app(const Served& served, const plugin::MountSpec& mount) {
  const LiveService& service = *served.service;
  const std::string path = service.prefix() + mount.prefix;
  Route route;
  route.root_path = root_of(path);
  route.owner = "the app at " + mount.prefix + " of " + service.spec().name;
  route.call = [this, &mount, who = route.owner](const RequestPtr& request) {
    run_on(request->is_on_thread() ? nullptr : environment_.threads, [request, &app = mount.app,
                                                                      &who] {
      answer_through_channel(*request, who, who, [&](const bento_call& call, bento_error* error) {
        return app.call(app.self, &call, error);
      });
    });
  };
  route.plan = {0, true};
  route.served = &served;
  return add_mount(path, std::move(route));
}

const Dispatcher::Served* Dispatcher::wrapped_by(const http::Request& request,
                                                 const Match& match) const {
  if (!has_middleware_ || request.door == http::Door::kAdmin) return nullptr;
  const Served* owner = match.target != nullptr ? (*match.target)->served : nullptr;
  if (owner == nullptr) {  // a page of the host's, or nothing: whose part of the paths it is in
    for (const Served& served : served_) {
      const std::string& prefix = served.service->prefix();
      const bool is_in = request.path.starts_with(prefix) &&
                         (request.path.size() == prefix.size() ||
                          request.path[prefix.size()] == '/' || prefix.empty());
      const bool is_longer = owner == nullptr || prefix.size() > owner->service->prefix().size();
      if (is_in && is_longer) owner = &served;
    }
  }
  return owner != nullptr && !owner->steps.empty() ? owner : nullptr;
}

http::BodyPlan Dispatcher::plan(const http::Request& request) {
  const auto match = router_of(request).find(request.method, request.path);
  http::BodyPlan plan = match.target == nullptr ? http::BodyPlan() : (*match.target)->plan;
  const Served* served = wrapped_by(request, match);
  // A middleware that may wait has the body, and the answer, as they come.
  if (served != nullptr && served->has_around) plan.streamed = true;
  return plan;
}

std::optional<Status> Dispatcher::refusal() const {
  if (environment_.draining.load(std::memory_order_relaxed)) {
    return Status(BENTO_UNAVAILABLE, "the server is shutting down");
  }
  if (environment_.in_flight.load(std::memory_order_relaxed) >= environment_.max_in_flight) {
    return Status(BENTO_UNAVAILABLE,
                  "the server is overloaded: " + std::to_string(environment_.max_in_flight) +
                      " requests are in flight");
  }
  return std::nullopt;
}

void Dispatcher::handle(http::Exchange& exchange) {
  // In one piece of memory, for most requests need no more.
  struct First {
    First(Environment& environment, http::Exchange& front)
        : ledger(environment, front), context(environment, ledger, ledger) {}
    Ledger ledger;
    RequestContext context;
  };
  const http::Request& from = exchange.request();
  const auto match = router_of(from).find(from.method, from.path);
  const auto first = std::make_shared<First>(environment_, exchange);
  first->ledger.set_label(label_of(match));
  const Served* wrapped = wrapped_by(from, match);
  const bool is_work = match.target != nullptr && (*match.target)->served != nullptr;
  if (is_work) {
    if (const auto status = refusal()) return first->context.fail(503, status->message());
  }
  if (is_work || wrapped != nullptr) first->ledger.lease();
  const std::shared_ptr<Ledger> ledger(first, &first->ledger);
  if (wrapped != nullptr) {
    const bool is_streamed = wrapped->has_around || (is_work && (*match.target)->plan.streamed);
    return enter(*wrapped, 0, ledger, *ledger, first, {false, is_streamed});
  }
  if (is_work) ledger->answer_by_deadline(ledger);
  route(RequestPtr(first, &first->context), match);
}

// From the `step`th on inwards.
void Dispatcher::enter(const Served& served, std::size_t step,
                       const std::shared_ptr<Ledger>& ledger, http::Exchange& exchange,
                       const std::shared_ptr<const void>& outer, Way way) {
  if (!way.is_on_thread) ledger->answer_by_deadline(ledger);
  if (step == served.steps.size()) return arrive(ledger, exchange, outer, way);
  const MiddlewareStep& here = served.steps[step];
  if (!here.is_around) {
    const auto hooks =
        std::make_shared<Hooks>(environment_, *ledger, exchange, outer, here.row, served.service);
    if (!hooks->enter(way.is_streamed)) return;
    return enter(served, step + 1, ledger, *hooks, hooks, way);
  }
  run_on(way.is_on_thread ? nullptr : environment_.threads,
         [this, &served, step, ledger, &exchange, outer, &here] {
           run_around(environment_, *ledger, exchange, outer, here.row.front(), served.service,
                      [&](const std::shared_ptr<Passage>& passage) {
                        enter(served, step + 1, ledger, *passage, passage, {true, true});
                      });
         });
}

// Inside of all middleware. Its path may be another by now, and so may be what is there.
void Dispatcher::arrive(const std::shared_ptr<Ledger>& ledger, http::Exchange& exchange,
                        const std::shared_ptr<const void>& outer, Way way) {
  const http::Request& from = exchange.request();
  const auto match = router_of(from).find(from.method, from.path);
  ledger->set_label(label_of(match));
  const bool has_target = match.target != nullptr;
  const http::BodyPlan plan = has_target ? (*match.target)->plan : http::BodyPlan();
  if (has_target && way.is_streamed && !plan.streamed) {
    const auto held = std::make_shared<Held>(exchange, outer);
    return run_on(way.is_on_thread ? nullptr : environment_.threads, [this, ledger, held, plan] {
      const auto request = std::make_shared<RequestContext>(environment_, *ledger, *held, held);
      request->set_on_thread();
      Status status = held->read_whole_body(plan.max_body);
      if (!status.ok()) return request->fail(status);
      route(request, router_of(held->request()).find(held->request().method, held->request().path));
    });
  }
  if (plan.streamed && !way.is_streamed) exchange.allow_stream();
  const auto request = std::make_shared<RequestContext>(environment_, *ledger, exchange, outer);
  if (way.is_on_thread) request->set_on_thread();
  route(request, match);
}

void Dispatcher::route(const RequestPtr& request, const Match& match) {
  if (match.target == nullptr) return answer_unrouted(*request);
  const Route& route = **match.target;
  const http::Request& from = request->request();
  if (route.is_files && !FileMount::takes(from.method)) {
    return refuse_method(*request, allow_with_files(router_of(from).allow(from.path)));
  }
  request->set_path_params(match.parameters);
  if (route.served != nullptr) request->set_service(route.served->service, route.root_path);
  route.call(request);
}

void Dispatcher::answer_unrouted(RequestContext& request) {
  const http::Request& from = request.request();
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
  label_of({})->metrics->observe(request.method, response.status, took, request.body_bytes,
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
  for (const Served& served : served_) {
    if (Status status = served.service->runners().readiness(); !status.ok()) {
      reasons += (reasons.empty() ? "" : "; ") + status.message();
    }
  }
  return reasons.empty() ? Status() : Status(BENTO_UNAVAILABLE, std::move(reasons));
}

}  // namespace bentohost::service
