// bento::testing::Host: a host for unit tests, in the test's own process and thread. Not part of
// <bento/bento.hpp>; no library but RapidJSON.
//
//   TEST(Iris, ClassifiesASetosa) {
//     bento::testing::Host host(bento_entry);
//     EXPECT_EQ(host.post("/classify", "[[4.9,3.0,1.4,0.2]]").body, "[0]");
//   }
//
// It routes, decodes, wraps in middleware and encodes as bentohost does, holds what is returned
// against what was declared, and answers errors with their status and message, also those of a 500,
// as bentohost does with --debug. There is one instance of each runner, and a call, of any number
// of rows, is one run where it is submitted, unless it is held; an engine has a turn in each turn
// of the loop; background tasks run in order before the answer is
// returned. What is the real host's own affair is not here: sockets, batches, its limits, metrics,
// and mounts of files and of programs, which are answered 501.
//
// Coroutines and streams can be run by hand, so that a test sees what has not happened yet:
//
//   auto exchange = host.begin({.target = "/ticks"});
//   host.advance(1s);
//   EXPECT_EQ(exchange.so_far().body, "data: 0\n\ndata: 1\n\n");
//
// One thing at a time, and nothing waits by the real clock, but for promises that other threads
// resolve. Hooks, handlers and tasks are called on the test's own thread; a request that is run by
// hand has a stack of its own, which is a thread. One Host of a plugin at a time: a plugin is
// opened once.
#pragma once

#include <bento/abi.h>

#include <algorithm>
#include <bento/context.hpp>
#include <bento/error.hpp>
#include <bento/headers.hpp>
#include <bento/testing/calls.hpp>
#include <bento/testing/client.hpp>
#include <bento/testing/endpoint.hpp>
#include <bento/testing/exchange_by_hand.hpp>
#include <bento/testing/fetch_call.hpp>
#include <bento/testing/host_table.hpp>
#include <bento/testing/message.hpp>
#include <bento/testing/middleware.hpp>
#include <bento/testing/options.hpp>
#include <bento/testing/problem.hpp>
#include <bento/testing/routes.hpp>
#include <bento/testing/scope.hpp>
#include <bento/testing/state.hpp>
#include <charconv>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace bento::testing {

struct HostOptions {
  std::string options = "{}";                // the service's, as --set gives them: a JSON object
  std::string plugin_dir = ".";              // where relative paths in options are meant from
  std::chrono::milliseconds timeout{60000};  // of a request
  std::size_t max_background = 1024;         // tasks of a request
  std::size_t window =
      32;  // results that a streaming method is ahead of its caller, as in bentohost
};

class Host {
 public:
  // Opens the plugin, creates the service, calls on_startup, makes one instance of each runner and
  // calls on_ready, as bentohost does. `entry` is the bento_entry of the plugin whose sources the
  // test links. Throws Error with what any of these fails with, and for options that do not fit.
  explicit Host(const bento_plugin_entry& entry, const HostOptions& options = {})
      : entry_(entry), options_(options), table_(environment_, options.plugin_dir) {
    environment_.max_background = options.max_background;
    environment_.window = options.window;
    environment_.calls = &calls_;
    try {
      start();
    } catch (...) {
      stop();
      throw;
    }
  }
  // The same with nothing but options.
  Host(const bento_plugin_entry& entry, const char* options)
      : Host(entry, HostOptions{.options = options}) {}
  Host(const Host&) = delete;
  Host& operator=(const Host&) = delete;
  // Calls on_shutdown if the start has succeeded, destroys the runners and the service, and closes
  // the plugin.
  ~Host() { stop(); }

  // One request and its answer. `target` is path and query as on the wire. They do not throw for
  // what the service answers, errors included.
  Response get(std::string target, Headers headers = {}) {
    return request({.target = std::move(target), .headers = std::move(headers)});
  }
  Response post(std::string target, std::string body, Headers headers = {}) {
    return send("POST", std::move(target), std::move(body), std::move(headers));
  }
  Response put(std::string target, std::string body, Headers headers = {}) {
    return send("PUT", std::move(target), std::move(body), std::move(headers));
  }
  Response patch(std::string target, std::string body, Headers headers = {}) {
    return send("PATCH", std::move(target), std::move(body), std::move(headers));
  }
  Response del(std::string target, Headers headers = {}) {
    return send("DELETE", std::move(target), {}, std::move(headers));
  }
  Response send(std::string method, std::string target, std::string body, Headers headers = {}) {
    return request({.method = std::move(method),
                    .target = std::move(target),
                    .body = std::move(body),
                    .headers = std::move(headers)});
  }
  // The same with all that a Request has. The request's background tasks have run when it returns;
  // the answer has an X-Request-Id, "test-1" and so on.
  Response request(const Request& request) {
    internal::Underway underway(environment_, request);
    prepare(underway);
    run(underway);
    return *std::move(underway.response);
  }

  // By hand: begins a request, and goes on with it until its handler waits, or has ended. From then
  // on it goes on in turn() alone. The loop's clock stands still; advance() moves it.
  Exchange begin(Request request) {
    const auto underway = std::make_shared<internal::Underway>(environment_, std::move(request));
    prepare(*underway);
    underway->fiber.emplace([this, at = underway.get()] { run(*at); });
    underway->fiber->run();
    by_hand_.push_back(underway);
    return Exchange(underway);
  }
  // A turn of the event loop: does what is ready, for all requests, and nothing that becomes ready
  // by it. A runner's answer, a turn of an engine, a function of on_thread() and what it ends with
  // each take a turn. False: nothing was ready, and nothing is.
  bool turn() {
    const bool was_ready = environment_.loop.turn();
    for (std::size_t i = 0; i < by_hand_.size(); ++i) by_hand_[i]->fiber->run();
    std::erase_if(by_hand_, [](const auto& underway) { return underway->response.has_value(); });
    return was_ready || environment_.loop.is_ready();
  }
  // Turns until nothing is ready. The clock stands still.
  void settle() {
    while (turn()) continue;
  }
  // Moves the loop's clock, and settles. Timers go off in their order, each at its own time.
  void advance(std::chrono::nanoseconds time) {
    settle();
    for (const auto end = environment_.loop.now() + time; environment_.loop.now() < end; settle()) {
      environment_.loop.advance_to_next(end);
    }
  }
  // From now on calls of a runner's method, "runner.method", take so long by the loop's clock.
  void set_latency(std::string method, std::chrono::nanoseconds time) {
    environment_.latencies[std::move(method)] = time;
  }
#if BENTO_ABI_TARGET_MINOR >= 1
  // From now on the service's fetches are answered by `f`, of a const FetchCall&: it returns a
  // bento::FetchResponse, or throws the Error that the fetch is to fail with. It is called within
  // ctx.fetch(); set_latency("fetch", ...) says how long the response then takes. No request ever
  // leaves the test: without this, fetches fail with UNAVAILABLE.
  template <typename F>
  void answer_fetches(F f) {
    environment_.fetches = std::move(f);
  }
#endif

  // From now on calls of a runner's method, "runner.method", wait until let_go(). Then those of a
  // method with lists are one batch, up to its max_batch, and others are run one by one; what is
  // called afterwards does not wait. Not of an engine, which has turns.
  void hold(const std::string& method) { calls_.hold(method); }
  void let_go(const std::string& method) { calls_.let_go(method); }

  // How many background tasks have been done; have thrown; did not run, after one that threw.
  std::size_t tasks() const { return done_; }
  std::size_t failed_tasks() const { return failed_; }
  std::size_t dropped_tasks() const { return dropped_; }

  // All lines so far, valid until the next request.
  const std::vector<LogLine>& log() const { return environment_.log; }
  // Whether a line of the log has this text in it.
  bool has_logged(std::string_view text) const {
    for (const LogLine& line : log()) {
      if (line.message.find(text) != line.message.npos) return true;
    }
    return false;
  }

 private:
  using Hook = bento_code (*)(void*, bento_error*);

  void start() {
    if (entry_.abi_major != BENTO_ABI_MAJOR) {
      throw Error(BENTO_FAILED_PRECONDITION, "the plugin is built for another version of the ABI");
    }
    bento_error error = detail::make_error();
    service_ = entry_.open(table_.abi(), &error);
    if (service_ == nullptr) throw Error(error.code, error.message);
    table_.set_options(
        internal::merge_options(detail::view(service_->options_schema), options_.options));
    configure();
    routes_.emplace(*service_);
    if (service_->create != nullptr) {
      detail::check(service_->create(table_.abi(), &self_, &error), error);
    }
    is_created_ = true;
    run_hook(service_->on_startup);
    environment_.runners.start(table_.abi(), *service_);
    run_hook(service_->on_ready);
    is_started_ = true;
  }
  // The description that is made after the options.
  void configure() {
#if BENTO_ABI_TARGET_MINOR >= 1
    table_.set_instance(std::string(detail::view(service_->name)));
    if (!BENTO_HAS(&entry_, configure) || entry_.configure == nullptr) return;
    bento_error error = detail::make_error();
    const bento_service* whole = entry_.configure(table_.abi(), &error);
    if (whole == nullptr) throw Error(error.code, error.message);
    if (detail::view(whole->name) != detail::view(service_->name)) {
      throw Error(BENTO_FAILED_PRECONDITION, "configure has changed the service's name");
    }
    service_ = whole;
#endif
  }
  void run_hook(Hook hook) {
    bento_error error = detail::make_error();
    if (hook != nullptr) detail::check(hook(self_, &error), error);
  }
  void prepare(internal::Underway& underway) {
    describe(underway.request, underway.scope);
    underway.state.scope = underway.scope.abi();
    underway.client.emplace(underway.request, underway.state);
  }
  void run(internal::Underway& underway) {
    call(*underway.client, underway.state);
    run_tasks(underway.state, underway.scope);
    Response response = std::move(*underway.client).take_response();
    response.headers.add("X-Request-Id", underway.scope.request_id);
    underway.response = std::move(response);
  }
  // Nobody is left to wait for what is under way. What does not end then would hold up the test.
  void cut_off() {
    for (const auto& underway : by_hand_) {
      underway->state.leave();
      internal::RequestState* const task = underway->state.running_task;
      if (task != nullptr) task->cancel(BENTO_CANCELLED, "the host is stopping");
    }
    settle();
    while (!by_hand_.empty() && environment_.loop.turn_soon()) settle();
    if (by_hand_.empty()) return;
    std::fprintf(stderr,
                 "bento::testing::Host: a request has not ended though it was cancelled: %s\n",
                 by_hand_.front()->request.target.c_str());
    std::abort();
  }
  void stop_engines() {
#if BENTO_ABI_TARGET_MINOR >= 1
    const std::optional<std::string> unfinished = calls_.stop();
    if (!unfinished) return;
    std::fprintf(stderr,
                 "bento::testing::Host: %s has not finished a call though it was cancelled\n",
                 unfinished->c_str());
    std::abort();
#endif
  }
  void stop() {
    cut_off();
    stop_engines();
    if (is_started_ && service_->on_shutdown != nullptr) {
      bento_error ignored = detail::make_error();
      (void)service_->on_shutdown(self_, &ignored);
    }
    environment_.runners.stop();
    settle();  // what it has finished
    if (is_created_ && service_->destroy != nullptr) service_->destroy(self_);
    if (service_ != nullptr) entry_.close();
  }

  // What a host makes of a request on the wire.
  void describe(const Request& request, internal::Scope& scope) {
    const std::string_view target = request.target;
    const std::size_t question = std::min(target.find('?'), target.size());
    scope.method = request.method;
    scope.path = unescape(target.substr(0, question));
    scope.query = target.substr(std::min(question + 1, target.size()));
    scope.client = request.client;
    scope.request_id = "test-" + std::to_string(++requests_);
    scope.headers.add("host", "127.0.0.1:3000");
    const bool has_body = !request.body.empty() || request.method == "POST";
    if (has_body && !request.headers.has("transfer-encoding")) {
      scope.headers.add("content-length", std::to_string(request.body.size()));
    }
    for (const auto& [name, value] : request.headers) {
      std::string lower = name;
      std::transform(lower.begin(), lower.end(), lower.begin(), detail::lower);
      scope.headers.add(lower, value);
    }
    const auto deadline = std::chrono::steady_clock::now().time_since_epoch() + options_.timeout;
    scope.deadline_ns = static_cast<std::uint64_t>(
        std::chrono::duration_cast<std::chrono::nanoseconds>(deadline).count());
  }
  static std::string unescape(std::string_view text) {
    std::string out;
    for (std::size_t i = 0; i < text.size(); ++i) {
      unsigned byte = 0;
      const char* digits = text.data() + i + 1;
      if (text[i] == '%' && text.size() - i > 2 &&
          std::from_chars(digits, digits + 2, byte, 16).ptr == digits + 2) {
        out += static_cast<char>(byte);
        i += 2;
      } else {
        out += text[i];
      }
    }
    return out;
  }

  void call(internal::Client& client, internal::RequestState& state) {
    std::vector<std::unique_ptr<internal::App>> apps;
    apps.push_back(std::make_unique<internal::Endpoint>(self_, *service_, *routes_));
    for (std::size_t i = service_->n_middleware; i-- > 0;) {
      apps.push_back(wrap(*service_->middleware[i], *apps.back()));
    }
    const bento_call call{sizeof call, 0, state.abi(), state.scope, client.abi()};
    try {
      apps.back()->call(call);
    } catch (const internal::Failure& failure) {
      client.answer(failure.answer.head, failure.answer.body);
    } catch (const Error& error) {  // in mid-answer, or after it
      if (state.is_gone || error.code() == BENTO_CANCELLED) return;
      const std::string what = client.has_ended() ? "after its answer: " : "in mid-answer: ";
      state.log(Log::kError, what + error.what());
    }
  }
  std::unique_ptr<internal::App> wrap(const bento_middleware& middleware, internal::App& next) {
    const std::string name = "middleware " + std::string(detail::view(middleware.name)) + " of " +
                             std::string(detail::view(service_->name));
    if (middleware.around != nullptr) {
      return std::make_unique<internal::Around>(self_, middleware, next, name);
    }
    return std::make_unique<internal::Hooks>(
        self_, middleware, next, [this](std::string_view method, std::string_view path) {
          const internal::Match match = routes_->find(method, path);
          return match.mount != nullptr || (match.api != nullptr && internal::is_raw(*match.api));
        });
  }

  static void run(const internal::Task& task, internal::RequestState& state) {
#if BENTO_ABI_TARGET_MINOR >= 1
    if (task.is_async()) {
      bento_error error = detail::make_error();
      internal::AsyncCall call(state, nullptr);
      return call.run(
          [&](bento_done* done) { return task.run_async(state.abi(), done, error); }, error,
          [](bento_code code, const bento_error& failed) { detail::check(code, failed); });
    }
#endif
    task.run(state.abi());
  }
  void run_tasks(internal::RequestState& request, const internal::Scope& scope) {
    internal::Scope after;  // no headers and no deadline
    after.method = scope.method;
    after.path = scope.path;
    after.request_id = scope.request_id;
    bool goes_on = true;
    for (; !request.tasks.empty(); request.tasks.pop_front()) {
      if (!goes_on) {
        ++dropped_;
        continue;
      }
      internal::RequestState state(environment_, after.abi());
      state.may_defer = false;
      request.running_task = &state;
      try {
        run(request.tasks.front(), state);
        ++done_;
      } catch (const Error& error) {
        ++failed_;
        goes_on = false;
        state.log(Log::kError, std::string("a background task failed: ") + error.what());
      }
      request.running_task = nullptr;
    }
  }

  const bento_plugin_entry& entry_;
  const HostOptions options_;
  internal::Environment environment_;
  internal::Calls calls_{environment_};
  internal::HostTable table_;
  std::vector<std::shared_ptr<internal::Underway>> by_hand_;  // that have not ended
  const bento_service* service_ = nullptr;
  std::optional<internal::Routes> routes_;
  void* self_ = nullptr;
  bool is_created_ = false, is_started_ = false;
  std::size_t requests_ = 0, done_ = 0, failed_ = 0, dropped_ = 0;
};

}  // namespace bento::testing
