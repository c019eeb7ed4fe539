// compiles: none of the above
#include <bento/bento.hpp>

using namespace std::chrono_literals;

struct Note {
  std::string text;
};
BENTO_FIELDS(Note, text)
struct Model {
  Note same(Note note) { return note; }
};
bento::Async<std::string> other(std::string text) { co_return text; }

BENTO_SERVICE(svc) {
  svc.name("accepted");
  auto same = svc.runner<Model>("model").method<&Model::same>("same");
  svc.api("a", [=](bento::Context& ctx, std::string_view text) -> bento::Async<Note> {
    const Note note{co_await other(std::string(text))};
    auto call = same.async_run(ctx, Note{"other"});
    Note both = co_await same.async_run(ctx, note);
    both.text += (co_await call).text;
    co_await bento::sleep(ctx, 1s);
    co_return both;
  });
  svc.api("b", [](std::string text) -> bento::Generator<Note> {
    Note note{text};
    co_yield note;
  });
  svc.api("c", [](bento::AsyncStream& stream) -> bento::Async<> { co_await stream.send("a"); });
}
