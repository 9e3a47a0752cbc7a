#include "base/thread.h"

#include <signal.h>

namespace base {

Result<pthread_t> start_thread(size_t stack_size, void* (*run)(void* argument), void* argument) {
  // A thread inherits the mask that it is made under.
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  pthread_attr_setstacksize(&attributes, stack_size);
  pthread_t thread{};
  const int code = pthread_create(&thread, &attributes, run, argument);
  pthread_attr_destroy(&attributes);
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  if (code != 0) return fail_errno("pthread_create", code);
  return thread;
}

}  // namespace base
