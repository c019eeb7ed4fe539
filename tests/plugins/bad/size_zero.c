/* An entry that claims to have no size. */
#define BAD_ENTRY_SIZE 0
#include "bad.h"
