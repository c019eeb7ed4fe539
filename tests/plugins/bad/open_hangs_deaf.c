/* Does not come back from open, and has closed all descriptors before: the ends of its pipes say
 * nothing. */
#define _GNU_SOURCE
#include <unistd.h>
#define BAD_OPEN(error)   \
  close_range(0, ~0U, 0); \
  while (pause() != 0) {  \
  }                       \
  return NULL
#include "bad.h"
