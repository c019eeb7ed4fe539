// One of two services that each have a runner `clf` and an app with routes: TWIN is "a" or "b".
#include <bento/bento.hpp>
#include <string>

struct Classifier {
  std::string who(std::string_view text) { return std::string(text) + " of " TWIN; }
};

BENTO_SERVICE(svc) {
  svc.name("twin_" TWIN).version("1.0").doc("One of two alike");
  auto clf = svc.runner<Classifier>("clf");
  svc.api("who", clf.method<&Classifier::who>("who"));

  bento::Router app;
  app.get("/", [] { return "the app of " TWIN; });
  app.get("/flowers/{id}", [](const bento::PathParams& path) { return path.get("id"); });
  app.post("/flowers/{id}", [](const bento::PathParams& path) { return path.get("id"); });
  svc.mount("/app", std::move(app));
  // An app that tells of a route for each path that it is asked for.
  svc.mount("/wild", [](bento::Context& ctx, bento::Stream& stream) {
    const std::string path(bento::detail::path_below(ctx.scope()));
    bento_error error = bento::detail::make_error();
    const bento_code code = ctx.host()->set_route(ctx.abi(), bento::detail::str(path), &error);
    stream.start(200, "text/plain");
    stream.end(std::to_string(code));
  });
}
