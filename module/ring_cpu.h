/* SPDX-License-Identifier: GPL-2.0 */
/* The rings of the CPUs, as their writer sees them; ring.c has the rest. */
#ifndef _TCPTRAIL_RING_CPU_H
#define _TCPTRAIL_RING_CPU_H

#include <linux/percpu.h>

#include "poison.h"
#include "ring.h"
#include "tcptrail.h"

DECLARE_PER_CPU_ALIGNED(struct ring, cpu_ring);

/* 1 while a reader sleeps or is about to; see ring_ask_wake() */
extern int ring_wake_wanted;

void ring_wake(void);

/**
 * ring_record - the place of the next record in the ring of this CPU
 *
 * Fill everything but hdr.seq and hdr.cpu, which are not to be touched, and
 * call ring_publish().
 *
 * Context: interrupts off until after ring_publish(). Never from NMI.
 */
static __always_inline struct tcptrail_hdr *ring_record(void)
{
	u64 *word = ring_begin(this_cpu_ptr(&cpu_ring));
	struct tcptrail_hdr *hdr = (struct tcptrail_hdr *)word;

	poison(&hdr->size, offsetof(struct tcptrail_hdr, cpu) -
			   offsetof(struct tcptrail_hdr, size));
	poison(&hdr->ts_ns, sizeof(struct ring_slot) -
			    offsetof(struct tcptrail_hdr, ts_ns));
	return hdr;
}

/**
 * ring_publish - publish a record
 * @hdr: what ring_record() returned
 */
static __always_inline void ring_publish(struct tcptrail_hdr *hdr)
{
	ring_commit(this_cpu_ptr(&cpu_ring), (u64 *)hdr);

	/* head is stored before the flag is read; pairs with ring_ask_wake() */
	smp_mb();
	if (unlikely(READ_ONCE(ring_wake_wanted))) {
		WRITE_ONCE(ring_wake_wanted, 0);
		ring_wake();
	}
}

/**
 * ring_ask_wake - have the next ring_publish() wake ring_wait_queue()
 *
 * Call it when queued there, then look at the heads once more.
 */
static inline void ring_ask_wake(void)
{
	/* the flag is stored before heads are read; pairs with ring_publish() */
	smp_store_mb(ring_wake_wanted, 1);
}

#endif /* _TCPTRAIL_RING_CPU_H */
