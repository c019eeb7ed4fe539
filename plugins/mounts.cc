// The service of the programs that --mount names. It is empty: the host adds the mounts.
#include <bento/bento.hpp>

BENTO_SERVICE(svc) { svc.name("mounts").version("1.0").doc("The programs that --mount names"); }
