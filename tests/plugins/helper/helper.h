/* A library that a plugin brings with it, in a file of its own. */
#define HELPER_EXPORT __attribute__((visibility("default")))
HELPER_EXPORT const char* helper_version(void);
