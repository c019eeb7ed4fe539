/* Nor with this: what comes after all of them. */
#define BAD_VERSION "better"
#include "bad.h"
