/* A shared library like any other. */
#define BAD_NO_ENTRY
#include "bad.h"
BENTO_EXPORT const void* not_the_entry(void) { return (const void*)open_plugin; }
