#include "http/head_writer.h"

namespace bentohost::http {

// For `more` bytes, and those of a usual head, behind the first `used` ones.
void HeadWriter::make_room(std::size_t used, std::size_t more) {
  out_.resize(used + more + kUsualHead);
  at_ = out_.data() + used;
  end_ = out_.data() + out_.size();
}

}  // namespace bentohost::http
