// SPDX-License-Identifier: GPL-2.0
/*
 * Several readers at once, while connections are made on two CPUs: a fast one,
 * a slow one, one that is killed in the middle and one that opens late. Each
 * must get everything from its own start, and none may notice the others.
 *
 * For every record that a reader gets it notes a hash at the place of its CPU
 * and seq, where it can be compared with what the others got. Who made the
 * connections notes their cookies.
 */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kselftest_harness.h"
#include "tt.h"

#define CPUS	2
#define TOTAL	1000
#define SEQS	32768
#define PATIENCE_NS 40000000000ULL

enum { FAST, SLOW, LATE, KILLED, READERS };

/* In shared memory. */
struct notes {
	uint64_t hash[CPUS][SEQS];
	uint64_t first[CPUS], last[CPUS];
	uint64_t delivered, lost, span;
	uint64_t info_delivered, info_lost, written;
	uint64_t seen;			/* so far, while it runs */
	uint64_t ends[8 * TOTAL];
	unsigned int nends;
	unsigned int done;
	int error;
	char wrong[200];
};

FIXTURE(readers)
{
	struct tt_truth *truth[CPUS];
	struct notes *notes[READERS];
	pid_t writer[CPUS], reader[READERS];
	int *over;			/* set when the writers are done */
};

static void *shared(size_t size)
{
	void *at = mmap(NULL, size, PROT_READ | PROT_WRITE,
			MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	return at == MAP_FAILED ? NULL : at;
}

FIXTURE_SETUP(readers)
{
	int i;

	ASSERT_EQ(0, tt_load("ring_records=4096"));
	ASSERT_EQ(0, tt_new_net());
	for (i = 0; i < CPUS; i++) {
		self->truth[i] = tt_truth(TOTAL);
		ASSERT_NE(NULL, self->truth[i]);
	}
	for (i = 0; i < READERS; i++) {
		self->notes[i] = shared(sizeof(struct notes));
		ASSERT_NE(NULL, self->notes[i]);
	}
	self->over = shared(4096);
	ASSERT_NE(NULL, self->over);
}

FIXTURE_TEARDOWN(readers)
{
	int i;

	for (i = 0; i < READERS; i++) {
		if (self->reader[i] > 0)
			kill(self->reader[i], SIGKILL);
		waitpid(self->reader[i], NULL, 0);
	}
	for (i = 0; i < CPUS; i++) {
		kill(self->writer[i], SIGKILL);
		waitpid(self->writer[i], NULL, 0);
	}
	EXPECT_EQ(0, tt_unload());
}

/* ---- what a reader's process does ---- */

static uint64_t hash_of(const union tt_record *rec)
{
	uint64_t hash = 14695981039346656037ULL;
	unsigned int i;

	for (i = 0; i < rec->hdr.size / sizeof(uint64_t); i++)
		hash = (hash ^ rec->word[i]) * 1099511628211ULL;
	return hash | 1;
}

static void note(struct notes *notes, const union tt_record *rec)
{
	notes->seen++;
	if (rec->hdr.seq && rec->hdr.seq < SEQS && rec->hdr.cpu < CPUS)
		notes->hash[rec->hdr.cpu][rec->hdr.seq] = hash_of(rec);
	if (rec->hdr.type == TCPTRAIL_END && notes->nends < 8 * TOTAL)
		notes->ends[notes->nends++] = rec->trail.conn.cookie;
}

static void sum_up(struct notes *notes, struct tt_reader *rd)
{
	struct tcptrail_info info;
	int i;

	for (i = 0; i < CPUS; i++) {
		notes->first[i] = rd->ring[i].first;
		notes->last[i] = rd->ring[i].next - 1;
	}
	notes->delivered = tt_delivered(rd);
	notes->lost = tt_lost(rd);
	notes->span = tt_span(rd);
	notes->error = tt_info(rd->fd, &info);
	notes->info_delivered = info.delivered;
	notes->info_lost = info.lost;
	notes->written = info.written;
	memcpy(notes->wrong, rd->wrong, sizeof(notes->wrong));
	notes->done = 1;
}

static bool is_over(struct tt_reader *rd, const int *over)
{
	struct tcptrail_info info;

	return __atomic_load_n(over, __ATOMIC_ACQUIRE) &&
	       !tt_info(rd->fd, &info) && info.trails == 0 &&
	       info.written == tt_last(rd);
}

static void read_it(int who, struct notes *notes, const int *over)
{
	struct tt_reader *rd = tt_open(O_NONBLOCK);
	uint64_t end_ns = tt_now_ns() + PATIENCE_NS * tt_patience();
	union tt_record rec;
	int ret;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (!rd)
		_exit(3);
	if (who == SLOW)
		rd->chunk = 4096;
	else
		setpriority(PRIO_PROCESS, 0, -20);
	for (;;) {
		ret = tt_next(rd, &rec);
		if (ret < 0 || tt_now_ns() > end_ns)
			_exit(4);
		if (ret > 0)
			note(notes, &rec);
		else if (is_over(rd, over))
			break;
		if (who == SLOW && rd->at == rd->have &&
		    !__atomic_load_n(over, __ATOMIC_ACQUIRE))
			usleep(20000 * tt_patience());
		else if (!ret)
			usleep(1000);
	}
	sum_up(notes, rd);
	tt_close(rd);
	_exit(0);
}

static void start_reader(FIXTURE_DATA(readers) *self, int who)
{
	self->reader[who] = fork();
	if (!self->reader[who])
		read_it(who, self->notes[who], self->over);
}

/* ---- what came of it ---- */

static void check_alone(struct __test_metadata *_metadata,
			const struct notes *notes)
{
	ASSERT_EQ(1, notes->done);
	EXPECT_STREQ("", notes->wrong);
	EXPECT_EQ(0, notes->error);
	/* Exactly, as counted from the seqs and as told by the module. */
	EXPECT_EQ(notes->span, notes->delivered + notes->lost);
	EXPECT_EQ(notes->delivered, notes->info_delivered);
	EXPECT_EQ(notes->lost, notes->info_lost);
	EXPECT_EQ(notes->written, notes->last[0] + notes->last[1]);
	EXPECT_GT(SEQS, notes->last[0]);
	EXPECT_GT(SEQS, notes->last[1]);
}

/* No two readers may have got something different as the same record. */
static int count_different(const struct notes *a, const struct notes *b,
			   int *compared)
{
	int cpu, different = 0;
	unsigned int seq;

	*compared = 0;
	for (cpu = 0; cpu < CPUS; cpu++)
		for (seq = 1; seq < SEQS; seq++) {
			uint64_t x = a->hash[cpu][seq], y = b->hash[cpu][seq];

			if (!x || !y)
				continue;
			++*compared;
			different += x != y;
		}
	return different;
}

static int by_value(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

static int count_missing_ends(struct notes *notes,
			      const struct tt_truth *truth)
{
	int i, end, missing = 0;

	qsort(notes->ends, notes->nends, sizeof(notes->ends[0]), by_value);
	for (i = 0; i < TOTAL; i++)
		for (end = 0; end < 2; end++)
			missing += !bsearch(&truth->cookie[i][end],
					    notes->ends, notes->nends,
					    sizeof(notes->ends[0]), by_value);
	return missing;
}

static bool is_half_done(void *arg)
{
	FIXTURE_DATA(readers) *self = arg;

	return tt_made(self->truth[0]) > TOTAL / 2 &&
	       tt_made(self->truth[1]) > TOTAL / 2;
}

static bool killed_is_at_it(void *arg)
{
	FIXTURE_DATA(readers) *self = arg;

	return __atomic_load_n(&self->notes[KILLED]->seen,
			       __ATOMIC_RELAXED) > 500;
}

static bool all_are_open(void *arg)
{
	return tt_refcount() >= 3;
}

TEST_F_TIMEOUT(readers, none_disturbs_another, 90)
{
	struct notes **notes = self->notes;
	int i, compared;

	start_reader(self, FAST);
	start_reader(self, SLOW);
	start_reader(self, KILLED);
	ASSERT_TRUE(tt_wait_for(all_are_open, NULL, 5000));
	for (i = 0; i < CPUS; i++)
		self->writer[i] = tt_churn_on(i, i ? AF_INET6 : AF_INET, TOTAL,
					      8, self->truth[i]);

	/* In the middle of reading, in the middle of writing. */
	EXPECT_TRUE(tt_wait_for(killed_is_at_it, self, 20000));
	EXPECT_EQ(0, kill(self->reader[KILLED], SIGKILL));
	EXPECT_EQ(128 + SIGKILL, tt_exit_of(self->reader[KILLED]));
	EXPECT_GT(TOTAL, tt_made(self->truth[0]));
	EXPECT_EQ(2, tt_refcount());

	EXPECT_TRUE(tt_wait_for(is_half_done, self, 20000));
	start_reader(self, LATE);
	for (i = 0; i < CPUS; i++)
		EXPECT_EQ(0, tt_exit_of(self->writer[i]));
	__atomic_store_n(self->over, 1, __ATOMIC_RELEASE);
	for (i = 0; i <= LATE; i++)
		EXPECT_EQ(0, tt_exit_of(self->reader[i]));
	EXPECT_EQ(0, tt_refcount());

	for (i = 0; i <= LATE; i++) {
		check_alone(_metadata, notes[i]);
		EXPECT_EQ(notes[FAST]->last[0], notes[i]->last[0]);
		EXPECT_EQ(notes[FAST]->last[1], notes[i]->last[1]);
		TH_LOG("reader %d: %llu delivered, %llu lost, from %llu %llu",
		       i, (unsigned long long)notes[i]->delivered,
		       (unsigned long long)notes[i]->lost,
		       (unsigned long long)notes[i]->first[0],
		       (unsigned long long)notes[i]->first[1]);
	}
	/* Those who were there from the beginning start with the first. */
	for (i = 0; i < CPUS; i++) {
		EXPECT_EQ(1, notes[FAST]->first[i]);
		EXPECT_EQ(1, notes[SLOW]->first[i]);
		EXPECT_LT(1, notes[LATE]->first[i]);
	}
	EXPECT_LT(0, notes[SLOW]->lost);

	for (i = SLOW; i < READERS; i++) {
		EXPECT_EQ(0, count_different(notes[FAST], notes[i], &compared));
		EXPECT_LT(500, compared);
	}
	/* The fast one has it all. */
	EXPECT_EQ(0, notes[FAST]->lost);
	for (i = 0; i < CPUS; i++)
		EXPECT_EQ(0, count_missing_ends(notes[FAST], self->truth[i]));
	/* Both ends of each connection, and the two listeners. */
	EXPECT_EQ(2 * CPUS * TOTAL + CPUS, notes[FAST]->nends);
}

TT_HARNESS_MAIN
