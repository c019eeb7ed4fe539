/* The frame of a bad plugin: a service that is right in all but the one thing its file is named
 * for. Each file changes one of these through the macros below, or the functions, and includes this
 * first or last. */
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
#ifndef BAD_OPEN
#define BAD_OPEN(error) return &service
#endif
#ifndef BAD_CREATE
#define BAD_CREATE(error) return BENTO_OK
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

static bento_code create(const bento_host* host, void** self, bento_error* error) {
  (void)host, (void)self, (void)error;
  BAD_CREATE(error);
}

static const bento_io text = {
    .size = sizeof(bento_io), .kind = BENTO_BYTES, .descriptor = STR(BAD_DESCRIPTOR)};
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
static const bento_api* const apis[] = {&first, &second};
static const bento_service service = {.size = sizeof(bento_service),
                                      .name = STR("bad"),
                                      .options_schema = STR(BAD_SCHEMA),
                                      .apis = apis,
                                      .n_apis = 2,
                                      .create = create};

static const bento_service* open_plugin(const bento_host* host, bento_error* error) {
  (void)host, (void)error, (void)fail, (void)service;
  BAD_OPEN(error);
}
#ifndef BAD_NO_ENTRY
static void close_plugin(void) {}

BENTO_EXPORT const bento_plugin_entry bento_entry = {BAD_ENTRY_SIZE, BAD_ABI_MAJOR, BAD_ABI_MINOR,
                                                     "a bad plugin", open_plugin,   close_plugin};
#endif
