/* Shows more than its entry, as a library that was linked without the SDK's flags. */
#include <bento/abi.h>
BENTO_EXPORT int one_more_symbol = 1;
#include "bad.h"
