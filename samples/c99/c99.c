/* A plugin in plain C99: one API and one runner, directly on <bento/abi.h>. The runner's method
 * doubles each element of a float64 array of any shape; POST /twice answers with the result.
 *
 * It shows what the C++ glue does for you: describing the service with structs that live as long as
 * the plugin, reading inputs, writing to the sink, and reporting errors. */
#include <bento/abi.h>
#include <stdio.h>
#include <stdlib.h>

#define STR(literal) \
  { (literal), sizeof(literal) - 1 }

static bento_code fail(bento_error* error, bento_code code, const char* message) {
  error->code = code;
  snprintf(error->message, sizeof error->message, "%s", message);
  return code;
}

/* ---- the runner: one instance in each worker process --------------------------------------- */

struct doubler {
  unsigned long calls;
};

static bento_code doubler_create(const bento_host* host, uint32_t worker, void** self,
                                 bento_error* error) {
  (void)host;
  (void)worker;
  *self = calloc(1, sizeof(struct doubler));
  return *self != NULL ? BENTO_OK : fail(error, BENTO_RESOURCE_EXHAUSTED, "out of memory");
}

static void doubler_destroy(void* self) { free(self); }

/* The rows of all callers come joined along axis 0, and the results go back the same way. */
static bento_code doubler_twice(void* self, const bento_method* method, bento_ctx* ctx,
                                const bento_value* const* in, size_t n, const uint32_t* rows,
                                size_t callers, bento_sink* sink, bento_error* error) {
  const bento_tensor* x = &in[0]->tensor;
  const double* from = (const double*)x->data.ptr;
  const bento_str unnamed = {NULL, 0};
  double* to;
  size_t i;
  (void)method, (void)ctx, (void)rows, (void)callers;
  if (n != 1) return fail(error, BENTO_INVALID_ARGUMENT, "twice takes one array");
  to = sink->tensor(sink, unnamed, BENTO_F64, x->ndim, x->shape, error);
  if (to == NULL) return error->code;
  for (i = 0; i < x->data.len / sizeof(double); ++i) to[i] = 2 * from[i];
  ++((struct doubler*)self)->calls;
  return BENTO_OK;
}

/* Only the dtype is enforced, as the flags say: any shape is accepted. */
static const bento_io array = {
    .size = sizeof(bento_io),
    .kind = BENTO_TENSOR,
    .flags = BENTO_IO_ENFORCE_DTYPE,
    .dtype = BENTO_F64,
    .descriptor = STR("ndarray"),
    .sample = STR("[1.0, 2.5]"),
};

static const bento_method twice = {
    .size = sizeof(bento_method),
    .flags = BENTO_BATCHABLE | BENTO_IDEMPOTENT,
    .name = STR("twice"),
    .in = &array,
    .out = &array,
    .run = doubler_twice,
};
static const bento_method* const methods[] = {&twice};

static const bento_runner doubler = {
    .size = sizeof(bento_runner),
    .name = STR("doubler"),
    .resources = STR("cpu"),
    .methods = methods,
    .n_methods = 1,
    .create = doubler_create,
    .destroy = doubler_destroy,
};
static const bento_runner* const runners[] = {&doubler};

/* ---- the API: the host calls the runner itself ---------------------------------------------- */

static const bento_api api_twice = {
    .size = sizeof(bento_api),
    .name = STR("twice"),
    .doc = STR("Each element, doubled."),
    .runner = STR("doubler"),
    .method = STR("twice"),
};
static const bento_api* const apis[] = {&api_twice};

/* ---- the service, and the one exported symbol ------------------------------------------------ */

static const bento_service service = {
    .size = sizeof(bento_service),
    .name = STR("c99"),
    .version = STR("1.0"),
    .doc = STR("A service in plain C."),
    .apis = apis,
    .n_apis = 1,
    .runners = runners,
    .n_runners = 1,
};

static const bento_service* open_plugin(const bento_host* host, bento_error* error) {
  (void)host;
  (void)error;
  return &service;
}

static void close_plugin(void) {}

BENTO_EXPORT const bento_plugin_entry bento_entry = {
    .size = sizeof(bento_plugin_entry),
    .abi_major = BENTO_ABI_MAJOR,
    .abi_minor = BENTO_ABI_TARGET_MINOR,
    .built_with = "C99",
    .open = open_plugin,
    .close = close_plugin,
};
