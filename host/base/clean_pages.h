// Memory that holds nothing but what can be read from a file again: the code and constants of
// programs and libraries.
#pragma once

#include <string>

namespace bentohost {

// Gives it back: of the library that was loaded by this name, or of all and the program. What is
// called afterwards is read again. Not for code that was written to (DT_TEXTREL).
void drop_clean_pages(const std::string* library = nullptr);

}  // namespace bentohost
