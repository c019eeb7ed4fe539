// Annotations for clang's -Wthread-safety: which mutex guards which member, and which function
// needs it held. With other compilers they are nothing. base/mutex.h has the mutex that they are
// about; std::mutex of libstdc++ is not annotated, so the analysis does not see it.
// (https://clang.llvm.org/docs/ThreadSafetyAnalysis.html)
#pragma once

#if defined(__clang__)
#define BENTO_THREAD_ANNOTATION(x) __attribute__((x))
#else
#define BENTO_THREAD_ANNOTATION(x)
#endif

// On a member: it is read and written only while the mutex is held. PT_: what it points to.
#define BENTO_GUARDED_BY(mutex) BENTO_THREAD_ANNOTATION(guarded_by(mutex))
#define BENTO_PT_GUARDED_BY(mutex) BENTO_THREAD_ANNOTATION(pt_guarded_by(mutex))

// On a function, after its `const`: the caller holds the mutex; the caller does not hold it.
#define BENTO_REQUIRES(...) BENTO_THREAD_ANNOTATION(requires_capability(__VA_ARGS__))
#define BENTO_EXCLUDES(...) BENTO_THREAD_ANNOTATION(locks_excluded(__VA_ARGS__))

// On a function that locks or unlocks; without an argument: the object itself, or what a scoped
// lock was made for.
#define BENTO_ACQUIRE(...) BENTO_THREAD_ANNOTATION(acquire_capability(__VA_ARGS__))
#define BENTO_TRY_ACQUIRE(...) BENTO_THREAD_ANNOTATION(try_acquire_capability(__VA_ARGS__))
#define BENTO_RELEASE(...) BENTO_THREAD_ANNOTATION(release_capability(__VA_ARGS__))

// On a function that returns a reference to a mutex.
#define BENTO_RETURN_CAPABILITY(mutex) BENTO_THREAD_ANNOTATION(lock_returned(mutex))

// On classes: a mutex ("mutex"), and a lock that holds one while it lives.
#define BENTO_CAPABILITY(name) BENTO_THREAD_ANNOTATION(capability(name))
#define BENTO_SCOPED_CAPABILITY BENTO_THREAD_ANNOTATION(scoped_lockable)

// On a function whose locking the analysis cannot follow; say why beside it.
#define BENTO_NO_THREAD_SAFETY_ANALYSIS BENTO_THREAD_ANNOTATION(no_thread_safety_analysis)
