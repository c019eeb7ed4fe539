// Any bytes as a plugin's file: the check may say what it likes, but reads nothing outside of them.
#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "plugin/elf_check.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto status = bentohost::plugin::check_elf({reinterpret_cast<const char*>(data), size});
  if (!status.ok() && (status.code() != BENTO_INVALID_ARGUMENT || status.message().empty())) {
    std::abort();
  }
  return 0;
}
