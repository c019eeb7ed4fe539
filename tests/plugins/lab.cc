// The plugin of the end-to-end tests: a service whose runners and handlers do on demand what real
// ones do when they can least be afforded it. All of it on the public SDK.
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <bento/bento.hpp>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <thread>

namespace {

using Ints = bento::TensorView<std::int64_t>;
using IntTensor = bento::Tensor<std::int64_t>;

void sleep_ms(std::int64_t ms) { std::this_thread::sleep_for(std::chrono::milliseconds(ms)); }

// Values with a meaning, in the first column of a row.
constexpr std::int64_t kCrash = -1, kThrow = -2, kThrowInt = -3, kRefuse = -4, kFewRows = -5,
                       kExit = -6;

// How a program that is started here sees its signals: {"SigBlk":"0000000000000000",...}
std::string signals_of_a_child() {
  int ends[2] = {-1, -1};  // no popen(): a shell unblocks what it finds blocked
  char program[] = "cat", file[] = "/proc/self/status";
  char* const arguments[] = {program, file, nullptr};
  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  pid_t pid = -1;
  if (::pipe2(ends, O_CLOEXEC) != 0) return "null";
  ::posix_spawn_file_actions_adddup2(&actions, ends[1], 1);
  const int error = ::posix_spawnp(&pid, program, &actions, nullptr, arguments, environ);
  ::posix_spawn_file_actions_destroy(&actions);
  ::close(ends[1]);
  FILE* const out = ::fdopen(ends[0], "r");
  if (error != 0 || out == nullptr) return "null";
  std::string json;
  for (char line[512]; std::fgets(line, sizeof line, out) != nullptr;) {
    const std::string_view text = line;
    if (!text.starts_with("SigBlk:") && !text.starts_with("SigIgn:")) continue;
    json += (json.empty() ? "{\"" : ",\"") + std::string(text.substr(0, 6)) + "\":\"" +
            std::string(text.substr(8, 16)) + "\"";
  }
  std::fclose(out);
  ::waitpid(pid, nullptr, 0);
  return json + "}";
}

std::string child_at_start;

struct Worker {
  explicit Worker(const bento::RunnerContext& rc) {
    if (const auto ms = rc.options().integer("start_ms"); ms > 0) sleep_ms(ms);
    if (rc.options().boolean("fail_start")) throw std::runtime_error("told not to start");
    if (rc.options().boolean("bad_config"))
      throw bento::Error(BENTO_INVALID_ARGUMENT, "told it is useless");
    if (const auto needed = rc.options().text("needs");
        !needed.empty() && ::access(std::string(needed).c_str(), F_OK) != 0) {
      throw std::runtime_error("its model file is missing");
    }
    if (const auto needed = rc.options().text("useless_without");
        !needed.empty() && ::access(std::string(needed).c_str(), F_OK) != 0) {
      throw bento::Error(BENTO_INVALID_ARGUMENT, "its model file is gone");
    }
    marker = rc.options().text("marker");
  }

  // (n, k) -> (n, k)
  IntTensor echo(Ints x) {
    act(x);
    if (has(x, kFewRows)) return IntTensor::zeros({0, 1});
    return IntTensor::copy(x);
  }
  // Sleeps for the largest value, in milliseconds.
  IntTensor nap(Ints x) {
    std::int64_t longest = 0;
    for (const auto ms : x) longest = std::max(longest, ms);
    sleep_ms(longest);
    return IntTensor::copy(x);
  }
  // Answers each row with the number of rows it came with, after a moment in which others can queue
  // up.
  IntTensor rows(Ints x) {
    sleep_ms(5);
    IntTensor out = IntTensor::copy(x);
    std::fill(out.data(), out.data() + out.size(), static_cast<std::int64_t>(x.rows()));
    return out;
  }
  // Joined along axis 1: (2, n) -> (2, n)
  IntTensor columns(Ints x) {
    sleep_ms(2);
    return IntTensor::copy(x);
  }
  // Dies the first time that anybody asks.
  IntTensor once(Ints x) {
    const int fd = ::open(marker.c_str(), O_CREAT | O_EXCL | O_WRONLY, 0600);
    if (fd >= 0) ::raise(SIGKILL);
    return IntTensor::copy(x);
  }
  IntTensor babble(Ints x) {
    for (int i = 0; i < 20000; ++i) std::printf("stdout is not the protocol %d\n", i);
    std::fflush(stdout);
    for (int i = 0; i < 2000; ++i) std::fprintf(stderr, "nor is stderr %d\n", i);
    return IntTensor::copy(x);
  }
  // Writes rubbish to whatever it finds open, the protocol's pipe among it.
  IntTensor garble(Ints x) {
    for (int fd = 3; fd < 64; ++fd) [[maybe_unused]] const auto n = ::write(fd, "rubbish!", 8);
    return IntTensor::copy(x);
  }
  bento::Json child(const bento::Json&) { return {signals_of_a_child()}; }
  bento::Json reverse(const bento::Json& json) {
    return {"{\"length\":" + std::to_string(json.text.size()) + "}"};
  }

  static bool has(Ints x, std::int64_t value) {
    return std::find(x.begin(), x.end(), value) != x.end();
  }
  static void act(Ints x) {
    if (has(x, kCrash)) ::raise(SIGSEGV);
    if (has(x, kExit)) std::exit(7);
    if (has(x, kThrow)) throw std::runtime_error("a secret of the runner");
    if (has(x, kThrowInt)) throw 42;
    if (has(x, kRefuse)) throw bento::Error(BENTO_INVALID_ARGUMENT, "the runner does not take -4");
  }
  std::string marker;
};

std::string repeat(std::string_view text) { return std::string(text) + std::string(text); }

// Adler-32 (RFC 1950), which Python has too: enough to see that all bytes came, and in order.
struct Digest {
  std::uint64_t bytes = 0, a = 1, b = 0;
  void add(std::string_view piece) {
    bytes += piece.size();
    while (!piece.empty()) {
      for (const unsigned char c : piece.substr(0, kBlock)) b += a += c;
      a %= kModulus;
      b %= kModulus;
      piece.remove_prefix(std::min(piece.size(), kBlock));
    }
  }
  std::string json() const {
    return "{\"bytes\":" + std::to_string(bytes) + ",\"adler32\":" + std::to_string(b << 16 | a) +
           "}";
  }
  static constexpr std::size_t kBlock = 4096;  // short enough for no overflow
  static constexpr std::uint64_t kModulus = 65521;
};

std::atomic<int> begun = 0;  // calls of `slow`

// Handlers that stream right now, and those that ever began.
std::atomic<int> streaming = 0, streamed = 0;
struct Counted {
  Counted() { ++streaming, ++streamed; }
  ~Counted() { --streaming; }
};

std::string_view view(bento_str text) { return {text.ptr, text.len}; }

// A request as handlers see it, a line for each part.
std::string describe(const bento_scope& scope) {
  std::string all;
  const auto line = [&all](std::string_view name, std::string_view mark, bento_str value) {
    all.append(name).append(mark).append(view(value)).append("\n");
  };
  line(view(scope.method), " ", scope.path);
  line("query", " ", scope.query);
  line("scheme", " ", scope.scheme);
  line("client", " ", scope.client);
  for (std::size_t i = 0; i < scope.headers.len; ++i) {
    line(view(scope.headers.ptr[i].name), ": ", scope.headers.ptr[i].value);
  }
  return all;
}

}  // namespace

BENTO_SERVICE(svc) {
  svc.name("lab").version("0.1").doc("Behaviours for tests");
  svc.option("start_ms", 0, "how long a runner takes to start");
  svc.option("fail_start", false, "runners fail to start");
  svc.option("bad_config", false, "runners say that trying again is useless");
  svc.option("needs", "", "file without which runners fail to start");
  svc.option("useless_without", "", "file without which runners say that trying again is useless");
  svc.option("marker", "/nonexistent", "file that `once` leaves");
  svc.option("factor", 1.5, "a number");
  svc.option("names", std::vector<std::string>{"a", "b"}, "a list");

  auto worker = svc.runner<Worker>("worker");
  const bento::MethodOptions plain{.batchable = true, .max_batch = 8};
  bento::MethodOptions safe = plain;
  safe.idempotent = true;
  auto echo = worker.method<&Worker::echo>("echo", safe);
  auto fragile = worker.method<&Worker::echo>("fragile", plain);
  auto nap = worker.method<&Worker::nap>("nap", {});
  auto impatient = worker.method<&Worker::nap>("impatient", {.max_latency_ms = 50});
  auto rows = worker.method<&Worker::rows>("rows", plain);
  auto columns = worker.method<&Worker::columns>(
      "columns", {.batchable = true, .max_batch = 8, .axis_in = 1, .axis_out = 1});
  auto once = worker.method<&Worker::once>("once", safe);
  auto babble = worker.method<&Worker::babble>("babble", {});
  auto garble = worker.method<&Worker::garble>("garble", {});
  auto reverse = worker.method<&Worker::reverse>("reverse", {});
  auto child = worker.method<&Worker::child>("child", {});
  auto other = svc.runner<Worker>("other");
  auto other_nap = other.method("nap", {}, [](Worker& w, Ints x) { return w.nap(x); });

  svc.api("echo", echo).api("fragile", fragile).api("nap", nap).api("impatient", impatient);
  svc.api("rows", rows).api("columns", columns).api("once", once).api("babble", babble);
  svc.api("garble", garble).api("reverse", reverse);

  svc.api("both", [=](bento::Context& ctx, Ints x) {  // two runners at once
    auto a = nap.async_run(ctx, x);
    auto b = other_nap.async_run(ctx, x);
    a.get();
    return b.get();
  });
  svc.api("forget", [=](bento::Context& ctx, Ints x) {  // starts a call and does not wait for it
    (void)nap.async_run(ctx, x);
    return IntTensor::copy(x);
  });
  svc.api("runners_child", child);
  svc.api("handlers_child", [](const bento::Json&) { return bento::Json{signals_of_a_child()}; });
  svc.api("loops_child", {.quick = true},
          [](const bento::Json&) { return bento::Json{signals_of_a_child()}; });
  svc.on_startup([](const bento::Options&) { child_at_start = signals_of_a_child(); });
  svc.api("starts_child", [](const bento::Json&) { return bento::Json{child_at_start}; });
  svc.api("slow", [](Ints x) {
    ++begun;
    sleep_ms(*x.begin());
    return IntTensor::copy(x);
  });
  svc.api("begun", {.method = "GET", .quick = true},
          [](bento::Context&) { return std::to_string(begun); });
  svc.api("patient", [](bento::Context& ctx, std::string_view name) {  // waits for nobody's sake
    ctx.log(bento::Log::kInfo, std::string(name) + " waits");
    while (!ctx.cancelled()) sleep_ms(1);
    ctx.log(bento::Log::kInfo, std::string(name) + " is cancelled");
    return std::string(name);
  });
  svc.api("beats", [](bento::Context& ctx, bento::Stream& stream) {
    std::string body;
    for (const std::string_view piece : stream.body()) body += piece;
    try {
      stream.start(200, "text/plain");
      while (body == "for ever" || !ctx.cancelled()) {
        stream.send("tick\n");
        sleep_ms(2);
      }
      stream.end("the end\n");
    } catch (const bento::Disconnected&) {
      ctx.log(bento::Log::kInfo, "nobody listens to the ticks");
      throw;
    }
  });
  svc.api("throws", [](bento::Context&, std::string_view what) -> std::string {
    if (what == "int") throw 42;
    if (what == "teapot") throw bento::Error(BENTO_UNKNOWN, "short and stout", 418);
    if (what == "missing") throw bento::Error(BENTO_NOT_FOUND, "no such flower");
    throw std::runtime_error("a secret of the handler");
  });
  svc.api("created", [](bento::Context& ctx, std::string_view name) {
    ctx.set_status(201);
    ctx.add_header("Location", "/things/" + std::string(name));
    return std::string(ctx.request_id());
  });
  svc.api("options", [](bento::Context& ctx, std::string_view) {
    std::string all = std::to_string(ctx.options().number("factor"));
    for (const auto& name : ctx.options().strings("names")) all += " " + name;
    return all;
  });
  svc.api("repeat", &repeat);
  svc.api("seen", [](bento::Context& ctx, std::string_view) { return describe(ctx.scope()); });
  svc.api("shout",
          {.input = bento::JsonIO().schema(
               R"({"type":"object","required":["text"],"additionalProperties":false,
                   "properties":{"text":{"type":"string"},"times":{"type":"integer","minimum":1}}})")},
          [](const bento::Json& json) { return json; });
  svc.api("png", {.route = "/v1/images:check", .input = bento::FileIO("image/png")},
          [](const bento::Bytes& bytes) {
            return bento::Bytes{bytes.data, "image/png"};
          });
  svc.api("upload", {.max_body = 1u << 30}, [](bento::Context&, bento::Stream& stream) {
    const Counted counted;
    Digest digest;
    for (std::string_view piece : stream.body()) digest.add(piece);
    stream.start(200, "application/json");
    stream.end(digest.json());
  });
  // As many bytes as the path says, in chunks or of a known length.
  svc.api("download", {.route = "/download/{bytes}", .method = "GET"},
          [](bento::Context& ctx, bento::Stream& stream) {
            const Counted counted;
            const std::string given(ctx.path_param("bytes"));
            std::size_t left = std::stoul(given);
            if (ctx.scope().query.len != 0) {
              stream.start(200, "application/octet-stream", {{"Content-Length", given}});
            }
            const std::string piece(64u << 10, 'x');
            for (; left > piece.size(); left -= piece.size()) stream.send(piece);
            stream.end(std::string_view(piece).substr(0, left));
          });
  svc.api("reflect", [](bento::Stream& stream) {  // answers while it still reads
    stream.start(200, "application/octet-stream");
    for (std::string_view piece : stream.body()) stream.send(piece);
  });
  svc.api("ticks", {.method = "GET"}, [](bento::Context& ctx, bento::EventStream& out) {
    const Counted counted;
    for (int i = 0; !ctx.cancelled(); ++i) {
      out.send({.data = "tick\n" + std::to_string(i), .id = std::to_string(i)});
      sleep_ms(50);
    }
  });
  svc.api("no_events", {.method = "GET"}, [](bento::EventStream&) {});
  svc.api("breaks_off", [](bento::Stream& stream) {
    const auto piece = stream.receive();
    if (piece == "before") throw bento::Error(BENTO_NOT_FOUND, "no such stream");
    stream.start(200, "text/plain");
    stream.send("the beginning");
    throw std::runtime_error("the middle of it");
  });
  svc.api("says_nothing", [](bento::Stream&) {});
  svc.api("streaming", {.method = "GET"}, [](bento::Context&) {
    return std::to_string(streaming) + " of " + std::to_string(streamed);
  });
  svc.api("model", {.route = "/models/{model}/{version}:show", .method = "GET"},
          [](bento::Context& ctx) {
            return std::string(ctx.path_param("model")) + " " +
                   std::string(ctx.path_param("version"));
          });
  svc.api("delete_model", {.route = "/models/{name}", .method = "DELETE"},
          [](bento::Context& ctx, std::string_view) {
            return "no more " + std::string(ctx.path_param("name"));
          });
  svc.api("tiny", {.max_body = 4}, [](std::string_view text) { return std::string(text); });
  svc.api("nan", [](Ints) { return bento::Tensor<double>{0.0 / 0.0}; });
}
