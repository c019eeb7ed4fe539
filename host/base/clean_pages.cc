#include "base/clean_pages.h"

#include <link.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstdint>

namespace bentohost {
namespace {

// Segments that are writable at first hold what the loader has written, even where they are
// read-only afterwards (RELRO); those that never are hold the file's bytes.
int drop_clean_segments(dl_phdr_info* info, std::size_t, void* arg) {
  const auto* library = static_cast<const std::string*>(arg);
  if (library != nullptr && (info->dlpi_name == nullptr || *library != info->dlpi_name)) return 0;
  const auto page = static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
  for (int i = 0; i < info->dlpi_phnum; ++i) {
    const auto& segment = info->dlpi_phdr[i];
    if (segment.p_type != PT_LOAD || (segment.p_flags & PF_W) != 0) continue;
    const std::uint64_t begin = (info->dlpi_addr + segment.p_vaddr) / page * page;
    const std::uint64_t end = info->dlpi_addr + segment.p_vaddr + segment.p_memsz;
    // NOLINTNEXTLINE(performance-no-int-to-ptr): it is an address
    ::madvise(reinterpret_cast<void*>(begin), end - begin, MADV_DONTNEED);
  }
  return library != nullptr ? 1 : 0;
}

}  // namespace

void drop_clean_pages(const std::string* library) {
  ::dl_iterate_phdr(&drop_clean_segments, const_cast<std::string*>(library));
}

}  // namespace bentohost
