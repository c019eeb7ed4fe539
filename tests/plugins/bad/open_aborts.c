/* Prints its last words and aborts in open. */
#define BAD_OPEN(error) return fprintf(stderr, "the model license has expired\n"), abort(), NULL
#include "bad.h"
