/* Does not come back from open. */
#include <unistd.h>
#define BAD_OPEN(error)  \
  while (pause() != 0) { \
  }                      \
  return NULL
#include "bad.h"
