// SPDX-License-Identifier: GPL-2.0
/* The table of open connections. See trail.h for lifetimes and order. */
#include <linux/hash.h>
#include <linux/log2.h>
#include <linux/mm.h>
#include <linux/percpu.h>
#include <linux/slab.h>
#include <linux/sock_diag.h>
#include <linux/spinlock.h>
#include <linux/timekeeping.h>

#include "compat.h"
#include "trail.h"

/* On average so many trails in a bucket when the table is full. */
#define TRAIL_CHAIN	4
#define TRAIL_MIN	16U
#define TRAIL_MAX	BIT(22)

struct trail_bucket {
	spinlock_t lock;	/* guards the chain and every trail in it */
	struct trail *first;
};

/* Free trails that a CPU keeps; only that CPU, with interrupts off. */
#define TRAIL_SPARE	32

struct trail_spare {
	struct trail *first;
	unsigned int count;
};

static DEFINE_PER_CPU(struct trail_spare, trail_spare);
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

/* In trail.objects only: counted in trail_requests; first step not published */
#define TRAIL_O_COUNTED	0x80
#define TRAIL_O_UNTOLD	0x40

/* 1 once every hook is in place; main.c */
int trail_armed;

/* Give a socket its cookie; see trail_cookie(). */
u64 trail_make_cookie(const struct sock *sk)
{
	u32 words[2];

	/* The cookie is the one field that a const socket may still get. */
	sock_diag_save_cookie((struct sock *)sk, words);
	return trail_peek_cookie(sk);
}

static struct trail_bucket *trail_bucket_of(u64 cookie)
{
	return &trail_table[hash_64(cookie, trail_table_bits)];
}

/*
 * A socket that has left its connection to a minisocket can have a new one
 * under the same cookie.
 */
static u64 trail_now(struct trail_op *op)
{
	if (!op->now)
		op->now = ktime_get_boottime_ns();
	return op->now;
}

static bool trail_is(const struct trail *t, u64 cookie, const void *mini)
{
	if (t->conn.cookie != cookie)
		return false;
	if (mini)
		return t->mini == mini && (t->objects & TCPTRAIL_O_MINI);
	return t->full || (t->objects & TCPTRAIL_O_REQUEST);
}

/**
 * trail_open - lock a connection
 * @op: to be filled; op->t is NULL if the connection has no trail
 * @cookie: of the socket
 * @mini: NULL for that of a request or a full socket, else the minisocket
 *
 * Context: any but NMI; returns with interrupts off until trail_close().
 */
void trail_open(struct trail_op *op, u64 cookie, const void *mini)
	__acquires(bucket)
{
	struct trail *t;

	op->bucket = trail_bucket_of(cookie);
	spin_lock_irqsave(&op->bucket->lock, op->flags);
	for (t = op->bucket->first; t; t = t->next)
		if (trail_is(t, cookie, mini))
			break;
	op->t = t;
	op->rec = NULL;
	op->now = 0;
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
 * trail_record - the record that the next step or event will publish
 * @op: opened
 *
 * The caller may set reason, count and listener, and for a size beyond
 * TRAIL_SIZE_MINI everything behind; the rest is filled in later.
 *
 * Return: its place in the ring.
 */
struct tcptrail_step *trail_record(struct trail_op *op)
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

static void conn_init(struct tcptrail_conn *conn, u64 cookie,
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
struct tcptrail_conn *trail_stranger(struct trail_op *op, u64 cookie,
				     const struct net *net, u8 state, u16 flags)
{
	struct tcptrail_step *rec = trail_record(op);

	op->state = state;
	rec->iss = 0;
	rec->irs = 0;
	conn_init(&rec->conn, cookie, net, flags);
	return &rec->conn;
}

/* Zero, but for the steps, of which only nsteps are ever looked at. */
static struct trail *trail_alloc(u8 object)
{
	struct trail_spare *spare = this_cpu_ptr(&trail_spare);
	struct trail *t = spare->first;

	if (!trail_has_room(object))
		return NULL;
	if (t) {
		spare->first = t->next;
		spare->count--;
	} else {
		t = kmem_cache_alloc(trail_cache, GFP_NOWAIT | __GFP_NOWARN);
		if (!t) {
			trail_give_room(object);
			return NULL;
		}
	}
	memset(t, 0, offsetof(struct trail, steps));
	return t;
}

static void trail_free(struct trail *t)
{
	struct trail_spare *spare = this_cpu_ptr(&trail_spare);

	if (spare->count < TRAIL_SPARE) {
		t->next = spare->first;
		spare->first = t;
		spare->count++;
	} else {
		kmem_cache_free(trail_cache, t);
	}
	atomic_dec(&trail_count);
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
struct tcptrail_conn *trail_birth(struct trail_op *op, u64 cookie,
				  const struct net *net, u8 old, u8 object,
				  u16 flags)
{
	struct trail *t = trail_alloc(object);

	flags |= hooks_unseen();
	if (!t) {
		/* A late one may have been counted at its birth. */
		if (!(flags & TCPTRAIL_F_LATE))
			atomic64_inc(&trail_refused);
		return trail_stranger(op, cookie, net, old,
				      flags | TCPTRAIL_F_NO_TRAIL);
	}
	conn_init(&t->conn, cookie, net, flags);
	t->conn.birth_ns = trail_now(op);
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
	return &t->conn;
}

static u8 trail_objects(const struct trail *t)
{
	u8 objects = t->objects & ~(TRAIL_O_COUNTED | TRAIL_O_UNTOLD);

	return objects | (t->full ? TCPTRAIL_O_FULL : 0);
}

/* Everything but hdr.seq; hdr.cpu is for records that come from a ring. */
static void trail_to_record(const struct trail *t, struct tcptrail_trail *rec,
			    u8 type, u64 now)
{
	unsigned int i = 0;

	rec->hdr.size = sizeof(*rec);
	rec->hdr.type = type;
	rec->hdr.pad = 0;
	rec->hdr.cpu = type == TCPTRAIL_END ? smp_processor_id() : 0;
	rec->hdr.ts_ns = now;
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
	for (; i < min_t(unsigned int, t->nsteps, TCPTRAIL_STEPS); i++)
		rec->steps[i] = t->steps[i];
	for (; i < TCPTRAIL_STEPS; i++)
		rec->steps[i] = 0;
}

static u64 trail_pack(const struct trail *t, u64 now, u8 state, u8 cause)
{
	u64 ns = min_t(u64, now - t->conn.birth_ns, TCPTRAIL_PACK_NS_MAX);

	return ns << 10 | (u64)cause << 4 | state;
}

static void trail_publish(struct trail_op *op, u8 type, u8 cause,
			  unsigned int size)
{
	struct tcptrail_step *rec = trail_record(op);
	const struct trail *t = op->t;

	rec->hdr.size = size;
	rec->hdr.type = type;
	rec->hdr.pad = 0;
	rec->hdr.cpu = smp_processor_id();
	rec->hdr.ts_ns = trail_now(op);
	rec->cause = cause;
	if (t) {
		rec->conn = t->conn;
		rec->iss = t->iss;
		rec->irs = t->irs;
	}
	ring_publish();
	op->rec = NULL;
}

static void trail_add(struct trail_op *op, u8 new, u8 cause)
{
	struct trail *t = op->t;

	if (t->nsteps < TCPTRAIL_STEPS)
		t->steps[t->nsteps] = trail_pack(t, trail_now(op), new, cause);
	if (t->nsteps < TCPTRAIL_NO_STEP - 1)
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
void trail_step(struct trail_op *op, u8 new, u8 cause, unsigned int size)
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
void trail_step_later(struct trail_op *op, u8 new, u8 cause)
{
	trail_add(op, new, cause);
	op->t->objects |= TRAIL_O_UNTOLD;
}

/**
 * trail_is_untold - does the first step wait to be published?
 * @op: opened
 */
bool trail_is_untold(const struct trail_op *op)
{
	return op->t && (op->t->objects & TRAIL_O_UNTOLD);
}

/**
 * trail_tell_first - publish the step that trail_step_later() took
 * @op: opened; trail_record() is filled but for the task
 *
 * The record has the time at which the step happened.
 */
void trail_tell_first(struct trail_op *op)
{
	struct tcptrail_step *rec = trail_record(op);
	struct trail *t = op->t;
	u64 now = trail_now(op);

	t->objects &= ~TRAIL_O_UNTOLD;
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
void trail_event(struct trail_op *op, u8 kind, unsigned int size)
{
	struct tcptrail_step *rec = trail_record(op);

	rec->step = TCPTRAIL_NO_STEP;
	rec->old_state = op->t ? op->t->state : op->state;
	rec->new_state = rec->old_state;
	trail_publish(op, TCPTRAIL_EVENT, kind, size);
}

static void trail_uncount_request(struct trail *t)
{
	if (t->objects & TRAIL_O_COUNTED)
		atomic_dec(&trail_requests);
	t->objects &= ~TRAIL_O_COUNTED;
}

/**
 * trail_add_full - a request got a child, which takes over
 * @op: opened, with a trail
 */
void trail_add_full(struct trail_op *op)
{
	op->t->full++;
	trail_uncount_request(op->t);
	op->t->objects &= ~TCPTRAIL_O_REQUEST;
}

static void trail_end(struct trail_op *op)
{
	struct trail *t = op->t, **p = &op->bucket->first;

	trail_to_record(t, (struct tcptrail_trail *)ring_record(),
			TCPTRAIL_END, trail_now(op));
	ring_publish();

	while (*p != t)
		p = &(*p)->next;
	*p = t->next;
	op->t = NULL;
	trail_uncount_request(t);
	trail_free(t);
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
			to->hdr.seq = 0;
			trail_to_record(t, to, TCPTRAIL_TRAIL, now);
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

	trail_cache = kmem_cache_create("tcptrail", sizeof(struct trail), 0, 0,
					NULL);
	if (!trail_cache) {
		kvfree(trail_table);
		return -ENOMEM;
	}
	return 0;
}

static void trail_free_all(struct trail *t)
{
	struct trail *next;

	for (; t; t = next) {
		next = t->next;
		kmem_cache_free(trail_cache, t);
	}
}

/* No callback and no reader is left. */
void trail_exit(void)
{
	unsigned int i;

	for (i = 0; i < trail_buckets(); i++)
		trail_free_all(trail_table[i].first);
	for_each_possible_cpu(i)
		trail_free_all(per_cpu(trail_spare, i).first);
	kmem_cache_destroy(trail_cache);
	kvfree(trail_table);
}
