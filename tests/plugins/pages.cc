// A service of nothing but files: the folder beside it, and one that an option names.
#include <bento/bento.hpp>

BENTO_SERVICE(svc) {
  svc.name("pages");
  svc.option("folder", "www", "what is served at /files");
  svc.files("/static", "www", {.cache_control = "max-age=60"});
  svc.files("/files", bento::FromOption{"folder"});
}
