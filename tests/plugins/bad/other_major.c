/* Built for an ABI that this host does not speak. */
#define BAD_ABI_MAJOR 2
#define BAD_ABI_MINOR 0
#include "bad.h"
