/* The smallest plugin: a service that has nothing to offer. */
#include <bento/abi.h>

static bento_code create(const bento_host* host, void** self, bento_error* error) {
  (void)host;
  (void)error;
  *self = NULL;
  return BENTO_OK;
}

static bento_code nothing(void* self, bento_error* error) {
  (void)self;
  (void)error;
  return BENTO_OK;
}

static void destroy(void* self) { (void)self; }

static const bento_service* open_service(const bento_host* host, bento_error* error) {
  static bento_service service;
  (void)host;
  (void)error;
  service.size = sizeof service;
  service.name.ptr = "minimal";
  service.name.len = 7;
  service.create = create;
  service.on_startup = nothing;
  service.on_ready = nothing;
  service.on_shutdown = nothing;
  service.destroy = destroy;
  return &service;
}

static void close_service(void) {}

const bento_plugin_entry bento_entry = {sizeof(bento_plugin_entry),
                                        BENTO_ABI_MAJOR,
                                        BENTO_ABI_TARGET_MINOR,
                                        "C99",
                                        open_service,
                                        close_service};
