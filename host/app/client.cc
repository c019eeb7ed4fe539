#include "app/client.h"

#include <httplib.h>
#include <sys/socket.h>

#include <optional>

namespace bentohost::app {
namespace {

std::string reason_of(httplib::Error error, Duration timeout) {
  const std::string limit = seconds_text(timeout);
  switch (error) {
    case httplib::Error::Connection:
      return "nothing listens there, or it cannot be reached";
    case httplib::Error::ConnectionTimeout:
      return "no connection within " + limit;
    case httplib::Error::Read:
      return "it closed the connection, or sent nothing within " + limit;
    case httplib::Error::Write:
      return "it closed the connection, or read nothing within " + limit;
    case httplib::Error::SSLConnection:
      return "no TLS connection: is that a port for https?";
    case httplib::Error::SSLLoadingCerts:
    case httplib::Error::SSLServerVerification:
      return "its certificate is not trusted, or is for another name (--insecure skips the check)";
    default:
      return httplib::to_string(error);
  }
}

}  // namespace

Result<Answer> ask(const Question& question) {
  constexpr std::string_view kUnix = "unix:";
  const std::string origin(question.origin);
  std::optional<httplib::Client> client;
  if (question.origin.starts_with(kUnix)) {
    client.emplace(origin.substr(kUnix.size()), 80);
    client->set_address_family(AF_UNIX);
    client->set_default_headers({{"Host", "localhost"}});  // the path is not a host name
  } else if (question.origin.starts_with("http://") || question.origin.starts_with("https://")) {
    client.emplace(origin);
  }
  if (!client || !client->is_valid()) {
    return Status(BENTO_INVALID_ARGUMENT,
                  origin + " is neither http://HOST:PORT nor https://HOST:PORT nor unix:PATH");
  }
  const auto limit = std::chrono::duration_cast<std::chrono::microseconds>(question.timeout);
  client->set_connection_timeout(limit);
  client->set_read_timeout(limit);
  client->set_write_timeout(limit);
  client->enable_server_certificate_verification(question.verify);
  const httplib::Result result = question.method == "POST"
                                     ? client->Post(question.path, "", "application/json")
                                     : client->Get(question.path);
  if (!result) {
    return Status(BENTO_UNAVAILABLE,
                  "no answer from " + origin + ": " + reason_of(result.error(), question.timeout));
  }
  return Answer{result->status, result->body};
}

}  // namespace bentohost::app
