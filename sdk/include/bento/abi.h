/* bento/abi.h -- the C ABI between bentohost and a service plugin. C99; libc headers only.
 *
 * Every function below carries two tags:
 *   thread  [loader] one thread at a time: start, reload, stop   [worker] a request thread, many at once
 *           [runner] the runner process's only compute thread    [any] any thread
 *           [loop]   the event loop of the ctx, which is that of its connection. All calls of one ctx
 *                    come there, one at a time
 *   block   (waits) may block for I/O                   (quick) returns promptly, no I/O
 * Every pointer has one of these lifetimes:
 *   CALL    until the function it was passed to returns
 *   NEXT    until the next call on the same object
 *   HOST, PLUGIN  owned by that side until the object it hangs from is destroyed
 * Nothing crosses this line by throwing or longjmp; what one side allocates, that side frees.
 * A function that returns an error never took ownership of anything. An error that the host returns
 * for the plugin's own mistake (status 99, an input that the method does not take) has http_status
 * 500, so that a plugin that passes it on does not blame the client. */
#ifndef BENTO_ABI_H
#define BENTO_ABI_H

#include <stddef.h>
#include <stdint.h>

#define BENTO_ABI_MAJOR 1 /* equal, or the plugin is refused                             */
#define BENTO_ABI_MINOR 1 /* either side's may be the newer; grows with each append      */

/* The minor of the oldest host that a plugin is for. Defined before the include, as 0 for 1.0: the header
 * then has nothing that is newer, and structs have the sizes of that minor. */
#ifndef BENTO_ABI_TARGET_MINOR
#define BENTO_ABI_TARGET_MINOR BENTO_ABI_MINOR
#endif
#if BENTO_ABI_TARGET_MINOR > BENTO_ABI_MINOR
#error "BENTO_ABI_TARGET_MINOR is newer than this header"
#endif

/* Structs only ever grow at the tail. `size` is sizeof as the writer knew it; the reader asks
 * before it touches a field newer than x.0. So a sized struct is never a member of another one
 * and never an array element: both hold pointers. Structs without `size` are frozen.
 *
 * A host serves plugins of an older and of a newer minor. Of a newer one it reads the fields that it
 * knows, and refuses what it does not know by name or by flag; such a plugin asks BENTO_HAS(host, f)
 * before it calls a function newer than x.0, and does without it or fails in open. */
#define BENTO_HAS(p, field) \
  ((p)->size >= (uint32_t)((const char *)(&(p)->field + 1) - (const char *)(p)))

#define BENTO_EXPORT __attribute__((visibility("default")))

#ifdef __cplusplus
extern "C" {
#endif

/* ---- values ---------------------------------------------------------------------------- */
typedef struct bento_str   { const char *ptr; size_t len; } bento_str; /* UTF-8, no NUL    */
typedef struct bento_bytes { const void *ptr; size_t len; } bento_bytes;
typedef struct bento_pair  { bento_str name, value; } bento_pair; /* header, label, field  */
typedef struct bento_pairs { const bento_pair *ptr; size_t len; } bento_pairs;

typedef int32_t bento_code; /* google.rpc.Code numbers; an unknown code reads as UNKNOWN */
enum { BENTO_OK = 0, BENTO_CANCELLED = 1, BENTO_UNKNOWN = 2, BENTO_INVALID_ARGUMENT = 3,
       BENTO_DEADLINE_EXCEEDED = 4, BENTO_NOT_FOUND = 5, BENTO_PERMISSION_DENIED = 7,
       BENTO_RESOURCE_EXHAUSTED = 8, BENTO_FAILED_PRECONDITION = 9, BENTO_UNIMPLEMENTED = 12,
       BENTO_INTERNAL = 13, BENTO_UNAVAILABLE = 14, BENTO_UNAUTHENTICATED = 16 };
#if BENTO_ABI_TARGET_MINOR >= 1
enum { BENTO_PENDING = 1000 }; /* not yet: ask when(). Nothing ever ends with it */
#endif

/* Allocated by the caller, filled by the callee exactly when it returns non-OK. */
typedef struct bento_error {
  uint32_t   size;
  bento_code code;
  uint32_t   http_status;  /* 400 to 599; 0: derived from code */
  char       message[500]; /* NUL-terminated, truncated to fit */
} bento_error;

enum { BENTO_BOOL = 1, BENTO_I8, BENTO_I16, BENTO_I32, BENTO_I64, BENTO_U8, BENTO_U16,
       BENTO_U32, BENTO_U64, BENTO_F16, BENTO_F32, BENTO_F64 };
typedef struct bento_tensor {
  uint32_t       dtype, ndim;
  const int64_t *shape, *strides; /* strides in elements; NULL: C order */
  bento_bytes    data;            /* little-endian. What the host passes in is 64-byte aligned and
                                     in C order; what a plugin passes out may be neither */
} bento_tensor;

enum { BENTO_JSON = 1, BENTO_BYTES, BENTO_TENSOR };
typedef struct bento_value {
  uint32_t     size, kind;
  bento_str    name, mime; /* name: of the argument; may be empty */
  bento_bytes  bytes;      /* JSON (valid UTF-8) or raw bytes */
  bento_tensor tensor;
} bento_value;

/* What an API or a runner method accepts or returns. Inputs that do not fit are refused; outputs that do not
 * fit are answered 500: another kind, dtype or shape than is enforced, another media type, text that is not
 * UTF-8, JSON that cannot be parsed or breaks the schema. */
enum { BENTO_IO_ENFORCE_SHAPE = 1u, BENTO_IO_ENFORCE_DTYPE = 2u,
       BENTO_IO_SELF_CHECKED = 4u /* an input: the plugin holds JSON against the schema, and can tell all that
                                     is wrong with it, not the first fault alone; the host does not */ };
#if BENTO_ABI_TARGET_MINOR >= 1
enum { BENTO_IO_OPTIONAL = 8u }; /* one of several inputs: may be left out; the value at its place then has kind 0 */
#endif
typedef struct bento_io {
  uint32_t       size, kind, flags;
  uint32_t       dtype, ndim, reserved; /* tensor: 0 = any */
  const int64_t *shape;       /* -1 = any extent */
  bento_str      descriptor;  /* "ndarray" "json" "text" "file" */
  bento_str      mime, schema, sample; /* of a file: "image/png", or "image/" and "*" for all of them; JSON
                                          Schema text; a sample as JSON */
#if BENTO_ABI_TARGET_MINOR >= 1
  bento_str      name; /* of one of several: the argument's, and of an API's the member's of its JSON body */
#endif
} bento_io;

/* Where results go: host memory first, give() for zero copy. */
typedef struct bento_sink bento_sink;
struct bento_sink {
  uint32_t size, reserved;
  void *(*tensor)(bento_sink *, bento_str name, uint32_t dtype, uint32_t ndim,
                  const int64_t *shape, bento_error *);  /* HOST memory to fill, or NULL */
  bento_code (*value)(bento_sink *, const bento_value *copied, bento_error *);
  bento_code (*give)(bento_sink *, const bento_value *, void *owner,
                     void (*release)(void *owner), bento_error *);
                     /* release: [any] (quick), exactly once, also on error */
#if BENTO_ABI_TARGET_MINOR >= 1
  /* In the `run` of a batchable method: this caller's rows have failed with *why, whatever the result has in their
   * place; the others' have not. INVALID_ARGUMENT elsewhere, and for a caller that the batch does not have. */
  bento_code (*fail)(bento_sink *, size_t caller, const bento_error *why, bento_error *); /* [runner] (quick) CALL */
#endif
};

/* ---- one exchange: ASGI's scope, receive and send --------------------------------------- */
typedef struct bento_ctx bento_ctx;       /* HOST, opaque: one request, or one runner batch */
typedef struct bento_ticket bento_ticket; /* HOST, opaque: one thing under way: a runner call, a timer, ... */

typedef struct bento_scope {
  uint32_t    size, kind; /* 1 = http */
  bento_str   scheme, method, path, root_path, query, http_version;
  bento_str   client, server, request_id;
  bento_pairs headers;     /* names in lower case, duplicates kept in order */
  uint64_t    deadline_ns; /* CLOCK_MONOTONIC; 0 = none */
  bento_pairs path_params; /* what the path has for the {name}s of the route, in their order */
} bento_scope; /* lives until the last RESPONSE_BODY has been sent, or the handler returns */

enum { BENTO_REQUEST_BODY = 1, BENTO_DISCONNECT, BENTO_RESPONSE_START, BENTO_RESPONSE_BODY };
typedef struct bento_event {
  uint32_t    size, type;
  uint32_t    status, more; /* more: another body event follows */
  bento_pairs headers;
  bento_bytes body;
} bento_event;

typedef struct bento_channel bento_channel;
struct bento_channel {
  uint32_t size, reserved;
  bento_code (*receive)(bento_channel *, bento_event *out, bento_error *);    /* [worker] (waits) NEXT */
  bento_code (*send)(bento_channel *, const bento_event *, bento_error *);    /* [worker] (waits) CALL */
  /* send: CANCELLED when nobody listens any more, also for a body in answer to HEAD: return soon */
#if BENTO_ABI_TARGET_MINOR >= 1
  /* In an asynchronous function neither of the two waits. receive says PENDING when nothing is there. send takes
   * what it is given; RESOURCE_EXHAUSTED when far more is under way than the client has room for.
   * 1: wake is called once, on the loop and never from within this call, when it is worth asking again: something
   * can be received, there is room to send, or the exchange has been cancelled. 0: it is worth it now, and wake
   * is never called. One wake at a time for each `what`; none after finish. */
  int32_t (*when)(bento_channel *, uint32_t what, void (*wake)(void *arg), void *arg); /* [loop] (quick) */
#endif
};
#if BENTO_ABI_TARGET_MINOR >= 1
enum { BENTO_CAN_RECEIVE = 1u, BENTO_CAN_SEND = 2u }; /* `what` of a channel's when */

/* ---- async -------------------------------------------------------------------------------
 * An asynchronous function is called on a loop, returns at once, and ends later through a bento_done, which is
 * its caller's. It returned OK: finish was or will be called, exactly once. It returned an error: it has failed
 * with that, and finish is never called. All that it was lent (ctx, call, inputs, sink) lives until finish.
 *
 * What it waits for is a ticket or a channel. Neither is waited for on a loop (`wait` there is
 * FAILED_PRECONDITION): the function asks `when` to be woken, returns, and asks again when it is woken. When the
 * client is gone, the deadline past or the host stopping, all that the ctx waits for is woken and says CANCELLED or
 * DEADLINE_EXCEEDED, and goes on saying so: a function that passes errors on has ended soon. */
typedef struct bento_done bento_done;
struct bento_done {
  uint32_t size, reserved;
  bento_sink *sink; /* of invoke_async: takes the result; else NULL */
  /* `error`: CALL, how it failed, unless the code is OK. */
  void (*finish)(bento_done *, bento_code, const bento_error *error); /* [loop] (quick) */
};
#endif

typedef struct bento_call {
  uint32_t size, reserved;
  bento_ctx *ctx;
  const bento_scope *scope;
  bento_channel *channel;
} bento_call;

/* An app answers a call. A mounted one gets the whole path, as ASGI has it: scope->root_path is the part
 * of it that the app is mounted at. */
typedef struct bento_app { /* frozen */
  void *self;
  bento_code (*call)(void *self, const bento_call *, bento_error *); /* [worker] (waits) */
} bento_app;

/* ---- middleware: around every exchange of a service; the first is outermost ------------- */

/* One exchange, for the hooks of one middleware. The host's, which holds all that is set through it; one
 * hook at a time, not all on one thread. Header names are matched without regard to case. */
typedef struct bento_exchange bento_exchange;
struct bento_exchange {
  uint32_t size, status;    /* of the response, from on_response on. Set it there to change it */
  bento_ctx *ctx;
  const bento_scope *scope; /* the request as it reached this middleware, with what this one has changed;
                               NULL in on_end */
  bento_bytes body;         /* CALL: in on_request the whole body, or nothing of one that is streamed; then the
                               piece of the response's body that is passing */
  uint32_t more, streamed;  /* another piece follows; in on_request: the body is streamed */
  void *state;              /* the plugin's; NULL at first, and left alone by the host */

  /* In on_request. `what` is "method", "path", "query", "scheme" or "client"; else INVALID_ARGUMENT.
   * Another path is routed anew. A header whose value has a NULL ptr is removed. */
  bento_code (*set)(bento_exchange *, bento_str what, bento_str value, bento_error *);
  bento_code (*set_header)(bento_exchange *, bento_str name, bento_str value, bento_error *);
  bento_code (*set_body)(bento_exchange *, bento_bytes copied, bento_error *); /* in on_response, on_body: the piece */
  bento_code (*limit_body)(bento_exchange *, uint64_t bytes, bento_error *);   /* beyond: 413 */
  bento_code (*set_deadline)(bento_exchange *, uint64_t deadline_ns, bento_error *); /* only ever earlier */
  /* Answers with the event's status, headers and body; nothing is passed on. */
  bento_code (*answer)(bento_exchange *, const bento_event *, bento_error *);

  /* In on_response. NEXT: the nth value of that name; a NULL ptr: there are no more. */
  bento_str (*response_header)(bento_exchange *, bento_str name, size_t nth);
  bento_code (*set_response_header)(bento_exchange *, bento_str name, bento_str value, bento_error *); /* NULL: removes */
  bento_code (*add_response_header)(bento_exchange *, bento_str name, bento_str value, bento_error *);
};

/* A middleware has one of two forms: `around`, or hooks.
 * `around` is an app that was handed the next one, on a thread of its own: it may answer by itself, pass on an
 * altered scope, or pass on its own channel to see and change what comes back. next->call returns when the
 * answer is complete; an error that it returns was not answered yet: it may be returned, or answered. What
 * it would be answered with, a 5xx, has passed the channel all the same, and goes out as it came out of it.
 * Hooks do not wait, and so need no thread: they are called where the exchange is at work, which may be an
 * event loop. Each may be NULL. An error of on_request is the answer; one of on_response becomes a 500, one of
 * on_body cuts the answer off. */
typedef struct bento_middleware bento_middleware;
struct bento_middleware {
  uint32_t size, reserved;
  bento_str name;
  bento_code (*around)(void *self, const bento_middleware *, const bento_call *, const bento_app *next,
                       bento_error *); /* [worker] (waits); next->call at most once */
  void *user;                          /* the plugin's; the host hands it back unread */
  bento_code (*on_request)(void *self, const bento_middleware *, bento_exchange *, bento_error *);  /* [any] (quick) */
  bento_code (*on_response)(void *self, const bento_middleware *, bento_exchange *, bento_error *); /* [any] (quick)
                          the head and the first piece of the body, or all of it: `more` */
  bento_code (*on_body)(void *self, const bento_middleware *, bento_exchange *, bento_error *);     /* [any] (quick)
                          each further piece */
  void (*on_end)(void *self, const bento_middleware *, bento_exchange *); /* [any] (quick) once for each exchange:
                          the answer has gone out, or never will. Free `state` here */
};

typedef struct bento_mount {
  uint32_t size, reserved;
  bento_str prefix, name;
  bento_app app;     /* app.call == NULL, and no call_async: the host answers, as `process` says */
  bento_str process; /* JSON. Files that the host serves: {"kind": "files", "folder": "www", "cache_control":
                        "..."}, or with "folder_option": "NAME" for a folder that an option of the service
                        names. A program that the host starts, watches and passes requests on to: {"kind":
                        "asgi", "app": "MODULE:APP"}, or of kind "wsgi" or "wsgi+gunicorn", or {"kind":
                        "http", "command": ["PROGRAM", "ARGUMENT"]}; beside it "folder", "environment" (an
                        object of texts), "interpreter", "processes", "threads", "ready_path",
                        "max_memory", "max_requests", "max_connections", "max_queue", "prefix_cookies" and,
                        in seconds, "start_timeout", "stop_timeout", "connect_timeout", "send_timeout",
                        "read_timeout", "tunnel_timeout". A relative folder is meant from plugin_dir, a
                        program's default. A host refuses kinds and members that it does not know */
#if BENTO_ABI_TARGET_MINOR >= 1
  /* In place of app.call, or beside it; `self` is app.self. Beside it, takes_async says which of the two answers a
   * request: 0 is app.call, on a thread. The scope is the one that the call will have. Without app.call it is NULL. */
  bento_code (*call_async)(void *self, const bento_call *, bento_done *, bento_error *); /* [loop] (quick) */
  int32_t (*takes_async)(void *self, const bento_scope *);                               /* [any] (quick) */
#endif
} bento_mount;

/* `self` is what the service's create() left; the api itself is passed too, so that one function can serve
 * many of them and find its own data in `user`. */
enum { BENTO_API_QUICK = 1u /* `invoke` is (quick), calls no runner, and so needs no thread: the host calls it
                               on the event loop that has the connection, whose others wait meanwhile */ };
typedef struct bento_api bento_api;
struct bento_api {
  uint32_t size, flags;
  bento_str name, route, doc; /* route "": "/" + name */
  const bento_io *in, *out;   /* in == NULL: `raw` answers; else the host decodes, then `invoke` */
  bento_code (*invoke)(void *self, const bento_api *, bento_ctx *, const bento_value *const *in, size_t n,
                       bento_sink *, bento_error *);                               /* [worker] (waits) */
  bento_code (*raw)(void *self, const bento_api *, const bento_call *, bento_error *); /* [worker] (waits) */
  bento_str runner, method;   /* both set, invoke and raw NULL: a direct API. The host answers with this
                                 runner method's result; no plugin code runs in the request's path. in and
                                 out may then be NULL: the method's own */
  void *user;                 /* the plugin's; the host hands it back unread */
  bento_str http_method;      /* "GET", "POST", "PUT", "PATCH" or "DELETE"; "" = "POST". GET answers HEAD too */
  uint64_t max_body;          /* bytes of a request's body, as sent and as inflated; 0 = the host's limit */
#if BENTO_ABI_TARGET_MINOR >= 1
  /* In place of invoke and of raw. Behind an `around` middleware, which waits on a thread, the loop is a private one
   * of that thread. */
  bento_code (*invoke_async)(void *self, const bento_api *, bento_ctx *, const bento_value *const *in, size_t n,
                             bento_done *, bento_error *);                            /* [loop] (quick) */
  bento_code (*raw_async)(void *self, const bento_api *, const bento_call *, bento_done *,
                          bento_error *);                                             /* [loop] (quick) */
  /* In place of `in` and of `out`, several by name: the members of a JSON object. Values are passed in the order of
   * ins, and given to the sink in the order of outs. */
  const bento_io *const *ins; size_t n_ins;
  const bento_io *const *outs; size_t n_outs;
  uint32_t stream, reserved2; /* a direct API of a method that STREAMS: how its results go out, BENTO_AS_ */
#endif
};

/* ---- runners: in their own processes, one instance per worker process ------------------- */
typedef struct bento_host bento_host;

enum { BENTO_BATCHABLE = 1u, BENTO_IDEMPOTENT = 2u /* may be retried after a crash */ };
/* Only tensors are joined: a BENTO_BATCHABLE method without BENTO_LISTS takes and returns values of kind
 * BENTO_TENSOR. */
typedef struct bento_method bento_method;

#if BENTO_ABI_TARGET_MINOR >= 1
enum { BENTO_LISTS = 4u /* with BENTO_BATCHABLE: callers' values side by side, not joined, and so of any kind and
                           shape. Caller c's inputs are in[c * n_ins] and on, rows[c] is 1. The sink gets n_outs values
                           for each caller in turn, for failed ones all or none. One whose do not fit fails alone */,
       BENTO_STREAMS = 8u /* a call has any number of results; of an engine only */ };
enum { BENTO_AS_EVENTS = 1, BENTO_AS_LINES = 2 }; /* `stream` of an API: server-sent events, whose last one has the
                                                     data [DONE]; JSON, one a line */

/* ---- engines: runner methods whose calls come and go one by one ---------------------------
 * One call in a worker. The host's: it lives from begin until finish. */
typedef struct bento_work bento_work;
struct bento_work {
  uint32_t size, reserved;
  bento_ctx *ctx;             /* this call's alone: for log, caller(ctx, 0), and cancelled(ctx): nobody waits any
                                 more, so finish soon, with any code */
  const bento_value *const *in; size_t n; /* as the method takes them */
  bento_sink *sink;           /* of the next result */
  void *state;                /* the plugin's; NULL at first, and left alone by the host */
  /* What is in the sink is one result, and more may follow. When its caller has not taken the earlier ones, it waits
   * for room; within `step` it does not: a work without room is left out of the next steps. CANCELLED: nobody
   * waits any more. One thread at a time for each work. */
  bento_code (*emit)(bento_work *, bento_error *);                         /* [any] (waits) */
  /* Exactly once, and the last use of the work. What is in the sink, if anything, is the last result. */
  void (*finish)(bento_work *, bento_code, const bento_error *error);      /* [any] (quick) CALL */
};

/* In place of `run`. Calls join by begin and leave by finish, each when it is its turn; at most max_concurrent are in
 * flight in a worker. begin works a call off before it returns, or leaves that to `step`, or to threads that the
 * plugin has made. With `step` the host calls it again and again while works with room are in flight: a batch that
 * changes from turn to turn. */
typedef struct bento_engine {
  uint32_t size, reserved;
  /* An error: the call has failed with it, and the work is gone. */
  bento_code (*begin)(void *self, const bento_method *, bento_work *, bento_error *);    /* [runner] (waits) */
  /* May be NULL. An error: all of these works that are not finished have failed with it, and are gone. */
  bento_code (*step)(void *self, const bento_method *, bento_work *const *works, size_t n,
                     bento_error *);                                                     /* [runner] (waits) */
  /* May be NULL. Nobody waits for the work any more: once, between steps. finish is due all the same, here or later.
   * Works of an engine with `step` or `cancel` are finished on this thread alone, so that none of them is finished
   * while it is passed to these. */
  void (*cancel)(void *self, const bento_method *, bento_work *);                        /* [runner] (quick) */
} bento_engine;

/* One of those whose rows or works they are. */
typedef struct bento_caller {
  uint32_t size;
  int32_t cancelled; /* it does not wait any more, as of the call of caller(); in a batch: none of them does */
  bento_str request_id, traceparent; /* traceparent: W3C's; empty: the request had none */
  uint64_t deadline_ns;              /* CLOCK_MONOTONIC, which all processes share; 0 = none */
} bento_caller;
#endif

struct bento_method {
  uint32_t size, flags;
  bento_str name;
  int32_t  axis_in, axis_out; /* batch axes; not negative */
  uint32_t max_batch;         /* rows of one `run`; a longer call is split. 0 = the host's default */
  uint32_t max_latency_ms;    /* a call that queued longer is answered 503. 0 = only its deadline. Of a stream that has
                                 begun, the longest time between two results: 504; 0 = none */
  const bento_io *in, *out;
  /* rows[i]: caller i's extent on axis_in; the output has as many rows on axis_out. */
  bento_code (*run)(void *self, const bento_method *, bento_ctx *, const bento_value *const *in, size_t n,
                    const uint32_t *rows, size_t callers, bento_sink *, bento_error *); /* [runner] */
  void *user;                 /* the plugin's; the host hands it back unread */
#if BENTO_ABI_TARGET_MINOR >= 1
  /* In place of `in` and of `out`, several by name. Values are passed in the order of ins, and given to the sink in the
   * order of outs. */
  const bento_io *const *ins; size_t n_ins;
  const bento_io *const *outs; size_t n_outs;
  const bento_engine *engine; /* in place of run */
  uint32_t max_concurrent;    /* calls of an engine in flight in one worker; 0 = 1 */
  uint32_t max_batch_wait_us; /* how long an idle worker waits for a fuller batch, a million at most; 0 = it does not */
#endif
};

typedef struct bento_runner {
  uint32_t size, flags;
  bento_str name, resources; /* resources: "cpu", or nothing */
  const bento_method *const *methods; size_t n_methods;
  bento_code (*create)(const bento_host *, uint32_t worker, void **self,
                       bento_error *); /* [runner] (waits) load the model; before any `run` */
  void (*destroy)(void *self);         /* [runner] (waits) */
} bento_runner;

/* ---- the service, and the one exported symbol ------------------------------------------- */
typedef struct bento_service {
  uint32_t size, reserved;
  bento_str name, version, doc, options_schema;
  const bento_api *const *apis;              size_t n_apis;
  const bento_middleware *const *middleware; size_t n_middleware; /* the first is outermost */
  const bento_mount *const *mounts;          size_t n_mounts;
  const bento_runner *const *runners;        size_t n_runners;
  bento_code (*create)(const bento_host *, void **self, bento_error *); /* [loader] (quick)         */
  bento_code (*on_startup)(void *self, bento_error *);                  /* [loader] (waits)         */
  bento_code (*on_ready)(void *self, bento_error *);                    /* [loader] runners answer  */
  bento_code (*on_shutdown)(void *self, bento_error *);                 /* [loader] after the drain */
  void (*destroy)(void *self); /* [loader] returns when every thread the plugin made is joined */
#if BENTO_ABI_TARGET_MINOR >= 1
  const bento_str *files; size_t n_files; /* that the description was made from: watched with the plugin's own */
#endif
} bento_service;

enum { BENTO_LOG_TRACE = 0, BENTO_LOG_DEBUG, BENTO_LOG_INFO, BENTO_LOG_WARNING, BENTO_LOG_ERROR };

struct bento_host {
  uint32_t size; uint16_t abi_major, abi_minor;
  bento_str version;    /* of the host */
  bento_str options;    /* a JSON object, valid against options_schema, its defaults filled in. Not yet
                           known to `open`, which may find {}: read them from create() on */
  bento_str plugin_dir; /* the folder the library was found in: relative paths in options mean it */
  void (*log)(const bento_host *, bento_ctx *or_null, int32_t level, bento_str, bento_pairs); /* [any] */
  /* the request behind ctx, and its typed answer's status and headers */
  const bento_scope *(*scope)(bento_ctx *);                                  /* [worker] (quick) HOST */
  bento_code (*set_status)(bento_ctx *, uint32_t status, bento_error *);     /* [worker] (quick) */
  bento_code (*add_header)(bento_ctx *, bento_pair, bento_error *);          /* [worker] (quick) */
  int32_t (*cancelled)(bento_ctx *); /* [worker] (quick) client gone; no answer yet: deadline past; streaming: stopping */
  /* runners: submit many, then wait: calls to several runners overlap. Only in the host process:
   * a runner that calls them is told UNIMPLEMENTED. The inputs are copied before submit returns. */
  bento_code (*submit)(bento_ctx *, bento_str runner, bento_str method, const bento_value *const *in,
                       size_t n, bento_ticket **out, bento_error *);         /* [worker] (quick) CALL */
  bento_code (*wait)(bento_ticket *, const bento_value *const **out, size_t *n,
                     bento_error *); /* [worker] (waits) the results live as long as the ticket */
  void (*release)(bento_ticket *); /* the results die here; releasing unwaited cancels */
  /* background: tasks of one ctx run in order after its response has been sent, or cut; the first that
   * fails ends the row; drop runs exactly once for each, run or not, on any thread. A task gets a ctx of
   * its own, for runner calls, the log and its request's id; its scope has no headers. RESOURCE_EXHAUSTED:
   * --max-background tasks wait already. */
  bento_code (*defer)(bento_ctx *, bento_code (*task)(void *arg, bento_ctx *, bento_error *), void *arg,
                      void (*drop)(void *arg), bento_error *);               /* [worker] (quick) */
  /* of an app that answers: the template of the route by which it does, below root_path, as "/flowers/{id}",
   * for metrics and the access log. A mount has 256 of them at most; beyond, it is counted as a whole. */
  bento_code (*set_route)(bento_ctx *, bento_str, bento_error *);            /* [worker] (quick) CALL */
#if BENTO_ABI_TARGET_MINOR >= 1
  bento_str instance;   /* what the operator calls this service: the service's own name unless told otherwise.
                           In `open`, which tells that name, it is empty unless told */
  /* Tickets in asynchronous functions; see "async" above.
   * when: 1: wake is called once, on the loop and never from within this call, when `next` has something to say.
   * 0: it has now, and wake is never called. One wake at a time; none after release. */
  int32_t (*when)(bento_ticket *, void (*wake)(void *arg), void *arg);                 /* [loop] (quick) */
  /* The next result; n == 0: that was all. An error is how the ticket ended, and stays. PENDING on a loop, in place of
   * waiting. wait() is the first result. */
  bento_code (*next)(bento_ticket *, const bento_value *const **out, size_t *n,
                     bento_error *);                                /* [worker] (waits), [loop] (quick) NEXT */
  /* A ticket without results that ends in `ns`. */
  bento_code (*after)(bento_ctx *, uint64_t ns, bento_ticket **out, bento_error *); /* [worker] [loop] (quick) */
  /* A ticket that the plugin resolves itself, from any thread: exactly once, whether or not the ticket was released
   * meanwhile. The value, its only result, is copied; NULL: it has none. */
  bento_code (*promise)(bento_ctx *, bento_ticket **out, void **resolver, bento_error *); /* [worker] [loop] (quick) */
  void (*resolve)(void *resolver, bento_code, const bento_value *or_null, const bento_error *); /* [any] (quick) */
  /* `work` is called exactly once, on a thread, and may wait there. The ticket, without results, ends when it has
   * returned and not before, cancelled or not. */
  bento_code (*offload)(bento_ctx *, void (*work)(void *arg), void *arg, bento_ticket **out,
                        bento_error *);                                                /* [loop] (quick) */
  /* A table of functions beyond these, by its BENTO_EXT_ id. NULL: this host does not offer it to this plugin. */
  const void *(*extension)(const bento_host *, const char *id);                        /* [any] (quick) HOST */
  /* In a runner: caller i of the batch, or of a work, whose only one is 0. NULL: there is no such caller. It lives
   * until run returns or the work is finished; `cancelled` is of this moment. */
  const bento_caller *(*caller)(bento_ctx *, size_t i);                                /* [any] (quick) */
  /* As defer, for an asynchronous task, whose done has no sink. All of these tasks have one loop, and it is no
   * connection's. */
  bento_code (*defer_async)(bento_ctx *, bento_code (*task)(void *arg, bento_ctx *, bento_done *, bento_error *),
                            void *arg, void (*drop)(void *arg), bento_error *);        /* [worker] [loop] (quick) */
#endif
};

typedef struct bento_plugin_entry {
  uint32_t size; uint16_t abi_major, abi_minor; /* BENTO_ABI_MAJOR, BENTO_ABI_TARGET_MINOR; read before any
                                                   function here is called */
  const char *built_with;                       /* "bento-sdk 1.0, gcc 12.2": for messages */
  const bento_service *(*open)(const bento_host *, bento_error *); /* [loader] (quick) PLUGIN */
  void (*close)(void);                                             /* [loader] the last call  */
#if BENTO_ABI_TARGET_MINOR >= 1
  /* After open, when the options are known and have passed its options_schema: the whole description, in place of
   * open's, with the same name and options_schema. It is called in the probe, the host and each worker, so the same
   * options and files must give the same description. NULL: what open returned is all. */
  const bento_service *(*configure)(const bento_host *, bento_error *); /* [loader] (waits) PLUGIN */
#endif
} bento_plugin_entry;
extern BENTO_EXPORT const bento_plugin_entry bento_entry;

#if BENTO_ABI_TARGET_MINOR >= 1
/* ---- extensions: host->extension(id), where id is "owner.name/revision" ------------------
 * Revision 0 is not settled: it may change with any release, and only a plugin whose built_with begins with
 * "bento-sdk " and the host's own version is offered it. From revision 1 on a table grows at its tail, as structs
 * do. */
#define BENTO_EXT_METRICS "bento.metrics/0"

/* The service's own metrics, in the host's /metrics. Each series has the label "service", those of a runner "runner"
 * too, and gauges of a runner "worker". What a runner's processes count is added up in the host, a second later. */
enum { BENTO_COUNTER = 1, BENTO_GAUGE, BENTO_HISTOGRAM };
typedef struct bento_metric bento_metric; /* HOST, opaque: until the host's process ends */
typedef struct bento_series bento_series; /* HOST, opaque, as long: a metric with values for its labels */
typedef struct bento_metrics {
  uint32_t size, reserved;
  /* A metric without labels has its series from here on. bounds: of a histogram's buckets, increasing, without +Inf.
   * INVALID_ARGUMENT: not a name, label or bound that Prometheus knows; a counter whose name does not end with _total;
   * names beginning with bentohost_ or process_, which are the host's. FAILED_PRECONDITION: there is one of that name,
   * and it is another one. RESOURCE_EXHAUSTED: the service has 256. */
  bento_code (*define)(const bento_host *, uint32_t kind, bento_str name, bento_str help, const bento_str *labels,
                       size_t n_labels, const double *bounds, size_t n_bounds, bento_metric **out,
                       bento_error *);                  /* [any] (quick) CALL. From create() on, of service or runner */
  /* As many values as labels. A metric has 1000 series; beyond, and for a value of more than 128 bytes or that is not
   * UTF-8, it is the one whose values are all "other". Looking a series up costs a lock, adding to it none. */
  bento_code (*series)(bento_metric *, const bento_str *values, size_t n, bento_series **out,
                       bento_error *);                                              /* [any] (quick) CALL */
  /* Without effect: NaN and infinities, negative amounts of counters, functions of another kind. */
  void (*add)(bento_series *, double);     /* [any] (quick) counter, gauge */
  void (*set)(bento_series *, double);     /* [any] (quick) gauge */
  void (*observe)(bento_series *, double); /* [any] (quick) histogram */
} bento_metrics;

#define BENTO_EXT_HTTP_CLIENT "bento.http_client/0"

/* Requests to other servers, which the host sends from its event loops: HTTP/1.1 by http: and https:. Redirects are
 * returned as they are, content codings left alone; proxies and cookies are none of it. */
enum { BENTO_FETCH_IN_PIECES = 1u /* the body of the response comes as it arrives, not whole */ };
typedef struct bento_fetch {
  uint32_t size, flags;
  bento_str method;            /* "" = "GET" */
  bento_str url;               /* ASCII, with all percent-encoded that has to be, and without a user name */
  bento_pairs headers;         /* neither Host nor those that frame the body or concern one connection. The request's
                                  own traceparent and X-Request-Id are sent, too, unless they are among these */
  bento_bytes body;            /* copied */
  uint64_t timeout_ns;         /* of all of it; 0 = 30 s. The ctx's deadline counts as well */
  uint64_t connect_timeout_ns; /* from the name's look-up to the end of the TLS handshake; 0 = 5 s */
  uint64_t max_response_bytes; /* of the body; 0 = 16 MiB, or with IN_PIECES no limit */
} bento_fetch;
typedef struct bento_http_client {
  uint32_t size, reserved;
  /* A ticket whose results are events. INVALID_ARGUMENT: the request cannot be sent as it is. Releasing the ticket gives
   * the request up. */
  bento_code (*fetch)(bento_ctx *, const bento_fetch *, bento_ticket **out, bento_error *); /* [worker] [loop] (quick)
                                                                                               CALL */
  /* In place of the ticket's `next`: RESPONSE_START, with all of the body and `more` 0, or, IN_PIECES, without a body,
   * and then BODY until `more` is 0. A server that is slower is waited for, and of one that is faster no more is read
   * than some 256 KiB ahead. An error is how the ticket has ended, and stays: UNAVAILABLE (502) when the server cannot be
   * reached, is not who it should be, or breaks off; RESOURCE_EXHAUSTED for a body that is too large (502) or too many
   * requests that wait for a connection (503); DEADLINE_EXCEEDED; CANCELLED. PENDING on a loop. After the last event
   * FAILED_PRECONDITION. */
  bento_code (*event)(bento_ticket *, bento_event *out, bento_error *); /* [worker] (waits), [loop] (quick) NEXT */
} bento_http_client;
#endif

#ifdef __cplusplus
}
#endif
#endif
