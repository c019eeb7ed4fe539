#include "helper.h"
#ifndef HELPER_VERSION
#define HELPER_VERSION "the helper"
#endif
const char* helper_version(void) { return HELPER_VERSION; }
