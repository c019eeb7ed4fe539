/* Says in open that it cannot. */
#define BAD_OPEN(error) \
  return fail(error, BENTO_FAILED_PRECONDITION, "no license for this machine"), NULL
#include "bad.h"
