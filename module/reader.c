// SPDX-License-Identifier: GPL-2.0
/*
 * The stream of an open file: history, trails, what came meanwhile, live.
 *
 * What makes it exact although nothing is stopped: the heads of all rings are
 * noted first, the rings are delivered up to there, and only then the trails
 * are copied. A step that is missing from the copy of its trail was published
 * after that copy, hence behind the heads; a connection that was gone before
 * its bucket was visited has its END behind the heads. Both are delivered or
 * counted as lost in what follows.
 */
#include <linux/mm.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/timekeeping.h>
#include <linux/uaccess.h>

#include "poison.h"
#include "reader.h"
#include "ring_cpu.h"

union record {
	u64 word[RING_SLOT_WORDS];
	struct tcptrail_hdr hdr;
	struct tcptrail_step step;
	struct tcptrail_trail trail;
	struct tcptrail_lost lost;
};

static_assert(sizeof(union record) == TCPTRAIL_RECORD_MAX);
static_assert(sizeof(struct tcptrail_trail) <= TCPTRAIL_RECORD_MAX);

/* ---- rings ---- */

/* Start a round: everything that has been published by now. */
static void reader_mark(struct reader *rd)
{
	unsigned int cpu;

	for_each_possible_cpu(cpu) {
		const struct ring *r = ring_of(cpu);

		rd->at[cpu].until = r ? ring_head(r) : 0;
	}
	rd->cpu = 0;
}

/* Go behind the newest record. */
void reader_skip(struct reader *rd)
{
	unsigned int cpu;

	reader_mark(rd);
	for_each_possible_cpu(cpu)
		WRITE_ONCE(rd->at[cpu].next, rd->at[cpu].until);
	WRITE_ONCE(rd->phase, READER_LIVE);
	rd->copied = 0;
	rd->given = 0;
}

/*
 * Go back to the oldest records. What has been overwritten before it was read
 * is still to be told as lost; for a new file that is nothing.
 */
void reader_restart(struct reader *rd, bool new)
{
	unsigned int cpu;

	reader_mark(rd);
	for_each_possible_cpu(cpu) {
		const struct ring *r = ring_of(cpu);
		struct ring_cursor *at = &rd->at[cpu];
		u64 oldest = r ? ring_oldest(r, at->until) : 0;

		WRITE_ONCE(at->next, new ? oldest : min(at->next, oldest));
	}
	WRITE_ONCE(rd->phase, READER_HISTORY);
	rd->bucket = 0;
	rd->copied = 0;
	rd->given = 0;
}

static void reader_tell_lost(struct reader *rd, union record *rec,
			     unsigned int cpu, u64 first, u64 lost)
{
	memset(&rec->lost, 0, sizeof(rec->lost));
	rec->hdr.size = sizeof(rec->lost);
	rec->hdr.type = TCPTRAIL_LOST;
	rec->hdr.cpu = cpu;
	rec->hdr.ts_ns = ktime_get_boottime_ns();
	rec->lost.lost = lost;
	rec->lost.first_seq = first + 1;
	rd->lost += lost;
}

/*
 * The next record of one ring in this round; or, where records have been
 * overwritten, one LOST for all of them. False: the round is through here.
 */
static bool reader_from_ring(struct reader *rd, unsigned int cpu,
			     const struct ring *r, union record *rec)
{
	struct ring_cursor *at = &rd->at[cpu];
	u64 first = at->next;

	while (at->next < at->until) {
		u64 oldest = ring_oldest(r, ring_head(r));

		if (at->next < oldest) {
			WRITE_ONCE(at->next, oldest);
			continue;
		}
		if (!ring_get(r, at->next, rec->word)) {
			WRITE_ONCE(at->next, at->next + 1);
			continue;
		}
		break;
	}
	if (at->next != first) {
		reader_tell_lost(rd, rec, cpu, first, at->next - first);
		return true;
	}
	if (at->next >= at->until)
		return false;
	WRITE_ONCE(at->next, at->next + 1);
	rd->delivered++;
	return true;
}

static bool reader_from_rings(struct reader *rd, union record *rec)
{
	for (; rd->cpu < nr_cpu_ids; rd->cpu++) {
		const struct ring *r = cpu_possible(rd->cpu) ?
					       ring_of(rd->cpu) : NULL;

		if (r && reader_from_ring(rd, rd->cpu, r, rec))
			return true;
	}
	return false;
}

static bool rings_have_more(const struct reader *rd)
{
	unsigned int cpu;

	for_each_possible_cpu(cpu) {
		const struct ring *r = ring_of(cpu);

		if (r && ring_head(r) != READ_ONCE(rd->at[cpu].next))
			return true;
	}
	return false;
}

/* ---- trails ---- */

/* Copy the next bucket that is not empty. 0: no more; or -ENOMEM. */
static int reader_fill_trails(struct reader *rd)
{
	while (rd->bucket < trail_buckets()) {
		unsigned int n;

		cond_resched();
		poison(rd->trails, rd->room * sizeof(*rd->trails));
		n = trail_copy_bucket(rd->bucket, rd->trails, rd->room);
		if (n > rd->room) {
			struct tcptrail_trail *more;

			/* It may grow meanwhile, so look again. */
			more = kvcalloc(n + 8, sizeof(*more),
					GFP_KERNEL_ACCOUNT);
			if (!more)
				return -ENOMEM;
			kvfree(rd->trails);
			rd->trails = more;
			rd->room = n + 8;
			continue;
		}
		rd->bucket++;
		rd->copied = n;
		rd->given = 0;
		if (n)
			return n;
	}
	return 0;
}

static int reader_from_trails(struct reader *rd, union record *rec)
{
	if (rd->given == rd->copied) {
		int ret = reader_fill_trails(rd);

		if (ret <= 0)
			return ret;
	}
	rec->trail = rd->trails[rd->given++];
	return 1;
}

/* ---- the stream ---- */

/*
 * Live sequence numbers would let a reader without CAP_NET_ADMIN forge
 * segments. See RFC 5961.
 */
static void record_redact(union record *rec)
{
	switch (rec->hdr.type) {
	case TCPTRAIL_STEP:
	case TCPTRAIL_EVENT:
		rec->step.conn.flags |= TCPTRAIL_F_REDACTED;
		rec->step.iss = 0;
		rec->step.irs = 0;
		if (rec->hdr.size >= offsetof(struct tcptrail_step, task)) {
			rec->step.snd_una = 0;
			rec->step.snd_nxt = 0;
			rec->step.rcv_nxt = 0;
		}
		break;
	case TCPTRAIL_END:
	case TCPTRAIL_TRAIL:
		rec->trail.conn.flags |= TCPTRAIL_F_REDACTED;
		rec->trail.iss = 0;
		rec->trail.irs = 0;
		break;
	}
}

static void record_sync(union record *rec)
{
	memset(&rec->hdr, 0, sizeof(rec->hdr));
	rec->hdr.size = sizeof(rec->hdr);
	rec->hdr.type = TCPTRAIL_SYNC;
	rec->hdr.ts_ns = ktime_get_boottime_ns();
}

/* 1 and a record; 0: nothing now; or a negative errno, nothing moved. */
static int reader_next(struct reader *rd, union record *rec)
{
	int ret;

	switch (rd->phase) {
	case READER_HISTORY:
		if (reader_from_rings(rd, rec))
			return 1;
		WRITE_ONCE(rd->phase, READER_TRAILS);
		fallthrough;
	case READER_TRAILS:
		ret = reader_from_trails(rd, rec);
		if (ret)
			return ret;
		reader_mark(rd);
		WRITE_ONCE(rd->phase, READER_CATCH_UP);
		fallthrough;
	case READER_CATCH_UP:
		if (reader_from_rings(rd, rec))
			return 1;
		WRITE_ONCE(rd->phase, READER_SYNC);
		fallthrough;
	case READER_SYNC:
		record_sync(rec);
		WRITE_ONCE(rd->phase, READER_LIVE);
		return 1;
	case READER_LIVE:
		if (reader_from_rings(rd, rec))
			return 1;
		reader_mark(rd);
		return reader_from_rings(rd, rec);
	}
	return 0;
}

/* Records until the buffer has no room for the largest one. */
ssize_t reader_copy(struct reader *rd, char __user *buf, size_t len)
{
	union record rec;
	size_t done = 0;

	while (len - done >= sizeof(rec)) {
		int ret;

		poison(&rec, sizeof(rec));
		ret = reader_next(rd, &rec);
		if (ret <= 0)
			return done ?: ret;
		if (rd->redact)
			record_redact(&rec);
		/* Bytes behind an unreadable address are gone, as with pipes. */
		if (copy_to_user(buf + done, &rec, rec.hdr.size))
			return done ?: -EFAULT;
		done += rec.hdr.size;
		if (signal_pending(current))
			break;
		cond_resched();
	}
	return done;
}

/*
 * Would read() return something? From here on the next record wakes those who
 * wait, whatever the answer. Only a hint unless rd->lock is held.
 */
bool reader_ready(struct reader *rd)
{
	ring_ask_wake();
	return READ_ONCE(rd->phase) != READER_LIVE || rings_have_more(rd);
}

/* Have records been overwritten that no LOST has told of yet? */
bool reader_has_lost(struct reader *rd)
{
	unsigned int cpu;

	for_each_possible_cpu(cpu) {
		const struct ring *r = ring_of(cpu);

		if (r && READ_ONCE(rd->at[cpu].next) <
			 ring_oldest(r, ring_head(r)))
			return true;
	}
	return false;
}

/**
 * reader_create - a new reader, at the oldest records
 * @redact: may not see live sequence numbers
 *
 * Return: NULL if there is no memory.
 */
struct reader *reader_create(bool redact)
{
	struct reader *rd;

	rd = kvzalloc(struct_size(rd, at, nr_cpu_ids), GFP_KERNEL_ACCOUNT);
	if (!rd)
		return NULL;
	mutex_init(&rd->lock);
	rd->redact = redact;
	reader_restart(rd, true);
	return rd;
}

void reader_destroy(struct reader *rd)
{
	kvfree(rd->trails);
	kvfree(rd);
}
