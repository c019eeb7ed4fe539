/* The frame of a bad plugin: a service that is right in all but the one thing its file is named
 * for. Each file changes one of these through the macros below, or the functions, and includes this
 * first or last. All are of one service, so that each can be what a good one is replaced by. */
#include <bento/abi.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define STR(literal) \
  { (literal), sizeof(literal) - 1 }

#ifndef BAD_ABI_MAJOR
#define BAD_ABI_MAJOR BENTO_ABI_MAJOR
#endif
#ifndef BAD_ABI_MINOR
#define BAD_ABI_MINOR BENTO_ABI_MINOR
#endif
#ifndef BAD_ENTRY_SIZE
#define BAD_ENTRY_SIZE sizeof(bento_plugin_entry)
#endif
#ifndef BAD_NAME
#define BAD_NAME "bad"
#endif
#ifndef BAD_VERSION /* what the API `version` answers: an expression */
#define BAD_VERSION "bad"
#endif
#ifndef BAD_ROUTE
#define BAD_ROUTE ""
#endif
#ifndef BAD_SECOND_ROUTE
#define BAD_SECOND_ROUTE ""
#endif
#ifndef BAD_DESCRIPTOR
#define BAD_DESCRIPTOR "text"
#endif
#ifndef BAD_SCHEMA
#define BAD_SCHEMA ""
#endif
#ifndef BAD_SAMPLE /* the body that the API `checked` is to be tried with */
#define BAD_SAMPLE ""
#endif
#ifndef BAD_CHECKED
#define BAD_CHECKED(error) return BENTO_OK
#endif
#ifndef BAD_OPEN
#define BAD_OPEN(error) return &service
#endif
#ifndef BAD_CREATE
#define BAD_CREATE(error) return BENTO_OK
#endif
#ifndef BAD_ON_STARTUP
#define BAD_ON_STARTUP(error) return BENTO_OK
#endif
#ifndef BAD_ON_READY
#define BAD_ON_READY(error) return BENTO_OK
#endif
#ifndef BAD_DESTROY
#define BAD_DESTROY() return
#endif

static bento_code fail(bento_error* error, bento_code code, const char* message) {
  error->code = code;
  strncpy(error->message, message, sizeof error->message - 1);
  return code;
}

static bento_code invoke(void* self, const bento_api* api, bento_ctx* ctx,
                         const bento_value* const* in, size_t n, bento_sink* sink,
                         bento_error* error) {
  (void)self, (void)api, (void)ctx, (void)n;
  return sink->value(sink, in[0], error);
}

static bento_code tell_version(void* self, const bento_api* api, bento_ctx* ctx,
                               const bento_value* const* in, size_t n, bento_sink* sink,
                               bento_error* error) {
  bento_value answer = *in[0];
  const char* version = BAD_VERSION;
  (void)self, (void)api, (void)ctx, (void)n;
  answer.bytes.ptr = version;
  answer.bytes.len = strlen(version);
  return sink->value(sink, &answer, error);
}

static bento_code check(bento_error* error) {
  (void)error, (void)fail;
  BAD_CHECKED(error);
}

static bento_code checked(void* self, const bento_api* api, bento_ctx* ctx,
                          const bento_value* const* in, size_t n, bento_sink* sink,
                          bento_error* error) {
  const bento_code code = check(error);
  return code != BENTO_OK ? code : invoke(self, api, ctx, in, n, sink, error);
}

static bento_code create(const bento_host* host, void** self, bento_error* error) {
  (void)host, (void)self, (void)error;
  BAD_CREATE(error);
}

static bento_code on_startup(void* self, bento_error* error) {
  (void)self, (void)error;
  BAD_ON_STARTUP(error);
}

static bento_code on_ready(void* self, bento_error* error) {
  (void)self, (void)error;
  BAD_ON_READY(error);
}

static void destroy(void* self) {
  (void)self;
  BAD_DESTROY();
}

static const bento_io text = {
    .size = sizeof(bento_io), .kind = BENTO_BYTES, .descriptor = STR(BAD_DESCRIPTOR)};
static const bento_io json = {.size = sizeof(bento_io),
                              .kind = BENTO_JSON,
                              .descriptor = STR("json"),
                              .sample = STR(BAD_SAMPLE)};
static const bento_api first = {.size = sizeof(bento_api),
                                .name = STR("first"),
                                .route = STR(BAD_ROUTE),
                                .in = &text,
                                .out = &text,
                                .invoke = invoke};
static const bento_api second = {.size = sizeof(bento_api),
                                 .name = STR("second"),
                                 .route = STR(BAD_SECOND_ROUTE),
                                 .in = &text,
                                 .out = &text,
                                 .invoke = invoke};
static const bento_api third = {.size = sizeof(bento_api),
                                .name = STR("version"),
                                .in = &text,
                                .out = &text,
                                .invoke = tell_version};
static const bento_api fourth = {.size = sizeof(bento_api),
                                 .name = STR("checked"),
                                 .in = &json,
                                 .out = &json,
                                 .invoke = checked};
static const bento_api* const apis[] = {&first, &second, &third, &fourth};

#ifdef BAD_RUNNER_CREATE /* without it there is no runner */
static bento_code create_runner(const bento_host* host, uint32_t worker, void** self,
                                bento_error* error) {
  (void)host, (void)worker, (void)self, (void)error;
  BAD_RUNNER_CREATE(error);
}
static void destroy_runner(void* self) { (void)self; }
static bento_code run(void* self, const bento_method* method, bento_ctx* ctx,
                      const bento_value* const* in, size_t n, const uint32_t* rows, size_t callers,
                      bento_sink* sink, bento_error* error) {
  (void)self, (void)method, (void)ctx, (void)n, (void)rows, (void)callers;
  return sink->value(sink, in[0], error);
}
static const bento_method method = {
    .size = sizeof(bento_method), .name = STR("run"), .in = &text, .out = &text, .run = run};
static const bento_method* const methods[] = {&method};
static const bento_runner runner = {.size = sizeof(bento_runner),
                                    .name = STR("model"),
                                    .methods = methods,
                                    .n_methods = 1,
                                    .create = create_runner,
                                    .destroy = destroy_runner};
static const bento_runner* const runners[] = {&runner};
#define BAD_RUNNERS runners
#define BAD_N_RUNNERS 1
#else
#define BAD_RUNNERS NULL
#define BAD_N_RUNNERS 0
#endif

static const bento_service service = {.size = sizeof(bento_service),
                                      .name = STR(BAD_NAME),
                                      .options_schema = STR(BAD_SCHEMA),
                                      .apis = apis,
                                      .n_apis = sizeof apis / sizeof *apis,
                                      .runners = BAD_RUNNERS,
                                      .n_runners = BAD_N_RUNNERS,
                                      .create = create,
                                      .on_startup = on_startup,
                                      .on_ready = on_ready,
                                      .destroy = destroy};

static const bento_service* open_plugin(const bento_host* host, bento_error* error) {
  (void)host, (void)error, (void)fail, (void)service;
  BAD_OPEN(error);
}
#ifndef BAD_NO_ENTRY
static void close_plugin(void) {}

#ifdef __cplusplus
extern "C"
#endif
    BENTO_EXPORT const bento_plugin_entry bento_entry = {.size = BAD_ENTRY_SIZE,
                                                         .abi_major = BAD_ABI_MAJOR,
                                                         .abi_minor = BAD_ABI_MINOR,
                                                         .built_with = "a bad plugin",
                                                         .open = open_plugin,
                                                         .close = close_plugin};
#endif
