#include "service/dispatcher.h"

#include <prometheus/gauge.h>

#include <algorithm>
#include <utility>

#include "http/problem.h"
#include "http/redirect.h"
#include "http/syntax.h"
#include "service/around.h"
#include "service/held.h"
#include "service/hooks.h"
#include "service/operator_check.h"
#include "service/work.h"

namespace bentohost::service {
namespace {

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

// What holds the part as well.
std::shared_ptr<const LiveService> service_of(const PartPtr& part) {
  return {part, &part->service()};
}

}  // namespace

Dispatcher::Dispatcher(Environment& environment)
    : environment_(environment), labels_(environment.metrics) {
  add_builtin_routes();
  auto empty = make_site({});
  site_ = *std::move(empty);  // of our own pages, which do not collide
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
    response.body = environment_.metrics.text();
    request->answer(std::move(response));
  });
}

// What is asked for when somebody looks, rather than told at each change.
void Dispatcher::show_load() {
  const observe::LoadMetrics& load = environment_.metrics.load();
  if (environment_.threads != nullptr) {
    const ThreadPool::Load now = environment_.threads->load();
    load.threads->Set(static_cast<double>(now.threads));
    load.waiting->Set(static_cast<double>(now.waiting));
    load.waiting_bytes->Set(static_cast<double>(now.waiting_bytes));
  }
  if (environment_.body_memory != nullptr) {
    load.body_memory->Set(static_cast<double>(environment_.body_memory->used()));
  }
}

SitePtr Dispatcher::site() const {
  std::lock_guard lock(mutex_);
  return site_;
}

void Dispatcher::publish(SitePtr site) {
  {
    std::lock_guard lock(mutex_);
    site_.swap(site);
  }
  // The old one goes here, outside of the lock, unless somebody is just routing by it.
}

Dispatcher::Found Dispatcher::look(const http::Request& request, const Site& site) const {
  if (request.door == http::Door::kAdmin) {
    return {admin_router_.find(request.method, request.path), nullptr, false};
  }
  Found found{site.find(request.method, request.path), nullptr, false};
  if (found.match.target != nullptr && (*found.match.target)->part != nullptr) {
    found.part = site.hold(*(*found.match.target)->part);
  }
  return found;
}

Dispatcher::Found Dispatcher::look_from(const PartPtr& part, const http::Request& request,
                                        const Site& site) const {
  if (part == nullptr || site.hold(*part) != nullptr) return look(request, site);
  // A reload has replaced it: it has its own routes still, and of others what there is now.
  Found found{part->find(request.method, request.path), part, false};
  if (found.match.target != nullptr) return found;
  found = look(request, site);
  if (found.part != nullptr && found.part->service().spec().name == part->service().spec().name) {
    return {{}, nullptr, true};
  }
  return found;
}

std::string Dispatcher::allow(const http::Request& request, std::string_view path) const {
  if (request.door == http::Door::kAdmin) return admin_router_.allow(path);
  return site()->allow(path);
}

http::BodyPlan Dispatcher::plan(const http::Request& request) {
  const SitePtr now = site();
  const Found found = look(request, *now);
  const Route* route = found.part != nullptr ? *found.match.target : nullptr;
  http::BodyPlan plan = route != nullptr ? route->plan : http::BodyPlan();
  if (const PartPtr wrapped = now->around(request, found.match)) {
    // A middleware that may wait has the body, and the answer, as they come.
    plan.streamed |= wrapped->has_around();
    plan.target =
        std::shared_ptr<const Route>(wrapped, route != nullptr ? route : &wrapped->elsewhere());
  } else if (route != nullptr) {
    plan.target = std::shared_ptr<const Route>(found.part, route);
  }
  return plan;
}

std::optional<Status> Dispatcher::refusal() const {
  if (environment_.draining.load(std::memory_order_relaxed)) {
    return Status(BENTO_UNAVAILABLE, "the server is shutting down");
  }
  if (environment_.slots.load(std::memory_order_relaxed) >= environment_.max_in_flight) {
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
  const auto target = std::static_pointer_cast<const Route>(exchange.take_target());
  const auto first = std::make_shared<First>(environment_, exchange);
  const std::shared_ptr<Ledger> ledger(first, &first->ledger);
  if (target == nullptr) {  // the host's pages, or nothing, when its head came
    first->ledger.set_label(labels_.unmatched());
    return arrive(nullptr, ledger, *ledger, first, {false, false});
  }
  const PartPtr part(target, target->part);
  first->ledger.set_label(target->label);
  const bool is_work = target->call != nullptr;
  if (is_work) {
    if (auto status = refusal()) return refuse(part, ledger, {*std::move(status), {}, {}});
  }
  first->ledger.lease(service_of(part));
  if (!part->steps().empty()) {
    return enter(part, 0, ledger, *ledger, first,
                 {false, part->has_around() || target->plan.streamed});
  }
  ledger->answer_by_deadline(ledger);
  const Route* const route_of_part = target.get();
  Found found{{}, part, false};
  if (target->has_parameters) found.match = part->find(from.method, from.path);
  found.match.target = &route_of_part;
  route(RequestPtr(first, &first->context), found);
}

void Dispatcher::refuse(http::Exchange& exchange, http::Refusal refusal) {
  cut(refusal.reason);
  const auto target = std::static_pointer_cast<const Route>(exchange.take_target());
  const auto ledger = std::make_shared<Ledger>(environment_, exchange);
  ledger->set_label(target != nullptr ? target->label : labels_.unmatched());
  refuse(target != nullptr ? PartPtr(target, target->part) : nullptr, ledger, refusal);
}

void Dispatcher::refuse(const PartPtr& part, const std::shared_ptr<Ledger>& ledger,
                        const http::Refusal& refusal) {
  http::Exchange* exchange = ledger.get();
  std::shared_ptr<const void> outer = ledger;
  if (part != nullptr) {
    ledger->lease(service_of(part));
    for (const MiddlewareStep& step : part->steps()) {
      if (step.is_around) continue;
      const auto hooks = std::make_shared<Hooks>(environment_, *ledger, *exchange, outer, step.row,
                                                 service_of(part));
      if (!hooks->enter(true)) return;
      exchange = hooks.get();
      outer = hooks;
    }
  }
  exchange->respond(http::problem(refusal, exchange->request().path, ledger->request_id()));
}

// From the `step`th on inwards.
void Dispatcher::enter(const PartPtr& part, std::size_t step, const std::shared_ptr<Ledger>& ledger,
                       http::Exchange& exchange, const std::shared_ptr<const void>& outer,
                       Way way) {
  if (!way.is_on_thread) ledger->answer_by_deadline(ledger);
  if (step == part->steps().size()) return arrive(part, ledger, exchange, outer, way);
  const MiddlewareStep& here = part->steps()[step];
  if (!here.is_around) {
    const auto hooks =
        std::make_shared<Hooks>(environment_, *ledger, exchange, outer, here.row, service_of(part));
    if (!hooks->enter(way.is_streamed)) return;
    return enter(part, step + 1, ledger, *hooks, hooks, way);
  }
  const auto run = [this, part, step, ledger, &exchange, outer, &here] {
    run_around(environment_, *ledger, exchange, outer, here.row.front(), service_of(part),
               [&](const std::shared_ptr<Passage>& passage) {
                 enter(part, step + 1, ledger, *passage, passage, {true, true});
               });
  };
  if (way.is_on_thread) return run();
  run_for(ledger, exchange.request().body.size(), environment_, run,
          [this, ledger, &exchange, outer](const Status& status) {
            RequestContext(environment_, *ledger, exchange, outer).fail(status);
          });
}

// Inside of all middleware. Its path may be another by now, and so may be what is there.
void Dispatcher::arrive(const PartPtr& part, const std::shared_ptr<Ledger>& ledger,
                        http::Exchange& exchange, const std::shared_ptr<const void>& outer,
                        Way way) {
  const http::Request& from = exchange.request();
  const SitePtr now = site();
  const Found found = look_from(part, from, *now);
  ledger->set_label(from.door == http::Door::kAdmin && found.match.target != nullptr
                        ? (*found.match.target)->label
                        : now->label_of(found.match));
  if (part == nullptr && found.part != nullptr) {  // it was not there when the head came
    if (const auto status = refusal()) {
      RequestContext(environment_, *ledger, exchange, outer).fail(503, status->message());
      return;
    }
    ledger->lease(service_of(found.part));
    ledger->answer_by_deadline(ledger);
  }
  if (from.door == http::Door::kAdmin) {
    if (const Status status = check_operator(from, environment_.admin_hosts); !status.ok()) {
      RequestContext(environment_, *ledger, exchange, outer).fail(status);
      return;
    }
  }
  const bool has_target = found.match.target != nullptr;
  const http::BodyPlan plan = has_target ? (*found.match.target)->plan : http::BodyPlan();
  if (has_target && way.is_streamed && !plan.streamed) {
    const auto held = std::make_shared<Held>(exchange, outer, environment_.body_memory);
    const auto request = std::make_shared<RequestContext>(environment_, *ledger, *held, held);
    if (way.is_on_thread) request->set_on_thread();
    return run_for(request, environment_, [this, part, held, plan, request] {
      request->set_on_thread();
      Status status = held->read_whole_body(plan.max_body);
      if (!status.ok()) return request->fail(status);
      route(request, look_from(part, held->request(), *site()));
    });
  }
  if (plan.streamed && !way.is_streamed) exchange.allow_stream();
  const auto request = std::make_shared<RequestContext>(environment_, *ledger, exchange, outer);
  if (way.is_on_thread) request->set_on_thread();
  route(request, found);
}

void Dispatcher::route(const RequestPtr& request, const Found& found) {
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
  if (found.part != nullptr) {
    request->set_service(service_of(found.part), route.root_path);
  }
  route.call(request);
}

void Dispatcher::answer_unrouted(RequestContext& request, bool is_hidden) {
  const http::Request& from = request.request();
  const std::string allowed = is_hidden ? std::string() : allow(from);
  if (allowed.empty()) {
    auto elsewhere = is_hidden ? std::nullopt : redirect(from);
    if (elsewhere) return request.answer(*std::move(elsewhere));
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
    auto elsewhere = response.status == 404 ? redirect(from) : std::nullopt;
    if (elsewhere) response = *std::move(elsewhere);
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

// As Starlette's redirect_slashes: 307 keeps the method and the body.
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
  for (const PartPtr& part : site()->parts()) {
    if (Status status = part->service().runners().readiness(); !status.ok()) {
      reasons +=
          (reasons.empty() ? "" : "; ") + part->service().spec().name + ": " + status.message();
    }
  }
  return reasons.empty() ? Status() : Status(BENTO_UNAVAILABLE, std::move(reasons));
}

}  // namespace bentohost::service
