// Shared tokens: <bento/middleware/bearer_token.hpp>.
#include <bento/bento.hpp>
#include <bento/middleware/bearer_token.hpp>

#include "options.h"

BENTO_SERVICE(svc) {
  const bento::middleware::BearerTokenOptions initial;
  svc.name("bearer_token").version("1.0").doc("Asks for a shared token");
  svc.option("tokens", initial.tokens, "the tokens; better in a file");
  svc.option("tokens_file", initial.tokens_file,
             "a file with one token a line, read again when it changes");
  svc.option("realm", initial.realm, "the realm of WWW-Authenticate");

  svc.use("bearer_token", [](const bento::Options& options) {
    return bento::middleware::BearerToken({.tokens = options.strings("tokens"),
                                           .tokens_file = file(options, "tokens_file"),
                                           .realm = options.text("realm")});
  });
}
