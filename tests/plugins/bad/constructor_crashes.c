/* Dies while it is being loaded. */
#include <signal.h>

#include "bad.h"
__attribute__((constructor)) static void die(void) { raise(SIGSEGV); }
