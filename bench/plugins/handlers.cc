// The iris sample's model behind an API in each form: direct, a coroutine, one that makes two calls
// at once, and a handler on a thread.
#include <bento/bento.hpp>

#include "svm_model.h"

using Rows = bento::TensorView<double>;
using Classes = bento::Tensor<std::int64_t>;

struct IrisClassifier {
  explicit IrisClassifier(const bento::RunnerContext& rc) : model(rc.options().path("model")) {}

  Classes predict(Rows x) {
    auto classes = Classes::zeros({x.rows()});
    for (auto i : bento::rows(x)) classes(i) = model.classify(x.row(i));
    return classes;
  }
  SvmModel model;
};

BENTO_SERVICE(svc) {
  svc.name("handlers").version("1.0");
  svc.option("model", "iris.svm", "the iris sample's model");
  auto iris = svc.runner<IrisClassifier>("iris_clf");
  auto predict = iris.method<&IrisClassifier::predict>(
      "predict", {.batchable = true, .idempotent = true, .input = bento::NDArray<double>({-1, 4})});

  svc.api("direct", predict);
  svc.api("coroutine", {.input = predict.input()},
          [=](bento::Context& ctx, Rows x) -> bento::Async<Classes> {
            co_return co_await predict.async_run(ctx, x);
          });
  svc.api("two_calls", {.input = predict.input()},
          [=](bento::Context& ctx, Rows x) -> bento::Async<Classes> {
            auto one = predict.async_run(ctx, x);
            auto other = predict.async_run(ctx, x);
            (void)co_await other;
            co_return co_await one;
          });
  svc.api("thread", {.input = predict.input()},
          [=](bento::Context& ctx, Rows x) { return predict.run(ctx, x); });
}
