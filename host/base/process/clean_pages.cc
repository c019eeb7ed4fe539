#include "base/process/clean_pages.h"

#include <fcntl.h>
#include <link.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>

#include "base/unique_fd.h"

namespace bentohost {
namespace {

// Bits of an entry of /proc/self/pagemap (Linux, Documentation/admin-guide/mm/pagemap.rst).
constexpr std::uint64_t kIsPresent = std::uint64_t{1} << 63;
constexpr std::uint64_t kIsOfAFile = std::uint64_t{1} << 61;  // not a private copy
constexpr std::size_t kPagesAtOnce = 512;

struct Search {
  const std::string* library;  // null: all
  int pagemap;
  std::uint64_t page_size;
};

// Once written to (text relocations, a patched function, a breakpoint), a page is anonymous memory:
// its content exists nowhere else, and so it is kept.
void drop_clean_range(const Search& search, std::uint64_t begin, std::uint64_t end) {
  std::array<std::uint64_t, kPagesAtOnce> pages;
  const std::uint64_t size = search.page_size;
  while (begin < end) {
    const std::uint64_t count =
        std::min<std::uint64_t>((end - begin + size - 1) / size, pages.size());
    const std::size_t bytes = count * sizeof pages[0];
    const auto offset = static_cast<off_t>(begin / size * sizeof pages[0]);
    if (::pread(search.pagemap, pages.data(), bytes, offset) != static_cast<ssize_t>(bytes)) return;
    const auto is_clean = [&](std::uint64_t i) {
      return (pages[i] & (kIsPresent | kIsOfAFile)) == (kIsPresent | kIsOfAFile);
    };
    for (std::uint64_t i = 0; i < count;) {
      std::uint64_t next = i + 1;
      if (is_clean(i)) {
        while (next < count && is_clean(next)) ++next;
        // NOLINTNEXTLINE(performance-no-int-to-ptr): it is an address
        ::madvise(reinterpret_cast<void*>(begin + i * size), (next - i) * size, MADV_DONTNEED);
      }
      i = next;
    }
    begin += count * size;
  }
}

// Skips writable segments: they hold what the loader wrote, even if they were made read-only
// afterwards (RELRO).
int drop_clean_segments(dl_phdr_info* info, std::size_t, void* arg) {
  const auto& search = *static_cast<const Search*>(arg);
  const std::string* library = search.library;
  if (library != nullptr && (info->dlpi_name == nullptr || *library != info->dlpi_name)) return 0;
  for (int i = 0; i < info->dlpi_phnum; ++i) {
    const auto& segment = info->dlpi_phdr[i];
    if (segment.p_type != PT_LOAD || (segment.p_flags & PF_W) != 0) continue;
    const std::uint64_t begin =
        (info->dlpi_addr + segment.p_vaddr) / search.page_size * search.page_size;
    drop_clean_range(search, begin, info->dlpi_addr + segment.p_vaddr + segment.p_memsz);
  }
  return library != nullptr ? 1 : 0;
}

}  // namespace

void drop_clean_pages(const std::string* library) {
  const UniqueFd pagemap(::open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC));
  if (!pagemap) return;  // nothing tells which pages are clean, so none is dropped
  Search search{library, pagemap.get(), static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE))};
  ::dl_iterate_phdr(&drop_clean_segments, &search);
}

}  // namespace bentohost
