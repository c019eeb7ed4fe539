// A program on cpp-httplib behind a mount, for the end-to-end test.
#include <bento/bento.hpp>
#include <bento/httplib_app.hpp>
#include <memory>
#include <string>

struct Shouter {
  std::string shout(std::string_view text) { return std::string(text) + "!"; }
};

BENTO_SERVICE(svc) {
  svc.name("legacy");
  auto program = std::make_shared<httplib::Server>();
  program->Get(R"(/users/(\d+))", [](const httplib::Request& req, httplib::Response& res) {
    res.set_content("user " + std::string(req.matches[1]), "text/plain");
  });
  program->Get("/from", [](const httplib::Request& req, httplib::Response& res) {
    res.set_content(req.remote_addr, "text/plain");
  });
  program->Get("/sized", [](const httplib::Request&, httplib::Response& res) {
    res.set_content_provider(10, "text/plain",
                             [](std::size_t offset, std::size_t length, httplib::DataSink& sink) {
                               return sink.write(&"0123456789"[offset], length);
                             });
  });
  program->Get("/ticks", [](const httplib::Request&, httplib::Response& res) {
    res.set_chunked_content_provider("text/plain", [](std::size_t, httplib::DataSink& sink) {
      return sink.is_writable() && sink.write("tick\n", 5);
    });
  });
  program->Get("/breaks", [](const httplib::Request&, httplib::Response& res) {
    res.set_chunked_content_provider("text/plain", [](std::size_t offset, httplib::DataSink& sink) {
      return offset == 0 && sink.write("some", 4);
    });
  });
  program->Post("/size", [](const httplib::Request&, httplib::Response& res,
                            const httplib::ContentReader& reader) {
    std::size_t all = 0;
    reader([&](const char*, std::size_t size) {
      all += size;
      return true;
    });
    res.set_content(std::to_string(all), "text/plain");
  });
  auto shouter = svc.runner<Shouter>("shouter");
  auto shout = shouter.method<&Shouter::shout>("shout");
  program->Post("/shout", [=](const httplib::Request& req, httplib::Response& res) {
    res.set_content(shout.run(bento::httplib_context(), req.body), "text/plain");
  });
  svc.mount("/legacy", bento::httplib_app(program));
}
