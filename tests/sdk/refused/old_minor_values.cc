#define BENTO_ABI_TARGET_MINOR 0
// says: BENTO_VALUES: several values need BENTO_ABI_TARGET_MINOR 1
#include <bento/bento.hpp>

struct Pair {
  bento::Tensor<double> a, b;
};
BENTO_VALUES(Pair, a, b)
