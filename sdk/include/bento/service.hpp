// Service: the description of a service: its name, options, runners, APIs, mounts, middleware and
// hooks. It describes and does nothing: the host calls what it was given. Part of
// <bento/bento.hpp>.
//
//   BENTO_SERVICE(svc) {
//     svc.name("greeter").version("1.0").option("greeting", "Hello", "what to say");
//     svc.api("greet", [](bento::Context& ctx, std::string_view name) {
//       return ctx.options().text("greeting") + ", " + std::string(name);
//     });
//   }
//
// Filled in by one thread, in the body after BENTO_SERVICE, and not changed afterwards. All that it
// is given is copied or moved into it, and lives until the plugin is closed. Handlers, apps and
// middleware are const objects that many threads call at once; what they capture by reference must
// outlive the service, and be safe for that. The host checks the whole description when the plugin
// is loaded, and refuses the plugin with a message for a name that is not an identifier or is
// reserved, for two APIs of one route, and the like.
#pragma once

#include <bento/abi.h>

#include <algorithm>
#include <bento/api.hpp>
#include <bento/app.hpp>
#include <bento/async.hpp>
#include <bento/background.hpp>
#include <bento/context.hpp>
#include <bento/detail/api_handlers.hpp>
#include <bento/detail/api_record.hpp>
#include <bento/detail/async_app.hpp>
#include <bento/detail/async_call.hpp>
#include <bento/detail/async_exchange.hpp>
#include <bento/detail/io_traits.hpp>
#include <bento/detail/json_writer.hpp>
#include <bento/detail/middleware_table.hpp>
#include <bento/detail/mount_record.hpp>
#include <bento/detail/option_list.hpp>
#include <bento/detail/program_mount.hpp>
#include <bento/detail/signature.hpp>
#include <bento/error.hpp>
#include <bento/event_stream.hpp>
#include <bento/generator.hpp>
#include <bento/headers.hpp>
#include <bento/io.hpp>
#include <bento/middleware.hpp>
#include <bento/mount.hpp>
#include <bento/runner.hpp>
#include <bento/stream.hpp>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace bento {

// Of Service::files().
struct FilesOptions {
  std::string cache_control = {};  // the Cache-Control of each answer; empty: none
};
// In place of a folder: the name of the option, of type text, that has it.
struct FromOption {
  std::string name;
};

class Service;

namespace detail {

template <void (*Describe)(Service&)>
struct Plugin;

}  // namespace detail

class Service {
 public:
  Service() { abi_.size = sizeof abi_; }
  Service(const Service&) = delete;

  // The name is needed: letters, digits and '_', not a digit first, at most 128. It stands in
  // --set NAME.OPTION=VALUE, metrics, logs and the admin pages. Version and doc are for people.
  Service& name(std::string text) { return set(name_, abi_.name, std::move(text)); }
  Service& version(std::string text) { return set(version_, abi_.version, std::move(text)); }
  Service& doc(std::string text) { return set(doc_, abi_.doc, std::move(text)); }

  // An option and its default, which also says its type: see Options in <bento/context.hpp>. Set
  // with --set SERVICE.OPTION=VALUE, where VALUE is JSON if it parses as such, else text. The host
  // makes a JSON Schema of all options, and refuses values of other types, and names that are not
  // there, before it serves.
  template <typename T>
  Service& option(std::string name, const T& initial, std::string doc = {}) {
    options_.add(std::move(name), initial, std::move(doc));
    return *this;
  }

#if BENTO_ABI_TARGET_MINOR >= 1
  // For a service that is made from its options, such as the inputs and labels of a model's file:
  // `describe` adds runners, APIs and the like when the options are known, and what the body after
  // BENTO_SERVICE says is no more than name, options and what does not depend on them.
  //
  //   svc.name("linear").option("model", "linear.txt", "the file of the weights");
  //   svc.configure([](bento::Service& svc, const bento::Options& options) {
  //     const Head head = read_head(svc.watched(options.path("model")));
  //     ...
  //   });
  //
  // It is called once in each process that loads the plugin, as the body is, with the same options:
  // it must describe the same each time, and not change name or options. The files that it reads
  // are opened anew where they are used: a runner is created in its own process. What it throws is
  // why the service does not start; in a reload, the old generation serves on. It has the time that
  // a plugin has to load, 10 s.
  template <typename F>
  Service& configure(F describe) {
    static_assert(std::is_invocable_v<F&, Service&, const Options&>,
                  "configure takes a function of (bento::Service&, const bento::Options&)");
    configure_ = std::move(describe);
    return *this;
  }
  // `path`, an absolute one such as Options::path() gives, is of a file that the description is
  // made from: the host watches it as it does the plugin's own, so that a new file is a reload.
  std::string watched(std::string path) {
    files_.push_back(path);
    return path;
  }
#else
  template <typename F>
  Service& configure(F) {
    static_assert(!sizeof(F), "Service::configure needs a host of ABI 1.1: ABI_MINOR 1");
    return *this;
  }
#endif

  // A runner whose instances are of class Model: see <bento/runner.hpp>. Its name is unique in the
  // service. The handle is for adding methods, here.
  template <typename Model>
  Runner<Model> runner(std::string_view name) {
    detail::RunnerRecord& record = runners_.emplace_back(name);
    runner_pointers_.push_back(&record.abi);
    return Runner<Model>(record);
  }

  // An API that answers with a runner method's result. The host decodes, calls the runner and
  // encodes: no code of this library runs in the request's path, and no thread waits. Its
  // descriptors are the method's, unless the options have narrower ones.
  template <typename Out, typename In>
  Service& api(std::string_view name, const Method<Out, In>& method,
               const ApiOptions& options = {}) {
    detail::ApiRecord& record = add_api(name, options);
    record.expect_no_stream();
    record.bind(method.runner_name(), method.name());
    return *this;
  }
#if BENTO_ABI_TARGET_MINOR >= 1
  // The same for a streaming method: its results go out one by one, as the options' .stream says,
  // from the worker to the client, and no faster than the client reads.
  template <typename Out, typename In>
  Service& api(std::string_view name, const StreamMethod<Out, In>& method,
               const ApiOptions& options = {}) {
    detail::ApiRecord& record = add_api(name, options);
    record.bind(method.runner_name(), method.name());
    record.abi.stream = static_cast<std::uint32_t>(options.stream.value_or(As::kEvents));
    return *this;
  }
#endif

  // An API with a handler, a lambda or an object with one operator() const:
  //
  //   Out(In), Out(Context&, In)   In and Out are types of <bento/io.hpp>
  //   Out(Context&)                takes no input: a body is not looked at
  //   void(Context&, Stream&)      reads and answers piece by piece; also void(Stream&),
  //                                and with an EventStream&
  //
  //
  // and as coroutines, which hold no thread while they wait: see <bento/async.hpp>,
  //
  //   Async<Out>(In), Async<Out>(Context&, In), Async<Out>(Context&)
  //   Async<>(Context&, AsyncStream&)  piece by piece; also with an AsyncEventStream&
  //   Generator<T>(Context&, In)       what it yields is sent: see <bento/generator.hpp>
  //
  // where a handler with a stream, or a Generator, may ask for the body, too: as a struct with
  // BENTO_FIELDS, a Json, a text or Bytes, by value. These are not described to the host.
  //
  // Out may also be a TaskResponse of such a type: see <bento/background.hpp>.
  // It is called by many threads at once, on one of the host's --threads, and may wait. A view that
  // it takes is valid until it returns; what it returns is copied by the host at once. What it
  // throws is answered: see <bento/error.hpp>. Nothing interrupts it: past the request's deadline
  // the client is answered 504, runner calls end, and Context::cancelled() says so. Throws Error
  // here where a descriptor in the options is of another kind than the function's types.
  template <typename F, typename = decltype(&std::decay_t<F>::operator())>
  Service& api(std::string_view name, const ApiOptions& options, F handler) {
    detail::handle(add_api(name, options), std::move(handler));
    return *this;
  }
  template <typename F, typename = decltype(&std::decay_t<F>::operator())>
  Service& api(std::string_view name, F handler) {
    return api(name, ApiOptions{}, std::move(handler));
  }
  // The same for an ordinary function.
  template <typename R, typename... Args>
  Service& api(std::string_view name, const ApiOptions& options, R (*function)(Args...)) {
    return api(name, options,
               [function](Args... args) { return function(std::forward<Args>(args)...); });
  }
  template <typename R, typename... Args>
  Service& api(std::string_view name, R (*function)(Args...)) {
    return api(name, ApiOptions{}, function);
  }

  // An app, as <bento/app.hpp> has them, at `prefix` and below it. APIs go first, then the mount
  // with the longest prefix; "/" gets what nothing else answers. `app` is copied or moved.
  template <typename App>
  Service& mount(std::string prefix, App app) {
    detail::MountRecord& record = add_mount(std::move(prefix));
    record.abi.app = {&record, &detail::MountRecord::call};
    if constexpr (detail::is_async_app<App>()) {
      record.abi.app.call = nullptr;
      detail::mount_coroutine(record, std::move(app));
    } else if constexpr (requires { app.has_coroutines(); }) {
      detail::mount_both(record, std::move(app));
    } else {
      record.app = detail::make_app(std::move(app));
    }
    return *this;
  }

  // The files of a folder, at `prefix` and below, answered by the host without calling the plugin:
  // GET and HEAD with types, ETag, conditions and ranges (RFC 9110 13, 14), and index.html for a
  // folder; no listings, no dot-files, nothing outside of it. A relative folder is meant from the
  // one that the plugin's library was found in.
  Service& files(std::string prefix, std::string_view folder, const FilesOptions& options = {}) {
    return mount_files(std::move(prefix), "folder", folder, options);
  }
  Service& files(std::string prefix, const FromOption& folder, const FilesOptions& options = {}) {
    return mount_files(std::move(prefix), "folder_option", folder.name, options);
  }

  // Programs that the host starts, watches and passes the requests at `prefix` and below on to, as
  // <bento/mount.hpp> says: an ASGI app (FastAPI, Starlette, Django, ...), served by uvicorn; a
  // WSGI app (Flask, ...); or any command that serves HTTP. `app` is MODULE:APP, "fastapi_app:app",
  // where APP may be the call of a factory, "web:create_app()"; a WSGI factory may take literals.
  // The first word of `command` is a program in PATH, or a path, from the folder if it is relative.
  // Throw Error, INVALID_ARGUMENT, for options that do not fit.
  Service& mount_asgi(std::string prefix, std::string_view app, const MountOptions& options = {}) {
    return mount_program(std::move(prefix), {"asgi", app, {}}, options);
  }
  Service& mount_wsgi(std::string prefix, std::string_view app, const MountOptions& options = {}) {
    return mount_program(std::move(prefix), {"wsgi", app, {}}, options);
  }
  Service& mount_process(std::string prefix, std::vector<std::string> command,
                         const MountOptions& options = {}) {
    return mount_program(std::move(prefix), {"http", {}, std::move(command)}, options);
  }

  // Middleware around every exchange of this service, the first outermost; that of --use is outside
  // of all. `middleware` is an object as <bento/middleware.hpp> and <bento/call.hpp> describe them,
  // or a function of the options that makes one: it is called once, in the serving process, before
  // on_startup, and what it throws is why the service does not start. The name is for the log.
  template <typename M>
  Service& use(std::string name, M middleware) {
    detail::MiddlewareRecord& record = middlewares_.emplace_back();
    record.name = std::move(name);
    if constexpr (std::is_invocable_v<const M&, const Options&>) {
      using Made = std::decay_t<std::invoke_result_t<const M&, const Options&>>;
      record.make = [&record, make = std::move(middleware)](const Options& options) {
        record.object = std::make_shared<const Made>(make(options));
      };
      detail::MiddlewareTable<Made>::fill(record);
    } else {
      record.object = std::make_shared<const M>(std::move(middleware));
      detail::MiddlewareTable<M>::fill(record);
    }
    middleware_pointers_.push_back(&record.abi);
    return *this;
  }
  // The same under the middleware's own name, M::kName, which stock middleware has.
  template <typename M>
  Service& use(M middleware) {
    return use(std::string(M::kName), std::move(middleware));
  }

  // Hooks, called in the serving process, once each and in this order; they may wait. At a reload
  // those of the new generation are called while the old one serves. Not all on one thread: a
  // reload has threads of its own.
  //
  // on_startup: before the runners start. What it throws ends the start with the message; in a
  //   reload, the old generation serves on.
  // on_ready: when every runner has a worker that answers. The same for what it throws. In a first
  //   start requests may come before it, since /readyz alone waits for it; in a reload none do.
  // on_shutdown: after the last request, background task and runner, if on_startup has succeeded.
  //   If a handler has not returned within --timeout-graceful-shutdown, it is called all the same,
  //   and nothing is destroyed. What it throws is logged. Threads that the plugin has started end
  //   here, joined, or in a destructor.
  using Hook = std::function<void(const Options&)>;
  Service& on_startup(Hook hook) { return set_hook(on_startup_, std::move(hook)); }
  Service& on_ready(Hook hook) { return set_hook(on_ready_, std::move(hook)); }
  Service& on_shutdown(Hook hook) { return set_hook(on_shutdown_, std::move(hook)); }

  // The description for the host, valid as long as this; BENTO_SERVICE calls it.
  const bento_service* abi() {
    options_schema_ = options_.schema();
    abi_.options_schema = detail::str(options_schema_);
    abi_.apis = api_pointers_.data();
    abi_.n_apis = api_pointers_.size();
    abi_.middleware = middleware_pointers_.data();
    abi_.n_middleware = middleware_pointers_.size();
    abi_.mounts = mount_pointers_.data();
    abi_.n_mounts = mount_pointers_.size();
    abi_.runners = runner_pointers_.data();
    abi_.n_runners = runner_pointers_.size();
#if BENTO_ABI_TARGET_MINOR >= 1
    file_views_.clear();
    for (const std::string& file : files_) file_views_.push_back(detail::str(file));
    abi_.files = file_views_.data();
    abi_.n_files = file_views_.size();
#endif
    return &abi_;
  }

 private:
  template <void (*Describe)(Service&)>
  friend struct detail::Plugin;
  // What the records need of the host, once there is one.
  void create(const detail::ServiceState& state) {
    for (detail::MiddlewareRecord& record : middlewares_) {
      record.host = state.host;
      record.options = &state.options;
      if (record.make) record.make(state.options);
    }
    for (detail::MountRecord& record : mounts_) record.state = &state;
  }
#if BENTO_ABI_TARGET_MINOR >= 1
  bool has_coroutines() const {
    const auto is_async_api = [](const detail::ApiRecord& record) {
      return record.abi.invoke_async != nullptr || record.abi.raw_async != nullptr;
    };
    const auto is_async_mount = [](const detail::MountRecord& record) {
      return record.abi.call_async != nullptr;
    };
    return std::any_of(apis_.begin(), apis_.end(), is_async_api) ||
           std::any_of(mounts_.begin(), mounts_.end(), is_async_mount);
  }
#endif
  Service& set(std::string& field, bento_str& abi, std::string text) {
    field = std::move(text);
    abi = detail::str(field);
    return *this;
  }
  Service& set_hook(Hook& field, Hook hook) {
    field = std::move(hook);
    return *this;
  }
  detail::ApiRecord& add_api(std::string_view name, const ApiOptions& options) {
    detail::ApiRecord& record = apis_.emplace_back(name, options);
    api_pointers_.push_back(&record.abi);
    return record;
  }
  Service& mount_files(std::string prefix, std::string_view key, std::string_view folder,
                       const FilesOptions& options) {
    detail::JsonWriter json;
    json.object([&] {
      for (const auto& [name, value] :
           {std::pair<std::string_view, std::string_view>{"kind", "files"},
            {key, folder},
            {"cache_control", options.cache_control}}) {
        json.key(name);
        json.write_text(value);
      }
    });
    return add_process(std::move(prefix), json.text());
  }
  Service& mount_program(std::string prefix, const detail::MountedProgram& program,
                         const MountOptions& options) {
    std::string process = detail::ProgramMount::describe(prefix, program, options);
    return add_process(std::move(prefix), std::move(process));
  }
  Service& add_process(std::string prefix, std::string process) {
    detail::MountRecord& record = add_mount(std::move(prefix));
    record.process = std::move(process);
    record.abi.process = detail::str(record.process);
    return *this;
  }
  detail::MountRecord& add_mount(std::string prefix) {
    detail::MountRecord& record = mounts_.emplace_back();
    record.prefix = detail::with_leading_slash(std::move(prefix));
    record.abi.size = sizeof record.abi;
    record.abi.prefix = detail::str(record.prefix);
    mount_pointers_.push_back(&record.abi);
    return record;
  }

  std::string name_, version_, doc_, options_schema_;
  Hook on_startup_, on_ready_, on_shutdown_;
  detail::OptionList options_;
  std::deque<detail::RunnerRecord> runners_;  // deques: the ABI's structs stay where they are
  std::deque<detail::ApiRecord> apis_;
  std::deque<detail::MiddlewareRecord> middlewares_;
  std::deque<detail::MountRecord> mounts_;
#if BENTO_ABI_TARGET_MINOR >= 1
  std::function<void(Service&, const Options&)> configure_;
  std::deque<std::string> files_;
  std::vector<bento_str> file_views_;
#endif
  std::vector<const bento_runner*> runner_pointers_;
  std::vector<const bento_api*> api_pointers_;
  std::vector<const bento_middleware*> middleware_pointers_;
  std::vector<const bento_mount*> mount_pointers_;
  bento_service abi_{};
};

}  // namespace bento
