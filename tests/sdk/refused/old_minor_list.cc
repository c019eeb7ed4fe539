#define BENTO_ABI_TARGET_MINOR 0
// says: bento::Batch: lists need BENTO_ABI_TARGET_MINOR 1
#include <bento/bento.hpp>

struct Model {
  std::vector<std::string> list(bento::Batch<std::string> batch) { return {batch[0]}; }
};

BENTO_SERVICE(svc) {
  svc.name("refused");
  svc.runner<Model>("model").method<&Model::list>("e", {.batch = bento::kLists});
}
