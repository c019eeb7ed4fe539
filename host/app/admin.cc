#include "app/admin.h"

#include <chrono>
#include <string>
#include <string_view>
#include <utility>

#include "http/problem.h"
#include "json/json.h"

namespace bentohost::app {
namespace {

double milliseconds(Duration duration) {
  return std::chrono::duration<double, std::milli>(duration).count();
}

// `json` with the outcome's members added.
std::string with_outcome(std::string json, const std::string& service,
                         const reload::ReloadResult& outcome) {
  auto doc = *parse_json(json);
  auto& memory = doc.GetAllocator();
  doc.AddMember("service", rapidjson::Value(service, memory), memory);
  doc.AddMember("result", rapidjson::Value(outcome.result, memory), memory);
  if (!outcome.status.ok()) {
    doc.AddMember("step", rapidjson::Value(outcome.result, memory), memory);
  }
  doc.AddMember("generation", outcome.generation, memory);
  rapidjson::Value steps(rapidjson::kObjectType);
  for (const auto& [step, took] : outcome.progress.took()) {
    steps.AddMember(rapidjson::StringRef(reload::name_of(step)), milliseconds(took), memory);
  }
  doc.AddMember("took_ms", milliseconds(outcome.progress.total()), memory);
  doc.AddMember("steps_ms", steps, memory);
  return write_json(doc) + "\n";
}

void reload(const service::RequestPtr& request, reload::Reloader& reloader) {
  const bento_pairs params = request->scope()->path_params;
  const std::string service(to_view(params.ptr[0].value));
  const bool force = request->request().query == "force=true";
  reloader.request(service, force, [request, service](const reload::ReloadResult& outcome) {
    const int status = outcome.http_status();
    http::Response response = status == 200
                                  ? http::Response::json(200, "{}")
                                  : http::problem(status, outcome.status.message(),
                                                  request->request().path, request->request_id());
    response.body = with_outcome(std::move(response.body), service, outcome);
    request->answer(std::move(response));
  });
}

}  // namespace

void add_admin_pages(service::Dispatcher& dispatcher, reload::ServiceTable& services,
                     reload::Reloader& reloader) {
  dispatcher.add_admin("GET", "/plugins", [&services](const service::RequestPtr& request) {
    request->answer(http::Response::json(200, services.json()));
  });
  dispatcher.add_admin(
      "POST", "/plugins/{service}/reload",
      [&reloader](const service::RequestPtr& request) { reload(request, reloader); });
}

}  // namespace bentohost::app
