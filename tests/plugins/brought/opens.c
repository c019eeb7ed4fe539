/* A plugin that opens its helper itself: by a bare name, or in the folder that it finds itself in.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

static const char* opened(const char* path) {
  void* library = dlopen(path, RTLD_NOW);
  const char* (*version)(void);
  if (library == NULL) return dlerror();
  *(void**)&version = dlsym(library, "helper_version");
  return version != NULL ? version() : "no helper";
}

static const char* by_name(void) { return opened("libhelper.so"); }

static const char* by_address(void) {
  Dl_info info;
  char own[PATH_MAX], path[PATH_MAX + 32];
  if (dladdr(by_address, &info) == 0) return "no address";
  snprintf(own, sizeof own, "%s", info.dli_fname);
  snprintf(path, sizeof path, "%s/libhelper.so", dirname(own));
  return opened(path);
}
#define BAD_VERSION (by_name == OPENS ? by_name() : by_address())
#include "../bad/bad.h"
