/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Trails: what each open connection has been through.
 *
 * A trail lives as long as the kernel holds an object of its connection:
 *
 *	request		from the SYN (or a valid SYN cookie) to its child's birth
 *			or its destructor
 *	full sockets	from connect(), listen() or the child's birth to
 *			X->CLOSE; two ACKs that race can make two children
 *	minisocket	from its hashing to inet_twsk_kill(), which may come
 *			before the full socket's X->CLOSE
 *
 * trail_put_object() drops one of them and ends the trail with the last.
 *
 * All trails lie in a fixed table of buckets, found by the socket cookie. A
 * callback opens its connection with trail_open(), which takes the bucket's
 * lock with interrupts off, and everything until trail_close() happens under
 * it: read the clock, take the next step number, publish the record. (Only
 * the step to SYN_SENT may be published later: trail_step_later().) Hence
 * the time and the ring order of one connection follow its step numbers on
 * any number of CPUs, and a reader that copies a bucket under the same lock
 * (trail_copy_bucket()) knows that a step missing from its copy is published
 * after that moment.
 *
 * What is done to an opened connection is in step.h, the table and its memory
 * in trail.c. Only the files of hot.c include this.
 */
#ifndef _TCPTRAIL_TRAIL_H
#define _TCPTRAIL_TRAIL_H

#include <linux/atomic.h>
#include <linux/bit_spinlock.h>
#include <linux/jump_label.h>
#include <linux/timekeeping.h>
#include <net/sock.h>
#include "tcptrail.h"

/**
 * struct trail - one open connection
 * @next: next in the bucket
 * @mini: its minisocket; only an address to compare with, never followed
 * @state: current state, TCPTRAIL_ESTABLISHED ...
 * @full: full sockets that live
 * @hint: TCPTRAIL_C_* that a hook knows to be the reason of the next step; the
 *	last one before the step wins, the step clears it
 * @marks: TRAIL_M_*
 * @unused: 0
 * @conn: as in the records; so is everything from here on
 * @nsteps: steps so far
 * @first_old: state before step 0
 * @objects: TCPTRAIL_O_*
 * @synack_rtx: saturating count
 * @tw_restarts: saturating count
 * @pad: 0
 * @iss: our initial sequence number, if TCPTRAIL_F_ISS
 * @irs: the peer's, if TCPTRAIL_F_IRS
 * @opener: who connected, listened or accepted
 * @closer: who closed or shut it down first
 * @steps: packed steps
 *
 * Guarded by the lock of its bucket, all of it. Its larger part is laid out as
 * struct tcptrail_trail, which a TRAIL or END record takes as it is.
 */
struct trail {
	struct trail *next;
	const void *mini;
	u8 state;
	u8 full;
	u8 hint;
	u8 marks;
	u32 unused;
	struct tcptrail_conn conn;
	u8 nsteps;
	u8 first_old;
	u8 objects;
	u8 synack_rtx;
	u8 tw_restarts;
	u8 pad[3];
	u32 iss;
	u32 irs;
	struct tcptrail_task opener;
	struct tcptrail_task closer;
	u64 steps[TCPTRAIL_STEPS];
};

/* trail.marks: counted in trail_requests; first step not published */
#define TRAIL_M_COUNTED	0x1
#define TRAIL_M_UNTOLD	0x2

/* In trail.hint only: tcp_time_wait() has been entered. */
#define TRAIL_HINT_TIME_WAIT	255

static_assert(offsetof(struct trail, conn) ==
	      offsetof(struct tcptrail_trail, conn));
static_assert(offsetof(struct trail, nsteps) ==
	      offsetof(struct tcptrail_trail, nsteps));
static_assert(offsetof(struct trail, synack_rtx) ==
	      offsetof(struct tcptrail_trail, synack_rtx));
static_assert(offsetof(struct trail, iss) ==
	      offsetof(struct tcptrail_trail, iss));
static_assert(offsetof(struct trail, irs) ==
	      offsetof(struct tcptrail_trail, irs));
static_assert(offsetof(struct trail, opener) ==
	      offsetof(struct tcptrail_trail, opener));
static_assert(offsetof(struct trail, closer) ==
	      offsetof(struct tcptrail_trail, closer));
static_assert(offsetof(struct trail, steps) ==
	      offsetof(struct tcptrail_trail, steps));
static_assert(sizeof(struct trail) == sizeof(struct tcptrail_trail));

/**
 * struct trail_bucket - a chain of trails
 * @head: the first one; bit 0 is the lock, for the chain and all its trails
 */
struct trail_bucket {
	unsigned long head;
};

#define TRAIL_LOCK_BIT	0

/**
 * struct trail_op - one callback's work on one connection
 * @bucket: its bucket, locked; NULL: there is no table (max_trails=0)
 * @t: its trail; NULL: there is none (yet), or there is no room
 * @rec: the record being made, in its place in the ring; see trail_record()
 * @now: CLOCK_BOOTTIME, read under the lock
 * @flags: of the interrupts
 * @state: without a trail, the state before
 */
struct trail_op {
	struct trail_bucket *bucket;
	struct trail *t;
	struct tcptrail_step *rec;
	u64 now;
	unsigned long flags;
	u8 state;
};

DECLARE_STATIC_KEY_FALSE(trail_armed);
extern struct trail_bucket *trail_table;
extern u64 trail_mask;

/* True when callbacks may record; see trail_arm(). */
static __always_inline bool trail_is_armed(void)
{
	return static_branch_likely(&trail_armed);
}

/* Are there trails at all? Without, all is published as TCPTRAIL_F_NO_TRAIL. */
static __always_inline bool trail_is_kept(void)
{
	return likely(trail_table);
}

/* The cookie of anything that starts with struct sock_common; 0: none yet. */
static __always_inline u64 trail_peek_cookie(const struct sock *sk)
{
	return atomic64_read(&sk->sk_cookie);
}

static noinline u64 trail_make_cookie(const struct sock *sk);

/* The same, made now if it has none; in any context but NMI. */
static __always_inline u64 trail_cookie(const struct sock *sk)
{
	u64 cookie = trail_peek_cookie(sk);

	return likely(cookie) ? cookie : trail_make_cookie(sk);
}

/* ---- buckets ---- */

static __always_inline void bucket_lock(struct trail_bucket *b)
	__acquires(bitlock)
{
	bit_spin_lock(TRAIL_LOCK_BIT, &b->head);
}

/*
 * __bit_spin_unlock(), with a store that says what else happens to the word: who
 * waits writes it, too, but nothing new, as a bit that is set is set again.
 */
static __always_inline void bucket_unlock(struct trail_bucket *b)
	__releases(bitlock)
{
	/* what the holder did is there before; pairs with bucket_lock() */
	smp_store_release(&b->head, READ_ONCE(b->head) & ~BIT(TRAIL_LOCK_BIT));
	preempt_enable();
	__release(bitlock);
}

/* With the lock held. */
static __always_inline struct trail *bucket_first(const struct trail_bucket *b)
{
	return (struct trail *)(READ_ONCE(b->head) & ~BIT(TRAIL_LOCK_BIT));
}

/* With the lock held, which stays held. */
static __always_inline void bucket_set_first(struct trail_bucket *b,
					     const struct trail *t)
{
	WRITE_ONCE(b->head, (unsigned long)t | BIT(TRAIL_LOCK_BIT));
}

/*
 * A socket that has left its connection to a minisocket can have a new one
 * under the same cookie.
 */
static __always_inline bool trail_is(const struct trail *t, u64 cookie,
				     const void *mini)
{
	if (t->conn.cookie != cookie)
		return false;
	if (mini)
		return t->mini == mini && (t->objects & TCPTRAIL_O_MINI);
	return t->objects & (TCPTRAIL_O_FULL | TCPTRAIL_O_REQUEST);
}

/**
 * trail_peek - lock a connection, to which nothing will happen
 * @op: to be filled; op->t is NULL if the connection has no trail
 * @cookie: of the socket
 * @mini: NULL for that of a request or a full socket, else the minisocket
 *
 * For step.h it has to be opened: trail_open(), or trail_read_clock() as well.
 *
 * Context: any but NMI; returns with interrupts off until trail_close().
 */
static __always_inline void trail_peek(struct trail_op *op, u64 cookie,
				       const void *mini)
	__acquires(bitlock)
{
	struct trail *t = NULL;

	op->rec = NULL;
	op->bucket = NULL;
	local_irq_save(op->flags);
	if (trail_is_kept()) {
		/* Cookies are given in a row, so they are their own hash. */
		op->bucket = &trail_table[cookie & trail_mask];
		bucket_lock(op->bucket);
		for (t = bucket_first(op->bucket); t; t = t->next)
			if (likely(trail_is(t, cookie, mini)))
				break;
	} else {
		__acquire(bitlock);
	}
	op->t = t;
}

/* What happens from now on happens now: read once, under the lock. */
static __always_inline void trail_read_clock(struct trail_op *op)
{
	op->now = ktime_get_boottime_ns();
}

/**
 * trail_open - lock a connection, to which something happens now
 * @op: to be filled; op->t is NULL if the connection has no trail
 * @cookie: of the socket
 * @mini: NULL for that of a request or a full socket, else the minisocket
 *
 * Context: any but NMI; returns with interrupts off until trail_close().
 */
static __always_inline void trail_open(struct trail_op *op, u64 cookie,
				       const void *mini)
	__acquires(bitlock)
{
	trail_peek(op, cookie, mini);
	trail_read_clock(op);
}

static __always_inline void trail_close(struct trail_op *op)
	__releases(bitlock)
{
	if (likely(op->bucket))
		bucket_unlock(op->bucket);
	else
		__release(bitlock);
	local_irq_restore(op->flags);
}

#endif /* _TCPTRAIL_TRAIL_H */
