// FileReader: reads a response that consists of text and ranges of a file, in pieces of any size,
// so that it needs constant memory. Blocks on the disk. One thread at a time.
#pragma once

#include <cstddef>
#include <utility>
#include <vector>

#include "base/status.h"
#include "base/unique_fd.h"
#include "http/files/byte_range.h"

namespace bentohost::http {

class FileReader {
 public:
  FileReader(UniqueFd file, std::vector<BodyPiece> pieces)
      : file_(std::move(file)), pieces_(std::move(pieces)) {}

  // Fills `to` with the next `size` bytes; fewer at the end, then 0. An error if the file cannot be
  // read or became shorter: the promised bytes cannot be sent, so abort the connection.
  Result<std::size_t> read(char* to, std::size_t size);

 private:
  Result<std::size_t> read_some(char* to, std::size_t size);

  UniqueFd file_;
  std::vector<BodyPiece> pieces_;
  std::size_t piece_ = 0;
  std::uint64_t done_ = 0;  // bytes done of this piece: text, then range
};

}  // namespace bentohost::http
