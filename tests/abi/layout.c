/* Prints the ABI as a table: each constant's value, and each struct's fields with offset and size.
 *
 * It is compiled once for each minor, with BENTO_ABI_TARGET_MINOR, and layout_check.py compares
 * what it prints to that minor's layout/1.N.golden. The files of minors that were released are
 * frozen. New constants, and new fields at the tail of a struct with `size`, are a new minor: they
 * go behind #if here and in the header, and into a file of their own, made by
 * `build/tests/abi/abi_layout_N > tests/abi/layout/1.N.golden`. Anything else is a break:
 * BENTO_ABI_MAJOR.
 *
 * Valid as C99 and as C++17, and without padding: it is also what the header's compile tests
 * compile. */
#include <bento/abi.h>
#include <stdio.h>

static size_t covered; /* bytes of the present struct that are listed so far */
static int holes;

static void field(const char* type, const char* name, size_t offset, size_t size) {
  printf("%s.%s %lu %lu\n", type, name, (unsigned long)offset, (unsigned long)size);
  if (offset != covered) {
    fprintf(stderr, "%s: a field before %s is not listed in layout.c\n", type, name);
    holes = 1;
  }
  covered = offset + size;
}

static void end(const char* type, size_t size) {
  printf("%s %lu\n", type, (unsigned long)size);
  if (size != covered) {
    fprintf(stderr, "%s: the last fields are not listed in layout.c\n", type);
    holes = 1;
  }
  covered = 0;
}

#define FIELD(type, name) field(#type, #name, offsetof(type, name), sizeof(((type*)0)->name))
#define END(type) end(#type, sizeof(type))
#define CONSTANT(name) printf("%s %ld\n", #name, (long)(name))

static void constants(void) {
  CONSTANT(BENTO_ABI_MAJOR);
  printf("BENTO_ABI_MINOR %ld\n", (long)BENTO_ABI_TARGET_MINOR);
  CONSTANT(BENTO_OK);
  CONSTANT(BENTO_CANCELLED);
  CONSTANT(BENTO_UNKNOWN);
  CONSTANT(BENTO_INVALID_ARGUMENT);
  CONSTANT(BENTO_DEADLINE_EXCEEDED);
  CONSTANT(BENTO_NOT_FOUND);
  CONSTANT(BENTO_PERMISSION_DENIED);
  CONSTANT(BENTO_RESOURCE_EXHAUSTED);
  CONSTANT(BENTO_FAILED_PRECONDITION);
  CONSTANT(BENTO_UNIMPLEMENTED);
  CONSTANT(BENTO_INTERNAL);
  CONSTANT(BENTO_UNAVAILABLE);
  CONSTANT(BENTO_UNAUTHENTICATED);
#if BENTO_ABI_TARGET_MINOR >= 1
  CONSTANT(BENTO_PENDING);
#endif
  CONSTANT(BENTO_BOOL);
  CONSTANT(BENTO_I8);
  CONSTANT(BENTO_I16);
  CONSTANT(BENTO_I32);
  CONSTANT(BENTO_I64);
  CONSTANT(BENTO_U8);
  CONSTANT(BENTO_U16);
  CONSTANT(BENTO_U32);
  CONSTANT(BENTO_U64);
  CONSTANT(BENTO_F16);
  CONSTANT(BENTO_F32);
  CONSTANT(BENTO_F64);
  CONSTANT(BENTO_JSON);
  CONSTANT(BENTO_BYTES);
  CONSTANT(BENTO_TENSOR);
  CONSTANT(BENTO_IO_ENFORCE_SHAPE);
  CONSTANT(BENTO_IO_ENFORCE_DTYPE);
  CONSTANT(BENTO_IO_SELF_CHECKED);
#if BENTO_ABI_TARGET_MINOR >= 1
  CONSTANT(BENTO_IO_OPTIONAL);
#endif
  CONSTANT(BENTO_REQUEST_BODY);
  CONSTANT(BENTO_DISCONNECT);
  CONSTANT(BENTO_RESPONSE_START);
  CONSTANT(BENTO_RESPONSE_BODY);
#if BENTO_ABI_TARGET_MINOR >= 1
  CONSTANT(BENTO_CAN_RECEIVE);
  CONSTANT(BENTO_CAN_SEND);
  CONSTANT(BENTO_COUNTER);
  CONSTANT(BENTO_GAUGE);
  CONSTANT(BENTO_HISTOGRAM);
  CONSTANT(BENTO_LISTS);
  CONSTANT(BENTO_STREAMS);
  CONSTANT(BENTO_FETCH_IN_PIECES);
  CONSTANT(BENTO_AS_EVENTS);
  CONSTANT(BENTO_AS_LINES);
#endif
  CONSTANT(BENTO_API_QUICK);
  CONSTANT(BENTO_BATCHABLE);
  CONSTANT(BENTO_IDEMPOTENT);
  CONSTANT(BENTO_LOG_TRACE);
  CONSTANT(BENTO_LOG_DEBUG);
  CONSTANT(BENTO_LOG_INFO);
  CONSTANT(BENTO_LOG_WARNING);
  CONSTANT(BENTO_LOG_ERROR);
}

static void values(void) {
  FIELD(bento_str, ptr);
  FIELD(bento_str, len);
  END(bento_str);
  FIELD(bento_bytes, ptr);
  FIELD(bento_bytes, len);
  END(bento_bytes);
  FIELD(bento_pair, name);
  FIELD(bento_pair, value);
  END(bento_pair);
  FIELD(bento_pairs, ptr);
  FIELD(bento_pairs, len);
  END(bento_pairs);
  FIELD(bento_error, size);
  FIELD(bento_error, code);
  FIELD(bento_error, http_status);
  FIELD(bento_error, message);
  END(bento_error);
  FIELD(bento_tensor, dtype);
  FIELD(bento_tensor, ndim);
  FIELD(bento_tensor, shape);
  FIELD(bento_tensor, strides);
  FIELD(bento_tensor, data);
  END(bento_tensor);
  FIELD(bento_value, size);
  FIELD(bento_value, kind);
  FIELD(bento_value, name);
  FIELD(bento_value, mime);
  FIELD(bento_value, bytes);
  FIELD(bento_value, tensor);
  END(bento_value);
  FIELD(bento_io, size);
  FIELD(bento_io, kind);
  FIELD(bento_io, flags);
  FIELD(bento_io, dtype);
  FIELD(bento_io, ndim);
  FIELD(bento_io, reserved);
  FIELD(bento_io, shape);
  FIELD(bento_io, descriptor);
  FIELD(bento_io, mime);
  FIELD(bento_io, schema);
  FIELD(bento_io, sample);
#if BENTO_ABI_TARGET_MINOR >= 1
  FIELD(bento_io, name);
#endif
  END(bento_io);
  FIELD(bento_sink, size);
  FIELD(bento_sink, reserved);
  FIELD(bento_sink, tensor);
  FIELD(bento_sink, value);
  FIELD(bento_sink, give);
#if BENTO_ABI_TARGET_MINOR >= 1
  FIELD(bento_sink, fail);
#endif
  END(bento_sink);
}

static void exchange(void) {
  FIELD(bento_scope, size);
  FIELD(bento_scope, kind);
  FIELD(bento_scope, scheme);
  FIELD(bento_scope, method);
  FIELD(bento_scope, path);
  FIELD(bento_scope, root_path);
  FIELD(bento_scope, query);
  FIELD(bento_scope, http_version);
  FIELD(bento_scope, client);
  FIELD(bento_scope, server);
  FIELD(bento_scope, request_id);
  FIELD(bento_scope, headers);
  FIELD(bento_scope, deadline_ns);
  FIELD(bento_scope, path_params);
  END(bento_scope);
  FIELD(bento_event, size);
  FIELD(bento_event, type);
  FIELD(bento_event, status);
  FIELD(bento_event, more);
  FIELD(bento_event, headers);
  FIELD(bento_event, body);
  END(bento_event);
  FIELD(bento_channel, size);
  FIELD(bento_channel, reserved);
  FIELD(bento_channel, receive);
  FIELD(bento_channel, send);
#if BENTO_ABI_TARGET_MINOR >= 1
  FIELD(bento_channel, when);
#endif
  END(bento_channel);
#if BENTO_ABI_TARGET_MINOR >= 1
  FIELD(bento_done, size);
  FIELD(bento_done, reserved);
  FIELD(bento_done, sink);
  FIELD(bento_done, finish);
  END(bento_done);
#endif
  FIELD(bento_call, size);
  FIELD(bento_call, reserved);
  FIELD(bento_call, ctx);
  FIELD(bento_call, scope);
  FIELD(bento_call, channel);
  END(bento_call);
  FIELD(bento_app, self);
  FIELD(bento_app, call);
  END(bento_app);
  FIELD(bento_exchange, size);
  FIELD(bento_exchange, status);
  FIELD(bento_exchange, ctx);
  FIELD(bento_exchange, scope);
  FIELD(bento_exchange, body);
  FIELD(bento_exchange, more);
  FIELD(bento_exchange, streamed);
  FIELD(bento_exchange, state);
  FIELD(bento_exchange, set);
  FIELD(bento_exchange, set_header);
  FIELD(bento_exchange, set_body);
  FIELD(bento_exchange, limit_body);
  FIELD(bento_exchange, set_deadline);
  FIELD(bento_exchange, answer);
  FIELD(bento_exchange, response_header);
  FIELD(bento_exchange, set_response_header);
  FIELD(bento_exchange, add_response_header);
  END(bento_exchange);
  FIELD(bento_middleware, size);
  FIELD(bento_middleware, reserved);
  FIELD(bento_middleware, name);
  FIELD(bento_middleware, around);
  FIELD(bento_middleware, user);
  FIELD(bento_middleware, on_request);
  FIELD(bento_middleware, on_response);
  FIELD(bento_middleware, on_body);
  FIELD(bento_middleware, on_end);
  END(bento_middleware);
  FIELD(bento_mount, size);
  FIELD(bento_mount, reserved);
  FIELD(bento_mount, prefix);
  FIELD(bento_mount, name);
  FIELD(bento_mount, app);
  FIELD(bento_mount, process);
#if BENTO_ABI_TARGET_MINOR >= 1
  FIELD(bento_mount, call_async);
  FIELD(bento_mount, takes_async);
#endif
  END(bento_mount);
  FIELD(bento_api, size);
  FIELD(bento_api, flags);
  FIELD(bento_api, name);
  FIELD(bento_api, route);
  FIELD(bento_api, doc);
  FIELD(bento_api, in);
  FIELD(bento_api, out);
  FIELD(bento_api, invoke);
  FIELD(bento_api, raw);
  FIELD(bento_api, runner);
  FIELD(bento_api, method);
  FIELD(bento_api, user);
  FIELD(bento_api, http_method);
  FIELD(bento_api, max_body);
#if BENTO_ABI_TARGET_MINOR >= 1
  FIELD(bento_api, invoke_async);
  FIELD(bento_api, raw_async);
  FIELD(bento_api, ins);
  FIELD(bento_api, n_ins);
  FIELD(bento_api, outs);
  FIELD(bento_api, n_outs);
  FIELD(bento_api, stream);
  FIELD(bento_api, reserved2);
#endif
  END(bento_api);
}

static void runners(void) {
#if BENTO_ABI_TARGET_MINOR >= 1
  FIELD(bento_work, size);
  FIELD(bento_work, reserved);
  FIELD(bento_work, ctx);
  FIELD(bento_work, in);
  FIELD(bento_work, n);
  FIELD(bento_work, sink);
  FIELD(bento_work, state);
  FIELD(bento_work, emit);
  FIELD(bento_work, finish);
  END(bento_work);
  FIELD(bento_engine, size);
  FIELD(bento_engine, reserved);
  FIELD(bento_engine, begin);
  FIELD(bento_engine, step);
  FIELD(bento_engine, cancel);
  END(bento_engine);
  FIELD(bento_caller, size);
  FIELD(bento_caller, cancelled);
  FIELD(bento_caller, request_id);
  FIELD(bento_caller, traceparent);
  FIELD(bento_caller, deadline_ns);
  END(bento_caller);
#endif
  FIELD(bento_method, size);
  FIELD(bento_method, flags);
  FIELD(bento_method, name);
  FIELD(bento_method, axis_in);
  FIELD(bento_method, axis_out);
  FIELD(bento_method, max_batch);
  FIELD(bento_method, max_latency_ms);
  FIELD(bento_method, in);
  FIELD(bento_method, out);
  FIELD(bento_method, run);
  FIELD(bento_method, user);
#if BENTO_ABI_TARGET_MINOR >= 1
  FIELD(bento_method, ins);
  FIELD(bento_method, n_ins);
  FIELD(bento_method, outs);
  FIELD(bento_method, n_outs);
  FIELD(bento_method, engine);
  FIELD(bento_method, max_concurrent);
  FIELD(bento_method, max_batch_wait_us);
#endif
  END(bento_method);
  FIELD(bento_runner, size);
  FIELD(bento_runner, flags);
  FIELD(bento_runner, name);
  FIELD(bento_runner, resources);
  FIELD(bento_runner, methods);
  FIELD(bento_runner, n_methods);
  FIELD(bento_runner, create);
  FIELD(bento_runner, destroy);
  END(bento_runner);
}

static void service(void) {
  FIELD(bento_service, size);
  FIELD(bento_service, reserved);
  FIELD(bento_service, name);
  FIELD(bento_service, version);
  FIELD(bento_service, doc);
  FIELD(bento_service, options_schema);
  FIELD(bento_service, apis);
  FIELD(bento_service, n_apis);
  FIELD(bento_service, middleware);
  FIELD(bento_service, n_middleware);
  FIELD(bento_service, mounts);
  FIELD(bento_service, n_mounts);
  FIELD(bento_service, runners);
  FIELD(bento_service, n_runners);
  FIELD(bento_service, create);
  FIELD(bento_service, on_startup);
  FIELD(bento_service, on_ready);
  FIELD(bento_service, on_shutdown);
  FIELD(bento_service, destroy);
#if BENTO_ABI_TARGET_MINOR >= 1
  FIELD(bento_service, files);
  FIELD(bento_service, n_files);
#endif
  END(bento_service);
  FIELD(bento_host, size);
  FIELD(bento_host, abi_major);
  FIELD(bento_host, abi_minor);
  FIELD(bento_host, version);
  FIELD(bento_host, options);
  FIELD(bento_host, plugin_dir);
  FIELD(bento_host, log);
  FIELD(bento_host, scope);
  FIELD(bento_host, set_status);
  FIELD(bento_host, add_header);
  FIELD(bento_host, cancelled);
  FIELD(bento_host, submit);
  FIELD(bento_host, wait);
  FIELD(bento_host, release);
  FIELD(bento_host, defer);
  FIELD(bento_host, set_route);
#if BENTO_ABI_TARGET_MINOR >= 1
  FIELD(bento_host, instance);
  FIELD(bento_host, when);
  FIELD(bento_host, next);
  FIELD(bento_host, after);
  FIELD(bento_host, promise);
  FIELD(bento_host, resolve);
  FIELD(bento_host, offload);
  FIELD(bento_host, extension);
  FIELD(bento_host, caller);
  FIELD(bento_host, defer_async);
#endif
  END(bento_host);
  FIELD(bento_plugin_entry, size);
  FIELD(bento_plugin_entry, abi_major);
  FIELD(bento_plugin_entry, abi_minor);
  FIELD(bento_plugin_entry, built_with);
  FIELD(bento_plugin_entry, open);
  FIELD(bento_plugin_entry, close);
#if BENTO_ABI_TARGET_MINOR >= 1
  FIELD(bento_plugin_entry, configure);
#endif
  END(bento_plugin_entry);
#if BENTO_ABI_TARGET_MINOR >= 1
  FIELD(bento_metrics, size);
  FIELD(bento_metrics, reserved);
  FIELD(bento_metrics, define);
  FIELD(bento_metrics, series);
  FIELD(bento_metrics, add);
  FIELD(bento_metrics, set);
  FIELD(bento_metrics, observe);
  END(bento_metrics);
  FIELD(bento_fetch, size);
  FIELD(bento_fetch, flags);
  FIELD(bento_fetch, method);
  FIELD(bento_fetch, url);
  FIELD(bento_fetch, headers);
  FIELD(bento_fetch, body);
  FIELD(bento_fetch, timeout_ns);
  FIELD(bento_fetch, connect_timeout_ns);
  FIELD(bento_fetch, max_response_bytes);
  END(bento_fetch);
  FIELD(bento_http_client, size);
  FIELD(bento_http_client, reserved);
  FIELD(bento_http_client, fetch);
  FIELD(bento_http_client, event);
  END(bento_http_client);
#endif
}

int main(void) {
  bento_error error = {sizeof error, BENTO_OK, 0, {0}};
  constants();
  values();
  exchange();
  runners();
  service();
  return holes || !BENTO_HAS(&error, message);
}
