// Asynchronous handlers on the ABI itself, without the SDK's coroutines: what each waits for is in
// its path. The input says how long, how often, or what to send.
#include <bento/abi.h>

#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <list>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

namespace {

void sleep_ms(std::string_view number) {
  std::this_thread::sleep_for(
      std::chrono::milliseconds(std::strtoul(std::string(number).c_str(), nullptr, 10)));
}

const bento_host* host = nullptr;

bento_str str(std::string_view text) { return {text.data(), text.size()}; }
std::string_view view(bento_str text) { return {text.ptr, text.len}; }
std::string_view view(bento_bytes bytes) {
  return {static_cast<const char*>(bytes.ptr), bytes.len};
}

bento_error no_error() {
  bento_error error{};
  error.size = sizeof error;
  return error;
}
bento_code fail(bento_error* error, bento_code code, std::string_view message) {
  error->code = code;
  error->http_status = 0;
  std::snprintf(error->message, sizeof error->message, "%.*s", static_cast<int>(message.size()),
                message.data());
  return code;
}
bento_value bytes_value(std::string_view text) {
  bento_value value{};
  value.size = sizeof value;
  value.kind = BENTO_BYTES;
  value.bytes = {text.data(), text.size()};
  return value;
}

// What GET /counts tells.
std::atomic<int> alive = 0, cancelled = 0, late = 0, at_work = 0, deferred = 0;

// ---- threads that resolve promises, ended by destroy -------------------------------------------

std::mutex threads_mutex;
std::vector<std::thread> threads;

template <typename F>
void on_a_thread(F f) {
  const std::lock_guard lock(threads_mutex);
  threads.emplace_back(std::move(f));
}

// ---- a handler that waits ----------------------------------------------------------------------

// `go_on` is called until it has finished: once at first, then each time that something it waits
// for is worth asking.
struct Task {
  bento_ctx* ctx = nullptr;
  bento_done* done = nullptr;
  bento_channel* channel = nullptr;
  std::string text;  // the input
  std::vector<bento_ticket*> tickets;
  std::vector<std::string> results;
  int step = 0;
  std::size_t sent = 0, received = 0;
  unsigned sum = 0;
  std::string piece;
  bool has_ended_body = false;
  void (*go_on)(Task&) = nullptr;

  Task() { ++alive; }
  ~Task() {
    for (bento_ticket* ticket : tickets) host->release(ticket);
    --alive;
  }
  void run() { go_on(*this); }
  static void wake(void* task) { static_cast<Task*>(task)->run(); }

  // The last call: the task is gone afterwards.
  void finish(bento_code code = BENTO_OK, const bento_error* error = nullptr) {
    if (code == BENTO_CANCELLED) ++cancelled;
    if (code == BENTO_DEADLINE_EXCEEDED) ++late;
    bento_done* const its_done = done;
    for (bento_ticket* ticket : tickets) host->release(ticket);
    tickets.clear();
    bento_error copy = error != nullptr ? *error : no_error();
    delete this;
    its_done->finish(its_done, code, &copy);
  }
  void answer(std::string_view result) {
    bento_error error = no_error();
    const bento_value value = bytes_value(result);
    const bento_code code = done->sink->value(done->sink, &value, &error);
    finish(code, &error);
  }
  void fail(bento_code code, std::string_view message) {
    bento_error error = no_error();
    ::fail(&error, code, message);
    finish(code, &error);
  }

  bool call(std::string_view method, std::string_view input) {
    bento_error error = no_error();
    const bento_value value = bytes_value(input);
    const bento_value* const in[] = {&value};
    bento_ticket* ticket = nullptr;
    const bento_code code = host->submit(ctx, str("worker"), str(method), in, 1, &ticket, &error);
    if (code != BENTO_OK) return finish(code, &error), false;
    tickets.push_back(ticket);
    return true;
  }
  bool sleep(std::uint64_t ms) {
    bento_error error = no_error();
    bento_ticket* ticket = nullptr;
    const bento_code code = host->after(ctx, ms * 1'000'000, &ticket, &error);
    if (code != BENTO_OK) return finish(code, &error), false;
    tickets.push_back(ticket);
    return true;
  }
  // False: not yet, or it has finished. A result, if there is one, is among the results.
  bool next(bento_ticket* ticket) {
    while (true) {
      bento_error error = no_error();
      const bento_value* const* out = nullptr;
      std::size_t n = 0;
      const bento_code code = host->next(ticket, &out, &n, &error);
      if (code == BENTO_PENDING) {
        if (host->when(ticket, &wake, this) != 0) return false;
        continue;
      }
      if (code != BENTO_OK) return finish(code, &error), false;
      if (n != 0) results.emplace_back(view(out[0]->bytes));
      return true;
    }
  }
  bool all() {
    while (static_cast<std::size_t>(step) < tickets.size()) {
      if (!next(tickets[static_cast<std::size_t>(step)])) return false;
      ++step;
    }
    return true;
  }
  std::string joined() const {
    std::string whole;
    for (const std::string& each : results) whole += (whole.empty() ? "" : "+") + each;
    return whole;
  }

  // ---- of the channel
  bool send(const bento_event& event) {
    bento_error error = no_error();
    const bento_code code = channel->send(channel, &event, &error);
    return code == BENTO_OK || (finish(code, &error), false);
  }
  bool start(std::uint32_t status = 200) {
    bento_event event{};
    event.size = sizeof event;
    event.type = BENTO_RESPONSE_START;
    event.status = status;
    return send(event);
  }
  bool write(std::string_view bytes, bool more = true) {
    bento_event event{};
    event.size = sizeof event;
    event.type = BENTO_RESPONSE_BODY;
    event.more = more ? 1 : 0;
    event.body = {bytes.data(), bytes.size()};
    sent += bytes.size();
    return send(event);
  }
  bool has_room() { return channel->when(channel, BENTO_CAN_SEND, &wake, this) == 0; }
  // False: not yet, or it has finished. `piece` is the next one.
  bool receive() {
    while (true) {
      bento_error error = no_error();
      bento_event event{};
      event.size = sizeof event;
      const bento_code code = channel->receive(channel, &event, &error);
      if (code == BENTO_PENDING) {
        if (channel->when(channel, BENTO_CAN_RECEIVE, &wake, this) != 0) return false;
        continue;
      }
      if (code != BENTO_OK) return finish(code, &error), false;
      if (event.type == BENTO_DISCONNECT) return fail(BENTO_CANCELLED, "disconnected"), false;
      piece = view(event.body);
      received += piece.size();
      for (const char c : piece) sum = sum * 31 + static_cast<unsigned char>(c);
      has_ended_body = event.more == 0;
      return true;
    }
  }
};

// ---- held until /let_go ------------------------------------------------------------------------

std::mutex held_mutex;
std::list<Task*> held;

// ---- the handlers of values --------------------------------------------------------------------

using Handler = void (*)(Task&);

void echo(Task& task) { task.answer(task.text); }

void both(Task& task) {
  if (task.step == 0 && task.tickets.empty()) {
    if (!task.call("echo", task.text + "a") || !task.call("echo", task.text + "b")) return;
  }
  if (task.all()) task.answer(task.joined());
}

void nap(Task& task) {
  if (task.tickets.empty() && !task.call("nap", task.text)) return;
  if (task.all()) task.answer("awake");
}

void later(Task& task) {
  if (task.tickets.empty() && !task.sleep(std::strtoull(task.text.c_str(), nullptr, 10))) return;
  if (task.all()) task.answer("later");
}

// A call and a timer: what comes first. The other is released.
void within(Task& task) {
  if (task.tickets.empty() && (!task.call("nap", task.text) || !task.sleep(50))) return;
  for (bento_ticket* ticket : task.tickets) {
    bento_error error = no_error();
    const bento_value* const* out = nullptr;
    std::size_t n = 0;
    const bento_code code = host->next(ticket, &out, &n, &error);
    if (code == BENTO_OK) return task.answer(n != 0 ? "in time" : "too late");
    if (code != BENTO_PENDING) return task.finish(code, &error);
    if (host->when(ticket, &Task::wake, &task) == 0) return task.run();
  }
}

void promised(Task& task) {
  if (task.tickets.empty()) {
    bento_error error = no_error();
    bento_ticket* ticket = nullptr;
    void* resolver = nullptr;
    const bento_code code = host->promise(task.ctx, &ticket, &resolver, &error);
    if (code != BENTO_OK) return task.finish(code, &error);
    task.tickets.push_back(ticket);
    on_a_thread([resolver, text = task.text] {
      if (text == "fail") {
        bento_error why = no_error();
        fail(&why, BENTO_NOT_FOUND, "the promise failed");
        return host->resolve(resolver, BENTO_NOT_FOUND, nullptr, &why);
      }
      if (text == "nothing") return host->resolve(resolver, BENTO_OK, nullptr, nullptr);
      const std::string kept = "kept " + text;
      const bento_value value = bytes_value(kept);
      host->resolve(resolver, BENTO_OK, &value, nullptr);
    });
  }
  if (task.all()) task.answer(task.results.empty() ? "nothing" : task.joined());
}

// The thread of the work counts to its number, in ms.
void offloaded(Task& task) {
  if (task.tickets.empty()) {
    bento_error error = no_error();
    bento_ticket* ticket = nullptr;
    const auto work = [](void* arg) {
      ++at_work;
      sleep_ms(static_cast<Task*>(arg)->text);
      static_cast<Task*>(arg)->results.emplace_back("offloaded");
      --at_work;
    };
    const bento_code code = host->offload(task.ctx, work, &task, &ticket, &error);
    if (code != BENTO_OK) return task.finish(code, &error);
    task.tickets.push_back(ticket);
  }
  if (!task.all()) return;
  if (host->cancelled(task.ctx) != 0) return task.fail(BENTO_CANCELLED, "cancelled");
  task.answer(task.joined());
}

// Waits where it must not.
void waits(Task& task) {
  if (!task.call("echo", task.text)) return;
  bento_error error = no_error();
  const bento_value* const* out = nullptr;
  std::size_t n = 0;
  const bento_code code = host->wait(task.tickets[0], &out, &n, &error);
  task.finish(code, &error);
}

void silent(Task& task) { task.finish(); }

// "5 why": before it has waited; " 5 why": afterwards.
void fails(Task& task) {
  if (task.text.starts_with(' ') && task.tickets.empty() && !task.sleep(1)) return;
  if (!task.all()) return;
  const std::size_t number = task.text.find_first_not_of(' ');
  const auto code = static_cast<bento_code>(std::atoi(task.text.c_str() + number));
  task.fail(code, task.text.substr(task.text.find(' ', number) + 1));
}

void holds(Task& task) {
  const std::lock_guard lock(held_mutex);
  held.push_back(&task);
}

// From another thread, which the host forgives.
void let_go(Task& task) {
  std::list<Task*> all;
  {
    const std::lock_guard lock(held_mutex);
    all.swap(held);
  }
  for (Task* each : all) each->answer("let go");
  task.answer(std::to_string(all.size()));
}

void stalls(Task& task) {
  const auto end = std::chrono::steady_clock::now() + std::chrono::milliseconds(30);
  while (std::chrono::steady_clock::now() < end) {
  }
  task.answer("stalled");
}

void twice(Task& task) {
  bento_done* const done = task.done;
  task.answer("once");
  bento_error error = no_error();
  done->finish(done, BENTO_OK, &error);
}

void defers(Task& task) {
  if (task.tickets.empty() && !task.sleep(1)) return;
  if (!task.all()) return;
  bento_error error = no_error();
  const auto run = [](void*, bento_ctx*, bento_error*) -> bento_code {
    ++deferred;
    return BENTO_OK;
  };
  const bento_code code = host->defer(
      task.ctx, run, nullptr, [](void*) {}, &error);
  if (code != BENTO_OK) return task.finish(code, &error);
  task.answer("deferred");
}

void crashes(Task& task) {
  if (task.tickets.empty() && !task.sleep(1)) return;
  if (task.all()) std::abort();
}

void large(Task& task) {
  if (task.tickets.empty() && !task.sleep(1)) return;
  if (task.all()) task.answer(task.text + task.text);
}

// Many timers, of which none is asked again.
void leaves_tickets(Task& task) {
  if (task.tickets.empty()) {
    for (int i = 0; i < 10; ++i) {
      if (!task.sleep(3'600'000)) return;
    }
    if (!task.call("nap", "0")) return;
  }
  if (task.next(task.tickets.back())) task.answer("left");
}

// ---- the handlers of channels ------------------------------------------------------------------

void upload(Task& task) {
  while (!task.has_ended_body) {
    if (!task.receive()) return;
  }
  const std::string result = std::to_string(task.received) + " " + std::to_string(task.sum);
  if (task.start() && task.write(result, false)) task.finish();
}

// The number of MiB is in the query.
void download(Task& task) {
  const bento_scope* scope = host->scope(task.ctx);
  const std::size_t size = std::strtoull(std::string(view(scope->query)).c_str(), nullptr, 10)
                           << 20;
  if (task.step++ == 0) {
    task.text.assign(64u << 10, 'x');
    if (!task.start()) return;
  }
  while (task.sent < size) {
    if (!task.has_room()) return;
    if (!task.write(task.text)) return;
  }
  if (task.write({}, false)) task.finish();
}

void mirror(Task& task) {
  if (task.step++ == 0 && !task.start()) return;
  while (!task.has_ended_body) {
    if (!task.has_room() || !task.receive()) return;
    if (!task.has_ended_body && !task.write(task.piece)) return;
  }
  if (task.write(task.piece, false)) task.finish();
}

// Until it is told that nobody listens.
void events(Task& task) {
  if (task.step++ == 0 && !task.start()) return;
  while (true) {
    if (!task.tickets.empty()) {
      if (!task.next(task.tickets.back())) return;
      host->release(task.tickets.back());
      task.tickets.clear();
    }
    if (!task.write("data: tick\n\n") || !task.sleep(20)) return;
  }
}

// Does not ask whether there is room.
void floods(Task& task) {
  const std::string piece(1u << 20, 'y');
  if (!task.start()) return;
  for (int i = 0; i < 1000; ++i) {
    if (!task.write(piece)) return;
  }
  if (task.write({}, false)) task.finish();
}

void fails_late(Task& task) {
  if (task.step++ == 0 && (!task.start() || !task.write("begun") || !task.sleep(1))) return;
  if (task.next(task.tickets[0])) task.fail(BENTO_INTERNAL, "after its start");
}

void ends_early(Task& task) {
  if (task.start() && task.write("begun")) task.finish();
}

void whole(Task& task) {
  if (task.tickets.empty() && !task.sleep(1)) return;
  if (!task.next(task.tickets[0])) return;
  if (task.start(201) && task.write("whole", false)) task.finish();
}

// ---- the description ---------------------------------------------------------------------------

bento_io text_io() {
  bento_io io{};
  io.size = sizeof io;
  io.kind = BENTO_BYTES;
  io.descriptor = str("text");
  return io;
}
const bento_io text = text_io();

template <typename F>
bento_code begin(F set_up, bento_done* done, Handler handler) {
  auto task = std::make_unique<Task>();
  task->done = done;
  task->go_on = handler;
  set_up(*task);
  task.release()->run();
  return BENTO_OK;
}

bento_code invoke(void*, const bento_api* api, bento_ctx* ctx, const bento_value* const* in, size_t,
                  bento_done* done, bento_error*) {
  return begin(
      [&](Task& task) {
        task.ctx = ctx;
        task.text = view(in[0]->bytes);
      },
      done, reinterpret_cast<Handler>(api->user));
}

bento_code raw(void*, const bento_api* api, const bento_call* call, bento_done* done,
               bento_error*) {
  return begin(
      [&](Task& task) {
        task.ctx = call->ctx;
        task.channel = call->channel;
      },
      done, reinterpret_cast<Handler>(api->user));
}

bento_code refuses(void*, const bento_api*, bento_ctx*, const bento_value* const*, size_t,
                   bento_done*, bento_error* error) {
  return fail(error, BENTO_NOT_FOUND, "refused at once");
}

bento_code counts(void*, const bento_api*, bento_ctx*, const bento_value* const*, size_t,
                  bento_sink* sink, bento_error* error) {
  const std::string all =
      "{\"alive\": " + std::to_string(alive) + ", \"cancelled\": " + std::to_string(cancelled) +
      ", \"late\": " + std::to_string(late) + ", \"at_work\": " + std::to_string(at_work) +
      ", \"deferred\": " + std::to_string(deferred) + "}";
  const bento_value value = bytes_value(all);
  return sink->value(sink, &value, error);
}

bento_code quick_stalls(void*, const bento_api*, bento_ctx*, const bento_value* const* in, size_t,
                        bento_sink* sink, bento_error* error) {
  sleep_ms("30");
  return sink->value(sink, in[0], error);
}

std::vector<std::unique_ptr<bento_api>> apis;
std::vector<const bento_api*> api_pointers;

bento_api& add(std::string_view name) {
  bento_api& api = *apis.emplace_back(std::make_unique<bento_api>());
  api = {};
  api.size = sizeof api;
  api.name = str(name);
  api_pointers.push_back(&api);
  return api;
}
void add_values(std::string_view name, Handler handler) {
  bento_api& api = add(name);
  api.in = api.out = &text;
  api.invoke_async = &invoke;
  api.user = reinterpret_cast<void*>(handler);
}
void add_channel(std::string_view name, Handler handler, std::string_view method) {
  bento_api& api = add(name);
  api.raw_async = &raw;
  api.http_method = str(method);
  api.user = reinterpret_cast<void*>(handler);
}

bento_code worker_run(void*, const bento_method* method, bento_ctx*, const bento_value* const* in,
                      size_t, const std::uint32_t*, size_t, bento_sink* sink, bento_error* error) {
  if (view(method->name) == "nap") sleep_ms(view(in[0]->bytes));
  return sink->value(sink, in[0], error);
}

bento_method method_of(std::string_view name) {
  bento_method method{};
  method.size = sizeof method;
  method.name = str(name);
  method.in = method.out = &text;
  method.run = &worker_run;
  return method;
}
const bento_method echo_method = method_of("echo"), nap_method = method_of("nap");
const bento_method* const methods[] = {&echo_method, &nap_method};

bento_runner make_runner() {
  bento_runner runner{};
  runner.size = sizeof runner;
  runner.name = str("worker");
  runner.methods = methods;
  runner.n_methods = 2;
  runner.create = [](const bento_host*, std::uint32_t, void** self, bento_error*) -> bento_code {
    *self = nullptr;
    return BENTO_OK;
  };
  runner.destroy = [](void*) {};
  return runner;
}
const bento_runner runner = make_runner();
const bento_runner* const runners[] = {&runner};

#ifdef WRAPS
// Middleware that waits, around all of it.
bento_code around(void*, const bento_middleware*, const bento_call* call, const bento_app* next,
                  bento_error* error) {
  return next->call(next->self, call, error);
}
#else
bento_code on_response(void*, const bento_middleware*, bento_exchange* exchange,
                       bento_error* error) {
  return exchange->add_response_header(exchange, str("X-Hook"), str("seen"), error);
}
#endif

bento_middleware make_middleware() {
  bento_middleware middleware{};
  middleware.size = sizeof middleware;
  middleware.name = str("wrapper");
#ifdef WRAPS
  middleware.around = &around;
#else
  middleware.on_response = &on_response;
#endif
  return middleware;
}
const bento_middleware middleware = make_middleware();
const bento_middleware* const all_middleware[] = {&middleware};

const bento_service* open(const bento_host* given, bento_error*) {
  host = given;
  add_values("echo", &echo);
  add_values("both", &both);
  add_values("nap", &nap);
  add_values("later", &later);
  add_values("within", &within);
  add_values("promised", &promised);
  add_values("offloaded", &offloaded);
  add_values("waits", &waits);
  add_values("silent", &silent);
  add_values("fails", &fails);
  add_values("holds", &holds);
  add_values("let_go", &let_go);
  add_values("stalls", &stalls);
  add_values("twice", &twice);
  add_values("defers", &defers);
  add_values("crashes", &crashes);
  add_values("large", &large);
  add_values("leaves_tickets", &leaves_tickets);
  add_values("refuses", nullptr);
  apis.back()->invoke_async = &refuses;
  add_channel("upload", &upload, "POST");
  add_channel("mirror", &mirror, "POST");
  add_channel("download", &download, "GET");
  add_channel("events", &events, "GET");
  add_channel("floods", &floods, "GET");
  add_channel("fails_late", &fails_late, "GET");
  add_channel("ends_early", &ends_early, "GET");
  add_channel("whole", &whole, "GET");
  bento_api& quick = add("quick_stalls");
  quick.flags = BENTO_API_QUICK;
  quick.in = quick.out = &text;
  quick.invoke = &quick_stalls;
  bento_api& told = add("counts");
  told.in = told.out = &text;
  told.http_method = str("GET");
  told.flags = BENTO_API_QUICK;
  told.invoke = &counts;

  static bento_service service{};
  service.size = sizeof service;
  service.name = str("waits");
  service.apis = api_pointers.data();
  service.n_apis = api_pointers.size();
  service.runners = runners;
  service.n_runners = 1;
  service.middleware = all_middleware;
  service.n_middleware = 1;
  service.create = [](const bento_host*, void** self, bento_error*) -> bento_code {
    *self = nullptr;
    return BENTO_OK;
  };
  service.destroy = [](void*) {
    const std::lock_guard lock(threads_mutex);
    for (std::thread& each : threads) each.join();
    threads.clear();
  };
  return &service;
}

void close() {}

}  // namespace

extern "C" BENTO_EXPORT const bento_plugin_entry bento_entry = {
    sizeof(bento_plugin_entry), BENTO_ABI_MAJOR, BENTO_ABI_MINOR, "a test", &open, &close, nullptr};
