// Asynchronous handlers on the ABI itself, without the SDK's coroutines: what each waits for is in
// its path. The input says how long, how often, or what to send.
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "async_handlers.h"
#include "async_task.h"

namespace {

// ---- the description ---------------------------------------------------------------------------

bento_io text_io() {
  bento_io io{};
  io.size = sizeof io;
  io.kind = BENTO_BYTES;
  io.descriptor = str("text");
  return io;
}
const bento_io text = text_io();

// With a sample, which a reload tries.
bento_io json_io() {
  bento_io io{};
  io.size = sizeof io;
  io.kind = BENTO_JSON;
  io.descriptor = str("json");
  io.sample = str("5");
  return io;
}
const bento_io json = json_io();

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
  add_values("tried", &later);
  apis.back()->in = &json;
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
