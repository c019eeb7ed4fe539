// A service that prints wherever it can.
#include <signal.h>
#include <unistd.h>

#include <bento/bento.hpp>
#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <string>

namespace {

using Ints = bento::TensorView<std::int64_t>;

struct Printer {
  explicit Printer(const bento::RunnerContext&) {}
  bento::Tensor<std::int64_t> print(Ints x) {
    std::printf("a runner prints\n");
    return bento::Tensor<std::int64_t>::copy(x);
  }
};

void print(std::string_view how) {
  if (how == "stdout") std::printf("one\ntwo %s\n", "\"quoted\"");
  if (how == "stderr") std::fprintf(stderr, "<4>it is %s\n", "odd");
  if (how == "cout") std::cout << "streamed " << 1 << '\n';
  if (how == "pieces") std::fprintf(stderr, "in "), std::fprintf(stderr, "pieces\n");
  if (how == "child" && std::system("echo a child prints") != 0) std::abort();
  if (how == "flood") {
    for (int i = 0; i < 20000; ++i) std::printf("more and more of it, line after line: %d\n", i);
  }
  if (how == "crash") {
    std::printf("the last line\n");
    std::fprintf(stderr, "and its unfinished neighbour");
    ::raise(SIGSEGV);
  }
  if (how == "exit") {
    std::printf("the last words, which have no end");
    std::exit(3);
  }
}

}  // namespace

BENTO_SERVICE(svc) {
  svc.name("prints").version("1");
  std::printf("the description prints\n");
  svc.on_startup([](const bento::Options&) { std::printf("the start prints\n"); });
  svc.on_shutdown([](const bento::Options&) { std::printf("the end prints\n"); });
  auto runner = svc.runner<Printer>("printer");
  svc.api("run", runner.method<&Printer::print>("print", {}));
  svc.api("print", {.route = "/print/{how}"}, [](bento::Context& ctx) {
    print(ctx.path_param("how"));
    return std::string("printed");
  });
}
