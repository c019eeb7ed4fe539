// A service that breaks on demand what it has declared, and misuses the host: for the table of
// cases in tests/agreement, which is run against bentohost and against bento::testing::Host.
#include <bento/bento.hpp>
#include <chrono>
#include <cmath>
#include <limits>
#include <string>
#include <string_view>
#include <vector>

namespace {

using Doubles = bento::TensorView<double>;
using DoubleTensor = bento::Tensor<double>;

constexpr const char* kSchema =
    R"({"type":"object","required":["n"],"properties":{"n":{"type":"integer","minimum":1}}})";

// What comes back is of the shape that the first element says: 0 as it came, 1 a row of three, 2
// one row too many, 3 no array of two dimensions.
DoubleTensor shaped(Doubles x) {
  const int what = x.size() == 0 ? 0 : static_cast<int>(*x.begin());
  if (what == 1) return DoubleTensor::zeros({1, 3});
  if (what == 2) return DoubleTensor::zeros({static_cast<std::int64_t>(x.rows()) + 1, 2});
  if (what == 3) return DoubleTensor::zeros({2});
  return DoubleTensor::copy(x);
}
bento::Bytes picture(std::string_view mime) { return {"x", std::string(mime)}; }

struct Keeper {
  DoubleTensor rows(Doubles x) { return shaped(x); }
  DoubleTensor shape(Doubles x) { return shaped(x); }
  bento::Json json(std::string_view text) { return {std::string(text)}; }
  bento::Json checked(std::string_view text) { return {std::string(text)}; }
  bento::Bytes file(std::string_view mime) { return picture(mime); }
  std::string text(const bento::Bytes& bytes) { return bytes.data; }
  std::string options(std::string_view) { return "unreachable"; }
};

struct Score {
  int n;
  double value;
  std::string label;
};

BENTO_FIELDS(Score, (n, bento::min(1)), value, label)

Score make_score(std::string_view what) {
  Score score{1, 0.5, "a"};
  if (what == "nan") score.value = std::numeric_limits<double>::quiet_NaN();
  if (what == "utf8") score.label = "\xff";
  if (what == "bound") score.n = 0;
  return score;
}

}  // namespace

BENTO_SERVICE(svc) {
  svc.name("contract").version("1.0").doc("Breaks what it has declared");
  svc.option("greeting", "hello", "a text");

  auto keeper = svc.runner<Keeper>("keeper");
  const bento::Io pairs = bento::NDArray<double>({-1, 2});
  const bento::Io checked_io = bento::JsonIO().schema(kSchema);
  auto rows = keeper.method<&Keeper::rows>(
      "rows", {.batchable = true, .max_batch = 8, .input = pairs, .output = pairs});
  auto shape = keeper.method<&Keeper::shape>("shape", {.input = pairs, .output = pairs});
  auto json = keeper.method<&Keeper::json>("json", {});
  auto checked = keeper.method<&Keeper::checked>("checked", {.output = checked_io});
  auto file = keeper.method<&Keeper::file>("file", {.output = bento::FileIO("image/*")});
  auto text = keeper.method<&Keeper::text>("text", {});
  auto options = keeper.method("options", {}, [](Keeper&, std::string_view) -> std::string {
    throw bento::Error(BENTO_INVALID_ARGUMENT, "the runner does not take it");
  });

  // Direct: what the methods return.
  svc.api("rows", rows).api("shape", shape).api("json", json).api("checked", checked);
  svc.api("file", file).api("text", text).api("refuses", options);
  // A narrower description than the method's.
  svc.api("narrow", json, {.output = checked_io});

  // The same from handlers.
  svc.api("h_shape", {.input = pairs, .output = pairs}, [](Doubles x) { return shaped(x); });
  svc.api("h_json", [](std::string_view body) { return bento::Json{std::string(body)}; });
  svc.api("h_checked", {.output = checked_io},
          [](std::string_view body) { return bento::Json{std::string(body)}; });
  svc.api("h_file", {.output = bento::FileIO("image/*")}, &picture);
  svc.api("h_png", {.output = bento::FileIO("image/png")}, &picture);
  svc.api("h_text", [](const bento::Bytes& bytes) { return bytes.data; });
  svc.api("h_fields", &make_score);
  svc.api("h_quick", {.quick = true},
          [](std::string_view body) { return bento::Json{std::string(body)}; });
  svc.api("h_nan",
          [](std::string_view) { return DoubleTensor{std::numeric_limits<double>::quiet_NaN()}; });

  // What is the service's own mistake.
  svc.api("calls", [=](bento::Context& ctx, Doubles x) { return shape.run(ctx, x); });
  svc.api("calls_declared", {.input = shape.input()},
          [=](bento::Context& ctx, Doubles x) { return shape.run(ctx, x); });
  svc.api("calls_quickly", {.quick = true, .input = shape.input()},
          [=](bento::Context& ctx, Doubles x) { return shape.run(ctx, x); });
  svc.api("calls_and_catches", [=](bento::Context& ctx, Doubles x) {
    try {
      return std::to_string(shape.run(ctx, x).size());
    } catch (const bento::Error& error) {
      return "caught " + std::to_string(error.code());
    }
  });
  svc.api("misuses", [=](bento::Context& ctx, std::string_view what) {
    if (what == "status") ctx.set_status(99);
    if (what == "header") ctx.add_header("X-A", "b\r\nX-C: d");
    if (what == "header name") ctx.add_header("X A", "b");
    if (what == "option") return ctx.options().text("nosuch");
    if (what == "option type") return std::to_string(ctx.options().integer("greeting"));
    if (what == "error status") throw bento::Error(BENTO_NOT_FOUND, "odd", 99);
    return std::string(what);
  });
  svc.api("says", [](std::string_view what) -> std::string {
    if (what == "missing") throw bento::Error(BENTO_NOT_FOUND, "no such flower");
    if (what == "teapot") throw bento::Error(BENTO_UNKNOWN, "short and stout", 418);
    if (what == "busy") throw bento::Error(BENTO_UNAVAILABLE, "come again");
    if (what == "later") throw bento::Error(BENTO_UNIMPLEMENTED, "not yet");
    throw std::runtime_error("it fell over");
  });
  svc.api("header",
          [](bento::Context& ctx, std::string_view name) { return std::string(ctx.header(name)); });
  svc.api("stream_header", [](bento::Stream& stream) {
    stream.start(200, "text/plain", {{"X-A", "b\nX-C: d"}});
    stream.end("x");
  });
  svc.api("stream_status", [](bento::Stream& stream) {
    stream.start(99, "text/plain");
    stream.end("x");
  });

  // Coroutines.
  svc.api("c_shape", {.input = pairs, .output = pairs},
          [](Doubles x) -> bento::Async<DoubleTensor> { co_return shaped(x); });
  svc.api("c_calls", [=](bento::Context& ctx, Doubles x) -> bento::Async<DoubleTensor> {
    co_return co_await shape.async_run(ctx, x);
  });
  svc.api("c_waits", [=](bento::Context& ctx, Doubles x) -> bento::Async<DoubleTensor> {
    co_return shape.run(ctx, x);
  });
  svc.api("c_says", [](bento::Context& ctx, std::string_view what) -> bento::Async<std::string> {
    co_await bento::sleep(ctx, std::chrono::milliseconds(1));
    if (what == "missing") throw bento::Error(BENTO_NOT_FOUND, "no such flower");
    if (what == "teapot") throw bento::Error(BENTO_UNKNOWN, "short and stout", 418);
    throw std::runtime_error("it fell over");
  });
  svc.api("c_stream_status", [](bento::AsyncStream& stream) -> bento::Async<> {
    stream.start(99, "text/plain");
    co_await stream.end("x");
  });
  svc.api("c_silent", [](bento::AsyncStream&) -> bento::Async<> { co_return; });
  svc.api("c_lines", [](std::string what) -> bento::Generator<Score> {
    const Score score = make_score(what);
    co_yield score;
    co_yield score;
  });
  svc.api("c_body",
          [](Score score) -> bento::Generator<std::string> { co_yield std::to_string(score.n); });

  // Inputs.
  svc.api("image", {.input = bento::FileIO("image/*")},
          [](const bento::Bytes& bytes) { return bytes.mime; });
  svc.api("schema", {.input = checked_io}, [](const bento::Json& given) { return given; });
  svc.api("fields", [](const Score& score) { return std::to_string(score.n); });
  svc.api("model", {.route = "/models/{model}", .method = "GET"},
          [](bento::Context& ctx) { return std::string(ctx.path_param("model")); });

  bento::Router app;
  app.get("/score/{what}",
          [](const bento::PathParams& path) { return make_score(path.get<std::string>("what")); });
  app.get("/c_score/{what}", [](const bento::PathParams& path) -> bento::Async<Score> {
    co_return make_score(path.get<std::string>("what"));
  });
  app.post("/json", [](const bento::Request& request) { return bento::Json{request.body}; });
  app.post("/misuses", [](bento::Context& ctx, const bento::Request&) {
    ctx.set_status(99);
    return "unreachable";
  });
  svc.mount("/app", std::move(app));
}
