/* Nothing is wrong with it: what the others replace. */
#define BAD_VERSION "good"
#include "bad.h"
