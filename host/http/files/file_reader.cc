#include "http/files/file_reader.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <system_error>

namespace bentohost::http {

Result<std::size_t> FileReader::read(char* to, std::size_t size) {
  std::size_t total = 0;
  while (total < size && piece_ < pieces_.size()) {
    const BodyPiece& piece = pieces_[piece_];
    if (done_ == piece.text.size() + piece.range.length) {
      ++piece_;
      done_ = 0;
      continue;
    }
    const Result<std::size_t> some = read_some(to + total, size - total);
    if (!some.ok()) return some.status();
    total += *some;
    done_ += *some;
  }
  return total;
}

// Reads at least one byte of the current piece.
Result<std::size_t> FileReader::read_some(char* to, std::size_t size) {
  const BodyPiece& piece = pieces_[piece_];
  if (done_ < piece.text.size()) {
    return piece.text.copy(to, size, static_cast<std::size_t>(done_));
  }
  const std::uint64_t in_range = done_ - piece.text.size();
  const std::uint64_t wanted = std::min<std::uint64_t>(size, piece.range.length - in_range);
  ssize_t n = 0;
  do {
    n = pread(file_.get(), to, static_cast<std::size_t>(wanted),
              static_cast<off_t>(piece.range.offset + in_range));
  } while (n < 0 && errno == EINTR);
  if (n > 0) return static_cast<std::size_t>(n);
  if (n == 0) return Status(BENTO_INTERNAL, "a file became shorter while it was sent");
  return Status(BENTO_INTERNAL, "reading a file: " + std::generic_category().message(errno));
}

}  // namespace bentohost::http
