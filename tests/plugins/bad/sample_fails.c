/* Cannot answer its own sample. */
#define BAD_SAMPLE "[1, 2]"
#define BAD_CHECKED(error) return fail(error, BENTO_INVALID_ARGUMENT, "two were too many")
#include "bad.h"
