/* A plugin for hosts of ABI 1.0: it touches each struct and most functions that 1.0 has, so that a
 * host which asks more of it fails. Compiled with -DBENTO_ABI_TARGET_MINOR=0; libfirst.so beside it
 * is what README.md's command made of it then, and is served by every later host. */
#include <bento/abi.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#if BENTO_ABI_TARGET_MINOR != 0
#error "this plugin is for ABI 1.0: -DBENTO_ABI_TARGET_MINOR=0"
#endif

#define STR(literal) \
  { (literal), sizeof(literal) - 1 }

struct state {
  const bento_host* host;
  char prefix[64]; /* the option */
};

static bento_code fail(bento_error* error, bento_code code, const char* message) {
  error->code = code;
  snprintf(error->message, sizeof error->message, "%s", message);
  return code;
}

static bento_code put_text(bento_sink* sink, const char* text, bento_error* error) {
  bento_value value;
  memset(&value, 0, sizeof value);
  value.size = sizeof value;
  value.kind = BENTO_BYTES;
  value.bytes.ptr = text;
  value.bytes.len = strlen(text);
  return sink->value(sink, &value, error);
}

/* ---- a runner: shouts ------------------------------------------------------------------------ */

static bento_code voice_create(const bento_host* host, uint32_t worker, void** self,
                               bento_error* error) {
  (void)worker;
  if (host->size < sizeof(bento_host) || host->abi_major != 1) {
    return fail(error, BENTO_FAILED_PRECONDITION, "not a host of ABI 1");
  }
  *self = malloc(1);
  return *self != NULL ? BENTO_OK : fail(error, BENTO_RESOURCE_EXHAUSTED, "out of memory");
}

static void voice_destroy(void* self) { free(self); }

static bento_code voice_shout(void* self, const bento_method* method, bento_ctx* ctx,
                              const bento_value* const* in, size_t n, const uint32_t* rows,
                              size_t callers, bento_sink* sink, bento_error* error) {
  char text[256];
  const size_t length = in[0]->bytes.len < sizeof text - 1 ? in[0]->bytes.len : sizeof text - 1;
  size_t i;
  (void)self, (void)method, (void)ctx, (void)n, (void)rows, (void)callers;
  for (i = 0; i < length; ++i) {
    const char c = ((const char*)in[0]->bytes.ptr)[i];
    text[i] = c >= 'a' && c <= 'z' ? (char)(c - 'a' + 'A') : c;
  }
  text[length] = '\0';
  return put_text(sink, text, error);
}

static const bento_io text_io = {
    .size = sizeof(bento_io), .kind = BENTO_BYTES, .descriptor = STR("text")};

static const bento_method shout = {.size = sizeof(bento_method),
                                   .flags = BENTO_IDEMPOTENT,
                                   .name = STR("shout"),
                                   .in = &text_io,
                                   .out = &text_io,
                                   .run = voice_shout};
static const bento_method* const methods[] = {&shout};
static const bento_runner voice = {.size = sizeof(bento_runner),
                                   .name = STR("voice"),
                                   .resources = STR("cpu"),
                                   .methods = methods,
                                   .n_methods = 1,
                                   .create = voice_create,
                                   .destroy = voice_destroy};
static const bento_runner* const runners[] = {&voice};

/* ---- the APIs -------------------------------------------------------------------------------- */

/* The runner, called from a handler, with the option in front of what it says. */
static bento_code greet(void* self, const bento_api* api, bento_ctx* ctx,
                        const bento_value* const* in, size_t n, bento_sink* sink,
                        bento_error* error) {
  const struct state* state = self;
  const bento_str runner = STR("voice"), method = STR("shout");
  const bento_pair header = {STR("X-First"), STR("yes")};
  const bento_value* const* out;
  bento_ticket* ticket;
  size_t n_out;
  char answer[512];
  bento_code code = state->host->submit(ctx, runner, method, in, n, &ticket, error);
  (void)api;
  if (code != BENTO_OK) return code;
  code = state->host->wait(ticket, &out, &n_out, error);
  if (code == BENTO_OK) {
    snprintf(answer, sizeof answer, "%s%.*s", state->prefix, (int)out[0]->bytes.len,
             (const char*)out[0]->bytes.ptr);
    code = put_text(sink, answer, error);
  }
  state->host->release(ticket);
  return code == BENTO_OK ? state->host->add_header(ctx, header, error) : code;
}

/* What it receives, piece by piece. */
static bento_code echo(void* self, const bento_api* api, const bento_call* call,
                       bento_error* error) {
  const bento_pair type = {STR("content-type"), STR("text/plain")};
  bento_event in, out;
  bento_code code;
  (void)self, (void)api;
  memset(&out, 0, sizeof out);
  out.size = sizeof out;
  out.type = BENTO_RESPONSE_START;
  out.status = 200;
  out.headers.ptr = &type;
  out.headers.len = 1;
  code = call->channel->send(call->channel, &out, error);
  out.type = BENTO_RESPONSE_BODY;
  do {
    memset(&in, 0, sizeof in);
    in.size = sizeof in;
    if (code == BENTO_OK) code = call->channel->receive(call->channel, &in, error);
    if (code != BENTO_OK || in.type == BENTO_DISCONNECT) return code;
    out.more = in.more;
    out.body = in.body;
    code = call->channel->send(call->channel, &out, error);
  } while (in.more && code == BENTO_OK);
  return code;
}

static const bento_api api_direct = {.size = sizeof(bento_api),
                                     .name = STR("shout"),
                                     .runner = STR("voice"),
                                     .method = STR("shout")};
static const bento_api api_greet = {.size = sizeof(bento_api),
                                    .name = STR("greet"),
                                    .in = &text_io,
                                    .out = &text_io,
                                    .invoke = greet};
static const bento_api api_echo = {.size = sizeof(bento_api), .name = STR("echo"), .raw = echo};
static const bento_api* const apis[] = {&api_direct, &api_greet, &api_echo};

/* ---- middleware and a mounted app ------------------------------------------------------------ */

static bento_code on_response(void* self, const bento_middleware* middleware,
                              bento_exchange* exchange, bento_error* error) {
  const bento_str name = STR("X-Hook"), value = STR("1.0");
  (void)self, (void)middleware;
  return exchange->set_response_header(exchange, name, value, error);
}

static bento_code around(void* self, const bento_middleware* middleware, const bento_call* call,
                         const bento_app* next, bento_error* error) {
  (void)self, (void)middleware;
  return next->call(next->self, call, error);
}

static const bento_middleware hook = {
    .size = sizeof(bento_middleware), .name = STR("hook"), .on_response = on_response};
static const bento_middleware passes_on = {
    .size = sizeof(bento_middleware), .name = STR("passes_on"), .around = around};
static const bento_middleware* const middleware[] = {&hook, &passes_on};

static bento_code app(void* self, const bento_call* call, bento_error* error) {
  (void)self;
  return echo(NULL, NULL, call, error);
}
static const bento_mount mount = {
    .size = sizeof(bento_mount), .prefix = STR("/app"), .name = STR("app"), .app = {NULL, app}};
static const bento_mount* const mounts[] = {&mount};

/* ---- the service ------------------------------------------------------------------------------
 */

static bento_code create(const bento_host* host, void** self, bento_error* error) {
  static const char key[] = "\"prefix\":\"";
  struct state* state = calloc(1, sizeof *state);
  const char *from, *to;
  char options[256];
  if (state == NULL) return fail(error, BENTO_RESOURCE_EXHAUSTED, "out of memory");
  snprintf(options, sizeof options, "%.*s", (int)host->options.len, host->options.ptr);
  from = strstr(options, key);
  to = from != NULL ? strchr(from + sizeof key - 1, '"') : NULL;
  if (to != NULL) {
    *strchr(from + sizeof key - 1, '"') = '\0';
    snprintf(state->prefix, sizeof state->prefix, "%s", from + sizeof key - 1);
  }
  state->host = host;
  *self = state;
  return BENTO_OK;
}

static bento_code on_ready(void* self, bento_error* error) {
  const bento_host* host = ((const struct state*)self)->host;
  const bento_str line = STR("a plugin of ABI 1.0 is ready");
  const bento_pairs none = {NULL, 0};
  (void)error;
  host->log(host, NULL, BENTO_LOG_INFO, line, none);
  return BENTO_OK;
}

static void destroy(void* self) { free(self); }

static const bento_service service = {
    .size = sizeof(bento_service),
    .name = STR("first"),
    .version = STR("1.0"),
    .options_schema = STR("{\"type\":\"object\",\"additionalProperties\":false,\"properties\":"
                          "{\"prefix\":{\"type\":\"string\",\"default\":\"\"}}}"),
    .apis = apis,
    .n_apis = sizeof apis / sizeof *apis,
    .middleware = middleware,
    .n_middleware = sizeof middleware / sizeof *middleware,
    .mounts = mounts,
    .n_mounts = 1,
    .runners = runners,
    .n_runners = 1,
    .create = create,
    .on_ready = on_ready,
    .destroy = destroy,
};

static const bento_service* open_plugin(const bento_host* host, bento_error* error) {
  (void)host, (void)error;
  return &service;
}

static void close_plugin(void) {}

BENTO_EXPORT const bento_plugin_entry bento_entry = {
    .size = sizeof(bento_plugin_entry),
    .abi_major = BENTO_ABI_MAJOR,
    .abi_minor = BENTO_ABI_TARGET_MINOR,
    .built_with = "C99, ABI 1.0",
    .open = open_plugin,
    .close = close_plugin,
};
