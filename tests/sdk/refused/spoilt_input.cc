// g++ says: deleted
#include <bento/bento.hpp>

using namespace std::chrono_literals;

struct Note {
  std::string text;
};
BENTO_FIELDS(Note, text)
struct Model {
  Note same(Note note) { return note; }
};

BENTO_SERVICE(svc) {
  svc.name("refused");
  auto same = svc.runner<Model>("model").method<&Model::same>("same");
  svc.api("a", [=](bento::Context& ctx, std::string_view text) -> bento::Async<Note> {
    co_return co_await same.async_run(ctx, Note{std::string(text)});
  });
}
