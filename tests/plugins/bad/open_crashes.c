/* Dies in open. */
#include <signal.h>
#define BAD_OPEN(error) return raise(SIGSEGV), NULL
#include "bad.h"
