// Bodies and responses of any length in constant memory, and a page that shows events live.
#include <zlib.h>

#include <bento/bento.hpp>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string>

using namespace std::chrono_literals;

BENTO_SERVICE(svc) {
  svc.name("streams").version("1.0").doc("Uploads, events and a page.");

  // curl -T FILE -X POST http://127.0.0.1:3000/crc32
  svc.api("crc32", {.doc = "The CRC-32 of a body, computed as it arrives.", .max_body = 1ull << 40},
          [](bento::Stream& stream) {
            uLong crc = 0;
            for (std::string_view piece : stream.body()) {
              crc = crc32_z(crc, reinterpret_cast<const Bytef*>(piece.data()), piece.size());
            }
            char text[16];
            std::snprintf(text, sizeof text, "%08lx\n", crc);
            stream.start(200, "text/plain");
            stream.end(text);
          });

  // curl -N http://127.0.0.1:3000/count/10
  svc.api("count", {.route = "/count/{from}", .method = "GET", .doc = "Counts down, as events."},
          [](bento::Context& ctx) -> bento::Generator<bento::Event> {
            int left = std::atoi(std::string(ctx.path_param("from")).c_str());
            for (; left > 0; --left) {
              co_yield {.data = std::to_string(left), .event = "count"};
              co_await bento::sleep(ctx, 100ms);
            }
            co_yield {.event = "done"};
          });

  // http://127.0.0.1:3000/
  svc.files("/", "streams_page", {.cache_control = "no-cache"});
}
