// An empty middleware: measures the cost of the host's middleware chain.
#include <bento/bento.hpp>

struct Empty {
  static constexpr const char* kName = "empty";
  void on_request(bento::Incoming&) const {}
};

BENTO_SERVICE(svc) {
  svc.name("empty").version("1.0");
  svc.use(Empty{});
}
