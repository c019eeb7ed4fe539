// Any bytes as a coded body: the outcome must not depend on the pieces that they come in, and
// neither the output nor its memory may pass the limit. The first byte chooses coding and limits,
// the second the size of the pieces.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "http/parse/inflater.h"

namespace {

using bentohost::Status;
using bentohost::http::InflateLimits;
using bentohost::http::Inflater;

struct Outcome {
  Status status;
  std::string body;
};

Outcome inflate_in(std::size_t piece, std::string_view coding, InflateLimits limits,
                   std::string_view bytes) {
  auto inflater = Inflater::create(coding, limits);
  if (!inflater.ok()) std::abort();
  Outcome outcome;
  while (!bytes.empty() && outcome.status.ok()) {
    outcome.status = inflater->feed(bytes.substr(0, piece), outcome.body);
    bytes.remove_prefix(std::min(piece, bytes.size()));
    const std::size_t max_memory = std::max<std::size_t>(limits.max_body, 15);
    if (outcome.body.size() > limits.max_body || outcome.body.capacity() > max_memory) std::abort();
  }
  if (outcome.status.ok()) outcome.status = inflater->finish();
  if (!outcome.status.ok() && outcome.status.http_status() != 400 &&
      outcome.status.http_status() != 413) {
    std::abort();
  }
  return outcome;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2) return 0;
  const std::string_view coding = (data[0] & 1) != 0 ? "gzip" : "deflate";
  const InflateLimits limits{(data[0] & 2) != 0 ? 200'000u : 1'000u, 10u + (data[0] >> 2)};
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 2, size - 2);
  const Outcome whole = inflate_in(std::max<std::size_t>(bytes.size(), 1), coding, limits, bytes);
  for (const std::size_t piece : {std::size_t{1}, std::size_t{1} + data[1]}) {
    const Outcome again = inflate_in(piece, coding, limits, bytes);
    if (again.body != whole.body || again.status.message() != whole.status.message()) std::abort();
  }
  return 0;
}
