// Clean pages: memory that can be read from a file again, such as the code and constants of
// programs and libraries.
#pragma once

#include <string>

namespace bentohost {

// Gives clean pages back to the system: those of the library that was loaded by this name, or those
// of the program and all libraries. Code that is called afterwards is read again. Pages that were
// written to since they were mapped are kept, whether the loader wrote (DT_TEXTREL) or code that
// patches code. Without /proc/self/pagemap, which tells these pages apart, nothing is given back.
void drop_clean_pages(const std::string* library = nullptr);

}  // namespace bentohost
