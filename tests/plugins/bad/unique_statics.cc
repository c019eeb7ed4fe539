// Built without -fno-gnu-unique: its static is one and the same in all copies of it, and keeps the
// first of them mapped.
#include <bento/abi.h>

template <typename T>
struct BENTO_EXPORT Counter {
  static int& value() {
    static int calls = 0;
    return calls;
  }
};
#define BAD_CREATE(error) return ++Counter<int>::value(), BENTO_OK
#include "bad.h"
