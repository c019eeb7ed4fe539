/* Its model cannot be loaded. */
#define BAD_RUNNER_CREATE(error) return fail(error, BENTO_UNAVAILABLE, "the model is not here")
#include "bad.h"
