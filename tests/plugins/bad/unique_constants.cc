// As unique_statics, but what its generations share is the same for all of them.
#include <bento/abi.h>

template <typename T>
struct BENTO_EXPORT Table {
  static const int& at(int i) {
    static constexpr int kNumbers[] = {4, 7, 1, 1};
    return kNumbers[i & 3];
  }
};
static volatile int where = 1;
#define BAD_VERSION (Table<int>::at(where) == 7 ? "seven" : "another")
#include "bad.h"
