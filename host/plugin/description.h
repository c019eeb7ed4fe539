// Descriptions: a plugin's description of its service, checked once and copied into the host's own
// values. Other rooms rely on these values; only the function pointers behind `abi` are read from
// the plugin again. Pure, except that it reads the plugin's structs; any thread.
#pragma once

#include <bento/abi.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "json/json.h"
#include "plugin/mount_description.h"

namespace bentohost::plugin {

inline constexpr std::uint32_t kDefaultMaxBatch = 100;  // BentoML's default, in rows

// One input or output. In `ins` and `outs` below there is either one without a name, or any number
// of them by name, in the order in which values are passed.
struct IoSpec {
  std::string name;              // of one of several; empty: it is the only one
  bool is_optional = false;      // an input by name that may be left out: a value of kind 0
  std::uint32_t kind = 0;        // BENTO_JSON, BENTO_BYTES, BENTO_TENSOR
  std::uint32_t dtype = 0;       // tensor; 0 = any
  bool any_shape = true;         // tensor; `shape` is ignored
  bool is_self_checked = false;  // the plugin checks the schema itself
  std::vector<std::int64_t> shape;
  std::string descriptor;  // "ndarray" "json" "text" "file"
  std::string mime, sample;
  std::optional<JsonSchema> schema;
};

// Whether the inputs (or outputs) are by name.
inline bool are_named(const std::vector<IoSpec>& ios) { return !ios.front().name.empty(); }

struct MethodSpec {
  std::string name;
  bool batchable = false, idempotent = false;
  bool streams = false;                  // an engine's: a call has any number of results
  const bento_engine* engine = nullptr;  // in place of `run`
  std::uint32_t max_concurrent = 1;      // calls in one worker at once; more than 1: an engine's
  bool lists = false;  // batchable: callers' values are passed side by side, and not joined
  std::int32_t axis_in = 0, axis_out = 0;                          // not of lists
  std::uint32_t max_batch = kDefaultMaxBatch, max_latency_ms = 0;  // of lists: callers
  std::uint32_t max_batch_wait_us = 0;
  std::vector<IoSpec> ins = std::vector<IoSpec>(1), outs = std::vector<IoSpec>(1);  // never empty
  const bento_method* abi = nullptr;
};

struct RunnerSpec {
  std::string name, resources;
  std::vector<MethodSpec> methods;
  const bento_runner* abi = nullptr;

  // The method's index, or -1.
  int find_method(std::string_view method) const;
};

struct ApiSpec {
  enum class Form { kDirect, kInvoke, kRaw };
  std::string name, route, http_method, doc;
  Form form = Form::kInvoke;
  std::vector<IoSpec> ins = std::vector<IoSpec>(1), outs = std::vector<IoSpec>(1);  // not for kRaw
  std::string runner, method;                                                       // kDirect
  std::uint64_t max_body = 0;  // bytes; 0: the host's limit
  bool is_quick = false;       // kInvoke: may be called on an event loop
  std::uint32_t stream = 0;    // kDirect: how results go out, BENTO_AS_; 0: there is one
  bool is_async = false;       // kInvoke, kRaw: by invoke_async or raw_async, on an event loop
  const bento_api* abi = nullptr;
};

struct MiddlewareSpec {
  std::string name;
  const bento_middleware* abi = nullptr;  // around, or hooks
};

struct ServiceSpec {
  // What the operator calls the service: its own name unless told otherwise. describe() sets the
  // own one.
  std::string name;
  std::string version, doc, options_schema;  // the schema's text; empty: takes no options
  std::vector<std::string> files;            // that the description was made from; absolute paths
  std::string hash;                          // description_hash()
  std::vector<ApiSpec> apis;
  std::vector<RunnerSpec> runners;
  std::vector<MiddlewareSpec> middleware;
  std::vector<MountSpec> mounts;
  const bento_service* abi = nullptr;

  const RunnerSpec* find_runner(std::string_view runner) const;
};

// Whether it can be the name of a service, an API or a runner: letters, digits and '_', not a digit
// first, at most 128.
bool is_identifier(std::string_view name);

// FAILED_PRECONDITION, naming the thing at fault: "api classify: route /x is also that of api
// other". Refuses features that this host does not offer (other mounts, other descriptors) rather
// than ignoring them.
Result<ServiceSpec> describe(const bento_service* service);

}  // namespace bentohost::plugin
