/* Built without bento_add_plugin(), so that its helper is exported beside the entry. */
#include <bento/abi.h>

void a_helper(void);
void a_helper(void) {}

const bento_plugin_entry bento_entry = {
    sizeof(bento_plugin_entry), BENTO_ABI_MAJOR, BENTO_ABI_TARGET_MINOR, "C99", NULL, a_helper};
