// BentoML's FastAPI example: a typed API of the service, and a FastAPI program (fastapi_app.py)
// that calls the same runner from Python.
#include <bento/bento.hpp>
#include <cstdint>

#include "svm_model.h"

struct IrisFeatures {
  double sepal_len, sepal_width, petal_len, petal_width;
};
BENTO_FIELDS(IrisFeatures, sepal_len, sepal_width, petal_len, petal_width)

// As in samples/iris.
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
  svc.name("iris_fastapi_demo").version("1.0").doc("Irises, by an API and by FastAPI.");
  svc.option("model", "iris_fastapi.svm", "libsvm model file");

  auto iris = svc.runner<IrisClassifier>("iris_clf");
  auto predict = iris.method<&IrisClassifier::predict>(
      "predict", {.batchable = true,
                  .idempotent = true,
                  .max_batch = 100,
                  .input = bento::NDArray<double>({-1, 4}).sample({{4.9, 3.0, 1.4, 0.2}})});

  svc.api("predict_bentoml",
          {.doc = "The class of a flower: 0 setosa, 1 versicolor, 2 virginica.",
           .input = bento::FieldsIO<IrisFeatures>().sample({4.9, 3.0, 1.4, 0.2})},
          [=](bento::Context& ctx, const IrisFeatures& flower) {
            const bento::Tensor<double> row({1, 4}, {flower.sepal_len, flower.sepal_width,
                                                     flower.petal_len, flower.petal_width});
            return predict.run(ctx, row);
          });

  svc.mount_asgi("/", "fastapi_app:app");
}
