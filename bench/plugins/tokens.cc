// For bench/token_streams.py: how fast results of a runner go out, as they are in each form.
#include <bento/bento.hpp>
#include <span>
#include <string>
#include <string_view>

namespace {

struct Ask {
  std::uint32_t tokens = 1;
};
BENTO_FIELDS(Ask, tokens)

struct Model {
  using Work = bento::Work<Ask, std::string_view>;
  static constexpr std::string_view kToken = " token";

  void begin(Work& work) { work.state<std::uint32_t>(work.input().tokens); }
  // Some tokens a step, so that the calls in flight share the model without a step for each one.
  void step(std::span<Work*> works) {
    for (Work* work : works) {
      auto& left = work->state<std::uint32_t>();
      for (int i = 0; i < 8 && left > 0 && work->emit(kToken); ++i) --left;
      if (left == 0 || work->cancelled()) work->finish();
    }
  }
  void emit_all(const Ask& ask, bento::Emit<std::string_view>& emit) {
    for (std::uint32_t i = 0; i < ask.tokens; ++i) emit(kToken);
  }
  std::string_view once(const Ask&) { return kToken; }
};

}  // namespace

BENTO_SERVICE(svc) {
  svc.name("tokens");
  auto model = svc.runner<Model>("model");
  auto engine = model.engine<&Model::begin, &Model::step>("engine", {.max_concurrent = 256});
  auto emit = model.stream<&Model::emit_all>("emit");
  auto once = model.method<&Model::once>("once");
  svc.api("engine", engine).api("emit", emit).api("once", once);
  svc.api("coroutine", [=](bento::Context& ctx, Ask ask) -> bento::Generator<bento::Event> {
    auto tokens = engine.stream(ctx, ask);
    while (auto token = co_await tokens.next()) co_yield {.data = *token};
  });
  svc.api("count", [=](bento::Context& ctx, Ask ask) -> bento::Async<std::string> {
    std::uint32_t n = 0;
    auto tokens = emit.stream(ctx, ask);
    while (co_await tokens.next()) ++n;
    co_return std::to_string(n);
  });
}
