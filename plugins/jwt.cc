// Tokens that an issuer signs: <bento/middleware/jwt.hpp>.
#include <bento/bento.hpp>
#include <bento/middleware/jwt.hpp>

#include "options.h"

BENTO_SERVICE(svc) {
  const bento::middleware::JWTOptions initial;
  svc.name("jwt").version("1.0").doc("Asks for a token that an issuer signed");
  svc.option("algorithm", initial.algorithm, "HS256 or RS256");
  svc.option("key", initial.key, "HS256: the secret; RS256: the issuer's public key as PEM");
  svc.option("key_file", initial.key_file, "a file with the key, read again when it changes");
  svc.option("issuer", initial.issuer, "the iss that a token must have; \"\": any");
  svc.option("audience", initial.audience,
             "the aud of a token must be one of these; empty: no aud");
  svc.option("leeway", initial.leeway, "seconds by which the issuer's clock may be off");
  svc.option("require_exp", initial.require_exp, "refuse tokens that never expire");
  svc.option("realm", initial.realm, "the realm of WWW-Authenticate");

  svc.use("jwt", [](const bento::Options& options) {
    return bento::middleware::JWT({.algorithm = options.text("algorithm"),
                                   .key = options.text("key"),
                                   .key_file = file(options, "key_file"),
                                   .issuer = options.text("issuer"),
                                   .audience = options.strings("audience"),
                                   .leeway = options.number("leeway"),
                                   .require_exp = options.boolean("require_exp"),
                                   .realm = options.text("realm")});
  });
}
