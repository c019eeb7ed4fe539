/* The service cannot be created. */
#define BAD_CREATE(error) return fail(error, BENTO_UNAVAILABLE, "no database today")
#include "bad.h"
