// Three programs below prefixes of their own, beside an API: two of Flask and one of FastAPI. The
// README says which of them answers what.
#include <bento/bento.hpp>
#include <cstdint>

struct Order {
  std::int64_t pieces;
};
BENTO_FIELDS(Order, (pieces, bento::min(1)))

struct Price {
  double total;
};
BENTO_FIELDS(Price, total)

BENTO_SERVICE(svc) {
  svc.name("mounted_apps")
      .version("1.0")
      .doc("A shop, a blog and their figures, each a program of Python.");

  // Below the shop's prefix, and yet answered here: APIs come first.
  svc.api("price", {.route = "/shop/price", .input = bento::FieldsIO<Order>().sample({10})},
          [](const Order& order) {
            const auto pieces = static_cast<double>(order.pieces);
            return Price{pieces * (order.pieces < 10 ? 2.5 : 2.0)};
          });

  // Both keep a cookie "session" with the path "/": without prefix_cookies each would get the
  // other's.
  svc.mount_wsgi("/shop", "shop:app", {.folder = "mounted_apps", .prefix_cookies = true});
  svc.mount_wsgi("/blog", "blog:create_app('A blog')",
                 {.folder = "mounted_apps", .prefix_cookies = true});
  svc.mount_asgi("/figures", "figures:app", {.folder = "mounted_apps"});
}
