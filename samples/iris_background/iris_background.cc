// BentoML's background tasks: the client gets its response at once, and callbacks are sent later.
#include <bento/bento.hpp>
#include <bento/http_client.hpp>
#include <chrono>
#include <string>
#include <utility>
#include <vector>

#include "svm_model.h"

using Classes = bento::Tensor<std::int64_t>;

struct IrisClassifier {
  explicit IrisClassifier(const bento::RunnerContext& rc) : model(rc.options().path("model")) {}

  Classes predict(bento::TensorView<double> x) {
    auto classes = Classes::zeros({x.rows()});
    for (auto i : bento::rows(x)) classes(i) = model.classify(x.row(i));
    return classes;
  }
  SvmModel model;
};

// {"classes":[0,2]}
std::string to_json(bento::TensorView<std::int64_t> classes) {
  std::string json = R"({"classes":[)";
  for (auto i : bento::rows(classes)) {
    if (i > 0) json += ',';
    json += std::to_string(classes(i));
  }
  return json + "]}";
}

// An exception goes to the log, and the request's remaining tasks are dropped.
void send_result(bento::Context& ctx, const std::string& json, const std::string& url) {
  const bento::HttpClient client{
      {.connect_timeout = std::chrono::milliseconds(ctx.options().integer("connect_timeout_ms")),
       .timeout = std::chrono::milliseconds(ctx.options().integer("timeout_ms")),
       .headers = {{"X-Request-Id", std::string(ctx.request_id())}}}};
  client.post_json(url, json).check();
}

BENTO_SERVICE(svc) {
  svc.name("iris_background").version("1.0").doc("Which iris is it? And who else wants to know?");
  svc.option("model", "iris.svm", "libsvm model file of the iris sample");
  svc.option("callback_url", "http://127.0.0.1:8000/", "for classify_with_task");
  svc.option("callback_urls", std::vector<std::string>(), "for classify_with_multi_tasks");
  svc.option("connect_timeout_ms", 1000u, "how long a callback's connection may take");
  svc.option("timeout_ms", 5000u, "how long a callback may take to answer");

  auto iris = svc.runner<IrisClassifier>("iris_clf");
  auto predict = iris.method<&IrisClassifier::predict>(
      "predict", {.batchable = true,
                  .idempotent = true,
                  .input = bento::NDArray<double>({-1, 4}).sample({{4.9, 3.0, 1.4, 0.2}})});

  // One task: it runs when the response has been sent. The handlers are coroutines: they hold no
  // thread while the runner computes. Tasks have threads, on which they may wait.
  svc.api("classify_with_task", {.input = predict.input()},
          [=](bento::Context& ctx,
              bento::TensorView<double> x) -> bento::Async<bento::TaskResponse<Classes>> {
            const Classes classes = co_await predict.async_run(ctx, x);
            co_return bento::TaskResponse{classes, [json = to_json(classes)](bento::Context& task) {
                                            send_result(task, json,
                                                        task.options().text("callback_url"));
                                          }};
          });

  // Several tasks, which run in this order.
  svc.api(
      "classify_with_multi_tasks", {.input = predict.input()},
      [=](bento::Context& ctx,
          bento::TensorView<double> x) -> bento::Async<bento::TaskResponse<bento::Json>> {
        const std::string json = to_json(co_await predict.async_run(ctx, x));
        bento::BackgroundTasks tasks;
        for (auto& url : ctx.options().strings("callback_urls")) {
          tasks.add_task(send_result, json, url);
        }
        co_return bento::TaskResponse{bento::Json{R"({"message":"success"})"}, std::move(tasks)};
      });
}
