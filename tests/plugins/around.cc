// Middleware of both forms around APIs of every form, and native apps beside them.
#include <atomic>
#include <bento/bento.hpp>
#include <memory>
#include <stdexcept>
#include <string>

namespace {

struct Doubler {
  bento::Tensor<std::int64_t> twice(bento::TensorView<std::int64_t> x) {
    auto out = bento::Tensor<std::int64_t>::copy(x);
    for (std::size_t i = 0; i < x.size(); ++i) out.data()[i] *= 2;
    return out;
  }
};

// Counts what passes, in hooks: in a header what has begun, in /counts what has ended, too.
struct Counter {
  static constexpr const char* kName = "counter";
  struct Counts {
    std::atomic<int> begun = 0, ended = 0;
  };
  struct State {
    int number = 0;
  };
  std::shared_ptr<Counts> counts = std::make_shared<Counts>();

  void on_request(bento::Incoming&, State& state) const { state.number = ++counts->begun; }
  void on_response(bento::Outgoing& response, State& state) const {
    response.set_header("X-Number", std::to_string(state.number));
  }
  void on_end(State&) const { ++counts->ended; }
};

// What a request asks of it by the header x-mode, on a thread.
void obey(bento::Call& call, const bento::Next& next) {
  const std::string mode(call.header("x-mode"));
  call.on_response_start([](bento::ResponseStart& r) { r.headers.set("X-Around", "yes"); });
  if (mode == "answer") return call.respond(418, "text/plain", "short and stout");
  if (mode == "silent") return;
  if (mode == "throw") throw std::runtime_error("told to throw");
  if (mode == "refuse") throw bento::Error(BENTO_UNAUTHENTICATED, "told to refuse");
  if (mode == "rewrite") call.set_path("/echo");
  if (mode == "shout") {
    call.on_response_body([](std::string_view piece, bool more) {
      std::string loud(piece);
      for (char& c : loud) c = bento::detail::lower(c) == c && c >= 'a' ? char(c - 32) : c;
      return loud + (more ? "" : "!");
    });
  }
  if (mode == "body") {
    call.on_request_body([](std::string_view, bool more) { return more ? "" : "another"; });
  }
  if (mode == "catch") {
    try {
      return next(call);
    } catch (const bento::Error& e) {
      return call.respond(200, "text/plain", std::string("caught: ") + e.what());
    }
  }
  next(call);
  if (mode == "twice") next(call);
}

}  // namespace

BENTO_SERVICE(svc) {
  svc.name("around").version("1.0");
  const Counter counter;
  svc.use(counter);
  svc.use("obey", &obey);

  auto doubler = svc.runner<Doubler>("doubler");
  auto twice = doubler.method<&Doubler::twice>("twice", {.batchable = true});
  svc.api("twice", twice);
  svc.api("echo", [](std::string_view text) { return std::string(text); });
  svc.api("fail", [](std::string_view) -> std::string { throw std::runtime_error("broken"); });
  svc.api("counts", {.method = "GET"}, [counter](bento::Context&) {
    return std::to_string(counter.counts->begun) + " " + std::to_string(counter.counts->ended);
  });
  svc.api("stream", [](bento::Stream& stream) {
    for (std::string_view piece : stream.body()) stream.send(piece);
    stream.send("more");
  });

  svc.api("count", [](bento::Stream& stream) {
    std::size_t bytes = 0;
    for (std::string_view piece : stream.body()) bytes += piece.size();
    stream.end(std::to_string(bytes));
  });

  // Streaming, simple, and one that calls a runner.
  svc.mount("/asgi", [](bento::Context& ctx, bento::Stream& stream) {
    const bento_scope& scope = ctx.scope();
    stream.start(200, "text/plain");
    stream.send(std::string(bento::detail::view(scope.root_path)) + " ");
    stream.send(bento::detail::view(scope.path));
    for (std::string_view piece : stream.body()) stream.send(piece);
  });
  svc.mount("/wsgi", [](const bento::Request& request) {
    return bento::Response{.status = 201,
                           .body = std::string(request.method) + " " + std::string(request.path) +
                                   "?" + std::string(request.query) + " " + request.body,
                           .headers = {{"X-Root", std::string(request.root_path)}}};
  });
  svc.mount("/double", [=](bento::Context& ctx, const bento::Request& request) {
    bento::Tensor<std::int64_t> one{std::stol(request.body)};
    const auto waited = twice.run(ctx, one);
    auto later = twice.async_run(ctx, waited);
    return bento::Response{.body = std::to_string(later.get()(0))};
  });
  svc.mount("/flood", [](bento::Context&, bento::Stream& stream) {  // until nobody listens
    for (const std::string piece(64u << 10, 'x');;) stream.send(piece);
  });
  // Takes no notice of its deadline: it returns when /release is asked for.
  const auto released = std::make_shared<std::atomic<bool>>(false);
  svc.mount("/hangs", [released](const bento::Request&) {
    released->wait(false);
    return bento::Response{.body = "too late"};
  });
  svc.api("release", {.method = "GET"}, [released](bento::Context&) {
    *released = true;
    released->notify_all();
    return std::string("released");
  });
}
