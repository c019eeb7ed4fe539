// A linear classifier whose inputs and labels are those in the file of its weights.
#include <bento/bento.hpp>
#include <fstream>
#include <sstream>

struct Weights {
  std::vector<std::string> inputs, labels;
  std::vector<std::vector<double>> rows;  // for each label: a bias, and a weight for each input
};
BENTO_FIELDS(Weights, inputs, labels)

// As configure has read it, in the serving process and in the runner's: each generation of each
// service has variables of its own.
static Weights weights;

Weights read_weights(const std::string& path) {
  Weights read;
  std::ifstream file(path);
  std::string line, word;
  for (int number = 1; std::getline(file, line); ++number) {
    std::istringstream words(line);
    if (!(words >> word) || word[0] == '#') continue;
    if (read.inputs.empty() && word == "inputs") {
      while (words >> word) read.inputs.push_back(word);
      continue;
    }
    std::vector<double> row;
    for (double weight; words >> weight;) row.push_back(weight);
    if (!words.eof() || row.size() != read.inputs.size() + 1) {
      throw bento::Error(BENTO_INVALID_ARGUMENT,
                         path + ", line " + std::to_string(number) + ": expected " + word +
                             ", its bias, and " + std::to_string(read.inputs.size()) + " weights");
    }
    read.labels.push_back(word);
    read.rows.push_back(row);
  }
  if (!read.labels.empty()) return read;
  throw bento::Error(BENTO_INVALID_ARGUMENT, path + ": no such file, or no weights in it");
}

struct Model {
  bento::Tensor<double> scores(bento::TensorView<double> x) {
    const std::size_t labels = weights.labels.size(), inputs = weights.inputs.size();
    auto out = bento::Tensor<double>::zeros({x.rows(), std::int64_t(labels)});
    for (auto i : bento::rows(x)) {
      for (std::size_t label = 0; label < labels; ++label) {
        double& score = out(i, label) = weights.rows[label][0];
        for (std::size_t j = 0; j < inputs; ++j) score += weights.rows[label][j + 1] * x(i, j);
      }
    }
    return out;
  }
};

BENTO_SERVICE(svc) {
  svc.name("linear").version("1.0").doc("A linear classifier");
  svc.option("model", "linear_iris.txt", "the file of the weights: see its first lines");
  svc.configure([](bento::Service& service, const bento::Options& options) {
    weights = read_weights(service.watched(options.path("model")));
    const auto inputs = std::int64_t(weights.inputs.size());
    const auto labels = std::int64_t(weights.labels.size());
    auto scores = service.runner<Model>("model").method<&Model::scores>(
        "scores", {.batchable = true,
                   .idempotent = true,
                   .input = bento::NDArray<double>({-1, inputs}),
                   .output = bento::NDArray<double>({-1, labels})});
    service.api("scores", scores, {.doc = "The score of each label, for each row of inputs."});
    service.api("classify", {.doc = "The best label of each row.", .input = scores.input()},
                [scores](bento::Context& ctx, bento::TensorView<double> x) {
                  const auto all = scores.run(ctx, x);
                  std::string text;
                  for (auto i : bento::rows(all)) {
                    std::size_t best = 0;
                    for (std::size_t j = 1; j < weights.labels.size(); ++j) {
                      if (all(i, j) > all(i, best)) best = j;
                    }
                    text += weights.labels[best] + "\n";
                  }
                  return text;
                });
    service.api("model", {.method = "GET", .doc = "The names of inputs and labels.", .quick = true},
                [](bento::Context&) { return weights; });
  });
}
