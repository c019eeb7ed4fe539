// says: unused-result|nodiscard
#include <bento/bento.hpp>

using namespace std::chrono_literals;

struct Model {
  std::string same(std::string_view text) { return std::string(text); }
};

BENTO_SERVICE(svc) {
  svc.name("refused");
  auto same = svc.runner<Model>("model").method<&Model::same>("same");
  svc.api("a", [=](bento::Context& ctx, std::string_view text) -> bento::Async<std::string> {
    same.async_run(ctx, text);
    co_return "";
  });
}
