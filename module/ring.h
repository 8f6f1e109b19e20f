/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The ring: one writer, any number of readers that never disturb it.
 *
 * One ring per CPU. The writer runs on that CPU with interrupts off, so there
 * is one writer at a time and it is never nested. It overwrites the oldest
 * record and knows nothing of readers: no lock, no atomic read-modify-write,
 * no failure path. A reader has a private cursor and finds out by itself what
 * it lost. This file also compiles in user space, where selftests/ring tests
 * it (shim.h supplies the barriers).
 *
 * A position is a u64 that counts records since the ring was made; it never
 * wraps. The record of position n lives in slot n & mask; a slot is the record
 * itself, whose first word is its sequence number:
 *
 *	slot.word[0] == n + 1	the record of position n is complete
 *	slot.word[0] == 0	never written, or being written
 *
 *	head == n + 1		positions up to n have been published
 *
 * Writer, ring_begin(), _commit()	Reader, ring_get()
 *
 *   W1: word[0] = 0			  R1: h = load_acquire(head)
 *   --- smp_wmb() ---			  R2: s = load_acquire(word[0])
 *   W2: word[1..] = record		  R3: copy word[1..]
 *   W3: store_release(word[0], n + 1)	  --- smp_rmb() ---
 *   W4: store_release(head, n + 1)	  R4: word[0] == s?
 *
 * Barrier pairs, and the litmus test in selftests/ring/litmus that fails
 * without each (the *+broken-* twins):
 *
 *   W1-wmb-W2 / R3-rmb-R4	ring-overwrite: a reader that copied a word of
 *				a newer record sees at R4 that word[0] changed.
 *   W3-release / R2-acquire	ring-overwrite: word[0] == n + 1 means that all
 *				words of record n are there.
 *   W4-release / R1-acquire	ring-publish: a reader that knows head > n
 *				never sees slot n as not yet written, hence a
 *				word[0] other than n + 1 always means that the
 *				record was overwritten. This makes the loss
 *				count exact:
 *
 *	delivered + lost == head - start, for every reader, always.
 *
 * Sleeping readers: the writer looks for them after W4, with a full barrier
 * between; the reader queues itself and then looks at head, with a full
 * barrier between (ring-wakeup). See ring_publish() and ring_ask_wake().
 */
#ifndef _TCPTRAIL_RING_H
#define _TCPTRAIL_RING_H

#ifdef __KERNEL__
#include <linux/cache.h>
#include <linux/compiler.h>
#include <linux/types.h>
#include <asm/barrier.h>

/* Payload words. The TSan build, which does not know fences, orders these. */
#define ring_store_word(p, v)	WRITE_ONCE(*(p), (v))
#define ring_load_word(p)	READ_ONCE(*(p))
#endif

/* Words of a slot: TCPTRAIL_RECORD_MAX bytes. */
#define RING_SLOT_WORDS		32

struct ring_slot {
	u64 word[RING_SLOT_WORDS];
};

/**
 * struct ring - one CPU's records
 * @slot: the slots
 * @mask: number of slots - 1; the number is a power of two
 * @head: next position to be written; only the writer stores it
 */
struct ring {
	struct ring_slot *slot;
	u64 mask;
	u64 head ____cacheline_aligned;
};

/**
 * ring_begin - start to write the next record, in its place
 * @r: ring of this CPU
 *
 * The caller fills the words from the second one on (W2), which starts with
 * the record's size in bytes, and calls ring_commit(). The oldest record is
 * gone from here on.
 *
 * Context: the only writer of @r, not to be interrupted by another one until
 * ring_commit().
 * Return: the words of the slot.
 */
static inline u64 *ring_begin(struct ring *r)
{
	u64 *word = r->slot[r->head & r->mask].word;

	WRITE_ONCE(word[0], 0);				/* W1 */
	smp_wmb();	/* before W2; pairs with smp_rmb() in ring_get() */
	return word;
}

/**
 * ring_commit - publish the record that ring_begin() started
 * @r: ring of this CPU
 * @word: what ring_begin() returned
 *
 * Return: its sequence number.
 */
static inline u64 ring_commit(struct ring *r, u64 *word)
{
	u64 n = r->head;

	/* W3: record complete; pairs with the acquire of word[0], R2 */
	smp_store_release(&word[0], n + 1);
	/* W4: published; pairs with the acquire of head, R1 */
	smp_store_release(&r->head, n + 1);
	return n + 1;
}

/**
 * ring_put - publish a record that lies elsewhere
 * @r: ring of this CPU
 * @rec: the record; its first word is ignored
 * @words: its length in words, 2 to RING_SLOT_WORDS
 *
 * Context: as ring_begin().
 * Return: its sequence number.
 */
static inline u64 ring_put(struct ring *r, const u64 *rec, unsigned int words)
{
	u64 *word = ring_begin(r);
	unsigned int i;

	for (i = 1; i < words; i++)
		ring_store_word(&word[i], rec[i]);	/* W2 */
	return ring_commit(r, word);
}

/**
 * ring_head - where the writer is
 * @r: ring
 *
 * Records before the returned position can be got.
 */
static inline u64 ring_head(const struct ring *r)
{
	return smp_load_acquire(&r->head);		/* R1 */
}

/**
 * ring_oldest - the oldest position that may still be there
 * @r: ring
 * @head: a value of ring_head()
 */
static inline u64 ring_oldest(const struct ring *r, u64 head)
{
	return head > r->mask + 1 ? head - r->mask - 1 : 0;
}

/**
 * ring_get - copy the record at the cursor
 * @r: ring
 * @cursor: position, before a value that ring_head() has returned
 * @rec: RING_SLOT_WORDS words
 *
 * Return: 1 and the record, or 0 if it has been overwritten. Either way the
 * caller moves its cursor by one; in the second case that is one lost record.
 */
static inline int ring_get(const struct ring *r, u64 cursor, u64 *rec)
{
	const u64 *word = r->slot[cursor & r->mask].word;
	unsigned int i, words;

	/* R2: pairs with W3 */
	rec[0] = smp_load_acquire(&word[0]);
	if (rec[0] != cursor + 1)
		return 0;
	rec[1] = ring_load_word(&word[1]);
	/* The size may be torn until R4 has confirmed it: bound it. */
	words = (u16)rec[1] / sizeof(u64);
	if (words > RING_SLOT_WORDS)
		return 0;
	for (i = 2; i < words; i++)
		rec[i] = ring_load_word(&word[i]);	/* R3 */
	smp_rmb();	/* before R4; pairs with smp_wmb() in ring_put() */
	return READ_ONCE(word[0]) == rec[0];		/* R4 */
}

#endif /* _TCPTRAIL_RING_H */
