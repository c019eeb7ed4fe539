#define BENTO_ABI_TARGET_MINOR 0
// says: bento::Work: engines need BENTO_ABI_TARGET_MINOR 1
#include <bento/bento.hpp>

struct Model {
  void begin(bento::Work<std::string, std::string>& work) { work.finish(); }
};

BENTO_SERVICE(svc) {
  svc.name("refused");
  svc.runner<Model>("model").engine<&Model::begin>("e");
}
