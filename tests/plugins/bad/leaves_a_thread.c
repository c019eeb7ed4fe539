/* Its thread runs on after destroy. */
#include <pthread.h>
#include <unistd.h>

static void* work(void* unused) {
  while (pause() != 0) {
  }
  return unused;
}
static pthread_t thread;
#define BAD_CREATE(error) \
  return pthread_create(&thread, NULL, work, NULL) == 0 ? BENTO_OK : BENTO_RESOURCE_EXHAUSTED
#include "bad.h"
