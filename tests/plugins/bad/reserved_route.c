/* An API where the host answers itself. */
#define BAD_ROUTE "/metrics"
#include "bad.h"
