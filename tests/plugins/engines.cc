// Engines in their three forms, written on abi.h alone, for test_engines.py. A prompt is a text:
//   WORDS SIZE MILLISECONDS OPTION AT   ("10 20 5 fail 3")
// makes WORDS words of SIZE bytes, one every MILLISECONDS; before word AT the option happens.
#include <bento/abi.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

namespace {

const bento_host* host = nullptr;

bento_str str(std::string_view text) { return {text.data(), text.size()}; }

bento_code put(bento_sink* sink, std::string_view text, bento_error* error) {
  bento_value value{};
  value.size = sizeof value;
  value.kind = BENTO_BYTES;
  value.bytes = {text.data(), text.size()};
  return sink->value(sink, &value, error);
}

bento_code fail(bento_error* error, bento_code code, const char* message) {
  error->code = code;
  std::snprintf(error->message, sizeof error->message, "%s", message);
  return code;
}

bento_error make_error(bento_code code, const char* message) {
  bento_error error{};
  error.size = sizeof error;
  fail(&error, code, message);
  return error;
}

void pause_for(unsigned milliseconds) {
  if (milliseconds != 0) std::this_thread::sleep_for(std::chrono::milliseconds(milliseconds));
}

// ---- one prompt
// ----------------------------------------------------------------------------------

struct Prompt {
  unsigned words = 0, size = 1, milliseconds = 0, at = 0, done = 0;
  std::string option;

  explicit Prompt(const bento_value& in) {
    const std::string text(static_cast<const char*>(in.bytes.ptr), in.bytes.len);
    char word[256] = "";
    std::sscanf(text.c_str(), "%u %u %u %255s %u", &words, &size, &milliseconds, word, &at);
    option = word;
  }

  std::string next() const {
    std::string word = std::to_string(done) + " ";
    if (word.size() < size) word.resize(size, '.');
    return word;
  }
};

// Whether `path` was there; it is from now on.
bool is_second_time(const std::string& path) {
  if (::access(path.c_str(), F_OK) == 0) return true;
  std::fclose(std::fopen(path.c_str(), "w"));
  return false;
}

enum class Turn { kGoesOn, kWaits, kFinished };

Turn finish(bento_work* work, bento_code code, const char* message) {
  const bento_error error = make_error(code, message);
  work->finish(work, code, &error);
  return Turn::kFinished;
}

// The next word, or the end.
Turn take_turn(bento_work* work, Prompt& prompt) {
  if (host->cancelled(work->ctx) != 0 && prompt.option != "deaf") {
    return finish(work, BENTO_CANCELLED, "cancelled");
  }
  bento_error error = make_error(BENTO_OK, "");
  if (prompt.done == prompt.at && !prompt.option.empty()) {
    if (prompt.option == "crash") std::abort();
    if (prompt.option == "hang") return Turn::kWaits;
    if (prompt.option == "deaf") return Turn::kWaits;
    if (prompt.option == "fail") return finish(work, BENTO_INVALID_ARGUMENT, "no such word");
    if (prompt.option == "bad") {
      if (put(work->sink, "\xff", &error) == BENTO_OK) (void)work->emit(work, &error);
    }
    if (prompt.option.front() == '/' && !is_second_time(prompt.option)) std::abort();
  }
  if (prompt.done == prompt.words) {
    if (prompt.option == "last") (void)put(work->sink, "last", &error);
    work->finish(work, BENTO_OK, nullptr);
    return Turn::kFinished;
  }
  bento_code code = put(work->sink, prompt.next(), &error);
  if (code == BENTO_OK) code = work->emit(work, &error);
  if (code != BENTO_OK) {
    work->finish(work, code, &error);
    return Turn::kFinished;
  }
  ++prompt.done;
  return Turn::kGoesOn;
}

// ---- the three forms
// ------------------------------------------------------------------------------

bento_code begin_computes(void*, const bento_method*, bento_work* work, bento_error* error) {
  Prompt prompt(*work->in[0]);
  if (prompt.option == "refuse") return fail(error, BENTO_NOT_FOUND, "no such prompt");
  for (;;) {
    const Turn turn = take_turn(work, prompt);
    if (turn == Turn::kFinished) return BENTO_OK;
    pause_for(turn == Turn::kWaits ? 1000 : prompt.milliseconds);
  }
}

bento_code begin_keeps(void*, const bento_method*, bento_work* work, bento_error* error) {
  auto* prompt = new Prompt(*work->in[0]);
  if (prompt->option == "refuse") {
    delete prompt;
    return fail(error, BENTO_NOT_FOUND, "no such prompt");
  }
  work->state = prompt;
  return BENTO_OK;
}

bento_code step(void*, const bento_method*, bento_work* const* works, size_t n,
                bento_error* error) {
  unsigned milliseconds = 0;
  bool has_failed = false;
  std::vector<Prompt*> left;
  for (size_t i = 0; i < n; ++i) {
    auto* const prompt = static_cast<Prompt*>(works[i]->state);
    if (prompt->milliseconds > milliseconds) milliseconds = prompt->milliseconds;
    has_failed = has_failed || (prompt->option == "step" && prompt->done == prompt->at);
    if (!has_failed && take_turn(works[i], *prompt) == Turn::kFinished) {
      delete prompt;
    } else {
      left.push_back(prompt);
    }
  }
  pause_for(milliseconds);
  if (!has_failed) return BENTO_OK;
  for (Prompt* const prompt : left) delete prompt;  // their works are gone
  return fail(error, BENTO_UNAVAILABLE, "the step failed");
}

struct Threads {
  std::mutex mutex;
  std::vector<std::thread> all;
  std::atomic<int> cancels = 0;
  std::atomic<bool> is_over = false;
};

bento_code begin_on_thread(void* self, const bento_method*, bento_work* work, bento_error*) {
  auto* const threads = static_cast<Threads*>(self);
  const std::lock_guard lock(threads->mutex);
  threads->all.emplace_back([work, threads] {
    Prompt prompt(*work->in[0]);
    for (;;) {
      const Turn turn = take_turn(work, prompt);
      if (turn == Turn::kFinished || threads->is_over) return;
      pause_for(turn == Turn::kWaits ? 10 : prompt.milliseconds);
    }
  });
  return BENTO_OK;
}

void count_cancel(void* self, const bento_method*, bento_work*) {
  ++static_cast<Threads*>(self)->cancels;
}

// ---- plain methods
// --------------------------------------------------------------------------------

bento_code run_pid(void* self, const bento_method*, bento_ctx*, const bento_value* const*, size_t,
                   const uint32_t*, size_t, bento_sink* sink, bento_error* error) {
  const int cancels = static_cast<Threads*>(self)->cancels;
  return put(sink, std::to_string(::getpid()) + " " + std::to_string(cancels), error);
}

// Until it is cancelled.
bento_code run_spin(void*, const bento_method*, bento_ctx* ctx, const bento_value* const* in,
                    size_t, const uint32_t*, size_t, bento_sink*, bento_error* error) {
  const std::string before(static_cast<const char*>(in[0]->bytes.ptr), in[0]->bytes.len);
  while (host->cancelled(ctx) == 0) pause_for(1);
  const std::string after(static_cast<const char*>(in[0]->bytes.ptr), in[0]->bytes.len);
  if (before != after) std::abort();  // the input has moved
  return fail(error, BENTO_CANCELLED, "cancelled");
}

bento_code create(const bento_host* from, uint32_t, void** self, bento_error*) {
  host = from;
  *self = new Threads;
  return BENTO_OK;
}

void destroy(void* self) {
  auto* const threads = static_cast<Threads*>(self);
  threads->is_over = true;
  for (std::thread& thread : threads->all) thread.join();
  delete threads;
}

// ---- handlers
// -------------------------------------------------------------------------------------

// All words of a stream, on a thread: "COUNT BYTES", or the first words and no more.
bento_code collect(void*, const bento_api*, bento_ctx* ctx, const bento_value* const* in, size_t n,
                   bento_sink* sink, bento_error* error) {
  const Prompt prompt(*in[0]);
  bento_ticket* ticket = nullptr;
  bento_code code = host->submit(ctx, str("threads"), str("words"), in, n, &ticket, error);
  if (code != BENTO_OK) return code;
  size_t count = 0, bytes = 0;
  for (;;) {
    const bento_value* const* out = nullptr;
    size_t outs = 0;
    code = host->next(ticket, &out, &outs, error);
    if (code != BENTO_OK || outs == 0) break;
    ++count;
    bytes += out[0]->bytes.len;
    if (prompt.option == "leave" && count == prompt.at) break;
  }
  host->release(ticket);
  if (code != BENTO_OK) return code;
  return put(sink, std::to_string(count) + " " + std::to_string(bytes), error);
}

// The same on the loop.
struct Collecting {
  bento_ticket* ticket = nullptr;
  bento_done* done = nullptr;
  size_t count = 0, bytes = 0;
};

void go_on(void* arg) {
  auto* const self = static_cast<Collecting*>(arg);
  bento_error error = make_error(BENTO_OK, "");
  for (;;) {
    const bento_value* const* out = nullptr;
    size_t outs = 0;
    bento_code code = host->next(self->ticket, &out, &outs, &error);
    if (code == BENTO_PENDING) {
      if (host->when(self->ticket, &go_on, self) != 0) return;
      continue;
    }
    if (code == BENTO_OK && outs != 0) {
      ++self->count;
      self->bytes += out[0]->bytes.len;
      continue;
    }
    host->release(self->ticket);
    if (code == BENTO_OK) {
      code = put(self->done->sink, std::to_string(self->count) + " " + std::to_string(self->bytes),
                 &error);
    }
    bento_done* const done = self->done;
    delete self;
    return done->finish(done, code, &error);
  }
}

bento_code collect_async(void*, const bento_api*, bento_ctx* ctx, const bento_value* const* in,
                         size_t n, bento_done* done, bento_error* error) {
  auto* const self = new Collecting;
  self->done = done;
  const bento_code code =
      host->submit(ctx, str("threads"), str("words"), in, n, &self->ticket, error);
  if (code != BENTO_OK) {
    delete self;
    return code;
  }
  go_on(self);
  return BENTO_OK;
}

// Streams for as long as its client reads, on a thread.
bento_code raw_stream(void*, const bento_api*, const bento_call* call, bento_error* error) {
  bento_event event{};
  event.size = sizeof event;
  event.type = BENTO_RESPONSE_START;
  event.status = 200;
  bento_code code = call->channel->send(call->channel, &event, error);
  event = {};
  event.size = sizeof event;
  event.type = BENTO_RESPONSE_BODY;
  event.more = 1;
  event.body = {"tick\n", 5};
  while (code == BENTO_OK && host->cancelled(call->ctx) == 0) {
    code = call->channel->send(call->channel, &event, error);
    pause_for(5);
  }
  event.more = 0;
  return code == BENTO_OK ? call->channel->send(call->channel, &event, error) : code;
}

// ---- the description
// ------------------------------------------------------------------------------

bento_io make_text() {
  bento_io io{};
  io.size = sizeof io;
  io.kind = BENTO_BYTES;
  io.descriptor = str("text");
  return io;
}
const bento_io text = make_text();

template <typename T>
T make(std::string_view name) {
  T thing{};
  thing.size = sizeof thing;
  thing.name = str(name);
  return thing;
}

bento_engine make_engine(decltype(bento_engine::begin) begin, decltype(bento_engine::step) step) {
  bento_engine engine{};
  engine.size = sizeof engine;
  engine.begin = begin;
  engine.step = step;
  engine.cancel = &count_cancel;
  return engine;
}
const bento_engine engines[] = {make_engine(begin_computes, nullptr),
                                make_engine(begin_keeps, step),
                                make_engine(begin_on_thread, nullptr)};

bento_method make_words(const bento_engine* engine, std::string_view name, uint32_t concurrent,
                        uint32_t flags) {
  auto method = make<bento_method>(name);
  method.flags = BENTO_STREAMS | flags;
  method.in = method.out = &text;
  method.engine = engine;
  method.max_concurrent = concurrent;
  return method;
}

bento_method make_plain(std::string_view name, decltype(bento_method::run) run) {
  auto method = make<bento_method>(name);
  method.in = method.out = &text;
  method.run = run;
  return method;
}

bento_method with_latency(bento_method method, uint32_t milliseconds) {
  method.max_latency_ms = milliseconds;
  return method;
}

struct Runner {
  std::vector<bento_method> methods;
  std::vector<const bento_method*> pointers;
  bento_runner abi;

  Runner(std::string_view name, const bento_engine* engine, uint32_t concurrent)
      : methods{make_words(engine, "words", concurrent, 0),
                make_words(engine, "safe_words", concurrent, BENTO_IDEMPOTENT),
                with_latency(make_words(engine, "prompt_words", concurrent, 0), 300),
                make_plain("pid", run_pid), make_plain("spin", run_spin)},
        abi(make<bento_runner>(name)) {
    for (const bento_method& method : methods) pointers.push_back(&method);
    abi.methods = pointers.data();
    abi.n_methods = pointers.size();
    abi.create = &create;
    abi.destroy = &destroy;
  }
};

const bento_service* open(const bento_host* from, bento_error*) {
  host = from;
  static Runner runners[] = {
      {"begins", &engines[0], 1}, {"steps", &engines[1], 4}, {"threads", &engines[2], 4}};
  static std::vector<const bento_runner*> runner_pointers;
  static std::vector<std::string> names;
  static std::vector<bento_api> apis;
  static std::vector<const bento_api*> api_pointers;
  names.reserve(64);
  for (const Runner& runner : runners) {
    runner_pointers.push_back(&runner.abi);
    const std::string name(runner.abi.name.ptr, runner.abi.name.len);
    for (const bento_method& method : runner.methods) {
      const std::string which(method.name.ptr, method.name.len);
      names.push_back(name + "_" + which);
      auto api = make<bento_api>(names.back());
      api.runner = runner.abi.name;
      api.method = method.name;
      api.stream = (method.flags & BENTO_STREAMS) != 0 ? BENTO_AS_EVENTS : 0;
      apis.push_back(api);
    }
    names.push_back(name + "_lines");
    auto lines = make<bento_api>(names.back());
    lines.runner = runner.abi.name;
    lines.method = str("words");
    lines.stream = BENTO_AS_LINES;
    apis.push_back(lines);
  }
  auto on_thread = make<bento_api>("collect");
  on_thread.in = on_thread.out = &text;
  on_thread.invoke = &collect;
  apis.push_back(on_thread);
  auto on_loop = make<bento_api>("collect_async");
  on_loop.in = on_loop.out = &text;
  on_loop.invoke_async = &collect_async;
  apis.push_back(on_loop);
  auto raw = make<bento_api>("ticks");
  raw.raw = &raw_stream;
  apis.push_back(raw);
  for (const bento_api& api : apis) api_pointers.push_back(&api);

  static auto service = make<bento_service>("engines");
  service.version = str("1");
  service.apis = api_pointers.data();
  service.n_apis = api_pointers.size();
  service.runners = runner_pointers.data();
  service.n_runners = runner_pointers.size();
  service.create = [](const bento_host*, void** self, bento_error*) -> bento_code {
    *self = nullptr;
    return BENTO_OK;
  };
  service.destroy = [](void*) {};
  return &service;
}

}  // namespace

extern "C" const bento_plugin_entry bento_entry = {sizeof(bento_plugin_entry),
                                                   BENTO_ABI_MAJOR,
                                                   BENTO_ABI_TARGET_MINOR,
                                                   "bento-sdk 1.1, by hand",
                                                   &open,
                                                   [] {},
                                                   nullptr};
