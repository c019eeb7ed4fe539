/* Linked with -z nodelete: it cannot be unmapped. */
#include "bad.h"
