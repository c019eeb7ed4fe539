/* An options schema with a keyword that cannot be enforced. */
#define BAD_SCHEMA "{\"type\":\"object\",\"if\":{}}"
#include "bad.h"
