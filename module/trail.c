// SPDX-License-Identifier: GPL-2.0
/* The table of open connections. See trail.h for lifetimes and order. */
#include <linux/log2.h>
#include <linux/mm.h>
#include <linux/percpu.h>
#include <linux/rcupdate.h>
#include <linux/slab.h>
#include <linux/sock_diag.h>
#include <linux/timekeeping.h>

#include "poison.h"
#include "step.h"

/* On average so many trails in a bucket when the table is full. */
#define TRAIL_CHAIN	4
#define TRAIL_MIN	16U
#define TRAIL_MAX	BIT(22)

/* Free trails that a CPU keeps; only that CPU, with interrupts off. */
#define TRAIL_SPARE	32

struct trail_spare {
	struct trail *first;
	unsigned int count;
};

static DEFINE_PER_CPU(struct trail_spare, trail_spare);
static struct kmem_cache *trail_cache;
struct trail_bucket *trail_table __ro_after_init;
u64 trail_mask __ro_after_init;
static unsigned int trail_max __ro_after_init;

/* May be over the limit for a moment, by one per CPU, before it is put back. */
static atomic_t trail_count;
/* Of those, the ones that are only a request. Anybody who can send a SYN can
 * make one, so they may take a quarter of the table at most.
 */
static atomic_t trail_requests;
static atomic64_t trail_refused;

/* Every hook is in place. */
DEFINE_STATIC_KEY_FALSE(trail_armed);

/**
 * trail_arm - let callbacks record, or not
 * @on: what they find from now on when they begin
 *
 * Context: may sleep.
 */
void trail_arm(bool on)
{
	if (on) {
		/* No CPU has an old view of what was set up before. */
		synchronize_rcu();
		static_branch_enable(&trail_armed);
	} else {
		static_branch_disable(&trail_armed);
	}
}

/* Give a socket its cookie; see trail_cookie(). */
static noinline u64 trail_make_cookie(const struct sock *sk)
{
	u32 words[2];

	/* The cookie is the one field that a const socket may still get. */
	sock_diag_save_cookie((struct sock *)sk, words);
	return trail_peek_cookie(sk);
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

/* A trail that has one object and is zero otherwise; NULL: no room. */
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
	poison(t, sizeof(*t));
	memset(t, 0, sizeof(*t));
	t->objects = object;
	if (object == TCPTRAIL_O_FULL)
		t->full = 1;
	else if (object == TCPTRAIL_O_REQUEST)
		t->marks = TRAIL_M_COUNTED;
	return t;
}

static void trail_free(struct trail *t)
{
	struct trail_spare *spare = this_cpu_ptr(&trail_spare);

	poison(t, sizeof(*t));
	if (spare->count < TRAIL_SPARE) {
		t->next = spare->first;
		spare->first = t;
		spare->count++;
	} else {
		kmem_cache_free(trail_cache, t);
	}
	atomic_dec(&trail_count);
}

/* A connection found no room. A late one may have been counted before. */
static void trail_count_refused(u16 flags)
{
	if (!(flags & TCPTRAIL_F_LATE))
		atomic64_inc(&trail_refused);
}

/* Everything but hdr.seq and hdr.cpu, which a ring has filled in already. */
static __always_inline void trail_to_record(const struct trail *t,
					    struct tcptrail_trail *rec,
					    u8 type, u64 now)
{
	const size_t head = offsetof(struct tcptrail_trail, conn);

	rec->hdr.size = sizeof(*rec);
	rec->hdr.type = type;
	rec->hdr.pad = 0;
	rec->hdr.ts_ns = now;
	memcpy((u8 *)rec + head, (const u8 *)t + head, sizeof(*rec) - head);
}

static void trail_uncount_request(struct trail *t)
{
	if (t->marks & TRAIL_M_COUNTED)
		atomic_dec(&trail_requests);
	t->marks &= ~TRAIL_M_COUNTED;
}

static void trail_unlink(struct trail_bucket *b, const struct trail *t)
{
	struct trail *before = bucket_first(b);

	if (before == t) {
		bucket_set_first(b, t->next);
		return;
	}
	while (before->next != t)
		before = before->next;
	before->next = t->next;
}

/* Tell all of it, and free it. */
static void trail_end(struct trail_bucket *b, struct trail *t, u64 now)
{
	struct tcptrail_hdr *hdr = ring_record();

	trail_to_record(t, (struct tcptrail_trail *)hdr, TCPTRAIL_END, now);
	ring_publish(hdr);
	trail_unlink(b, t);
	trail_uncount_request(t);
	trail_free(t);
}

unsigned int trail_buckets(void)
{
	return trail_table ? trail_mask + 1 : 0;
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

	local_irq_save(flags);
	bucket_lock(b);
	for (t = bucket_first(b); t; t = t->next)
		n++;
	if (n <= room) {
		u64 now = ktime_get_boottime_ns();

		for (t = bucket_first(b); t; t = t->next, to++) {
			to->hdr.seq = 0;
			to->hdr.cpu = 0;
			trail_to_record(t, to, TCPTRAIL_TRAIL, now);
		}
	}
	bucket_unlock(b);
	local_irq_restore(flags);
	return n;
}

void trail_fill_info(struct tcptrail_info *info)
{
	if (trail_is_kept())
		info->features |= TCPTRAIL_FEAT_TRAIL;
	info->max_trails = trail_max;
	info->trails = max(atomic_read(&trail_count), 0);
	info->requests = max(atomic_read(&trail_requests), 0);
	info->no_trail = atomic64_read(&trail_refused);
}

/**
 * trail_init - make the table
 * @max_trails: most connections to remember; 0: none, there is no table
 *
 * Return: 0 or -ENOMEM.
 */
int trail_init(unsigned int max_trails)
{
	unsigned int buckets;

	if (!max_trails)
		return 0;
	trail_max = clamp_t(unsigned int, max_trails, TRAIL_MIN, TRAIL_MAX);
	buckets = roundup_pow_of_two(trail_max / TRAIL_CHAIN);
	trail_cache = kmem_cache_create("tcptrail", sizeof(struct trail), 0, 0,
					NULL);
	if (!trail_cache)
		return -ENOMEM;
	trail_table = kvcalloc(buckets, sizeof(*trail_table), GFP_KERNEL);
	if (!trail_table) {
		kmem_cache_destroy(trail_cache);
		return -ENOMEM;
	}
	trail_mask = buckets - 1;
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
		trail_free_all(bucket_first(&trail_table[i]));
	for_each_possible_cpu(i)
		trail_free_all(per_cpu(trail_spare, i).first);
	kmem_cache_destroy(trail_cache);
	kvfree(trail_table);
}
