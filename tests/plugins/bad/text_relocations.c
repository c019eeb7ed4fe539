/* Its code holds an address that the loader has to write there: linked with -z notext. */
__attribute__((used, visibility("hidden"))) const char text_in_data[] = "as the loader wrote it";
__attribute__((visibility("hidden"))) extern const char* const address_in_code;
__asm__(".text\n.balign 8\naddress_in_code: .quad text_in_data\n");
#define BAD_VERSION address_in_code
#include "bad.h"
