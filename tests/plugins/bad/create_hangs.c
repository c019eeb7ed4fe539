/* Does not come back from the creation of its service. */
#include <unistd.h>
#define BAD_CREATE(error) \
  while (pause() != 0) {  \
  }                       \
  return BENTO_OK
#include "bad.h"
