#include "service/routing/service_routes.h"

#include <utility>

#include "service/channel.h"
#include "service/routing/proxied_mount.h"
#include "service/work.h"

namespace bentohost::service {
namespace {

// The path without '/' at its end, "" for "/": what ASGI calls root_path.
std::string root_of(const std::string& path) {
  return path.ends_with('/') ? path.substr(0, path.size() - 1) : path;
}

// All middleware of `owners`, from the outermost in. Neighbours written in hooks are one step.
MiddlewareSteps middleware_steps(const std::vector<std::shared_ptr<const LiveService>>& owners) {
  MiddlewareSteps steps;
  for (const auto& owner : owners) {
    for (const plugin::MiddlewareSpec& spec : owner->spec().middleware) {
      const bool is_around = spec.abi->around != nullptr;
      if (steps.empty() || is_around || steps.back().is_around) {
        steps.push_back({is_around, {}});
      }
      steps.back().row.push_back({owner->instance().self(), spec.abi,
                                  "middleware " + spec.name + " of " + owner->spec().name,
                                  owner->instance().config().file.path});
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

Status add_to(http::Router<const Route*>& router, const Route& route) {
  Status status = route.is_mount ? router.mount(route.path, &route)
                                 : router.add(route.method, route.path, &route);
  if (status.code() != BENTO_FAILED_PRECONDITION) return status;
  if (route.is_mount) {
    const auto taken = router.find({}, root_of(route.path) + "/");
    return refuse_both(route.path, route.owner, (*taken.target)->owner);
  }
  const auto taken = router.find(route.method, route.path);  // a template finds one of its shape
  return refuse_both(route.method + " " + route.path, route.owner, (*taken.target)->owner);
}

Result<ServiceRoutesPtr> ServiceRoutes::create(
    RequestDeps& deps, RouteLabels& labels, std::shared_ptr<const LiveService> service,
    std::vector<std::shared_ptr<const LiveService>> around) {
  const std::shared_ptr<ServiceRoutes> routes(new ServiceRoutes(deps));
  routes->service_ = std::move(service);
  routes->around_ = std::move(around);
  std::vector<std::shared_ptr<const LiveService>> owners = routes->around_;
  owners.push_back(routes->service_);
  routes->steps_ = middleware_steps(owners);
  for (const MiddlewareStep& step : routes->steps_) routes->has_around_ |= step.is_around;
  routes->fallback_.service_routes = routes.get();
  routes->fallback_.label = labels.unmatched();
  if (Status status = routes->add_apis(labels); !status.ok()) return status;
  if (Status status = routes->add_mounts(labels); !status.ok()) return status;
  if (Status status = routes->add_programs(labels); !status.ok()) return status;
  return ServiceRoutesPtr(routes);
}

Status ServiceRoutes::add(RouteLabels& labels, Route route) {
  route.service_routes = this;
  if (route.label == nullptr) route.label = labels.get(route.path);
  return add_to(router_, routes_.emplace_back(std::move(route)));
}

Status ServiceRoutes::add_apis(RouteLabels& labels) {
  for (const plugin::ApiSpec& api : service_->spec().apis) {
    const Endpoint& endpoint = endpoints_.emplace_back(*service_, api);
    Route route;
    route.call = [this, &endpoint](const RequestPtr& request) { endpoint.call(request, deps_); };
    route.plan = endpoint.plan();
    route.owner = "api " + service_->spec().name + "." + api.name;
    route.root_path = service_->prefix();
    route.method = api.http_method;
    route.path = service_->prefix() + api.route;
    route.has_parameters = route.path.find('{') != std::string::npos;
    if (Status status = add(labels, std::move(route)); !status.ok()) return status;
  }
  return {};
}

Status ServiceRoutes::add_mounts(RouteLabels& labels) {
  for (const plugin::MountSpec& mount : service_->spec().mounts) {
    if (mount.program) continue;
    Route route;
    route.is_mount = true;
    route.path = service_->prefix() + mount.prefix;
    route.root_path = root_of(route.path);
    route.label = labels.get(route.root_path + "/*");
    route.plan = {0, true};  // streamed, so that a response can be written piece by piece
    route.is_files = !mount.is_app();
    if (route.is_files) {
      route.owner = "the files of " + service_->spec().name;
      auto call = files(mount, route.root_path);
      if (!call.ok()) return std::move(call).take_status();
      route.call = *std::move(call);
    } else {
      route.owner = "the app at " + mount.prefix + " of " + service_->spec().name;
      route.call = app(labels, mount, route);
    }
    if (Status status = add(labels, std::move(route)); !status.ok()) return status;
  }
  return {};
}

// The programs that the service mounts, and those that the operator adds to it.
Status ServiceRoutes::add_programs(RouteLabels& labels) {
  for (const MountedProgram& program : service_->programs().all()) {
    Route route;
    route.is_mount = route.is_program = true;
    route.path = program.mount.prefix.empty() ? "/" : program.mount.prefix;
    route.root_path = program.mount.prefix;
    route.label = labels.get(route.root_path + "/*");
    route.plan = {0, true};
    route.owner = "the program at " + route.path + " of " + service_->spec().name;
    route.call = [this, upstream = program.upstream](const RequestPtr& request) {
      guard(request, [&] { proxy_request(request, upstream, service_->some_loop()); });
    };
    if (Status status = add(labels, std::move(route)); !status.ok()) return status;
  }
  return {};
}

Result<std::function<void(const RequestPtr&)>> ServiceRoutes::files(const plugin::MountSpec& mount,
                                                                    const std::string& root_path) {
  auto opened = FileMount::open(service_->instance(), mount, root_path);
  if (!opened.ok()) return std::move(opened).take_status();
  const FileMount* its_files = &file_mounts_.emplace_back(*std::move(opened));
  return std::function<void(const RequestPtr&)>([this, its_files](const RequestPtr& request) {
    run_for(request, deps_, [request, its_files] { its_files->serve(*request); });
  });
}

std::function<void(const RequestPtr&)> ServiceRoutes::app(RouteLabels& labels,
                                                          const plugin::MountSpec& mount,
                                                          const Route& route) {
  LoopStalls& stalls = stalls_.emplace_back(service_->spec().name, "app at " + mount.prefix);
  return [this, &labels, &mount, &stalls, label = route.label,
          who = route.owner](const RequestPtr& request) {
    request->set_mount(labels, *label);
    if (takes_async(mount, *request, who)) {
      return answer_async(request, deps_, who, who, stalls,
                          [&mount](const bento_call* call, bento_done* done, bento_error* error) {
                            return mount.call_async(mount.app.self, call, done, error);
                          });
    }
    run_for(request, deps_, [request, &its_app = mount.app, &who] {
      answer_through_channel(*request, who, who, [&](const bento_call& call, bento_error* error) {
        return its_app.call(its_app.self, &call, error);
      });
    });
  };
}

bool ServiceRoutes::takes_async(const plugin::MountSpec& mount, RequestContext& request,
                                const std::string& who) {
  if (mount.call_async == nullptr || mount.takes_async == nullptr)
    return mount.call_async != nullptr;
  const PluginCallNote note = request.note(who);
  const CallScope scope(note);
  return mount.takes_async(mount.app.self, request.scope()) != 0;
}

}  // namespace bentohost::service
