// Each thread that has called it has something of it to destroy when it ends, by code of this
// library.
#include <string>
struct Scratch {
  std::string text = "touched";
  ~Scratch() { text.clear(); }
};
static thread_local Scratch scratch;
#define BAD_VERSION scratch.text.c_str()
#include "bad.h"
