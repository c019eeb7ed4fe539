/* Its model is never loaded. */
#include <unistd.h>
#define BAD_RUNNER_CREATE(error) \
  while (pause() != 0) {         \
  }                              \
  return BENTO_OK
#include "bad.h"
