// What is a house worth? A linear model behind an API.
#include <bento/bento.hpp>
#include <chrono>
#include <cmath>
#include <fstream>
#include <thread>

// Lives in the runner's process: one instance in each worker.
struct PriceModel {
  explicit PriceModel(const bento::RunnerContext& rc) {
    const std::string path = rc.options().path("model");
    std::ifstream file(path);
    if (!(file >> base >> per_m2 >> per_room >> per_year)) {
      throw bento::Error(BENTO_INVALID_ARGUMENT, path + ": expected four numbers");
    }
    pause = std::chrono::milliseconds(rc.options().integer("pause_ms"));
  }

  // A row for each house: its area in square metres, number of rooms, and age in years.
  bento::Tensor<double> estimate(bento::TensorView<double> x) {
    std::this_thread::sleep_for(pause);  // as a large model would
    auto prices = bento::Tensor<double>::zeros({x.rows()});
    for (auto i : bento::rows(x)) {
      const double price = base + per_m2 * x(i, 0) + per_room * x(i, 1) + per_year * x(i, 2);
      prices(i) = 100 * std::round(price / 100);
    }
    return prices;
  }

  double base = 0, per_m2 = 0, per_room = 0, per_year = 0;
  std::chrono::milliseconds pause{0};
};

// How far a house is from the typical house of the training data, in standard deviations.
struct Outliers {
  bento::Tensor<double> distance(bento::TensorView<double> x) {
    static constexpr double kMean[] = {110, 4, 40}, kDeviation[] = {40, 1.5, 25};
    auto distances = bento::Tensor<double>::zeros({x.rows()});
    for (auto i : bento::rows(x)) {
      for (int j = 0; j < 3; ++j) {
        distances(i) = std::fmax(distances(i), std::fabs(x(i, j) - kMean[j]) / kDeviation[j]);
      }
    }
    return distances;
  }
};

struct House {
  double m2;
  int rooms, age;
};
BENTO_FIELDS(House, (m2, bento::above(0)), (rooms, bento::min(1)), (age, bento::min(0)))

struct Appraisal {
  double price;
  bool is_unusual;
};
BENTO_FIELDS(Appraisal, price, is_unusual)

bento::Tensor<double> row(const House& house) {
  return {{1, 3}, {house.m2, double(house.rooms), double(house.age)}};
}

BENTO_SERVICE(svc) {
  svc.name("houses").version("1.1").doc("What is a house worth?");
  svc.option("model", "houses.txt", "four numbers: a base price; and per square metre, room, year");
  svc.option("pause_ms", 0u, "how long each call of the model takes, to make batches visible");

  auto prices = svc.runner<PriceModel>("prices");
  auto estimate = prices.method<&PriceModel::estimate>(
      "estimate", {.batchable = true,
                   .idempotent = true,
                   .max_batch = 100,
                   .input = bento::NDArray<double>({-1, 3}).sample({{120, 4, 30}})});

  svc.api("estimate", estimate, {.doc = "The price of each house."});

  auto outliers = svc.runner<Outliers>("outliers");
  auto distance = outliers.method<&Outliers::distance>("distance", {.input = estimate.input()});

  svc.api("appraise", [=](bento::Context& ctx, const House& house) {
    auto price = estimate.async_run(ctx, row(house));  // both runners compute at once
    auto far = distance.async_run(ctx, row(house));
    return Appraisal{price.get()(0), far.get()(0) > 3};
  });
}
