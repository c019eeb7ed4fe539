/* Does not come back from its end. */
#include <unistd.h>
#define BAD_DESTROY()    \
  while (pause() != 0) { \
  }
#include "bad.h"
