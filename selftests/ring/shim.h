/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What module/ring.h needs outside the kernel, then module/ring.h itself.
 *
 * TSan does not know fences: it calls correct ones races. Under TSan the
 * payload words are therefore ordered one by one, by release and acquire,
 * which litmus/ring-overwrite+fence-free.litmus shows to be as good. Where
 * nothing is ever overwritten, shim_plain makes them ordinary accesses, so
 * that TSan checks that publication alone orders them.
 */
#ifndef _SHIM_H
#define _SHIM_H

#include <asm/types.h>
#include <stdbool.h>
#include <unistd.h>

typedef __u16 u16;
typedef __u64 u64;

#define ____cacheline_aligned		__attribute__((aligned(64)))

#define READ_ONCE(x)			__atomic_load_n(&(x), __ATOMIC_RELAXED)
#define WRITE_ONCE(x, v)		__atomic_store_n(&(x), (v), __ATOMIC_RELAXED)
#define smp_load_acquire(p)		__atomic_load_n((p), __ATOMIC_ACQUIRE)
#define smp_store_release(p, v)		__atomic_store_n((p), (v), __ATOMIC_RELEASE)

#ifdef __SANITIZE_THREAD__
#define smp_wmb()			do { } while (0)
#define smp_rmb()			do { } while (0)
#define SHIM_LOAD			__ATOMIC_ACQUIRE
#define SHIM_STORE			__ATOMIC_RELEASE
#else
#define smp_wmb()			__atomic_thread_fence(__ATOMIC_RELEASE)
#define smp_rmb()			__atomic_thread_fence(__ATOMIC_ACQUIRE)
#define SHIM_LOAD			__ATOMIC_RELAXED
#define SHIM_STORE			__ATOMIC_RELAXED
#endif

/* Payload words are ordinary accesses. */
static bool shim_plain;

/*
 * This thread sleeps in the middle of a record, once in so many payload words;
 * 0 is never. Without that, one busy CPU would hide what the tests look for.
 */
static __thread unsigned int shim_nap;

static inline void shim_step(void)
{
	static __thread unsigned int words;

	if (shim_nap && ++words % shim_nap == 0)
		usleep(1);
}

static inline void ring_store_word(u64 *p, u64 v)
{
	shim_step();
	if (shim_plain)
		*p = v;
	else
		__atomic_store_n(p, v, SHIM_STORE);
}

static inline u64 ring_load_word(const u64 *p)
{
	shim_step();
	return shim_plain ? *p : __atomic_load_n(p, SHIM_LOAD);
}

/* twins.sh puts a broken twin here. */
#ifndef RING_H
#define RING_H "../../module/ring.h"
#endif
#include RING_H

#endif /* _SHIM_H */
