/* Looks at what the host is and where its own library is as soon as open: both are known then. */
#define BAD_OPEN(error)                                                                   \
  if (host->plugin_dir.len == 0 || host->plugin_dir.ptr[0] != '/')                        \
    return fail(error, BENTO_FAILED_PRECONDITION, "no folder in open"), NULL;             \
  if (host->version.len == 0 || host->version.ptr[0] < '0' || host->version.ptr[0] > '9') \
    return fail(error, BENTO_FAILED_PRECONDITION, "no version in open"), NULL;            \
  return &service
#include "bad/bad.h"
