// Trains iris.svm from iris.csv, as scikit-learn's SVC(gamma="scale") does: C-SVC, RBF kernel, C =
// 1, tolerance 0.001, and gamma = 1 / (number of features * variance of all feature values), see
// "gamma" at https://scikit-learn.org/stable/modules/generated/sklearn.svm.SVC.html. Run at build
// time:
//   iris_train iris.csv iris.svm
#include <libsvm/svm.h>

#include <array>
#include <cstdio>
#include <fstream>
#include <iostream>
#include <sstream>
#include <string>
#include <vector>

namespace {

constexpr std::size_t kFeatures = 4;
const std::array<std::string, 3> kClasses = {"setosa", "versicolor", "virginica"};

struct Flower {
  std::array<double, kFeatures> features;
  double label;
};

// sepal_len,sepal_width,petal_len,petal_width,species
std::vector<Flower> read_csv(const char* path) {
  std::ifstream file(path);
  std::string line, cell;
  std::getline(file, line);  // the header
  std::vector<Flower> flowers;
  while (std::getline(file, line)) {
    std::istringstream cells(line);
    Flower flower{};
    for (double& feature : flower.features) {
      std::getline(cells, cell, ',');
      feature = std::stod(cell);
    }
    std::getline(cells, cell);
    while (kClasses.at(static_cast<std::size_t>(flower.label)) != cell) ++flower.label;
    flowers.push_back(flower);
  }
  return flowers;
}

double variance(const std::vector<Flower>& flowers) {
  double sum = 0, squares = 0;
  for (const Flower& flower : flowers) {
    for (const double x : flower.features) {
      sum += x;
      squares += x * x;
    }
  }
  const double n = static_cast<double>(flowers.size() * kFeatures);
  return squares / n - (sum / n) * (sum / n);
}

}  // namespace

int main(int argc, char** argv) try {
  if (argc != 3) {
    std::cerr << "usage: iris_train iris.csv iris.svm\n";
    return 2;
  }
  const std::vector<Flower> flowers = read_csv(argv[1]);

  std::vector<std::array<svm_node, kFeatures + 1>> rows(flowers.size());
  std::vector<svm_node*> x;
  std::vector<double> y;
  for (std::size_t i = 0; i < flowers.size(); ++i) {
    for (std::size_t j = 0; j < kFeatures; ++j)
      rows[i][j] = {static_cast<int>(j + 1), flowers[i].features[j]};
    rows[i][kFeatures] = {-1, 0};
    x.push_back(rows[i].data());
    y.push_back(flowers[i].label);
  }

  svm_problem problem{};
  problem.l = static_cast<int>(flowers.size());
  problem.x = x.data();
  problem.y = y.data();
  svm_parameter parameter{};
  parameter.svm_type = C_SVC;
  parameter.kernel_type = RBF;
  parameter.gamma = 1.0 / (kFeatures * variance(flowers));
  parameter.C = 1;
  parameter.eps = 1e-3;
  parameter.cache_size = 100;  // MB
  parameter.shrinking = 1;
  if (const char* wrong = svm_check_parameter(&problem, &parameter)) {
    std::cerr << "iris_train: " << wrong << '\n';
    return 1;
  }
  svm_set_print_string_function([](const char*) {});
  svm_model* model = svm_train(&problem, &parameter);
  const int failed = svm_save_model(argv[2], model);
  svm_free_and_destroy_model(&model);
  if (failed != 0) std::cerr << "iris_train: cannot write " << argv[2] << '\n';
  return failed == 0 ? 0 : 1;
} catch (const std::exception& e) {
  std::cerr << "iris_train: " << argv[1] << ": " << e.what() << '\n';
  return 1;
}
