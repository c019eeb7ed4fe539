// says: takes this by value
#include <bento/bento.hpp>

using namespace std::chrono_literals;

BENTO_SERVICE(svc) {
  svc.name("refused");
  bento::Router app;
  app.get("/", [](const bento::Query& query) -> bento::Async<std::string> {
    co_return query.get("q", std::string());
  });
  svc.mount("/", std::move(app));
}
