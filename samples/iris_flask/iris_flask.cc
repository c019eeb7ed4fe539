// BentoML's Flask example: an API of the service, and a Flask program (flask_app.py) that calls the
// same runner from Python.
#include <bento/bento.hpp>
#include <cstdint>

#include "svm_model.h"

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
  svc.name("iris_flask_demo").version("1.0").doc("Irises, by an API and by Flask.");
  svc.option("model", "iris_flask.svm", "libsvm model file");

  auto iris = svc.runner<IrisClassifier>("iris_clf");
  auto predict = iris.method<&IrisClassifier::predict>(
      "predict", {.batchable = true,
                  .idempotent = true,
                  .max_batch = 100,
                  .input = bento::NDArray<double>({-1, 4}).sample({{4.9, 3.0, 1.4, 0.2}})});

  svc.api("predict_bentoml", predict,
          {.doc = "The class of each flower: 0 setosa, 1 versicolor, 2 virginica."});

  svc.mount_wsgi("/", "flask_app:app");
}
