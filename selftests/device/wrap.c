// SPDX-License-Identifier: GPL-2.0
/*
 * Rings of 64 records that are overwritten a hundred times, while one
 * connection sits in CLOSE_WAIT: its whole history must still be told, and
 * every reader must know exactly what it has lost.
 */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kselftest_harness.h"
#include "tt.h"

#define SLOTS	64
#define CPUS	2
#define WRAPS	100

FIXTURE(wrap)
{
	struct tt_reader *first;	/* from the beginning, never reads */
	struct tt_reader *slow;		/* now and then */
	int listener, stuck;
	uint64_t cookie;
	uint64_t began, half;		/* about when it was opened, closed */
};

FIXTURE_VARIANT(wrap)
{
	int family;
};

FIXTURE_VARIANT_ADD(wrap, ipv4)
{
	.family = AF_INET,
};

FIXTURE_VARIANT_ADD(wrap, ipv6)
{
	.family = AF_INET6,
};

FIXTURE_SETUP(wrap)
{
	int client;

	ASSERT_EQ(0, tt_load("ring_records=64"));
	ASSERT_EQ(0, tt_new_net());
	self->first = tt_open(O_NONBLOCK);
	self->slow = tt_open(O_NONBLOCK);
	ASSERT_NE(NULL, self->first);
	ASSERT_NE(NULL, self->slow);
	self->listener = tt_listen(variant->family, 16);
	ASSERT_LE(0, self->listener);
	self->began = tt_now_ns();
	ASSERT_EQ(0, tt_connect(self->listener, &client, &self->stuck));
	self->half = tt_now_ns();
	close(client);
	self->cookie = tt_cookie(self->stuck);
}

FIXTURE_TEARDOWN(wrap)
{
	tt_close(self->first);
	tt_close(self->slow);
	close(self->stuck);
	close(self->listener);
	EXPECT_EQ(0, tt_unload());
}

/* Storms on both CPUs, until each ring has been overwritten often enough. */
static void wrap_rings(struct __test_metadata *_metadata,
		       FIXTURE_DATA(wrap) *self, int family)
{
	pid_t pid[CPUS];
	int i, round;

	for (round = 0; round < 10; round++) {
		for (i = 0; i < CPUS; i++)
			pid[i] = tt_churn_on(i, family, 350, 1, NULL);
		/* The slow one wakes up in the middle, ever so often. */
		while (waitpid(pid[0], NULL, WNOHANG) == 0) {
			union tt_record rec;

			for (i = 0; i < 50; i++)
				if (tt_next(self->slow, &rec) <= 0)
					break;
			usleep(30000);
		}
		EXPECT_EQ(0, tt_exit_of(pid[1]));
		ASSERT_EQ(0, tt_drain(self->slow));
		if (self->slow->ring[0].next > SLOTS * WRAPS + 1 &&
		    self->slow->ring[1].next > SLOTS * WRAPS + 1)
			return;
	}
	ASSERT_TRUE(!"the rings did not wrap");
}

static void check_stuck(struct __test_metadata *_metadata,
			FIXTURE_DATA(wrap) *self,
			const struct tcptrail_trail *trail)
{
	static const unsigned char expected[][2] = {
		{ TCPTRAIL_NEW_SYN_RECV, TCPTRAIL_C_SYN_IN },
		{ TCPTRAIL_ESTABLISHED, TCPTRAIL_C_ACK_IN },
		{ TCPTRAIL_ESTABLISHED, TCPTRAIL_C_ACCEPT },
		{ TCPTRAIL_CLOSE_WAIT, TCPTRAIL_C_FIN_IN },
	};
	unsigned int i;

	ASSERT_EQ(4, trail->nsteps);
	EXPECT_EQ(TCPTRAIL_LISTEN, trail->first_old);
	for (i = 0; i < 4; i++) {
		EXPECT_EQ(expected[i][0], TCPTRAIL_PACK_STATE(trail->steps[i]));
		EXPECT_EQ(expected[i][1], TCPTRAIL_PACK_CAUSE(trail->steps[i]));
	}
	EXPECT_LE(self->began, trail->conn.birth_ns);
	EXPECT_LE(trail->conn.birth_ns + TCPTRAIL_PACK_NS(trail->steps[2]),
		  self->half);
	EXPECT_LE(self->half,
		  trail->conn.birth_ns + TCPTRAIL_PACK_NS(trail->steps[3]));
	EXPECT_EQ(tt_port(self->stuck), trail->conn.sport);
	EXPECT_EQ(getpid(), trail->opener.tgid);
	EXPECT_EQ(0, trail->conn.flags & (TCPTRAIL_F_LATE |
					  TCPTRAIL_F_NO_TRAIL));
}

/* delivered + lost = written, by its own count and by the module's. */
static void check_count(struct __test_metadata *_metadata,
			struct tt_reader *rd)
{
	struct tcptrail_info info;
	int i;

	ASSERT_EQ(0, tt_drain(rd));
	EXPECT_STREQ("", rd->wrong);
	for (i = 0; i < CPUS; i++) {
		EXPECT_EQ(1, rd->ring[i].first);
		EXPECT_EQ(rd->ring[i].next - 1,
			  rd->ring[i].delivered + rd->ring[i].lost);
	}
	ASSERT_EQ(0, tt_info(rd->fd, &info));
	EXPECT_EQ(SLOTS, info.slots);
	EXPECT_EQ(info.written, tt_delivered(rd) + tt_lost(rd));
	EXPECT_EQ(info.delivered, tt_delivered(rd));
	EXPECT_EQ(info.lost, tt_lost(rd));
	EXPECT_LT(0, tt_lost(rd));
}

TEST_F_TIMEOUT(wrap, whole_history, 60)
{
	const union tt_record *trail, *end;
	struct tt_log log = {};
	struct tt_reader *late;
	int i;

	wrap_rings(_metadata, self, variant->family);

	/* Who opens it now: what the rings hold, exactly, and the trail. */
	late = tt_open(O_NONBLOCK);
	ASSERT_NE(NULL, late);
	ASSERT_EQ(0, tt_log_drain(&log, late));
	EXPECT_STREQ("", late->wrong);
	EXPECT_EQ(0, tt_lost(late));
	for (i = 0; i < CPUS; i++)
		EXPECT_EQ(SLOTS, late->ring[i].delivered);
	EXPECT_EQ(NULL, tt_find(&log, TCPTRAIL_STEP, self->cookie, 0));
	trail = tt_find(&log, TCPTRAIL_TRAIL, self->cookie, 0);
	ASSERT_NE(NULL, trail);
	check_stuck(_metadata, self, &trail->trail);
	tt_log_free(&log);

	/* Who lost it gets it back. */
	check_count(_metadata, self->slow);
	ASSERT_EQ(0, ioctl(self->slow->fd, TCPTRAIL_IOC_RESYNC));
	tt_restart(self->slow, TT_HISTORY);
	ASSERT_EQ(0, tt_log_drain(&log, self->slow));
	trail = tt_find(&log, TCPTRAIL_TRAIL, self->cookie, 0);
	ASSERT_NE(NULL, trail);
	check_stuck(_metadata, self, &trail->trail);
	tt_log_free(&log);

	/* And its end tells everything once more. */
	close(self->stuck);
	ASSERT_EQ(0, tt_log_drain(&log, late));
	end = tt_find(&log, TCPTRAIL_END, self->cookie, 0);
	ASSERT_NE(NULL, end);
	ASSERT_EQ(6, end->trail.nsteps);
	EXPECT_EQ(TCPTRAIL_NEW_SYN_RECV,
		  TCPTRAIL_PACK_STATE(end->trail.steps[0]));
	EXPECT_EQ(TCPTRAIL_LAST_ACK, TCPTRAIL_PACK_STATE(end->trail.steps[4]));
	EXPECT_EQ(TCPTRAIL_CLOSE, TCPTRAIL_PACK_STATE(end->trail.steps[5]));
	tt_log_free(&log);
	tt_close(late);
}

TEST_F_TIMEOUT(wrap, exact_loss, 60)
{
	struct tcptrail_info info;
	union tt_record rec;
	int i, lost = 0;

	wrap_rings(_metadata, self, variant->family);
	check_count(_metadata, self->slow);

	/*
	 * One LOST for each ring, then what is still there; also if it starts
	 * over before it has been told.
	 */
	ASSERT_EQ(0, ioctl(self->first->fd, TCPTRAIL_IOC_RESYNC));
	while (tt_next(self->first, &rec) > 0)
		lost += rec.hdr.type == TCPTRAIL_LOST;
	EXPECT_EQ(CPUS, lost);
	check_count(_metadata, self->first);
	for (i = 0; i < CPUS; i++) {
		EXPECT_EQ(SLOTS, self->first->ring[i].delivered);
		EXPECT_EQ(self->slow->ring[i].next, self->first->ring[i].next);
		EXPECT_LE(SLOTS * WRAPS, self->first->ring[i].lost);
	}
	ASSERT_EQ(0, tt_info(self->first->fd, &info));
	TH_LOG("written %llu: %llu + %llu, slow %llu + %llu",
	       (unsigned long long)info.written,
	       (unsigned long long)tt_delivered(self->first),
	       (unsigned long long)tt_lost(self->first),
	       (unsigned long long)tt_delivered(self->slow),
	       (unsigned long long)tt_lost(self->slow));
}

TT_HARNESS_MAIN
