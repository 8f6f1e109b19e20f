// SPDX-License-Identifier: GPL-2.0
/*
 * Tests of module/ring.h in user space: plain, with ASan and UBSan, with TSan.
 * What a weaker machine than this one could do is what litmus/ is for.
 */
#include <pthread.h>

#include "kselftest_harness.h"
#include "shim.h"

/* Records written in the test "overwrite". */
#ifndef OVERWRITES
#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
#define OVERWRITES	300000
#else
#define OVERWRITES	3000000
#endif
#endif

#define SMALL_RING	64
#define LARGE_RING	(1 << 15)
#define READERS		4

static void ring_make(struct ring *r, u64 slots)
{
	r->slot = calloc(slots, sizeof(*r->slot));
	if (!r->slot)
		abort();
	r->mask = slots - 1;
	r->head = 0;
}

/* Record of a position: every bit of it follows from the position. */

static u64 mix(u64 x)
{
	x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ULL;
	x = (x ^ (x >> 27)) * 0x94d049bb133111ebULL;
	return x ^ (x >> 31);
}

static unsigned int words_of(u64 pos)
{
	return 2 + mix(pos) % (RING_SLOT_WORDS - 1);
}

static u64 word_of(u64 pos, unsigned int i)
{
	u64 w = mix(pos) + i;

	return i == 1 ? (w << 16) | (words_of(pos) * sizeof(u64)) : w;
}

/*
 * Every other record is built in its slot, as the module does, by ordinary
 * stores. TSan would see races in those, as far as they overwrite something.
 */
static void store_in_place(u64 *p, u64 v)
{
#ifdef __SANITIZE_THREAD__
	ring_store_word(p, v);
#else
	shim_step();
	*p = v;
#endif
}

static u64 put(struct ring *r)
{
	u64 rec[RING_SLOT_WORDS], pos = r->head, *word;
	unsigned int i;

	if (pos % 2) {
		for (i = 0; i < words_of(pos); i++)
			rec[i] = word_of(pos, i);
		return ring_put(r, rec, words_of(pos));
	}
	word = ring_begin(r);
	for (i = 1; i < words_of(pos); i++)
		store_in_place(&word[i], word_of(pos, i));
	return ring_commit(r, word);
}

static bool intact(const u64 *rec, u64 pos)
{
	unsigned int i;

	if (rec[0] != pos + 1)
		return false;
	for (i = 1; i < words_of(pos); i++)
		if (rec[i] != word_of(pos, i))
			return false;
	return true;
}

TEST(empty)
{
	u64 rec[RING_SLOT_WORDS];
	struct ring r;

	ring_make(&r, SMALL_RING);
	EXPECT_EQ(ring_head(&r), 0);
	EXPECT_EQ(ring_oldest(&r, 0), 0);
	EXPECT_EQ(ring_get(&r, 0, rec), 0);
	free(r.slot);
}

TEST(one)
{
	u64 rec[RING_SLOT_WORDS];
	struct ring r;

	ring_make(&r, SMALL_RING);
	EXPECT_EQ(put(&r), 1);
	EXPECT_EQ(ring_head(&r), 1);
	EXPECT_EQ(ring_oldest(&r, 1), 0);
	EXPECT_EQ(ring_get(&r, 0, rec), 1);
	EXPECT_TRUE(intact(rec, 0));
	EXPECT_EQ(ring_get(&r, 1, rec), 0);
	free(r.slot);
}

TEST(wrap)
{
	u64 rec[RING_SLOT_WORDS], head, pos;
	struct ring r;

	ring_make(&r, SMALL_RING);
	for (head = 1; head <= 5 * SMALL_RING; head++) {
		ASSERT_EQ(put(&r), head);
		pos = head < SMALL_RING ? 0 : head - SMALL_RING;
		ASSERT_EQ(ring_oldest(&r, head), pos);
		if (pos)
			ASSERT_EQ(ring_get(&r, pos - 1, rec), 0);
		for (; pos < head; pos++) {
			ASSERT_EQ(ring_get(&r, pos, rec), 1);
			ASSERT_TRUE(intact(rec, pos));
		}
		ASSERT_EQ(ring_get(&r, head, rec), 0);
	}
	free(r.slot);
}

/* A writer that has begun, and does not go on. */
TEST(unfinished)
{
	u64 rec[RING_SLOT_WORDS];
	struct ring r;
	int i;

	ring_make(&r, SMALL_RING);
	for (i = 0; i < SMALL_RING; i++)
		put(&r);
	EXPECT_EQ(ring_get(&r, 0, rec), 1);
	ring_begin(&r)[2] = 0;
	EXPECT_EQ(ring_head(&r), SMALL_RING);
	EXPECT_EQ(ring_get(&r, 0, rec), 0);
	EXPECT_EQ(ring_get(&r, 1, rec), 1);
	/* Who comes after it starts again at the same place. */
	EXPECT_EQ(put(&r), SMALL_RING + 1);
	EXPECT_EQ(ring_get(&r, SMALL_RING, rec), 1);
	EXPECT_TRUE(intact(rec, SMALL_RING));
	free(r.slot);
}

/* A size is not believed before the record is known to be whole. */
TEST(size_beyond_slot)
{
	u64 rec[RING_SLOT_WORDS], sizes[] = { sizeof(struct ring_slot) + 8, 0xffff };
	struct ring r;
	int i;

	ring_make(&r, 1);
	for (i = 0; i < 2; i++) {
		rec[1] = sizes[i];
		ring_put(&r, rec, 2);
		EXPECT_EQ(ring_get(&r, i, rec), 0);
	}
	free(r.slot);
}

struct reader {
	const struct ring *ring;
	u64 start_at;		/* waits until head has come here */
	u64 end;		/* and reads until here */
	unsigned int nap;
	/* Results: */
	u64 start, delivered, lost;
	u64 overtaken;		/* of the lost ones: overwritten under its hands */
	u64 torn;		/* delivered, but not what was written */
	u64 not_lost;		/* counted as lost, but not overwritten */
};

/* Is the record of this position, which was published, being written over? */
static bool overwritten(const struct ring *r, u64 pos)
{
	u64 s = READ_ONCE(r->slot[pos & r->mask].word[0]);

	return s == 0 || s > pos + 1;
}

static void *reader(void *arg)
{
	struct reader *rd = arg;
	const struct ring *r = rd->ring;
	u64 rec[RING_SLOT_WORDS], head, oldest, pos;

	shim_nap = rd->nap;
	while ((head = ring_head(r)) < rd->start_at)
		usleep(1);
	pos = ring_oldest(r, head);
	rd->start = pos;

	for (; pos < rd->end; pos++) {
		while ((head = ring_head(r)) == pos)
			usleep(1);
		oldest = ring_oldest(r, head);
		if (oldest > pos) {
			rd->lost += oldest - pos;
			pos = oldest;
		}
		if (ring_get(r, pos, rec)) {
			rd->delivered++;
			rd->torn += !intact(rec, pos);
		} else {
			rd->lost++;
			rd->overtaken++;
			rd->not_lost += !overwritten(r, pos);
		}
	}
	return NULL;
}

/* One writer, three readers of different speeds and one that comes late. */
static void run(struct __test_metadata *_metadata, struct reader *rd, u64 slots,
		u64 writes)
{
	static const unsigned int nap[READERS] = { 0, 30000, 1000, 30000 };
	pthread_t thread[READERS];
	struct ring r;
	int i;

	ring_make(&r, slots);
	for (i = 0; i < READERS; i++) {
		rd[i] = (struct reader){ .ring = &r, .end = writes, .nap = nap[i] };
		if (i == READERS - 1)
			rd[i].start_at = writes / 2;
		ASSERT_EQ(pthread_create(&thread[i], NULL, reader, &rd[i]), 0);
	}
	shim_nap = 4000;	/* a reader that keeps up is overtaken now and then */
	while (r.head < writes)
		put(&r);
	for (i = 0; i < READERS; i++) {
		pthread_join(thread[i], NULL);
		TH_LOG("reader %d from %llu: %llu delivered, %llu lost, %llu of them overtaken",
		       i, rd[i].start, rd[i].delivered, rd[i].lost, rd[i].overtaken);
		EXPECT_EQ(rd[i].torn, 0);
		EXPECT_EQ(rd[i].not_lost, 0);
		EXPECT_EQ(rd[i].delivered + rd[i].lost, writes - rd[i].start);
	}
	free(r.slot);
}

/* A small ring: readers are overtaken all the time, and know it. */
TEST(overwrite)
{
	struct reader rd[READERS];
	int i;

	run(_metadata, rd, SMALL_RING, OVERWRITES);
	/* What is left at the end can't be lost any more. */
	for (i = 0; i < READERS; i++)
		EXPECT_GE(rd[i].delivered, SMALL_RING);
	/* Else this was a test of nothing. */
	EXPECT_GT(rd[2].overtaken, 0);
	EXPECT_GE(rd[3].start, OVERWRITES / 2 - SMALL_RING);
}

/* A ring larger than the run: nothing is lost, and each word written once. */
TEST(publish)
{
	struct reader rd[READERS];
	int i;

	shim_plain = true;
	run(_metadata, rd, LARGE_RING, LARGE_RING - 1);
	for (i = 0; i < READERS; i++)
		EXPECT_EQ(rd[i].lost, 0);
}

TEST_HARNESS_MAIN
