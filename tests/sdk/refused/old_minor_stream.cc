#define BENTO_ABI_TARGET_MINOR 0
// says: bento::Emit: streaming methods need BENTO_ABI_TARGET_MINOR 1
#include <bento/bento.hpp>

struct Model {
  void spell(std::string_view text, bento::Emit<std::string>& emit) { emit(std::string(text)); }
};

BENTO_SERVICE(svc) {
  svc.name("refused");
  svc.runner<Model>("model").stream<&Model::spell>("e");
}
