// SPDX-License-Identifier: GPL-2.0
/* The table of open connections. See trail.h for lifetimes and order. */
#include <linux/hash.h>
#include <linux/log2.h>
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/sock_diag.h>
#include <linux/spinlock.h>
#include <linux/timekeeping.h>

#include "trail.h"

/* On average so many trails in a bucket when the table is full. */
#define TRAIL_CHAIN	4
#define TRAIL_MIN	16U
#define TRAIL_MAX	BIT(22)

struct trail_bucket {
	spinlock_t lock;	/* guards the chain and every trail in it */
	struct trail *first;
};

static struct kmem_cache *trail_cache;
static struct trail_bucket *trail_table;
static unsigned int trail_table_bits;
static unsigned int trail_max;

/* May be over the limit for a moment, by one per CPU, before it is put back. */
static atomic_t trail_count;
/* Of those, the ones that are only a request. Anybody who can send a SYN can
 * make one, so they may take a quarter of the table at most.
 */
static atomic_t trail_requests;
static atomic64_t trail_refused;

/* In trail.objects only: counted in trail_requests. */
#define TRAIL_O_COUNTED	0x80

/* 1 once every hook is in place; main.c */
int trail_armed;

/**
 * trail_cookie - the socket's cookie, made now if it has none
 * @sk: anything that starts with struct sock_common
 *
 * Context: any but NMI.
 */
u64 trail_cookie(const struct sock *sk)
{
	u64 cookie = trail_peek_cookie(sk);
	u32 words[2];

	if (likely(cookie))
		return cookie;
	/* The cookie is the one field that a const socket may still get. */
	sock_diag_save_cookie((struct sock *)sk, words);
	return trail_peek_cookie(sk);
}

static struct trail_bucket *trail_bucket_of(u64 cookie)
{
	return &trail_table[hash_64(cookie, trail_table_bits)];
}

static bool trail_is(const struct trail *t, u64 cookie, enum trail_side side)
{
	if (t->conn.cookie != cookie)
		return false;
	if (side == TRAIL_MINI)
		return t->objects & TCPTRAIL_O_MINI;
	return t->full || (t->objects & TCPTRAIL_O_REQUEST);
}

/**
 * trail_open - lock a connection
 * @op: to be filled; op->t is NULL if the connection has no trail
 * @cookie: of the socket
 * @side: which of its objects the caller holds
 *
 * Context: any but NMI; returns with interrupts off until trail_close().
 */
void trail_open(struct trail_op *op, u64 cookie, enum trail_side side)
	__acquires(bucket)
{
	struct trail *t;

	op->bucket = trail_bucket_of(cookie);
	spin_lock_irqsave(&op->bucket->lock, op->flags);
	op->now = ktime_get_boottime_ns();
	for (t = op->bucket->first; t; t = t->next)
		if (trail_is(t, cookie, side))
			break;
	op->t = t;
	op->rec.reason = 0;
	op->rec.count = 0;
	op->rec.iss = 0;
	op->rec.irs = 0;
	op->rec.listener = 0;
}

void trail_close(struct trail_op *op)
	__releases(bucket)
{
	spin_unlock_irqrestore(&op->bucket->lock, op->flags);
}

static bool trail_has_room(u8 object)
{
	if (atomic_inc_return(&trail_count) > trail_max)
		goto full;
	if (object != TCPTRAIL_O_REQUEST)
		return true;
	if (atomic_inc_return(&trail_requests) <= trail_max / 4)
		return true;
	atomic_dec(&trail_requests);
full:
	atomic_dec(&trail_count);
	return false;
}

static void trail_give_room(u8 object)
{
	if (object == TCPTRAIL_O_REQUEST)
		atomic_dec(&trail_requests);
	atomic_dec(&trail_count);
}

/**
 * trail_birth - start the trail of a connection
 * @op: opened; op->rec.conn describes the connection, but for birth and flags
 * @old: state before its first step
 * @object: TCPTRAIL_O_*, what there is of it
 * @flags: TCPTRAIL_F_*; F_LATE: it existed before
 *
 * If there is no room op->t stays NULL, the connection is counted, and its
 * steps are published with TCPTRAIL_F_NO_TRAIL and without a step number.
 */
void trail_birth(struct trail_op *op, u8 old, u8 object, u16 flags)
{
	struct tcptrail_conn *conn = &op->rec.conn;
	struct trail *t = NULL;

	conn->flags |= flags | hooks_unseen();
	conn->birth_ns = op->now;
	if (trail_has_room(object)) {
		t = kmem_cache_zalloc(trail_cache, GFP_NOWAIT | __GFP_NOWARN);
		if (!t)
			trail_give_room(object);
	}
	if (!t) {
		/* A late one was counted at its birth, if it was refused. */
		if (!(flags & TCPTRAIL_F_LATE))
			atomic64_inc(&trail_refused);
		conn->flags |= TCPTRAIL_F_NO_TRAIL;
		conn->birth_ns = 0;
		op->t = NULL;
		return;
	}
	/* Was it there before us, or was there no room for it? */
	if ((flags & TCPTRAIL_F_LATE) && atomic64_read(&trail_refused))
		conn->flags |= TCPTRAIL_F_NO_TRAIL;
	t->conn = *conn;
	t->state = old;
	t->first_old = old;
	if (object == TCPTRAIL_O_FULL)
		t->full = 1;
	else
		t->objects = object;
	if (object == TCPTRAIL_O_REQUEST)
		t->objects |= TRAIL_O_COUNTED;
	t->next = op->bucket->first;
	op->bucket->first = t;
	op->t = t;
}

static u8 trail_objects(const struct trail *t)
{
	u8 objects = t->objects & ~TRAIL_O_COUNTED;

	return objects | (t->full ? TCPTRAIL_O_FULL : 0);
}

/* Everything but rec->hdr.type and .ts_ns. */
static void trail_to_record(const struct trail *t, struct tcptrail_trail *rec)
{
	memset(&rec->hdr, 0, sizeof(rec->hdr));
	rec->hdr.size = sizeof(*rec);
	rec->conn = t->conn;
	rec->nsteps = t->nsteps;
	rec->first_old = t->first_old;
	rec->objects = trail_objects(t);
	rec->synack_rtx = t->synack_rtx;
	rec->tw_restarts = t->tw_restarts;
	memset(rec->pad, 0, sizeof(rec->pad));
	rec->iss = t->iss;
	rec->irs = t->irs;
	rec->opener = t->opener;
	rec->closer = t->closer;
	memcpy(rec->steps, t->steps, sizeof(rec->steps));
}

static u64 trail_pack(const struct trail *t, u64 now, u8 state, u8 cause)
{
	u64 ns = min_t(u64, now - t->conn.birth_ns, TCPTRAIL_PACK_NS_MAX);

	return ns << 10 | (u64)cause << 4 | state;
}

static void trail_publish(struct trail_op *op, u8 type, u8 cause,
			  unsigned int size)
{
	struct tcptrail_step *rec = &op->rec;
	const struct trail *t = op->t;

	rec->hdr.size = size;
	rec->hdr.type = type;
	rec->hdr.pad = 0;
	rec->hdr.ts_ns = op->now;
	rec->cause = cause;
	if (t) {
		rec->conn = t->conn;
		rec->iss = t->iss;
		rec->irs = t->irs;
	}
	ring_publish(&rec->hdr);
}

/**
 * trail_step - the connection goes to another state
 * @op: opened; without a trail rec.conn and rec.old_state are set, and what lies
 *	behind rec.listener is set as far as @size says
 * @new: its new state; the present one for accept()
 * @cause: TCPTRAIL_C_*
 * @size: TRAIL_SIZE_*
 */
void trail_step(struct trail_op *op, u8 new, u8 cause, unsigned int size)
{
	struct trail *t = op->t;
	u8 step = TCPTRAIL_NO_STEP;

	if (t) {
		step = t->nsteps;
		if (step < TCPTRAIL_STEPS)
			t->steps[step] = trail_pack(t, op->now, new, cause);
		if (t->nsteps < TCPTRAIL_NO_STEP - 1)
			t->nsteps++;
		op->rec.old_state = t->state;
		t->state = new;
		t->hint = TCPTRAIL_C_UNKNOWN;
	}
	op->rec.step = step;
	op->rec.new_state = new;
	trail_publish(op, TCPTRAIL_STEP, cause, size);
}

/**
 * trail_event - something worth telling that changes no state
 * @op: as for trail_step(); rec.reason and rec.count may be set
 * @kind: TCPTRAIL_C_*
 * @size: TRAIL_SIZE_*
 */
void trail_event(struct trail_op *op, u8 kind, unsigned int size)
{
	if (op->t)
		op->rec.old_state = op->t->state;
	op->rec.step = TCPTRAIL_NO_STEP;
	op->rec.new_state = op->rec.old_state;
	trail_publish(op, TCPTRAIL_EVENT, kind, size);
}

static void trail_uncount_request(struct trail *t)
{
	if (t->objects & TRAIL_O_COUNTED)
		atomic_dec(&trail_requests);
	t->objects &= ~TRAIL_O_COUNTED;
}

/**
 * trail_add_full - a request got a child
 * @op: opened, with a trail
 */
void trail_add_full(struct trail_op *op)
{
	op->t->full++;
	trail_uncount_request(op->t);
}

static void trail_end(struct trail_op *op)
{
	struct trail *t = op->t, **p = &op->bucket->first;
	struct tcptrail_trail rec;

	trail_to_record(t, &rec);
	rec.hdr.type = TCPTRAIL_END;
	rec.hdr.ts_ns = op->now;
	ring_publish(&rec.hdr);

	while (*p != t)
		p = &(*p)->next;
	*p = t->next;
	op->t = NULL;
	trail_uncount_request(t);
	kmem_cache_free(trail_cache, t);
	atomic_dec(&trail_count);
}

/**
 * trail_put_object - the kernel let go of an object of this connection
 * @op: opened, with a trail
 * @object: TCPTRAIL_O_*; for O_FULL one of the full sockets
 *
 * With the last object the trail ends: an END record, then op->t is NULL.
 */
void trail_put_object(struct trail_op *op, u8 object)
{
	struct trail *t = op->t;

	if (object != TCPTRAIL_O_FULL)
		t->objects &= ~object;
	else if (t->full)
		t->full--;
	if (!trail_objects(t))
		trail_end(op);
}

unsigned int trail_buckets(void)
{
	return 1U << trail_table_bits;
}

/**
 * trail_copy_bucket - copy the trails of one bucket, as TRAIL records
 * @bucket: number below trail_buckets()
 * @to: room for @room records
 * @room: may be 0
 *
 * Return: how many trails there are; if more than @room, nothing was copied.
 */
int trail_copy_bucket(unsigned int bucket, struct tcptrail_trail *to,
		      unsigned int room)
{
	struct trail_bucket *b = &trail_table[bucket];
	unsigned long flags;
	struct trail *t;
	int n = 0;

	spin_lock_irqsave(&b->lock, flags);
	for (t = b->first; t; t = t->next)
		n++;
	if (n <= room) {
		u64 now = ktime_get_boottime_ns();

		for (t = b->first; t; t = t->next, to++) {
			trail_to_record(t, to);
			to->hdr.type = TCPTRAIL_TRAIL;
			to->hdr.ts_ns = now;
		}
	}
	spin_unlock_irqrestore(&b->lock, flags);
	return n;
}

void trail_fill_info(struct tcptrail_info *info)
{
	info->max_trails = trail_max;
	info->trails = max(atomic_read(&trail_count), 0);
	info->requests = max(atomic_read(&trail_requests), 0);
	info->no_trail = atomic64_read(&trail_refused);
}

/**
 * trail_init - make the table
 * @max_trails: most connections to remember
 *
 * Return: 0 or -ENOMEM.
 */
int trail_init(unsigned int max_trails)
{
	unsigned int i;

	trail_max = clamp_t(unsigned int, max_trails, TRAIL_MIN, TRAIL_MAX);
	trail_table_bits = ilog2(roundup_pow_of_two(trail_max / TRAIL_CHAIN));
	trail_table = kvcalloc(trail_buckets(), sizeof(*trail_table),
			       GFP_KERNEL);
	if (!trail_table)
		return -ENOMEM;
	for (i = 0; i < trail_buckets(); i++)
		spin_lock_init(&trail_table[i].lock);

	trail_cache = KMEM_CACHE(trail, 0);
	if (!trail_cache) {
		kvfree(trail_table);
		return -ENOMEM;
	}
	return 0;
}

/* No callback and no reader is left. */
void trail_exit(void)
{
	unsigned int i;

	for (i = 0; i < trail_buckets(); i++) {
		struct trail *t = trail_table[i].first, *next;

		for (; t; t = next) {
			next = t->next;
			kmem_cache_free(trail_cache, t);
		}
	}
	kmem_cache_destroy(trail_cache);
	kvfree(trail_table);
}
