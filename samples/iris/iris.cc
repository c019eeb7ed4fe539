// Which iris is it? BentoML's first example: an SVC behind an API.
#include <bento/bento.hpp>

#include "svm_model.h"

// Lives in the runner process: one instance per worker; rows from many callers arrive in one call.
struct IrisClassifier {
  explicit IrisClassifier(const bento::RunnerContext& rc) : model(rc.options().path("model")) {}

  bento::Tensor<std::int64_t> predict(bento::TensorView<double> x) {  // (n, 4) -> (n)
    auto classes = bento::Tensor<std::int64_t>::zeros({x.rows()});
    for (auto i : bento::rows(x)) classes(i) = model.classify(x.row(i));
    return classes;
  }
  SvmModel model;
};

BENTO_SERVICE(svc) {
  svc.name("iris_classifier").version("1.0").doc("Which iris is it?");
  svc.option("model", "iris.svm", "libsvm model file; train.cc makes it from iris.csv");

  auto iris = svc.runner<IrisClassifier>("iris_clf");
  auto predict = iris.method<&IrisClassifier::predict>(
      "predict", {.batchable = true,
                  .idempotent = true,
                  .max_batch = 100,
                  .input = bento::NDArray<double>({-1, 4}).sample({{4.9, 3.0, 1.4, 0.2}})});

  // Answered by the host with the runner's result: no code of this file runs in the request's path.
  svc.api("classify", predict,
          {.doc = "The class of each flower: 0 setosa, 1 versicolor, 2 virginica."});

  // The same through a handler, at a route of its own: a coroutine, which holds no thread
  // meanwhile.
  svc.api("any_name", {.route = "/v1/models/iris_classifier/predict", .input = predict.input()},
          [=](bento::Context& ctx,
              bento::TensorView<double> x) -> bento::Async<bento::Tensor<std::int64_t>> {
            co_return co_await predict.async_run(ctx, x);
          });
}
