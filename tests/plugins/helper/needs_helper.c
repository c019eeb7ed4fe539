/* A plugin whose answer is its helper library's, which is beside it. */
#include "helper.h"
#define BAD_VERSION helper_version()
#include "../bad/bad.h"
