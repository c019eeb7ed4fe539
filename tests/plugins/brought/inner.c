#include "../helper/helper.h"
HELPER_EXPORT const char* inner_version(void);
const char* inner_version(void) { return "the inner one"; }
