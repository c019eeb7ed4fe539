/* Nothing is wrong with its runner either. */
#define BAD_RUNNER_CREATE(error) return BENTO_OK
#include "bad.h"
