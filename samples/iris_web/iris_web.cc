// BentoML's FastAPI example in C++: an API that takes a struct, and a web app beside it, with a
// form, a live page, and JSON of its own.
#include <algorithm>
#include <bento/bento.hpp>
#include <chrono>
#include <cstdint>
#include <random>
#include <string>
#include <thread>

#include "pages.h"
#include "svm_model.h"

using namespace std::chrono_literals;

struct IrisFeatures {
  double sepal_len, sepal_width, petal_len, petal_width;
};
BENTO_FIELDS(IrisFeatures, (sepal_len, bento::min(0)), (sepal_width, bento::min(0)),
             (petal_len, bento::min(0)), (petal_width, bento::min(0)))

enum class Species : std::int64_t { setosa, versicolor, virginica };
BENTO_ENUM(Species, setosa, versicolor, virginica)

struct Prediction {
  Species species;
};
BENTO_FIELDS(Prediction, species)

struct Sighting {
  IrisFeatures flower;
  Species species;
};
BENTO_FIELDS(Sighting, flower, species)

struct Metadata {
  std::string name, version;
};
BENTO_FIELDS(Metadata, name, version)

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

bento::Tensor<double> row(const IrisFeatures& flower) {
  return {{1, 4}, {flower.sepal_len, flower.sepal_width, flower.petal_len, flower.petal_width}};
}

Species species(const bento::Tensor<std::int64_t>& classes) {
  return static_cast<Species>(classes(0));
}

// A flower as it might grow: anything between a small setosa and a large virginica.
IrisFeatures grow_flower(std::mt19937& random) {
  const double size = std::uniform_real_distribution<>(0, 1)(random);
  std::normal_distribution<> noise(0, 0.15);
  return {4.8 + 2 * size + noise(random), 3.3 - 0.3 * size + noise(random),
          1.3 + 4.5 * size + noise(random), std::max(0.1, 0.2 + 1.9 * size + noise(random))};
}

BENTO_SERVICE(svc) {
  svc.name("iris_web").version("1.0").doc("Irises, by an API and on the web.");
  svc.option("model", "iris_web.svm", "libsvm model file");

  auto iris = svc.runner<IrisClassifier>("iris_clf");
  auto predict = iris.method<&IrisClassifier::predict>(
      "predict", {.batchable = true,
                  .idempotent = true,
                  .max_batch = 100,
                  .input = bento::NDArray<double>({-1, 4}).sample({{4.9, 3.0, 1.4, 0.2}})});

  // curl -d '{"sepal_len": 4.9, "sepal_width": 3, "petal_len": 1.4, "petal_width": 0.2}'
  // .../predict
  svc.api("predict", {.input = bento::FieldsIO<IrisFeatures>().sample({4.9, 3.0, 1.4, 0.2})},
          [=](bento::Context& ctx, const IrisFeatures& flower) {
            return Prediction{species(predict.run(ctx, row(flower)))};
          });

  bento::Router app;
  app.get("/metadata", [] { return Metadata{"iris_clf", "1.0"}; });
  app.post("/predict_app", [=](bento::Context& ctx, const IrisFeatures& flower) {
    return Prediction{species(predict.run(ctx, row(flower)))};
  });
  app.post("/predict_app_async", [=](bento::Context& ctx, const IrisFeatures& flower) {
    auto classes = predict.async_run(ctx, row(flower));  // does not wait for the result
    return Prediction{species(classes.get())};
  });

  app.get("/", [] { return bento::Html{kFormPage}; });
  app.get("/live", [] { return bento::Html{kLivePage}; });
  app.files("/static", "iris_web_static");

  // Runner calls of a stream keep its request's deadline, so it must end; browsers then reconnect.
  app.get("/flowers", [=](bento::Context& ctx, bento::EventStream& out) {
    std::mt19937 random(std::random_device{}());
    for (int i = 0; i < 100 && !ctx.cancelled(); ++i) {
      const IrisFeatures flower = grow_flower(random);
      const Sighting sighting{flower, species(predict.run(ctx, row(flower)))};
      out.send({.data = bento::to_json(sighting), .event = "flower", .retry = 200ms});
      std::this_thread::sleep_for(200ms);
    }
  });
  svc.mount("/", std::move(app));
}
