#include "plugin/description.h"

#include <algorithm>
#include <array>
#include <set>
#include <utility>

#include "http/route/route_template.h"
#include "http/route/router.h"
#include "plugin/check_struct.h"
#include "plugin/description_hash.h"
#include "plugin/engine_description.h"
#include "plugin/io_description.h"
#include "wire/frame.h"
#include "wire/value.h"

namespace bentohost::plugin {
namespace {

// BentoML's reserved words, for names and for the routes that they would get.
constexpr std::array<std::string_view, 7> kReserved = {"index",   "swagger", "docs",  "metrics",
                                                       "healthz", "livez",   "readyz"};

constexpr std::array<std::string_view, 5> kHttpMethods = {"GET", "POST", "PUT", "PATCH", "DELETE"};

// The flags that this host knows.
constexpr std::uint32_t kMethodFlags =
    BENTO_BATCHABLE | BENTO_IDEMPOTENT | BENTO_LISTS | BENTO_STREAMS;
constexpr std::uint32_t kRunnerFlags = 0;

constexpr std::size_t kMaxFiles = 1024;                   // that are watched
constexpr std::uint32_t kLongestBatchWaitUs = 1'000'000;  // beyond, it is surely a mistake

Status check_name(std::string_view what, std::string_view name) {
  if (is_identifier(name)) return {};
  return refuse(std::string(what) + " name \"" + std::string(name) +
                "\" is not an identifier (letters, digits and _, not beginning with a digit)");
}

std::string text(bento_str s) { return std::string(to_view(s)); }

// Any number of rows must fit, since a batch combines the rows of several callers.
Status check_batch_axis(const IoSpec& io, std::int32_t axis, const std::string& what) {
  if (io.any_shape) return {};
  const auto at = static_cast<std::size_t>(axis);
  if (at < io.shape.size() && io.shape[at] < 0) return {};
  return refuse(what + " has shape " + wire::shape_text(io.shape) + ", but its batch axis " +
                std::to_string(axis) + " must allow any extent: -1");
}

Status check_joined(const MethodSpec& spec, const std::string& what) {
  const auto is_tensor = [](const IoSpec& io) { return io.kind == BENTO_TENSOR; };
  if (!std::all_of(spec.ins.begin(), spec.ins.end(), is_tensor) ||
      !std::all_of(spec.outs.begin(), spec.outs.end(), is_tensor)) {
    return refuse(what +
                  " is batchable, but only tensors can be batched; with BENTO_LISTS the "
                  "values of its callers are passed side by side, and may be of any kind");
  }
  for (const IoSpec& in : spec.ins) {
    Status status = check_batch_axis(in, spec.axis_in, what + side_of("input", in));
    if (!status.ok()) return status;
  }
  for (const IoSpec& out : spec.outs) {
    Status status = check_batch_axis(out, spec.axis_out, what + side_of("output", out));
    if (!status.ok()) return status;
  }
  const bool has_rows = std::any_of(spec.ins.begin(), spec.ins.end(),
                                    [](const IoSpec& in) { return !in.is_optional; });
  if (has_rows) return {};
  return refuse(what +
                " is batchable, but all of its inputs are optional: a call without any "
                "would have no rows");
}

Status check_batching(const MethodSpec& spec, const std::string& what) {
  if (spec.axis_in < 0 || spec.axis_out < 0) return refuse(what + " has a negative batch axis");
  if (!spec.batchable) {
    if (spec.lists) return refuse(what + " has BENTO_LISTS, but not BENTO_BATCHABLE");
    if (spec.max_batch_wait_us == 0) return {};
    return refuse(what + " has max_batch_wait_us, but is not batchable");
  }
  const std::string wait = std::to_string(spec.max_batch_wait_us);
  if (spec.max_batch_wait_us > kLongestBatchWaitUs) {
    return refuse(what + " has a max_batch_wait_us of " + wait + "; at most " +
                  std::to_string(kLongestBatchWaitUs) + ", a second, can be waited");
  }
  if (spec.max_latency_ms != 0 && spec.max_batch_wait_us / 1000 >= spec.max_latency_ms) {
    return refuse(what + " has a max_batch_wait_us of " + wait + ", and drops calls after " +
                  std::to_string(spec.max_latency_ms) + " ms (max_latency_ms): none would be run");
  }
  if (!spec.lists) return check_joined(spec, what);
  const std::size_t values = std::max(spec.ins.size(), spec.outs.size());
  if (spec.max_batch <= wire::kMaxValues / values) return {};
  return refuse(what + " has a max_batch of " + std::to_string(spec.max_batch) +
                "; with BENTO_LISTS and " + std::to_string(values) +
                " values for each caller, the most is " +
                std::to_string(wire::kMaxValues / values));
}

Result<MethodSpec> describe_method(const bento_method* method, const std::string& runner) {
  if (Status status = check_size(method, "bento_method"); !status.ok()) return status;
  MethodSpec spec;
  spec.abi = method;
  spec.name = text(method->name);
  const std::string what = "method " + runner + "." + spec.name;
  if (Status status = check_name(what, spec.name); !status.ok()) return status;
  if (Status status = check_flags(method->flags, kMethodFlags, what); !status.ok()) return status;
  spec.batchable = (method->flags & BENTO_BATCHABLE) != 0;
  spec.idempotent = (method->flags & BENTO_IDEMPOTENT) != 0;
  spec.lists = (method->flags & BENTO_LISTS) != 0;
  if (Status status = describe_engine(*method, what, spec); !status.ok()) return status;
  spec.axis_in = method->axis_in;
  spec.axis_out = method->axis_out;
  spec.max_batch = method->max_batch != 0 ? method->max_batch : kDefaultMaxBatch;
  spec.max_latency_ms = method->max_latency_ms;
  spec.max_batch_wait_us = newer_field<&bento_method::max_batch_wait_us>(*method);
  auto ins = describe_ios(inputs_of(*method), what, "input");
  if (!ins.ok()) return std::move(ins).take_status();
  auto outs = describe_ios(outputs_of(*method), what, "output");
  if (!outs.ok()) return std::move(outs).take_status();
  spec.ins = *std::move(ins);
  spec.outs = *std::move(outs);
  if (Status status = check_batching(spec, what); !status.ok()) return status;
  return spec;
}

Result<RunnerSpec> describe_runner(const bento_runner* runner) {
  if (Status status = check_size(runner, "bento_runner"); !status.ok()) return status;
  RunnerSpec spec;
  spec.abi = runner;
  spec.name = text(runner->name);
  spec.resources = text(runner->resources);
  if (Status status = check_name("runner", spec.name); !status.ok()) return status;
  Status status = check_flags(runner->flags, kRunnerFlags, "runner " + spec.name);
  if (!status.ok()) return status;
  if (runner->create == nullptr || runner->destroy == nullptr) {
    return refuse("runner " + spec.name + " lacks create or destroy");
  }
  for (std::size_t i = 0; i < runner->n_methods; ++i) {
    auto method = describe_method(runner->methods[i], spec.name);
    if (!method.ok()) return std::move(method).take_status();
    if (spec.find_method((*method).name) >= 0) {
      return refuse("runner " + spec.name + " has two methods named " + (*method).name);
    }
    spec.methods.push_back(*std::move(method));
  }
  if (spec.methods.empty()) return refuse("runner " + spec.name + " has no methods");
  return spec;
}

Status describe_form(const bento_api& api, const std::string& what, ApiSpec& spec) {
  spec.runner = text(api.runner);
  spec.method = text(api.method);
  const bool has_invoke_async = BENTO_HAS(&api, invoke_async) && api.invoke_async != nullptr;
  const bool has_raw_async = BENTO_HAS(&api, raw_async) && api.raw_async != nullptr;
  const int invokes = (api.invoke != nullptr ? 1 : 0) + (has_invoke_async ? 1 : 0);
  const int raws = (api.raw != nullptr ? 1 : 0) + (has_raw_async ? 1 : 0);
  if (!spec.runner.empty() || !spec.method.empty()) {
    if (invokes + raws != 0 || spec.runner.empty() || spec.method.empty()) {
      return refuse(what + ": a direct API has runner and method, and neither invoke nor raw");
    }
    spec.form = ApiSpec::Form::kDirect;
  } else if (!inputs_of(api).are_given()) {
    if (raws == 0 || invokes != 0) {
      return refuse(what + ": without an input description it must have raw, and not invoke");
    }
    spec.form = ApiSpec::Form::kRaw;
  } else {
    if (invokes == 0 || raws != 0) {
      return refuse(what + ": with an input description it must have invoke, and not raw");
    }
    spec.form = ApiSpec::Form::kInvoke;
  }
  if (invokes + raws > 1) {
    return refuse(what + ": it must have " +
                  (raws == 0 ? "invoke or invoke_async" : "raw or raw_async") + ", not both");
  }
  spec.is_async = has_invoke_async || has_raw_async;
  return {};
}

// Sets the API's HTTP method.
Status describe_http_method(const bento_api& api, const std::string& what, ApiSpec& spec) {
  spec.http_method = api.http_method.len != 0 ? text(api.http_method) : "POST";
  if (std::find(kHttpMethods.begin(), kHttpMethods.end(), spec.http_method) != kHttpMethods.end()) {
    return {};
  }
  return refuse(what + ": the method \"" + spec.http_method +
                "\" is not one of GET, POST, PUT, PATCH and DELETE");
}

// RFC 9110 9.3.1: the body of a GET has no meaning, and clients send none.
Status check_body_of_get(const std::string& what, const ApiSpec& spec) {
  if (spec.http_method != "GET") return {};
  const IoSpec& in = spec.ins.front();
  if (are_named(spec.ins)) {
    return refuse(what + ": a GET has no body, and so no inputs by name; take another method");
  }
  if (in.kind == BENTO_BYTES && in.mime.empty()) return {};
  return refuse(what + ": a GET has no body, and so no input of descriptor \"" + in.descriptor +
                "\"" + (in.mime.empty() ? "" : " and type " + in.mime) +
                "; take text, or another method");
}

Result<ApiSpec> describe_api(const bento_api* api, const ServiceSpec& service) {
  if (Status status = check_size(api, "bento_api"); !status.ok()) return status;
  ApiSpec spec;
  spec.abi = api;
  spec.name = text(api->name);
  spec.doc = text(api->doc);
  const std::string what = "api " + spec.name;
  if (Status status = check_name("api", spec.name); !status.ok()) return status;
  spec.route = http::with_leading_slash(api->route.len != 0 ? text(api->route) : spec.name);
  if (Status status = http::check_route(spec.route); !status.ok()) {
    return refuse(what + ": " + status.message());
  }
  for (const std::string_view word :
       {std::string_view(spec.name), std::string_view(spec.route).substr(1)}) {
    if (is_reserved(word)) {
      return refuse(what + ": " + std::string(word) + " is a reserved name; give it another");
    }
  }
  spec.max_body = api->max_body;
  if (Status status = describe_http_method(*api, what, spec); !status.ok()) return status;
  if (Status status = describe_form(*api, what, spec); !status.ok()) return status;
  if (Status status = check_flags(api->flags, BENTO_API_QUICK, what); !status.ok()) return status;
  spec.is_quick = (api->flags & BENTO_API_QUICK) != 0;
  if (spec.is_quick && spec.form != ApiSpec::Form::kInvoke) {
    return refuse(what + ": only a handler of whole values can be quick");
  }
  if (spec.is_quick && spec.is_async) {
    return refuse(what +
                  ": an asynchronous handler is called on the loop anyway, and is not quick");
  }
  spec.stream = newer_field<&bento_api::stream>(*api);
  if (spec.form == ApiSpec::Form::kRaw) {
    if (Status status = check_stream(what, spec, nullptr); !status.ok()) return status;
    return spec;
  }

  const MethodSpec* method = nullptr;
  if (spec.form == ApiSpec::Form::kDirect) {
    const RunnerSpec* runner = service.find_runner(spec.runner);
    const int index = runner == nullptr ? -1 : runner->find_method(spec.method);
    if (index < 0)
      return refuse(what + ": there is no runner method " + spec.runner + "." + spec.method);
    method = &runner->methods[static_cast<std::size_t>(index)];
  }
  // A direct API may leave its descriptions to the method.
  for (const auto& [given, of_method, target, side] :
       {std::tuple{inputs_of(*api), method ? &method->ins : nullptr, &spec.ins, "input"},
        std::tuple{outputs_of(*api), method ? &method->outs : nullptr, &spec.outs, "output"}}) {
    if (!given.are_given() && of_method != nullptr) {
      *target = *of_method;
      continue;
    }
    auto ios = describe_ios(given, what, side);
    if (!ios.ok()) return std::move(ios).take_status();
    *target = *std::move(ios);
    if (of_method == nullptr) continue;
    const std::string name = spec.runner + "." + spec.method;
    if (Status status = match_to_method(*target, *of_method, what, side, name); !status.ok()) {
      return status;
    }
  }
  if (Status status = check_stream(what, spec, method); !status.ok()) return status;
  if (Status status = check_body_of_get(what, spec); !status.ok()) return status;
  return spec;
}

// Refuses an API whose method and route are taken. To the router, templates of the same shape are
// the same route.
Status check_route_is_free(http::Router<std::size_t>& router, const ApiSpec& api,
                           const std::vector<ApiSpec>& apis) {
  Status status = router.add(api.http_method, api.route, apis.size());
  if (status.code() != BENTO_FAILED_PRECONDITION) return status;
  const auto taken = router.find(api.http_method, api.route);  // a template matches itself
  const ApiSpec& owner = apis[*taken.target];
  const std::string what = "api " + api.name + ": route " + api.route;
  if (owner.route == api.route) return refuse(what + " is also that of api " + owner.name);
  return refuse(what + " has the shape of " + owner.route + " of api " + owner.name +
                ": no path could tell them apart");
}

Status describe_apis(const bento_service& service, ServiceSpec& spec) {
  std::set<std::string> names;
  http::Router<std::size_t> router;
  for (std::size_t i = 0; i < service.n_apis; ++i) {
    auto api = describe_api(service.apis[i], spec);
    if (!api.ok()) return std::move(api).take_status();
    if (!names.insert((*api).name).second) return refuse("two apis are named " + (*api).name);
    if (Status status = check_route_is_free(router, *api, spec.apis); !status.ok()) return status;
    spec.apis.push_back(*std::move(api));
  }
  return {};
}

Status describe_middleware(const bento_service& service, ServiceSpec& spec) {
  for (std::size_t i = 0; i < service.n_middleware; ++i) {
    const bento_middleware* middleware = service.middleware[i];
    if (Status status = check_size(middleware, "bento_middleware"); !status.ok()) return status;
    const std::string name = text(middleware->name);
    if (Status status = check_name("middleware", name); !status.ok()) return status;
    const bool has_hooks = middleware->on_request != nullptr ||
                           middleware->on_response != nullptr || middleware->on_body != nullptr ||
                           middleware->on_end != nullptr;
    if (has_hooks == (middleware->around != nullptr)) {
      return refuse("middleware " + name + ": it must have either around or hooks, not both");
    }
    spec.middleware.push_back({name, middleware});
  }
  return {};
}

Status describe_mounts(const bento_service& service, ServiceSpec& spec) {
  for (std::size_t i = 0; i < service.n_mounts; ++i) {
    auto mount = describe_mount(service.mounts[i], spec.options_schema);
    if (!mount.ok()) return std::move(mount).take_status();
    for (const MountSpec& other : spec.mounts) {
      if (other.prefix == mount->prefix) return refuse("two mounts are at " + other.prefix);
    }
    spec.mounts.push_back(*std::move(mount));
  }
  return {};
}

Status describe_files(const bento_service& service, ServiceSpec& spec) {
  const bento_str* files = newer_field<&bento_service::files>(service);
  const std::size_t count = newer_field<&bento_service::n_files>(service);
  if (count > kMaxFiles) {
    return refuse("it is made from " + std::to_string(count) + " files; " +
                  std::to_string(kMaxFiles) + " at most can be watched");
  }
  for (std::size_t i = 0; i < count; ++i) {
    std::string path = text(files[i]);
    if (!path.starts_with('/') || path.find('\0') != std::string::npos) {
      return refuse("the file \"" + path + "\", to be watched, is not an absolute path");
    }
    spec.files.push_back(std::move(path));
  }
  return {};
}

}  // namespace

// A Python-like identifier, which BentoML demands of service, API and runner names.
bool is_identifier(std::string_view name) {
  const auto word = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
  };
  return !name.empty() && name.size() <= 128 && !(name[0] >= '0' && name[0] <= '9') &&
         std::all_of(name.begin(), name.end(), word);
}

bool is_reserved(std::string_view word) {
  return std::find(kReserved.begin(), kReserved.end(), word) != kReserved.end();
}

int RunnerSpec::find_method(std::string_view method) const {
  for (std::size_t i = 0; i < methods.size(); ++i) {
    if (methods[i].name == method) return static_cast<int>(i);
  }
  return -1;
}

const RunnerSpec* ServiceSpec::find_runner(std::string_view runner) const {
  for (const RunnerSpec& candidate : runners) {
    if (candidate.name == runner) return &candidate;
  }
  return nullptr;
}

Result<ServiceSpec> describe(const bento_service* service) {
  if (Status status = check_size(service, "bento_service"); !status.ok()) return status;
  ServiceSpec spec;
  spec.abi = service;
  spec.name = text(service->name);
  spec.version = text(service->version);
  spec.doc = text(service->doc);
  spec.options_schema = text(service->options_schema);
  if (Status status = check_name("service", spec.name); !status.ok()) return status;
  const auto of_service = [&](Status status) {
    return std::move(status).prefixed("service " + spec.name + ": ");
  };
  if (!spec.options_schema.empty()) {
    auto schema = JsonSchema::compile(spec.options_schema);
    if (!schema.ok()) return of_service(refuse("bad options schema: " + schema.status().message()));
  }
  for (std::size_t i = 0; i < service->n_runners; ++i) {
    auto runner = describe_runner(service->runners[i]);
    if (!runner.ok()) return of_service(std::move(runner).take_status());
    if (spec.find_runner((*runner).name) != nullptr) {
      return of_service(refuse("two runners are named " + (*runner).name));
    }
    spec.runners.push_back(*std::move(runner));
  }
  if (Status status = describe_apis(*service, spec); !status.ok())
    return of_service(std::move(status));
  if (Status status = describe_mounts(*service, spec); !status.ok())
    return of_service(std::move(status));
  if (Status status = describe_middleware(*service, spec); !status.ok())
    return of_service(std::move(status));
  if (Status status = describe_files(*service, spec); !status.ok())
    return of_service(std::move(status));
  spec.hash = description_hash(*service);
  return spec;
}

}  // namespace bentohost::plugin
