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
 * All trails lie in a fixed table of buckets, hashed by the socket cookie. A
 * callback opens its connection with trail_open(), which takes the bucket's
 * lock with interrupts off, and everything until trail_close() happens under
 * it: read the clock, take the next step number, publish the record. (Only
 * the step to SYN_SENT may be published later: trail_step_later().) Hence
 * the time and the ring order of one connection follow its step numbers on
 * any number of CPUs, and a reader that copies a bucket under the same lock
 * (trail_copy_bucket()) knows that a step missing from its copy is published
 * after that moment.
 */
#ifndef _TCPTRAIL_TRAIL_H
#define _TCPTRAIL_TRAIL_H

#include <linux/atomic.h>
#include <net/sock.h>
#include "tcptrail.h"

/**
 * struct trail - one open connection
 * @next: next in the bucket
 * @conn: as in the records
 * @state: current state, TCPTRAIL_ESTABLISHED ...
 * @first_old: state before step 0
 * @nsteps: steps so far
 * @objects: TCPTRAIL_O_REQUEST and TCPTRAIL_O_MINI, and marks of trail.c; for
 *	full sockets see @full
 * @full: full sockets that live
 * @hint: TCPTRAIL_C_* that a hook knows to be the reason of the next step; the
 *	last one before the step wins, the step clears it
 * @synack_rtx: saturating count
 * @tw_restarts: saturating count
 * @iss: our initial sequence number, if TCPTRAIL_F_ISS
 * @irs: the peer's, if TCPTRAIL_F_IRS
 * @opener: who connected, listened or accepted
 * @closer: who closed or shut it down first
 * @mini: its minisocket; only an address to compare with, never followed
 * @steps: packed steps
 *
 * Guarded by the lock of its bucket, all of it.
 */
struct trail {
	struct trail *next;
	struct tcptrail_conn conn;
	u8 state;
	u8 first_old;
	u8 nsteps;
	u8 objects;
	u8 full;
	u8 hint;
	u8 synack_rtx;
	u8 tw_restarts;
	u32 iss;
	u32 irs;
	struct tcptrail_task opener;
	struct tcptrail_task closer;
	const void *mini;
	u64 steps[TCPTRAIL_STEPS];
};

struct trail_bucket;

/**
 * struct trail_op - one callback's work on one connection
 * @bucket: its bucket, locked
 * @t: its trail; NULL: there is none (yet), or there is no room
 * @rec: the record being made, in its place in the ring; see trail_record()
 * @now: CLOCK_BOOTTIME, read under the lock when first needed, before: 0
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

/* In trail.hint only: tcp_time_wait() has been entered. */
#define TRAIL_HINT_TIME_WAIT	255

/* Bytes of a STEP about a request or a minisocket, a full socket, with task */
#define TRAIL_SIZE_MINI	offsetof(struct tcptrail_step, inode)
#define TRAIL_SIZE_FULL	offsetof(struct tcptrail_step, task)
#define TRAIL_SIZE_TASK	sizeof(struct tcptrail_step)

/* The ring and read() move whole words. */
static_assert(TRAIL_SIZE_MINI % sizeof(u64) == 0);
static_assert(TRAIL_SIZE_FULL % sizeof(u64) == 0);
static_assert(TRAIL_SIZE_TASK % sizeof(u64) == 0);

/* An IPv4 address in network byte order, as an IPv4-mapped IPv6 one. */
static inline void conn_set_v4(__u8 *to, __be32 addr)
{
	memset(to, 0, 10);
	memset(to + 10, 0xff, 2);
	memcpy(to + 12, &addr, sizeof(addr));
}

/* TCPTRAIL_F_* that follow from the address family */
static inline u16 conn_family(u16 family)
{
	return family == AF_INET6 ? TCPTRAIL_F_IPV6 : 0;
}

extern int trail_armed;

/* True when callbacks may record. */
static inline bool trail_is_armed(void)
{
	/* pairs with the release in tcptrail_init() */
	return smp_load_acquire(&trail_armed);
}

/* The cookie of anything that starts with struct sock_common; 0: none yet. */
static inline u64 trail_peek_cookie(const struct sock *sk)
{
	return atomic64_read(&sk->sk_cookie);
}

u64 trail_make_cookie(const struct sock *sk);

/* The same, made now if it has none; in any context but NMI. */
static inline u64 trail_cookie(const struct sock *sk)
{
	return trail_peek_cookie(sk) ?: trail_make_cookie(sk);
}

int trail_init(unsigned int max_trails);
void trail_exit(void);
void trail_fill_info(struct tcptrail_info *info);

void trail_open(struct trail_op *op, u64 cookie, const void *mini)
	__acquires(bucket);
void trail_close(struct trail_op *op)
	__releases(bucket);
struct tcptrail_conn *trail_birth(struct trail_op *op, u64 cookie,
				  const struct net *net, u8 old, u8 object,
				  u16 flags);
struct tcptrail_conn *trail_stranger(struct trail_op *op, u64 cookie,
				     const struct net *net, u8 state,
				     u16 flags);
struct tcptrail_step *trail_record(struct trail_op *op);
void trail_step(struct trail_op *op, u8 new, u8 cause, unsigned int size);
void trail_step_later(struct trail_op *op, u8 new, u8 cause);
bool trail_is_untold(const struct trail_op *op);
void trail_tell_first(struct trail_op *op);
void trail_event(struct trail_op *op, u8 kind, unsigned int size);
void trail_add_full(struct trail_op *op);
void trail_put_object(struct trail_op *op, u8 object);

unsigned int trail_buckets(void);
int trail_copy_bucket(unsigned int bucket, struct tcptrail_trail *to,
		      unsigned int room);

#endif /* _TCPTRAIL_TRAIL_H */
