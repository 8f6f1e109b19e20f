/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What happens to an opened connection: steps, events, births and ends, each
 * with its record. Within hot.c; see trail.h.
 */
#ifndef _TCPTRAIL_STEP_H
#define _TCPTRAIL_STEP_H

#include <net/net_namespace.h>

#include "compat.h"
#include "hooks.h"
#include "ring_cpu.h"
#include "trail.h"

/* Bytes of a STEP about a request or a minisocket, a full socket, with task */
#define TRAIL_SIZE_MINI	offsetof(struct tcptrail_step, inode)
#define TRAIL_SIZE_FULL	offsetof(struct tcptrail_step, task)
#define TRAIL_SIZE_TASK	sizeof(struct tcptrail_step)

/* The ring and read() move whole words. */
static_assert(TRAIL_SIZE_MINI % sizeof(u64) == 0);
static_assert(TRAIL_SIZE_FULL % sizeof(u64) == 0);
static_assert(TRAIL_SIZE_TASK % sizeof(u64) == 0);

/* An IPv4 address in network byte order, as an IPv4-mapped IPv6 one. */
static __always_inline void conn_set_v4(__u8 *to, __be32 addr)
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

/* ---- records ---- */

/**
 * trail_record - the record that the next step or event will publish
 * @op: opened
 *
 * The caller may set reason, count and listener, and for a size beyond
 * TRAIL_SIZE_MINI everything behind; the rest is filled in later.
 *
 * Return: its place in the ring.
 */
static __always_inline struct tcptrail_step *trail_record(struct trail_op *op)
{
	struct tcptrail_step *rec = op->rec;

	if (rec)
		return rec;
	rec = (struct tcptrail_step *)ring_record();
	rec->reason = 0;
	rec->count = 0;
	rec->listener = 0;
	op->rec = rec;
	return rec;
}

static __always_inline void trail_publish(struct trail_op *op, u8 type,
					  u8 cause, unsigned int size)
{
	struct tcptrail_step *rec = trail_record(op);
	const struct trail *t = op->t;

	rec->hdr.size = size;
	rec->hdr.type = type;
	rec->hdr.pad = 0;
	rec->hdr.ts_ns = op->now;
	rec->cause = cause;
	if (t) {
		rec->conn = t->conn;
		memcpy((u8 *)rec + offsetof(struct tcptrail_step, iss),
		       (const u8 *)t + offsetof(struct trail, iss),
		       sizeof(t->iss) + sizeof(t->irs));
	}
	ring_publish(&rec->hdr);
	op->rec = NULL;
}

/* ---- steps ---- */

static __always_inline u64 trail_pack(const struct trail *t, u64 now, u8 state,
				      u8 cause)
{
	u64 ns = min_t(u64, now - t->conn.birth_ns, TCPTRAIL_PACK_NS_MAX);

	return ns << 10 | (u64)cause << 4 | state;
}

static __always_inline void trail_add(struct trail_op *op, u8 new, u8 cause)
{
	struct trail *t = op->t;

	if (likely(t->nsteps < TCPTRAIL_STEPS))
		t->steps[t->nsteps] = trail_pack(t, op->now, new, cause);
	if (likely(t->nsteps < TCPTRAIL_NO_STEP - 1))
		t->nsteps++;
	t->state = new;
	t->hint = TCPTRAIL_C_UNKNOWN;
}

/**
 * trail_step - the connection goes to another state
 * @op: opened; trail_record() is filled as far as @size says
 * @new: its new state; the present one for accept()
 * @cause: TCPTRAIL_C_*
 * @size: TRAIL_SIZE_*
 */
static __always_inline void trail_step(struct trail_op *op, u8 new, u8 cause,
				       unsigned int size)
{
	struct tcptrail_step *rec = trail_record(op);
	struct trail *t = op->t;

	rec->step = t ? t->nsteps : TCPTRAIL_NO_STEP;
	rec->old_state = t ? t->state : op->state;
	rec->new_state = new;
	if (t)
		trail_add(op, new, cause);
	trail_publish(op, TCPTRAIL_STEP, cause, size);
}

/**
 * trail_step_later - a first step of which more will be known in a moment
 * @op: opened, with a trail that has no step
 * @new: its new state
 * @cause: TCPTRAIL_C_*
 *
 * It is in the trail from now on, but not published: trail_tell_first().
 */
static __always_inline void trail_step_later(struct trail_op *op, u8 new,
					     u8 cause)
{
	trail_add(op, new, cause);
	op->t->marks |= TRAIL_M_UNTOLD;
}

/**
 * trail_is_untold - does the first step wait to be published?
 * @op: opened
 */
static __always_inline bool trail_is_untold(const struct trail_op *op)
{
	return op->t && (op->t->marks & TRAIL_M_UNTOLD);
}

/**
 * trail_tell_first - publish the step that trail_step_later() took
 * @op: locked; trail_record() is filled but for the task
 *
 * The record has the time at which the step happened.
 */
static __always_inline void trail_tell_first(struct trail_op *op)
{
	struct tcptrail_step *rec = trail_record(op);
	struct trail *t = op->t;
	u64 now = op->now;

	t->marks &= ~TRAIL_M_UNTOLD;
	rec->step = 0;
	rec->old_state = t->first_old;
	rec->new_state = TCPTRAIL_PACK_STATE(t->steps[0]);
	rec->task = t->opener;
	op->now = t->conn.birth_ns;
	trail_publish(op, TCPTRAIL_STEP, TCPTRAIL_PACK_CAUSE(t->steps[0]),
		      TRAIL_SIZE_TASK);
	op->now = now;
}

/**
 * trail_event - something worth telling that changes no state
 * @op: as for trail_step()
 * @kind: TCPTRAIL_C_*
 * @size: TRAIL_SIZE_*
 */
static __always_inline void trail_event(struct trail_op *op, u8 kind,
					unsigned int size)
{
	struct tcptrail_step *rec = trail_record(op);

	rec->step = TCPTRAIL_NO_STEP;
	rec->old_state = op->t ? op->t->state : op->state;
	rec->new_state = rec->old_state;
	trail_publish(op, TCPTRAIL_EVENT, kind, size);
}

/* ---- births and ends; see trail.c ---- */

static struct trail *trail_alloc(u8 object);
static void trail_end(struct trail_bucket *b, struct trail *t, u64 now);
static void trail_count_refused(u16 flags);
static void trail_uncount_request(struct trail *t);

static __always_inline void conn_init(struct tcptrail_conn *conn, u64 cookie,
				      const struct net *net, u16 flags)
{
	conn->cookie = cookie;
	conn->birth_ns = 0;
	conn->netns_cookie = compat_netns_cookie(net);
	conn->netns_ino = net->ns.inum;
	conn->flags = flags;
	conn->err = 0;
}

/**
 * trail_stranger - describe a connection without a trail, in its record
 * @op: opened; op->t is NULL
 * @cookie: of the socket
 * @net: its network namespace
 * @state: its state
 * @flags: TCPTRAIL_F_*
 *
 * Return: where the caller has to fill in addresses, ports and interface.
 */
static __always_inline struct tcptrail_conn *
trail_stranger(struct trail_op *op, u64 cookie, const struct net *net,
	       u8 state, u16 flags)
{
	struct tcptrail_step *rec = trail_record(op);

	op->state = state;
	rec->iss = 0;
	rec->irs = 0;
	conn_init(&rec->conn, cookie, net, flags);
	return &rec->conn;
}

/**
 * trail_birth - start the trail of a connection
 * @op: opened; op->t is NULL
 * @cookie: of the socket
 * @net: its network namespace
 * @old: state before its first step
 * @object: TCPTRAIL_O_*, what there is of it
 * @flags: TCPTRAIL_F_*; F_LATE: it existed before
 *
 * If there is no room op->t stays NULL, the connection is counted, and its
 * steps are published with TCPTRAIL_F_NO_TRAIL and without a step number.
 *
 * Return: where the caller has to fill in addresses, ports and interface.
 */
static __always_inline struct tcptrail_conn *
trail_birth(struct trail_op *op, u64 cookie, const struct net *net, u8 old,
	    u8 object, u16 flags)
{
	struct trail *t = op->bucket ? trail_alloc(object) : NULL;

	flags |= hooks_unseen();
	if (unlikely(!t)) {
		if (op->bucket)
			trail_count_refused(flags);
		return trail_stranger(op, cookie, net, old,
				      flags | TCPTRAIL_F_NO_TRAIL);
	}
	conn_init(&t->conn, cookie, net, flags);
	t->conn.birth_ns = op->now;
	t->state = old;
	t->first_old = old;
	t->next = bucket_first(op->bucket);
	bucket_set_first(op->bucket, t);
	op->t = t;
	return &t->conn;
}

/**
 * trail_add_full - a request got a child, which takes over
 * @op: opened, with a trail
 */
static __always_inline void trail_add_full(struct trail_op *op)
{
	op->t->full++;
	trail_uncount_request(op->t);
	op->t->objects &= ~TCPTRAIL_O_REQUEST;
	op->t->objects |= TCPTRAIL_O_FULL;
}

/**
 * trail_put_object - the kernel let go of an object of this connection
 * @op: opened, with a trail
 * @object: TCPTRAIL_O_*; for O_FULL one of the full sockets
 *
 * With the last object the trail ends: an END record, then op->t is NULL.
 */
static __always_inline void trail_put_object(struct trail_op *op, u8 object)
{
	struct trail *t = op->t;

	if (object == TCPTRAIL_O_FULL && t->full && --t->full)
		return;
	t->objects &= ~object;
	if (t->objects)
		return;
	trail_end(op->bucket, t, op->now);
	op->t = NULL;
}

#endif /* _TCPTRAIL_STEP_H */
