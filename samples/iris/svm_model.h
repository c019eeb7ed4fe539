// SvmModel: a libsvm classifier, loaded from the file that train.cc writes. One thread at a time.
#pragma once

#include <libsvm/svm.h>

#include <array>
#include <bento/error.hpp>
#include <cstdint>
#include <memory>
#include <span>
#include <string>

class SvmModel {
 public:
  explicit SvmModel(const std::string& path) : model_(svm_load_model(path.c_str())) {
    if (model_ == nullptr)
      throw bento::Error(BENTO_NOT_FOUND, path + ": not a libsvm model file, or not there");
  }

  std::int64_t classify(std::span<const double> features) const {
    // libsvm takes sparse rows: index from 1, value, and -1 at the end.
    std::array<svm_node, 5> row;
    for (std::size_t i = 0; i < 4; ++i) row[i] = {static_cast<int>(i + 1), features[i]};
    row[4] = {-1, 0};
    return static_cast<std::int64_t>(svm_predict(model_.get(), row.data()));
  }

 private:
  struct Free {
    void operator()(svm_model* model) const { svm_free_and_destroy_model(&model); }
  };
  std::unique_ptr<svm_model, Free> model_;
};
