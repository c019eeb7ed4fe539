// What is a house worth? A linear model behind an API.
#include <bento/bento.hpp>
#include <fstream>

// Lives in the runner's process: one instance in each worker.
struct PriceModel {
  explicit PriceModel(const bento::RunnerContext& rc) {
    const std::string path = rc.options().path("model");
    std::ifstream file(path);
    if (!(file >> base >> per_m2 >> per_room >> per_year)) {
      throw bento::Error(BENTO_INVALID_ARGUMENT, path + ": expected four numbers");
    }
  }

  // A row for each house: its area in square metres, number of rooms, and age in years.
  bento::Tensor<double> estimate(bento::TensorView<double> x) {
    auto prices = bento::Tensor<double>::zeros({x.rows()});
    for (auto i : bento::rows(x)) {
      prices(i) = base + per_m2 * x(i, 0) + per_room * x(i, 1) + per_year * x(i, 2);
    }
    return prices;
  }

  double base = 0, per_m2 = 0, per_room = 0, per_year = 0;
};

BENTO_SERVICE(svc) {
  svc.name("houses").version("1.0").doc("What is a house worth?");
  svc.option("model", "houses.txt", "four numbers: a base price; and per square metre, room, year");

  auto prices = svc.runner<PriceModel>("prices");
  auto estimate = prices.method<&PriceModel::estimate>(
      "estimate", {.input = bento::NDArray<double>({-1, 3}).sample({{120, 4, 30}})});

  svc.api("estimate", estimate, {.doc = "The price of each house."});
}
