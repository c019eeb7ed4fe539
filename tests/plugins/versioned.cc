// One service in two versions (VERSION is 1 or 2): each part of an answer says of which it is, so
// that a mixture would show. Version 2 has a route more and one less, and wants another body.
#include <bento/bento.hpp>
#include <chrono>
#include <fstream>
#include <string>
#include <thread>

using namespace std::chrono_literals;

namespace {

using Ints = bento::TensorView<std::int64_t>;
using IntTensor = bento::Tensor<std::int64_t>;

struct Runner {
  explicit Runner(const bento::RunnerContext& rc) {
    if (const auto ms = rc.options().integer("start_ms"); ms > 0) {
      std::this_thread::sleep_for(std::chrono::milliseconds(ms));
    }
  }
  IntTensor version(Ints x) {
    IntTensor out = IntTensor::copy(x);
    for (std::size_t i = 0; i < out.size(); ++i) out.data()[i] = VERSION;
    return out;
  }
};

struct Stamp {
  void on_response(bento::Outgoing& response) const {
    response.set_header("X-Version", std::to_string(VERSION));
  }
};

}  // namespace

BENTO_SERVICE(svc) {
  svc.name("versioned").version(std::to_string(VERSION)).doc("Says which version it is");
  svc.option("start_ms", 0, "how long a runner takes to start");
  svc.option("log", "", "a file that background tasks write to");

  auto runner = svc.runner<Runner>("version_runner");
  auto ask = runner.method<&Runner::version>(
      "version", {.batchable = true,
                  .idempotent = true,
                  .input = bento::NDArray<std::int64_t>({-1, 1}).sample({{7}})});
  svc.use("stamp", Stamp{});

  // "1 1": the handler's and the runner's.
  svc.api("version", {.method = "GET"}, [ask](bento::Context& ctx) {
    const IntTensor zero = IntTensor::zeros({1, 1});
    const IntTensor answer = ask.run(ctx, zero.view());
    return std::to_string(VERSION) + " " + std::to_string(answer.data()[0]);
  });
  svc.api("direct", ask);
  if (VERSION == 1) {
    svc.api("only_one", {.method = "GET"}, [](bento::Context&) { return std::string("1"); });
  } else {
    svc.api("only_two", {.method = "GET"}, [](bento::Context&) { return std::string("2"); });
  }

  // A line now and one when the client has sent all of its body, and a task for afterwards.
  svc.api("stream", {}, [](bento::Context& ctx, bento::Stream& stream) {
    stream.start(200, "text/plain");
    stream.send(std::to_string(VERSION) + "\n");
    for ([[maybe_unused]] const std::string_view piece : stream.body()) {
    }
    ctx.defer([path = std::string(ctx.options().text("log"))](bento::Context&) {
      std::ofstream(path, std::ios::app) << VERSION << "\n";
    });
    stream.end(std::to_string(VERSION) + "\n");
  });
}
