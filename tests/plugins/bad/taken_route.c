/* An API at a route that the lab has. */
#define BAD_ROUTE "/echo"
#include "bad.h"
