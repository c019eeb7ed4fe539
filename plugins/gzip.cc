// Compressed responses: <bento/middleware/gzip.hpp>.
#include <bento/bento.hpp>
#include <bento/middleware/gzip.hpp>

#include "options.h"

namespace {

constexpr std::uint64_t kTooHigh = 10;  // a level that GZip refuses, and that fits into an int

}  // namespace

BENTO_SERVICE(svc) {
  const bento::middleware::GZipOptions initial;
  svc.name("gzip").version("1.0").doc("Compresses responses for clients that accept it");
  svc.option("minimum_size", initial.minimum_size, "bytes; smaller whole responses stay plain");
  svc.option("compresslevel", initial.compresslevel, "1: fast, 9: small");
  svc.option("media_types", initial.media_types,
             "such as text/html, text/*, *+json, */*; events only as text/event-stream");

  svc.use("gzip", [](const bento::Options& options) {
    return bento::middleware::GZip({
        .minimum_size = natural(options, "minimum_size"),
        .compresslevel =
            static_cast<int>(std::min<std::uint64_t>(natural(options, "compresslevel"), kTooHigh)),
        .media_types = options.strings("media_types"),
    });
  });
}
