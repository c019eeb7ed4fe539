// Names and passwords: <bento/middleware/basic_auth.hpp>.
#include <bento/bento.hpp>
#include <bento/middleware/basic_auth.hpp>

#include "options.h"

BENTO_SERVICE(svc) {
  const bento::middleware::BasicAuthOptions initial;
  svc.name("basic_auth").version("1.0").doc("Asks for a name and its password");
  svc.option("users", initial.users, "each as name:password; better in a file");
  svc.option("users_file", initial.users_file,
             "a file with one user a line, read again when it changes");
  svc.option("realm", initial.realm, "what a browser shows when it asks for the password");

  svc.use("basic_auth", [](const bento::Options& options) {
    return bento::middleware::BasicAuth({.users = options.strings("users"),
                                         .users_file = file(options, "users_file"),
                                         .realm = options.text("realm")});
  });
}
