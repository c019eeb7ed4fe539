/* Finds at the last moment that it cannot serve. */
#define BAD_ON_READY(error) return fail(error, BENTO_UNAVAILABLE, "the model answers nonsense")
#include "bad.h"
