// What a hostile client can send as a chunked body: however it is cut up, Dechunker says the same
// of it, takes the same bytes and gives the same body, which never grows beyond its limit.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <functional>
#include <random>
#include <string>
#include <string_view>

#include "http/parse/dechunker.h"

namespace bentohost::http {
namespace {

void require(bool holds) {
  if (!holds) std::abort();
}

struct Outcome {
  std::uint32_t refused = 0;  // the HTTP status
  bool done = false;
  std::size_t taken = 0;  // where it was not refused
  std::string body;
  bool operator==(const Outcome&) const = default;
};

Outcome feed(std::string_view bytes, std::size_t max_body, std::size_t max_piece) {
  std::minstd_rand random(static_cast<std::uint32_t>(std::hash<std::string_view>()(bytes)));
  Dechunker dechunker(max_body);
  Outcome outcome;
  while (outcome.taken < bytes.size() && !dechunker.done()) {
    const std::string_view piece =
        bytes.substr(outcome.taken, std::size_t{1} + random() % max_piece);
    const Result<std::size_t> taken = dechunker.feed(piece, outcome.body);
    require(outcome.body.size() <= max_body);
    if (!taken.ok()) {
      outcome.refused = taken.status().http_status();
      require(outcome.refused == 400 || outcome.refused == 413);
      outcome.taken = 0;
      return outcome;
    }
    require(*taken == piece.size() || (dechunker.done() && *taken < piece.size()));
    outcome.taken += *taken;
  }
  outcome.done = dechunker.done();
  return outcome;
}

void check(std::string_view bytes, std::size_t max_body) {
  const Outcome whole = feed(bytes, max_body, bytes.size() + 1);
  for (const std::size_t max_piece : {std::size_t{1}, std::size_t{5}, std::size_t{64}}) {
    require(feed(bytes, max_body, max_piece) == whole);
  }
  if (!whole.done) return;
  // What follows the body is left for the next request.
  const std::string longer = std::string(bytes.substr(0, whole.taken)) + "GET / HTTP/1.1\r\n";
  require(feed(longer, max_body, longer.size()) == whole);
}

}  // namespace
}  // namespace bentohost::http

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  for (const std::size_t max_body : {std::size_t{0}, std::size_t{10}, std::size_t{1} << 20}) {
    bentohost::http::check(bytes, max_body);
  }
  return 0;
}
