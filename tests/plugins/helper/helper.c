#include "helper.h"
const char* helper_version(void) { return "the helper"; }
