// Service: the description of a service, filled in by the function body after BENTO_SERVICE. Part
// of <bento/bento.hpp>.
#pragma once

#include <bento/abi.h>
#include <rapidjson/stringbuffer.h>
#include <rapidjson/writer.h>

#include <bento/api.hpp>
#include <bento/app.hpp>
#include <bento/background.hpp>
#include <bento/context.hpp>
#include <bento/detail/api_record.hpp>
#include <bento/detail/io_traits.hpp>
#include <bento/detail/middleware_table.hpp>
#include <bento/detail/signature.hpp>
#include <bento/error.hpp>
#include <bento/event_stream.hpp>
#include <bento/headers.hpp>
#include <bento/io.hpp>
#include <bento/middleware.hpp>
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

struct FilesOptions {
  std::string cache_control = {};  // the Cache-Control of each answer; empty: none
};
// In place of a folder: the option that has it.
struct FromOption {
  std::string name;
};

class Service;

namespace detail {

struct MountRecord {
  MountRecord() = default;
  MountRecord(const MountRecord&) = delete;

  static bento_code call(void* self, const bento_call* call, bento_error* error) {
    return guard(error, [&] {
      const auto& record = *static_cast<const MountRecord*>(self);
      Context context(record.state->host, call->ctx, record.state->options);
      Stream stream(call->channel);
      stream.run([&] { record.app(context, stream); });
    });
  }

  std::string prefix, process;
  std::function<void(Context&, Stream&)> app;
  const ServiceState* state = nullptr;  // from create() on
  bento_mount abi{};
};

template <void (*Describe)(Service&)>
struct Plugin;

}  // namespace detail

class Service {
 public:
  Service() { abi_.size = sizeof abi_; }
  Service(const Service&) = delete;

  Service& name(std::string text) { return set(name_, abi_.name, std::move(text)); }
  Service& version(std::string text) { return set(version_, abi_.version, std::move(text)); }
  Service& doc(std::string text) { return set(doc_, abi_.doc, std::move(text)); }

  // An option with its default, which also says its type: text, a number, a whole number, a truth
  // value or a list of texts. Set with --set SERVICE.OPTION=VALUE.
  template <typename T>
  Service& option(std::string name, const T& initial, std::string doc = {}) {
    Option option{std::move(name), {}, {}, std::move(doc)};
    rapidjson::StringBuffer text;
    rapidjson::Writer<rapidjson::StringBuffer> json(text);
    if constexpr (std::is_same_v<T, bool>) {
      option.type = R"("type":"boolean")";
      json.Bool(initial);
    } else if constexpr (std::is_unsigned_v<T>) {
      option.type = R"("type":"integer","minimum":0)";
      json.Uint64(initial);
    } else if constexpr (std::is_integral_v<T>) {
      option.type = R"("type":"integer")";
      json.Int64(initial);
    } else if constexpr (std::is_floating_point_v<T>) {
      option.type = R"("type":"number")";
      json.Double(initial);
    } else if constexpr (std::is_convertible_v<const T&, std::string_view>) {
      option.type = R"("type":"string")";
      write(json, initial);
    } else {
      option.type = R"("type":"array","items":{"type":"string"})";
      json.StartArray();
      for (const auto& item : initial) write(json, item);
      json.EndArray();
    }
    option.initial = text.GetString();
    options_.push_back(std::move(option));
    return *this;
  }

  template <typename Model>
  Runner<Model> runner(std::string_view name) {
    detail::RunnerRecord& record = runners_.emplace_back(name);
    runner_pointers_.push_back(&record.abi);
    return Runner<Model>(record);
  }

  // An API that answers with a runner method's result, with none of this library's code in between.
  template <typename Out, typename In>
  Service& api(std::string_view name, const Method<Out, In>& method,
               const ApiOptions& options = {}) {
    detail::ApiRecord& record = add_api(name, options);
    record.runner = method.runner_name();
    record.method = method.name();
    record.abi.runner = detail::str(record.runner);
    record.abi.method = detail::str(record.method);
    record.describe_io();
    return *this;
  }

  // An API with a handler: Out(In) or Out(Context&, In), where In and Out are types of
  // <bento/io.hpp>, or Out(Context&), which takes no body. With Stream& or EventStream& for its In,
  // and void for its Out, it reads and answers piece by piece. It is called by many threads at
  // once.
  template <typename F, typename = decltype(&std::decay_t<F>::operator())>
  Service& api(std::string_view name, const ApiOptions& options, F handler) {
    using In = typename detail::Signature<F>::Last;
    detail::ApiRecord& record = add_api(name, options);
    if constexpr (std::is_same_v<In, Stream> || std::is_same_v<In, EventStream>) {
      handle_stream<In>(record, std::move(handler));
    } else {
      handle_values<In>(record, std::move(handler));
    }
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

  // An app, as <bento/app.hpp> has them, at `prefix` and below; "/" is what nothing else answers.
  template <typename App>
  Service& mount(std::string prefix, App app) {
    detail::MountRecord& record = add_mount(std::move(prefix));
    record.app = detail::make_app(std::move(app));
    record.abi.app = {&record, &detail::MountRecord::call};
    return *this;
  }

  // The files of a folder, at `prefix` and below, answered by the host. A relative folder is meant
  // from the one that the plugin's library is in.
  Service& files(std::string prefix, std::string_view folder, const FilesOptions& options = {}) {
    return mount_files(std::move(prefix), "folder", folder, options);
  }
  Service& files(std::string prefix, const FromOption& folder, const FilesOptions& options = {}) {
    return mount_files(std::move(prefix), "folder_option", folder.name, options);
  }

  // Middleware around every exchange of this service; the first is outermost. `middleware` is an
  // object as <bento/middleware.hpp> wants it, or a function of the options that makes one.
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
  // The same under the middleware's own name: M::kName.
  template <typename M>
  Service& use(M middleware) {
    return use(std::string(M::kName), std::move(middleware));
  }

  // Hooks of the host process: before the runners start, when all of them
  // answer, and after the last request.
  using Hook = std::function<void(const Options&)>;
  Service& on_startup(Hook hook) { return set_hook(on_startup_, std::move(hook)); }
  Service& on_ready(Hook hook) { return set_hook(on_ready_, std::move(hook)); }
  Service& on_shutdown(Hook hook) { return set_hook(on_shutdown_, std::move(hook)); }

  // The description for the host; it lives as long as this.
  const bento_service* abi() {
    write_options_schema();
    abi_.options_schema = detail::str(options_schema_);
    abi_.apis = api_pointers_.data();
    abi_.n_apis = api_pointers_.size();
    abi_.middleware = middleware_pointers_.data();
    abi_.n_middleware = middleware_pointers_.size();
    abi_.mounts = mount_pointers_.data();
    abi_.n_mounts = mount_pointers_.size();
    abi_.runners = runner_pointers_.data();
    abi_.n_runners = runner_pointers_.size();
    return &abi_;
  }

 private:
  template <void (*Describe)(Service&)>
  friend struct detail::Plugin;
  struct Option {
    std::string name, type, initial, doc;
  };
  using Writer = rapidjson::Writer<rapidjson::StringBuffer>;

  static void write(Writer& json, std::string_view text) {
    json.String(text.data(), static_cast<rapidjson::SizeType>(text.size()));
  }
  // What the records need of the host, once there is one.
  void create(const detail::ServiceState& state) {
    for (detail::MiddlewareRecord& record : middlewares_) {
      record.host = state.host;
      record.options = &state.options;
      if (record.make) record.make(state.options);
    }
    for (detail::MountRecord& record : mounts_) record.state = &state;
  }
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
  template <typename In, typename F>
  static void handle_values(detail::ApiRecord& record, F handler) {
    using Returned = typename detail::Signature<F>::Result;
    using Out = typename detail::TaskResponseTraits<Returned>::Result;
    constexpr bool kTakesBody = !std::is_same_v<In, Context>;
    if constexpr (kTakesBody) {
      record.in = detail::fitting(record.in, detail::IoTraits<In>::io(),
                                  "api " + record.name + ": its input");
    } else {
      if (!record.in) record.in = FileIO();
    }
    record.out = detail::fitting(record.out, detail::IoTraits<Out>::io(),
                                 "api " + record.name + ": its output");
    record.handler = [handler = std::move(handler)](Context& ctx, const bento_value& in,
                                                    bento_sink* sink) {
      const auto call = [&]() -> decltype(auto) {
        if constexpr (kTakesBody) {
          return detail::call_handler(handler, ctx, detail::IoTraits<In>::get(in));
        } else {
          return detail::call_handler(handler, ctx);
        }
      };
      if constexpr (detail::TaskResponseTraits<Returned>::kIs) {
        Returned returned = call();
        detail::put(sink, returned.result);
        std::move(returned.tasks).defer(ctx);
      } else {
        detail::put(sink, call());
      }
    };
    record.abi.invoke = &detail::ApiRecord::invoke;
    record.describe_io();
  }
  template <typename In, typename F>
  static void handle_stream(detail::ApiRecord& record, F handler) {
    static_assert(std::is_void_v<typename detail::Signature<F>::Result>,
                  "a handler with a stream answers through it: it returns void");
    record.stream_handler = [handler = std::move(handler)](Context& ctx, Stream& stream) {
      if constexpr (std::is_same_v<In, EventStream>) {
        EventStream events(stream);
        detail::call_handler(handler, ctx, events);
        events.open();  // no events are a stream, too
      } else {
        detail::call_handler(handler, ctx, stream);
      }
    };
    record.abi.raw = &detail::ApiRecord::raw;
  }
  Service& mount_files(std::string prefix, std::string_view key, std::string_view folder,
                       const FilesOptions& options) {
    rapidjson::StringBuffer text;
    Writer json(text);
    json.StartObject();
    for (const auto& [name, value] :
         {std::pair<std::string_view, std::string_view>{"kind", "files"},
          {key, folder},
          {"cache_control", options.cache_control}}) {
      write(json, name);
      write(json, value);
    }
    json.EndObject();
    detail::MountRecord& record = add_mount(std::move(prefix));
    record.process = text.GetString();
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
  void write_options_schema() {
    if (options_.empty()) return;
    rapidjson::StringBuffer text;
    Writer json(text);
    options_schema_ = R"({"type":"object","additionalProperties":false,"properties":{)";
    for (const Option& option : options_) {
      text.Clear();
      json.Reset(text);
      write(json, option.name);
      if (options_schema_.back() != '{') options_schema_ += ',';
      options_schema_ += std::string(text.GetString()) + ":{" + option.type +
                         ",\"default\":" + option.initial + ",\"description\":";
      text.Clear();
      json.Reset(text);
      write(json, option.doc);
      options_schema_ += std::string(text.GetString()) + "}";
    }
    options_schema_ += "}}";
  }

  std::string name_, version_, doc_, options_schema_;
  Hook on_startup_, on_ready_, on_shutdown_;
  std::vector<Option> options_;
  std::deque<detail::RunnerRecord> runners_;  // deques: the ABI's structs stay where they are
  std::deque<detail::ApiRecord> apis_;
  std::deque<detail::MiddlewareRecord> middlewares_;
  std::deque<detail::MountRecord> mounts_;
  std::vector<const bento_runner*> runner_pointers_;
  std::vector<const bento_api*> api_pointers_;
  std::vector<const bento_middleware*> middleware_pointers_;
  std::vector<const bento_mount*> mount_pointers_;
  bento_service abi_{};
};

}  // namespace bento
