// says: call it with stream
#include <bento/bento.hpp>

struct Model {
  void spell(std::string_view text, bento::Emit<std::string>& emit) { emit(std::string(text)); }
  std::string same(std::string_view text) { return std::string(text); }
  void begin(bento::Work<std::string, std::string>& work) { work.finish(work.input()); }
  void keep(bento::Work<std::string, std::string> work) { work.finish(work.input()); }
  void step(std::span<bento::Work<std::string, std::string>*>) {}
  void cancel(bento::Work<std::string, std::string>&) {}
  std::string list(bento::Batch<std::string> batch) { return batch[0]; }
};

BENTO_SERVICE(svc) {
  svc.name("refused");
  auto model = svc.runner<Model>("model");
  auto spell = model.stream<&Model::spell>("spell");
  svc.api("a", [=](bento::Context& ctx, std::string_view text) {
    spell.run(ctx, text);
    return text.size() > 1 ? "a" : "b";
  });
}
