// Memory that holds nothing but what can be read from a file again: the code and constants of
// programs and libraries.
#pragma once

#include <string>

namespace bentohost {

// Gives it back: of the library that was loaded by this name, or of all and the program. What is
// called afterwards is read again. A page that was written to since it was mapped is kept, be it by
// the loader (DT_TEXTREL) or by code that patches other code. Where the kernel does not tell which
// pages those are (no /proc/self/pagemap), nothing is given back.
void drop_clean_pages(const std::string* library = nullptr);

}  // namespace bentohost
