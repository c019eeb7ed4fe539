/* An input of a sort that this host does not know. */
#define BAD_DESCRIPTOR "hologram"
#include "bad.h"
