// The least that a middleware can be: what remains is what the host's chain costs.
#include <bento/bento.hpp>

struct Empty {
  static constexpr const char* kName = "empty";
  void on_request(bento::Incoming&) const {}
};

BENTO_SERVICE(svc) {
  svc.name("empty").version("1.0");
  svc.use(Empty{});
}
