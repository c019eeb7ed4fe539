/* A helper that has one of its own, beside it. */
#include "../helper/helper.h"
HELPER_EXPORT const char* inner_version(void);
const char* helper_version(void) { return inner_version(); }
