/* Built for a newer minor than the host has. */
#define BAD_ABI_MINOR 99
#include "bad.h"
