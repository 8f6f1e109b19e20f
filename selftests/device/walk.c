// SPDX-License-Identifier: GPL-2.0
/*
 * /dev/tcptrail is opened while connections come and go on two CPUs. Whatever
 * the moment, nothing of an open connection may fall between the history, the
 * walk of the trails and the live records:
 *
 *   - every connection that was open all the while has its TRAIL;
 *   - every step that is not in a TRAIL comes as a STEP, exactly once;
 *   - every connection of which a step came after the walk gets its END.
 *
 * The rings are too small to hold the births of all that is open.
 */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kselftest_harness.h"
#include "tt.h"

#define CPUS	2
#define TOTAL	1200
#define WINDOW	400

FIXTURE(walk)
{
	struct tt_truth *truth[CPUS];
	pid_t pid[CPUS];
};

FIXTURE_VARIANT(walk)
{
	int family;
	unsigned int start;	/* open it when so many have been made */
};

FIXTURE_VARIANT_ADD(walk, ipv4)
{
	.family = AF_INET,
	.start = 500,
};

FIXTURE_VARIANT_ADD(walk, ipv6)
{
	.family = AF_INET6,
	.start = 700,
};

FIXTURE_SETUP(walk)
{
	int i;

	/* 4096 records hold some 400 connections, from SYN to RST. */
	ASSERT_EQ(0, tt_load("ring_records=4096 max_trails=4096"));
	ASSERT_EQ(0, tt_new_net());
	for (i = 0; i < CPUS; i++) {
		self->truth[i] = tt_truth(TOTAL);
		ASSERT_NE(NULL, self->truth[i]);
	}
	/* Ahead of those who write, so as to lose nothing. */
	setpriority(PRIO_PROCESS, 0, -20);
	for (i = 0; i < CPUS; i++)
		self->pid[i] = tt_churn_on(i, variant->family, TOTAL, WINDOW,
					   self->truth[i]);
}

FIXTURE_TEARDOWN(walk)
{
	int i;

	for (i = 0; i < CPUS; i++) {
		kill(self->pid[i], SIGKILL);
		waitpid(self->pid[i], NULL, 0);
	}
	EXPECT_EQ(0, tt_unload());
}

/* ---- the records of one connection ---- */

struct story {
	uint64_t cookie;
	unsigned int trails, ends;
	const struct tcptrail_trail *trail, *end;
	unsigned int seen[TCPTRAIL_STEPS];	/* STEPs of this number */
	bool after_walk;	/* any STEP behind the TRAILs */
};

static int by_connection(const void *a, const void *b)
{
	const union tt_record *r = *(const union tt_record *const *)a;
	const union tt_record *s = *(const union tt_record *const *)b;

	if (r->step.conn.cookie != s->step.conn.cookie)
		return r->step.conn.cookie < s->step.conn.cookie ? -1 : 1;
	return r < s ? -1 : r > s;
}

static void story_add(struct story *story, const union tt_record *rec,
		      bool after_walk)
{
	story->cookie = rec->step.conn.cookie;
	switch (rec->hdr.type) {
	case TCPTRAIL_TRAIL:
		story->trails++;
		story->trail = &rec->trail;
		break;
	case TCPTRAIL_END:
		story->ends++;
		story->end = &rec->trail;
		break;
	case TCPTRAIL_STEP:
		if (rec->step.step < TCPTRAIL_STEPS)
			story->seen[rec->step.step]++;
		story->after_walk |= after_walk;
		break;
	}
}

static const char *story_check(const struct story *story)
{
	unsigned int i, from;

	if (story->trails > 1 || story->ends > 1)
		return "two TRAILs or two ENDs";
	for (i = 0; i < TCPTRAIL_STEPS; i++)
		if (story->seen[i] > 1)
			return tt_why("step %u twice", i);
	if (!story->trail && !story->after_walk)
		return "";
	if (!story->end)
		return tt_why("%llx never ended",
			      (unsigned long long)story->cookie);
	if (!story->trail)
		return "";
	from = story->trail->nsteps;
	for (i = 0; i < story->end->nsteps; i++) {
		if (i < from && story->trail->steps[i] != story->end->steps[i])
			return tt_why("step %u changed", i);
		if (i >= from && !story->seen[i])
			return tt_why("step %u is neither in the TRAIL nor told",
				      i);
	}
	return "";
}

static const char *check_stories(const struct tt_log *log, size_t walk_end)
{
	const union tt_record **sorted = calloc(log->n, sizeof(*sorted));
	const char *why = "";
	size_t n = 0, i;

	for (i = 0; i < log->n; i++)
		if (log->rec[i].hdr.type <= TCPTRAIL_TRAIL)
			sorted[n++] = &log->rec[i];
	qsort(sorted, n, sizeof(*sorted), by_connection);
	for (i = 0; i < n && !why[0]; ) {
		struct story story = {};

		do {
			story_add(&story, sorted[i],
				  sorted[i] - log->rec > (ssize_t)walk_end);
			i++;
		} while (i < n &&
			 sorted[i]->step.conn.cookie == story.cookie);
		why = story_check(&story);
	}
	free(sorted);
	return why;
}

/* ---- the truth ---- */

static int by_value(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

/* How many of the connections that were open all the while have no TRAIL. */
static int count_missing(const struct tt_log *log, const struct tt_truth *truth,
			 unsigned int before, unsigned int after, int *checked)
{
	uint64_t *cookies = calloc(log->n, sizeof(*cookies));
	int missing = 0;
	size_t n = 0, i;

	for (i = 0; i < log->n; i++)
		if (log->rec[i].hdr.type == TCPTRAIL_TRAIL)
			cookies[n++] = log->rec[i].trail.conn.cookie;
	qsort(cookies, n, sizeof(*cookies), by_value);
	/* Making number after + 1 ends number after + 1 - WINDOW. */
	for (i = after + 2 > WINDOW ? after + 2 - WINDOW : 0; i < before; i++) {
		missing += !bsearch(&truth->cookie[i][0], cookies, n,
				    sizeof(*cookies), by_value);
		missing += !bsearch(&truth->cookie[i][1], cookies, n,
				    sizeof(*cookies), by_value);
		*checked += 2;
	}
	free(cookies);
	return missing;
}

static bool has_started(void *arg)
{
	FIXTURE_DATA(walk) *self = arg;

	return tt_made(self->truth[0]) >= WINDOW + 100 &&
	       tt_made(self->truth[1]) >= WINDOW + 100;
}

static bool all_made(FIXTURE_DATA(walk) *self)
{
	return tt_made(self->truth[0]) == TOTAL &&
	       tt_made(self->truth[1]) == TOTAL;
}

TEST_F_TIMEOUT(walk, open_among_connections, 60)
{
	unsigned int before[CPUS], after[CPUS];
	int i, checked = 0, missing = 0;
	struct tt_log log = {};
	struct tcptrail_info info;
	struct tt_reader *rd;
	union tt_record rec;
	size_t walk_end = 0;
	uint64_t end_ns, lost = 0;

	tt_log_reserve(&log, 40000);
	ASSERT_TRUE(tt_wait_for(has_started, self, 20000));
	/* Whichever is faster: one that is through closes what it has open. */
	while (tt_made(self->truth[0]) < variant->start &&
	       tt_made(self->truth[1]) < variant->start)
		usleep(1000);
	for (i = 0; i < CPUS; i++)
		before[i] = tt_made(self->truth[i]);
	rd = tt_open(O_NONBLOCK);
	ASSERT_NE(NULL, rd);
	/* In small bites, so that much happens between them. */
	rd->chunk = 2048;
	while (!rd->syncs) {
		ASSERT_EQ(1, tt_next(rd, &rec));
		tt_log_add(&log, &rec);
		if (rec.hdr.type == TCPTRAIL_TRAIL && rd->trails == 1)
			lost = tt_lost(rd);
		if (rec.hdr.type == TCPTRAIL_TRAIL)
			walk_end = log.n - 1;
	}
	for (i = 0; i < CPUS; i++)
		after[i] = tt_made(self->truth[i]);
	rd->chunk = sizeof(rd->buf);
	end_ns = tt_now_ns() + 40000000000ULL * tt_patience();
	/* The last packets may still be on their way when all is over. */
	do {
		usleep(2000);
		ASSERT_EQ(0, tt_log_drain(&log, rd));
		ASSERT_EQ(0, tt_info(rd->fd, &info));
		ASSERT_GT(end_ns, tt_now_ns());
	} while (!all_made(self) || info.trails ||
		 info.written != tt_last(rd));

	EXPECT_STREQ("", rd->wrong);
	/* The history may have lost its oldest; what came after, nothing. */
	EXPECT_STREQ("", check_stories(&log, walk_end));
	for (i = 0; i < CPUS; i++)
		if (after[i] < TOTAL)
			missing += count_missing(&log, self->truth[i],
						 before[i], after[i], &checked);
	EXPECT_EQ(0, missing);
	TH_LOG("%u trails, %d checked; %zu records, %llu lost; made %u to %u",
	       rd->trails, checked, log.n, (unsigned long long)tt_lost(rd),
	       before[0], after[0]);
	EXPECT_LT(WINDOW, checked);
	EXPECT_EQ(lost, tt_lost(rd));
	tt_log_free(&log);
	tt_close(rd);
}

TT_HARNESS_MAIN
