// What a hostile client can send over a connection, request after request: however it is cut up,
// RequestReader makes the same requests of it, with the same bodies and the same end, never takes
// more than it was offered, and never makes a body beyond its limit.
// The input: a byte that picks the limit, then what the client sends.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <functional>
#include <iterator>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "http/parse/request_reader.h"

namespace bentohost::http {
namespace {

constexpr std::size_t kMaxBodies[] = {0, 10, 1000, 1u << 20};

void require(bool holds) {
  if (!holds) std::abort();
}

struct Outcome {
  std::vector<std::string> requests;  // all that is known of each
  std::uint32_t refused = 0;          // the HTTP status
  std::uint32_t at_end = 0;           // the same, where the bytes end
  bool operator==(const Outcome&) const = default;
};

std::string told(const Request& request, const Framing& framing, std::string_view body,
                 std::size_t body_bytes) {
  std::string text;
  for (const std::string* part :
       {&request.method, &request.target, &request.path, &request.query, &request.version}) {
    text.append(*part).append(1, '\n');
  }
  for (const Header& header : request.headers) {
    text.append(header.name).append(": ").append(header.value).append(1, '\n');
  }
  text += framing.keep_alive ? "keep" : "close";
  text += framing.expects_continue ? " expects " : " ";
  return text.append(std::to_string(body_bytes)).append(1, '\n').append(body);
}

// A connection's share of the work: what the reader does not take is offered again, with more.
class Connection {
 public:
  explicit Connection(std::size_t max_body) : max_body_(max_body) {}

  void arrive(std::string_view bytes) {
    unread_ += bytes;
    while (outcome_.refused == 0) {
      const Result<std::size_t> taken = reader_.feed(unread_, request_);
      require(body_.size() <= max_body_);
      if (!taken.ok()) return refuse(taken.status());
      require(*taken <= unread_.size());
      unread_.erase(0, *taken);
      if (reader_.state() == RequestReader::State::kHeadDone) {
        const Status status = reader_.begin_body(max_body_, request_, body_);
        if (!status.ok()) return refuse(status);
      } else if (reader_.state() == RequestReader::State::kDone) {
        require(reader_.at_end().ok());
        outcome_.requests.push_back(told(request_, reader_.framing(), body_, reader_.body_bytes()));
        body_.clear();
        reader_.begin_request();
      } else if (reader_.state() != RequestReader::State::kInflating) {
        return;
      }
    }
  }

  const Outcome& end() {
    if (outcome_.refused == 0) outcome_.at_end = reader_.at_end().http_status();
    return outcome_;
  }

 private:
  void refuse(const Status& status) {
    outcome_.refused = status.http_status();
    require(outcome_.refused >= 400 && outcome_.refused < 600 && !status.message().empty());
  }

  const std::size_t max_body_;
  const HeadLimits limits_;
  RequestReader reader_{limits_};
  Request request_;
  std::string body_, unread_;
  Outcome outcome_;
};

Outcome read(std::string_view bytes, std::size_t max_body, std::size_t max_piece) {
  std::minstd_rand random(static_cast<std::uint32_t>(std::hash<std::string_view>()(bytes)));
  Connection connection(max_body);
  while (!bytes.empty()) {
    const std::size_t size = std::min(std::size_t{1} + random() % max_piece, bytes.size());
    connection.arrive(bytes.substr(0, size));
    bytes.remove_prefix(size);
  }
  return connection.end();
}

void check(std::string_view bytes, std::size_t max_body) {
  Connection at_once(max_body);
  at_once.arrive(bytes);
  const Outcome& whole = at_once.end();
  for (const std::size_t max_piece : {std::size_t{1}, std::size_t{9}, std::size_t{300}}) {
    require(read(bytes, max_body, max_piece) == whole);
  }
}

}  // namespace
}  // namespace bentohost::http

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace bentohost::http;
  if (size == 0) return 0;
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  check(bytes, kMaxBodies[data[0] % std::size(kMaxBodies)]);
  return 0;
}
