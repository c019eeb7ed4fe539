/* Created, it cannot start up. */
#define BAD_ON_STARTUP(error) return fail(error, BENTO_UNAVAILABLE, "the cache is locked")
#include "bad.h"
