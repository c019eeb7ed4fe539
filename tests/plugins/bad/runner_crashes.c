/* Its runner dies while it starts. */
#include <signal.h>
#define BAD_RUNNER_CREATE(error) return raise(SIGSEGV), BENTO_OK
#include "bad.h"
