/* Needs a function that nobody has. */
#include "bad.h"
extern int nobody_has_this_function(void);
__attribute__((constructor)) static void call(void) { nobody_has_this_function(); }
