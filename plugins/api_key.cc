// Keys in a header: <bento/middleware/api_key.hpp>.
#include <bento/bento.hpp>
#include <bento/middleware/api_key.hpp>

#include "options.h"

BENTO_SERVICE(svc) {
  const bento::middleware::APIKeyOptions initial;
  svc.name("api_key").version("1.0").doc("Asks for a key in a header");
  svc.option("keys", initial.keys, "the keys; better in a file");
  svc.option("keys_file", initial.keys_file, "a file with one key a line, reread when it changes");
  svc.option("header", initial.header, "the header with the key");

  svc.use("api_key", [](const bento::Options& options) {
    return bento::middleware::APIKey({.keys = options.strings("keys"),
                                      .keys_file = file(options, "keys_file"),
                                      .header = options.text("header")});
  });
}
