/* Starts a thread and joins it in destroy, as the ABI has it: nothing is wrong with that. */
#include <pthread.h>
#include <semaphore.h>

static pthread_t thread;
static sem_t over;
static void* work(void* unused) {
  while (sem_wait(&over) != 0) {
  }
  return unused;
}
#define BAD_CREATE(error) \
  sem_init(&over, 0, 0);  \
  return pthread_create(&thread, NULL, work, NULL) == 0 ? BENTO_OK : BENTO_RESOURCE_EXHAUSTED
#define BAD_DESTROY() sem_post(&over), pthread_join(thread, NULL)
#include "bad.h"
