#include "plugin/description_hash.h"

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <type_traits>

#include "base/status.h"
#include "plugin/check_struct.h"
#include "plugin/io_description.h"

namespace bentohost::plugin {
namespace {

// FNV-1a: nobody makes collisions on purpose here.
class Hash {
 public:
  template <typename T>
  requires std::is_integral_v<T>
  void add(T number) { bytes(&number, sizeof number); }
  // With its length, so that "ab", "c" is not "a", "bc".
  void add(bento_str text) {
    add(static_cast<std::uint64_t>(text.len));
    bytes(text.ptr, text.len);
  }
  template <typename F>
  void add_presence(F* pointer) {
    add(pointer != nullptr);
  }

  std::string text() const {
    constexpr std::string_view kDigits = "0123456789abcdef";
    std::string digits;
    for (int shift = 60; shift >= 0; shift -= 4) digits += kDigits[value_ >> shift & 15];
    return digits;
  }

 private:
  void bytes(const void* data, std::size_t length) {
    for (std::size_t i = 0; i < length; ++i) {
      value_ = (value_ ^ static_cast<const unsigned char*>(data)[i]) * 0x100000001b3u;
    }
  }
  std::uint64_t value_ = 0xcbf29ce484222325u;
};

void add(Hash& hash, const bento_io* io) {
  hash.add_presence(io);
  if (io == nullptr) return;
  for (const std::uint32_t number : {io->kind, io->flags, io->dtype, io->ndim}) hash.add(number);
  hash.add_presence(io->shape);
  for (std::uint32_t i = 0; io->shape != nullptr && i < io->ndim; ++i) hash.add(io->shape[i]);
  for (const bento_str& text : {io->descriptor, io->mime, io->schema, io->sample}) hash.add(text);
  hash.add(newer_field<&bento_io::name>(*io));
}

void add(Hash& hash, const GivenIos& ios) {
  add(hash, ios.one);
  hash.add(ios.n);
  for (std::size_t i = 0; i < ios.n; ++i) add(hash, ios.several[i]);
}

void add(Hash& hash, const bento_api& api) {
  hash.add(api.flags);
  for (const bento_str& text :
       {api.name, api.route, api.doc, api.runner, api.method, api.http_method}) {
    hash.add(text);
  }
  add(hash, inputs_of(api));
  add(hash, outputs_of(api));
  hash.add_presence(api.invoke);
  hash.add_presence(api.raw);
  hash.add(api.max_body);
  hash.add_presence(newer_field<&bento_api::invoke_async>(api));
  hash.add_presence(newer_field<&bento_api::raw_async>(api));
  hash.add(newer_field<&bento_api::stream>(api));
}

void add(Hash& hash, const bento_method& method) {
  hash.add(method.flags);
  hash.add(method.name);
  hash.add(method.axis_in);
  hash.add(method.axis_out);
  hash.add(method.max_batch);
  hash.add(method.max_latency_ms);
  add(hash, inputs_of(method));
  add(hash, outputs_of(method));
  hash.add(newer_field<&bento_method::max_batch_wait_us>(method));
  const bento_engine* const engine = newer_field<&bento_method::engine>(method);
  hash.add_presence(engine);
  if (engine == nullptr) return;
  hash.add_presence(engine->step);
  hash.add(newer_field<&bento_method::max_concurrent>(method));
}

void add(Hash& hash, const bento_runner& runner) {
  hash.add(runner.flags);
  hash.add(runner.name);
  hash.add(runner.resources);
  hash.add(runner.n_methods);
  for (std::size_t i = 0; i < runner.n_methods; ++i) add(hash, *runner.methods[i]);
}

void add(Hash& hash, const bento_middleware& middleware) {
  hash.add(middleware.name);
  hash.add_presence(middleware.around);
}

void add(Hash& hash, const bento_mount& mount) {
  hash.add(mount.prefix);
  hash.add(mount.name);
  hash.add_presence(mount.app.call);
  hash.add(mount.process);
}

void add(Hash& hash, const bento_str& text) { hash.add(text); }

template <typename T>
void add_all(Hash& hash, const T* things, std::size_t count) {
  hash.add(count);
  for (std::size_t i = 0; i < count; ++i) {
    if constexpr (std::is_pointer_v<T>) {
      add(hash, *things[i]);
    } else {
      add(hash, things[i]);
    }
  }
}

}  // namespace

std::string description_hash(const bento_service& service) {
  Hash hash;
  for (const bento_str& text :
       {service.name, service.version, service.doc, service.options_schema}) {
    hash.add(text);
  }
  add_all(hash, service.apis, service.n_apis);
  add_all(hash, service.middleware, service.n_middleware);
  add_all(hash, service.mounts, service.n_mounts);
  add_all(hash, service.runners, service.n_runners);
  add_all(hash, newer_field<&bento_service::files>(service),
          newer_field<&bento_service::n_files>(service));
  return hash.text();
}

}  // namespace bentohost::plugin
