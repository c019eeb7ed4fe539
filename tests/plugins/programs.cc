// Programs mounted by a plugin, behind middleware of both forms: that in hooks, and that which
// waits, if WAITS is defined.
#include <bento/bento.hpp>
#include <string>
#include <vector>

namespace {

struct Mark {
  static constexpr const char* kName = "mark";
  void on_request(bento::Incoming& request) const { request.set_header("X-Edited", "yes"); }
  void on_response(bento::Outgoing& response) const { response.set_header("X-Mark", "yes"); }
};

void around(bento::Call& call, const bento::Next& next) {
  call.on_response_start([](bento::ResponseStart& r) { r.headers.set("X-Around", "yes"); });
  next(call);
}

}  // namespace

BENTO_SERVICE(svc) {
  svc.name("programs").version("1");
  svc.use(Mark{});
#ifdef WAITS
  svc.use("around", &around);
#else
  (void)&around;
#endif
  svc.mount_process("/program", {"/usr/bin/python3", "faulty.py", "{socket}"},
                    {.folder = TEST_APPS_DIR});
  svc.api("hello", {.method = "GET"}, [](bento::Context&) { return std::string("hello"); });
}
