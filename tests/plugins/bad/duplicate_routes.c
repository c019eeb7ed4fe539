/* Two APIs at one route. */
#define BAD_ROUTE "/same"
#define BAD_SECOND_ROUTE "/same"
#include "bad.h"
