/* A plugin in plain C99: three APIs and one runner, directly on <bento/abi.h>. Two of the runner's
 * methods double and square each element of a float64 array of any shape. POST /twice answers with
 * the result of the one; POST /sum calls both at once, without a thread that waits, and adds their
 * results. The third is an engine, whose calls have many results: POST /countdown sends them as
 * events.
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

static bento_code doubler_square(void* self, const bento_method* method, bento_ctx* ctx,
                                 const bento_value* const* in, size_t n, const uint32_t* rows,
                                 size_t callers, bento_sink* sink, bento_error* error) {
  const bento_tensor* x = &in[0]->tensor;
  const double* from = (const double*)x->data.ptr;
  const bento_str unnamed = {NULL, 0};
  double* to;
  size_t i;
  (void)self, (void)method, (void)ctx, (void)rows, (void)callers;
  if (n != 1) return fail(error, BENTO_INVALID_ARGUMENT, "square takes one array");
  to = sink->tensor(sink, unnamed, BENTO_F64, x->ndim, x->shape, error);
  if (to == NULL) return error->code;
  for (i = 0; i < x->data.len / sizeof(double); ++i) to[i] = from[i] * from[i];
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
static const bento_method square = {
    .size = sizeof(bento_method),
    .flags = BENTO_BATCHABLE | BENTO_IDEMPOTENT,
    .name = STR("square"),
    .in = &array,
    .out = &array,
    .run = doubler_square,
};

/* ---- the engine: a call counts down from its number, one result at each step ------------------
 */

struct countdown {
  double left;
};

static bento_code countdown_begin(void* self, const bento_method* method, bento_work* work,
                                  bento_error* error) {
  const bento_tensor* x = &work->in[0]->tensor;
  struct countdown* state;
  (void)self, (void)method;
  if (x->data.len != sizeof(double)) {
    return fail(error, BENTO_INVALID_ARGUMENT, "countdown takes one number");
  }
  state = (struct countdown*)malloc(sizeof(struct countdown));
  if (state == NULL) return fail(error, BENTO_RESOURCE_EXHAUSTED, "out of memory");
  state->left = *(const double*)x->data.ptr;
  work->state = state;
  return BENTO_OK;
}

/* Emits a result for each call, and finishes those that are at their end, or that nobody waits
 * for: emit says so. */
static bento_code countdown_step(void* self, const bento_method* method, bento_work* const* works,
                                 size_t n, bento_error* error) {
  const bento_str unnamed = {NULL, 0};
  const int64_t shape[1] = {1};
  size_t i;
  (void)self, (void)method, (void)error;
  for (i = 0; i < n; ++i) {
    bento_work* work = works[i];
    struct countdown* state = (struct countdown*)work->state;
    bento_error why = {.size = sizeof(bento_error)};
    bento_code code = BENTO_OK;
    if (state->left >= 1) {
      double* to = (double*)work->sink->tensor(work->sink, unnamed, BENTO_F64, 1, shape, &why);
      if (to != NULL) *to = state->left--;
      code = to != NULL ? work->emit(work, &why) : why.code;
    }
    if (code == BENTO_OK && state->left >= 1) continue;
    free(state);
    work->finish(work, code, &why);
  }
  return BENTO_OK;
}

static const bento_engine countdown_engine = {
    .size = sizeof(bento_engine),
    .begin = countdown_begin,
    .step = countdown_step,
};
static const bento_method countdown = {
    .size = sizeof(bento_method),
    .flags = BENTO_STREAMS,
    .name = STR("countdown"),
    .in = &array,
    .out = &array,
    .engine = &countdown_engine,
    .max_concurrent = 16,
};
static const bento_method* const methods[] = {&twice, &square, &countdown};

static const bento_runner doubler = {
    .size = sizeof(bento_runner),
    .name = STR("doubler"),
    .resources = STR("cpu"),
    .methods = methods,
    .n_methods = 3,
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

static const bento_api api_countdown = {
    .size = sizeof(bento_api),
    .name = STR("countdown"),
    .doc = STR("From a number down to one, as events."),
    .runner = STR("doubler"),
    .method = STR("countdown"),
    .stream = BENTO_AS_EVENTS,
};

/* ---- the API that waits for two calls at once, without a thread -------------------------------
 * It is called on an event loop, so it may not wait. It asks each call for its result; when that is
 * not there yet, it asks to be woken, and returns. */

static const bento_host* host;

struct sum {
  bento_done* done;
  bento_ticket* calls[2];
  const bento_tensor* results[2]; /* they live as long as their calls */
};

static void sum_finish(struct sum* sum, bento_code code, const bento_error* error) {
  bento_done* done = sum->done;
  int i;
  for (i = 0; i < 2; ++i) {
    if (sum->calls[i] != NULL) host->release(sum->calls[i]);
  }
  free(sum);
  /* The last call: afterwards the sink, the inputs and the ctx are gone. */
  done->finish(done, code, error);
}

static void sum_go_on(void* arg) {
  struct sum* sum = (struct sum*)arg;
  bento_error error = {.size = sizeof(bento_error)};
  const bento_str unnamed = {NULL, 0};
  const bento_tensor* a;
  double* to;
  size_t i;
  for (i = 0; i < 2; ++i) {
    const bento_value* const* values;
    size_t n;
    bento_code code;
    if (sum->results[i] != NULL) continue;
    while ((code = host->next(sum->calls[i], &values, &n, &error)) == BENTO_PENDING) {
      if (host->when(sum->calls[i], sum_go_on, sum)) return;
    }
    /* The runner's error, or CANCELLED because the client is gone: pass it on, and be done. */
    if (code != BENTO_OK) {
      sum_finish(sum, code, &error);
      return;
    }
    sum->results[i] = &values[0]->tensor;
  }
  a = sum->results[0];
  to = sum->done->sink->tensor(sum->done->sink, unnamed, BENTO_F64, a->ndim, a->shape, &error);
  if (to == NULL) {
    sum_finish(sum, error.code, &error);
    return;
  }
  for (i = 0; i < a->data.len / sizeof(double); ++i) {
    to[i] = ((const double*)a->data.ptr)[i] + ((const double*)sum->results[1]->data.ptr)[i];
  }
  sum_finish(sum, BENTO_OK, NULL);
}

static bento_code sum_begin(void* self, const bento_api* api, bento_ctx* ctx,
                            const bento_value* const* in, size_t n, bento_done* done,
                            bento_error* error) {
  static const bento_str runner = STR("doubler"), names[2] = {STR("twice"), STR("square")};
  struct sum* sum = (struct sum*)calloc(1, sizeof *sum);
  int i;
  (void)self, (void)api;
  if (sum == NULL) return fail(error, BENTO_RESOURCE_EXHAUSTED, "out of memory");
  sum->done = done;
  for (i = 0; i < 2; ++i) { /* both are under way before either is asked */
    if (host->submit(ctx, runner, names[i], in, n, &sum->calls[i], error) != BENTO_OK) {
      if (i == 1) host->release(sum->calls[0]); /* cancels it */
      free(sum);
      return error->code; /* an error returned: finish is never called */
    }
  }
  sum_go_on(sum);
  return BENTO_OK;
}

static const bento_api api_sum = {
    .size = sizeof(bento_api),
    .name = STR("sum"),
    .doc = STR("Each element doubled, and its square, added."),
    .in = &array,
    .out = &array,
    .invoke_async = sum_begin,
};
static const bento_api* const apis[] = {&api_twice, &api_sum, &api_countdown};

/* ---- the service, and the one exported symbol ------------------------------------------------ */

static const bento_service service = {
    .size = sizeof(bento_service),
    .name = STR("c99"),
    .version = STR("1.0"),
    .doc = STR("A service in plain C."),
    .apis = apis,
    .n_apis = 3,
    .runners = runners,
    .n_runners = 1,
};

static const bento_service* open_plugin(const bento_host* given, bento_error* error) {
  (void)error;
  host = given;
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
