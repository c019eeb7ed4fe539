// Throws across the C ABI when its service is created.
#include <stdexcept>
#define BAD_CREATE(error) throw std::runtime_error("thrown across the line")
#include "bad.h"
