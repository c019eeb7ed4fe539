// What a hostile or broken app can send as a response: however it is cut up, ResponseReader says
// the same of it; and what it accepts can be passed on, without the fields of the app's connection.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <functional>
#include <random>
#include <string>
#include <string_view>

#include "http/parse/response_reader.h"
#include "http/syntax.h"

namespace bentohost::http {
namespace {

using State = ResponseReader::State;

void require(bool holds) {
  if (!holds) std::abort();
}

struct Outcome {
  bool is_malformed = false;
  State state = State::kHead;
  std::size_t taken = 0;  // where it was not malformed
  int status = 0;
  std::string fields, body;
  bool keeps = false;
  bool operator==(const Outcome&) const = default;
};

void check_passed_on(const http::Response& response) {
  require(response.status >= 200 || response.status == 101);
  require(response.status <= 599 && http::is_field_value(response.content_type));
  for (const http::Header& header : response.headers) {
    require(http::is_token(header.name) && http::is_field_value(header.value));
    for (const std::string_view dropped :
         {"connection", "keep-alive", "transfer-encoding", "content-length", "content-type", "te",
          "trailer", "proxy-connection", "server", "date"}) {
      require(!http::equals_ignoring_case(header.name, dropped));
    }
    require(response.status == 101 || !http::equals_ignoring_case(header.name, "upgrade"));
  }
}

Outcome read(std::string_view bytes, std::size_t max_piece, bool is_head, bool wants_upgrade) {
  std::minstd_rand random(static_cast<std::uint32_t>(std::hash<std::string_view>()(bytes)));
  ResponseReader reader;
  reader.begin(is_head, wants_upgrade);
  http::Response response;
  Outcome outcome, malformed;
  malformed.is_malformed = true;
  std::size_t arrived = 0;
  while (arrived < bytes.size() &&
         (reader.state() == State::kHead || reader.state() == State::kBody)) {
    arrived += std::min(std::size_t{1} + random() % max_piece, bytes.size() - arrived);
    const auto offered = [&] { return bytes.substr(outcome.taken, arrived - outcome.taken); };
    if (reader.state() == State::kHead) {
      const Result<std::size_t> taken = reader.read_head(offered(), response);
      if (!taken.ok()) return malformed;
      require(*taken <= offered().size());
      outcome.taken += *taken;
      if (reader.state() != State::kHead) check_passed_on(response);
    }
    if (reader.state() == State::kBody) {
      const Result<ResponseReader::Piece> piece = reader.read_body(offered());
      if (!piece.ok()) return malformed;
      require(piece->taken <= offered().size() && piece->data.size() <= piece->taken);
      require(piece->taken == offered().size() || reader.state() == State::kDone);
      outcome.body += piece->data;
      outcome.taken += piece->taken;
    }
  }
  outcome.state = reader.state();
  if (outcome.state == State::kHead) {
    outcome.taken = 0;  // how much of a head is taken depends on its pieces
    return outcome;
  }
  outcome.status = response.status;
  outcome.fields = response.content_type;
  for (const http::Header& header : response.headers) {
    outcome.fields += "\n" + header.name + ":" + header.value;
  }
  outcome.keeps = reader.keeps_connection();
  require(outcome.state != State::kDone || outcome.keeps || reader.end().ok());
  return outcome;
}

}  // namespace
}  // namespace bentohost::http

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using bentohost::http::read;
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  for (const bool is_head : {false, true}) {
    for (const bool wants_upgrade : {false, true}) {
      const auto whole = read(bytes, size + 1, is_head, wants_upgrade);
      for (const std::size_t max_piece : {std::size_t{1}, std::size_t{7}, std::size_t{512}}) {
        bentohost::http::require(read(bytes, max_piece, is_head, wants_upgrade) == whole);
      }
    }
  }
  return 0;
}
