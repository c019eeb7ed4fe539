#include "runner_rpc/directory.h"

#include <rapidjson/stringbuffer.h>
#include <rapidjson/writer.h>

#include <string_view>
#include <utility>
#include <vector>

namespace bentohost::runner_rpc {
namespace {

using Writer = rapidjson::Writer<rapidjson::StringBuffer>;

void put(Writer& out, const char* key, std::string_view text) {
  out.Key(key);
  out.String(text.data(), static_cast<rapidjson::SizeType>(text.size()));
}

void put(Writer& out, const char* key, const plugin::IoSpec& io) {
  if (key != nullptr) out.Key(key);
  out.StartObject();
  if (!io.name.empty()) {
    put(out, "name", io.name);
    out.Key("optional");
    out.Bool(io.is_optional);
  }
  const bool is_tensor = io.kind == BENTO_TENSOR;
  put(out, "kind", is_tensor ? "tensor" : io.kind == BENTO_JSON ? "json" : "bytes");
  put(out, "descriptor", io.descriptor);
  if (is_tensor) {
    put(out, "dtype", wire::dtype_name(io.dtype));
    out.Key("shape");
    if (io.any_shape) {
      out.Null();
    } else {
      out.StartArray();
      for (const std::int64_t extent : io.shape) out.Int64(extent);
      out.EndArray();
    }
  } else if (!io.mime.empty()) {
    put(out, "mime", io.mime);
  }
  out.EndObject();
}

// One as an object, several by name as a list.
void put(Writer& out, const char* one, const char* several,
         const std::vector<plugin::IoSpec>& ios) {
  if (!plugin::are_named(ios)) return put(out, one, ios.front());
  out.Key(several);
  out.StartArray();
  for (const plugin::IoSpec& io : ios) put(out, nullptr, io);
  out.EndArray();
}

void put(Writer& out, const plugin::MethodSpec& method) {
  out.StartObject();
  put(out, "name", method.name);
  out.Key("batchable");
  out.Bool(method.batchable);
  out.Key("lists");
  out.Bool(method.lists);
  out.Key("idempotent");
  out.Bool(method.idempotent);
  out.Key("max_batch");
  out.Uint(method.max_batch);
  put(out, "input", "inputs", method.ins);
  put(out, "output", "outputs", method.outs);
  out.EndObject();
}

void put(Writer& out, const plugin::ServiceSpec& service) {
  out.StartObject();
  put(out, "name", service.name);
  put(out, "version", service.version);
  put(out, "doc", service.doc);
  out.Key("runners");
  out.StartArray();
  for (const plugin::RunnerSpec& runner : service.runners) {
    out.StartObject();
    put(out, "name", runner.name);
    out.Key("methods");
    out.StartArray();
    for (const plugin::MethodSpec& method : runner.methods) put(out, method);
    out.EndArray();
    out.EndObject();
  }
  out.EndArray();
  out.EndObject();
}

std::string quoted(std::string_view name) { return "\"" + std::string(name) + "\""; }

// "there is no runner "x"; here is iris_classifier.iris_clf".
Status not_found(const service::RoutingSnapshot& snapshot, std::string message) {
  std::string all;
  for (const service::ServiceRoutesPtr& routes : snapshot.services()) {
    const plugin::ServiceSpec& spec = routes->service().spec();
    for (const plugin::RunnerSpec& runner : spec.runners) {
      all += (all.empty() ? "" : ", ") + spec.name + "." + runner.name;
    }
  }
  return Status(BENTO_NOT_FOUND,
                std::move(message) + "; here is " + (all.empty() ? "no runner" : all));
}

}  // namespace

Result<Resolved> resolve(const service::RoutingSnapshot& snapshot, const wire::CallTarget& call) {
  service::ServiceRoutesPtr found;
  for (const service::ServiceRoutesPtr& routes : snapshot.services()) {
    const plugin::ServiceSpec& spec = routes->service().spec();
    if (!call.service.empty() && spec.name != call.service) continue;
    if (spec.find_runner(call.runner) == nullptr) {
      if (call.service.empty()) continue;
      return not_found(snapshot,
                       "service " + quoted(call.service) + " has no runner " + quoted(call.runner));
    }
    if (found != nullptr) {
      return Status(BENTO_INVALID_ARGUMENT, "services " + quoted(found->service().spec().name) +
                                                " and " + quoted(spec.name) +
                                                " both have a runner " + quoted(call.runner) +
                                                "; name the service, too");
    }
    found = routes;
  }
  if (found == nullptr) {
    return not_found(snapshot, call.service.empty()
                                   ? "there is no runner " + quoted(call.runner)
                                   : "there is no service " + quoted(call.service));
  }
  auto target = found->service().runners().find(call.runner, call.method);
  if (!target.ok()) return std::move(target).take_status();
  return Resolved{std::move(found), *target};
}

std::string listing(const service::RoutingSnapshot& snapshot) {
  rapidjson::StringBuffer text;
  Writer out(text);
  out.StartObject();
  out.Key("services");
  out.StartArray();
  for (const service::ServiceRoutesPtr& routes : snapshot.services()) {
    put(out, routes->service().spec());
  }
  out.EndArray();
  out.EndObject();
  return {text.GetString(), text.GetSize()};
}

}  // namespace bentohost::runner_rpc
