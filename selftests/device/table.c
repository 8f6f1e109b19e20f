// SPDX-License-Identifier: GPL-2.0
/* A full table of trails, and module parameters out of range. */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "kselftest_harness.h"
#include "tt.h"

#define ROOM 16

FIXTURE(table)
{
	struct tt_reader *rd;
	struct tt_log log;
	int listener;
};

FIXTURE_VARIANT(table)
{
	int family;
};

FIXTURE_VARIANT_ADD(table, ipv4)
{
	.family = AF_INET,
};

FIXTURE_VARIANT_ADD(table, ipv6)
{
	.family = AF_INET6,
};

FIXTURE_SETUP(table)
{
	/* 16 is the least. */
	ASSERT_EQ(0, tt_load("max_trails=16"));
	ASSERT_EQ(0, tt_new_net());
	self->rd = tt_open(O_NONBLOCK);
	ASSERT_NE(NULL, self->rd);
	self->listener = tt_listen(variant->family, 64);
	ASSERT_LE(0, self->listener);
}

/* A RST on loopback may be a softirq of its own, and so a bit later. */
static bool is_empty(void *rd)
{
	struct tcptrail_info info;

	return tt_info(((struct tt_reader *)rd)->fd, &info) || !info.trails;
}

FIXTURE_TEARDOWN(table)
{
	struct tcptrail_info info;

	close(self->listener);
	/* Whatever was refused: nothing stays behind. */
	tt_wait_for(is_empty, self->rd, 10000);
	EXPECT_EQ(0, tt_info(self->rd->fd, &info));
	EXPECT_EQ(0, info.trails);
	EXPECT_EQ(0, info.requests);
	EXPECT_EQ(0, tt_drain(self->rd));
	EXPECT_STREQ("", self->rd->wrong);
	tt_close(self->rd);
	tt_log_free(&self->log);
	EXPECT_EQ(0, tt_unload());
}

/* Steps of a connection for which there was no room; how many there are. */
static unsigned int check_refused(struct __test_metadata *_metadata,
				  const struct tt_log *log, uint64_t cookie)
{
	const union tt_record *rec;
	unsigned int i;

	for (i = 0; (rec = tt_find(log, TCPTRAIL_STEP, cookie, i)); i++) {
		EXPECT_EQ(TCPTRAIL_F_NO_TRAIL,
			  rec->step.conn.flags & TCPTRAIL_F_NO_TRAIL);
		EXPECT_EQ(TCPTRAIL_NO_STEP, rec->step.step);
		EXPECT_EQ(0, rec->step.conn.birth_ns);
	}
	return i;
}

TEST_F(table, full)
{
	int client[10], server[10], i;
	const union tt_record *rec;
	struct tcptrail_info info;
	uint64_t cookie;

	for (i = 0; i < 10; i++)
		ASSERT_EQ(0, tt_connect(self->listener, &client[i],
					&server[i]));
	/* 1 + 7 * 2 + 1 fit; one, and two connections, do not. */
	ASSERT_EQ(0, tt_info(self->rd->fd, &info));
	EXPECT_EQ(ROOM, info.max_trails);
	EXPECT_EQ(ROOM, info.trails);
	EXPECT_EQ(5, info.no_trail);
	EXPECT_EQ(0, info.requests);

	/* All is still in the ring, and says what is the matter. */
	ASSERT_EQ(0, tt_log_drain(&self->log, self->rd));
	EXPECT_EQ(tt_last(self->rd), tt_delivered(self->rd));
	rec = tt_find(&self->log, TCPTRAIL_STEP, tt_cookie(client[6]), 0);
	ASSERT_NE(NULL, rec);
	EXPECT_EQ(0, rec->step.conn.flags & TCPTRAIL_F_NO_TRAIL);
	EXPECT_EQ(2, check_refused(_metadata, &self->log,
				   tt_cookie(client[9])));
	EXPECT_LE(3, check_refused(_metadata, &self->log,
				   tt_cookie(server[9])));
	rec = tt_find_step(&self->log, tt_cookie(client[9]), TCPTRAIL_SYN_SENT);
	ASSERT_NE(NULL, rec);
	EXPECT_EQ(0, rec->step.conn.flags & TCPTRAIL_F_LATE);
	rec = tt_find_step(&self->log, tt_cookie(client[9]),
			   TCPTRAIL_ESTABLISHED);
	ASSERT_NE(NULL, rec);
	EXPECT_EQ(TCPTRAIL_SYN_SENT, rec->step.old_state);

	/* It ends without a trail, too. */
	cookie = tt_cookie(client[9]);
	tt_reset(client[9]);
	close(server[9]);
	ASSERT_EQ(0, tt_log_drain(&self->log, self->rd));
	EXPECT_EQ(3, check_refused(_metadata, &self->log, cookie));
	EXPECT_EQ(NULL, tt_find(&self->log, TCPTRAIL_END, cookie, 0));

	/* There is room again: for a new one, and late for an old one. */
	for (i = 0; i < 4; i++) {
		tt_reset(client[i]);
		close(server[i]);
	}
	ASSERT_EQ(0, tt_connect(self->listener, &client[0], &server[0]));
	cookie = tt_cookie(client[8]);
	tt_reset(client[8]);
	close(server[8]);
	ASSERT_EQ(0, tt_log_drain(&self->log, self->rd));
	rec = tt_find(&self->log, TCPTRAIL_END, cookie, 0);
	ASSERT_NE(NULL, rec);
	EXPECT_EQ(TCPTRAIL_F_LATE,
		  rec->trail.conn.flags & (TCPTRAIL_F_LATE |
					   TCPTRAIL_F_NO_TRAIL));
	EXPECT_EQ(1, rec->trail.nsteps);
	EXPECT_EQ(TCPTRAIL_ESTABLISHED, rec->trail.first_old);
	rec = tt_find_step(&self->log, tt_cookie(server[0]),
			   TCPTRAIL_NEW_SYN_RECV);
	ASSERT_NE(NULL, rec);
	EXPECT_EQ(0, rec->step.step);
	EXPECT_EQ(0, rec->step.conn.flags & TCPTRAIL_F_NO_TRAIL);
	ASSERT_EQ(0, tt_info(self->rd->fd, &info));
	EXPECT_EQ(5, info.no_trail);

	tt_reset(client[0]);
	close(server[0]);
	for (i = 4; i < 8; i++) {
		tt_reset(client[i]);
		close(server[i]);
	}
}

/* Anybody can make requests, so they may not take all the room. */
TEST_F(table, quarter_for_requests)
{
	int client[6], server, seconds = 30, i;
	struct sockaddr_storage addr;
	struct tcptrail_info info;
	const union tt_record *rec;
	socklen_t len = sizeof(addr);
	unsigned int nth, refused = 0;

	/* Requests stay requests until data comes. */
	ASSERT_EQ(0, setsockopt(self->listener, IPPROTO_TCP, TCP_DEFER_ACCEPT,
				&seconds, sizeof(seconds)));
	ASSERT_EQ(0, getsockname(self->listener, (struct sockaddr *)&addr,
				 &len));
	for (i = 0; i < 6; i++) {
		client[i] = socket(variant->family, SOCK_STREAM, 0);
		ASSERT_EQ(0, connect(client[i], (struct sockaddr *)&addr, len));
	}
	ASSERT_EQ(0, tt_info(self->rd->fd, &info));
	EXPECT_EQ(ROOM / 4, info.requests);
	EXPECT_EQ(1 + 6 + ROOM / 4, info.trails);
	EXPECT_EQ(6 - ROOM / 4, info.no_trail);
	ASSERT_EQ(0, tt_log_drain(&self->log, self->rd));
	for (nth = 0; (rec = tt_find(&self->log, TCPTRAIL_STEP, 0, nth)); nth++)
		if (rec->step.new_state == TCPTRAIL_NEW_SYN_RECV)
			refused += !!(rec->step.conn.flags &
				      TCPTRAIL_F_NO_TRAIL);
	EXPECT_EQ(6 - ROOM / 4, refused);

	/* As connections they have as much right as others. */
	for (i = 0; i < 6; i++) {
		ASSERT_EQ(1, write(client[i], "x", 1));
		server = accept(self->listener, NULL, NULL);
		ASSERT_LE(0, server);
		tt_reset(client[i]);
		close(server);
	}
	ASSERT_EQ(0, tt_info(self->rd->fd, &info));
	EXPECT_EQ(0, info.requests);
	EXPECT_EQ(1, info.trails);
	EXPECT_EQ(2, info.no_trail);

	/* One that ends as a request gives its room back, too. */
	client[0] = socket(variant->family, SOCK_STREAM, 0);
	ASSERT_EQ(0, connect(client[0], (struct sockaddr *)&addr, len));
	ASSERT_EQ(0, tt_info(self->rd->fd, &info));
	EXPECT_EQ(1, info.requests);
	tt_reset(client[0]);
	ASSERT_EQ(0, tt_info(self->rd->fd, &info));
	EXPECT_EQ(0, info.requests);
	EXPECT_EQ(1, info.trails);
	ASSERT_EQ(0, tt_log_drain(&self->log, self->rd));
	/* One for which there was no room was not opened by TCP Fast Open. */
	for (nth = 0; (rec = tt_find(&self->log, 0, 0, nth)); nth++) {
		if (rec->hdr.type > TCPTRAIL_EVENT)
			continue;
		EXPECT_NE(TCPTRAIL_C_FASTOPEN, rec->step.cause);
		EXPECT_EQ(0, rec->step.conn.flags & TCPTRAIL_F_FASTOPEN);
	}
}

/* ---- parameters ---- */

/* max_trails=0: transitions and nothing else, and it says so. */
TEST(no_trails)
{
	struct tcptrail_info info;
	const union tt_record *rec;
	unsigned int resets = 0, i;
	struct tt_log log = {};
	struct tt_reader *rd;

	ASSERT_EQ(0, tt_load("max_trails=0"));
	ASSERT_EQ(0, tt_new_net());
	rd = tt_open(O_NONBLOCK);
	ASSERT_NE(NULL, rd);
	EXPECT_EQ(5, tt_storm(AF_INET, 5));
	EXPECT_EQ(5, tt_storm(AF_INET6, 5));
	EXPECT_EQ(0, tt_log_drain(&log, rd));
	EXPECT_STREQ("", rd->wrong);
	EXPECT_EQ(NULL, tt_find(&log, TCPTRAIL_END, 0, 0));
	EXPECT_EQ(NULL, tt_find(&log, TCPTRAIL_TRAIL, 0, 0));
	EXPECT_NE(NULL, tt_find(&log, TCPTRAIL_SYNC, 0, 0));
	for (i = 0; (rec = tt_find(&log, TCPTRAIL_STEP, 0, i)); i++) {
		EXPECT_EQ(TCPTRAIL_F_NO_TRAIL | TCPTRAIL_F_UNSEEN,
			  rec->step.conn.flags & (TCPTRAIL_F_NO_TRAIL |
						  TCPTRAIL_F_UNSEEN));
		EXPECT_EQ(TCPTRAIL_NO_STEP, rec->step.step);
		resets += rec->step.cause == TCPTRAIL_C_RST_IN;
	}
	/* SYN_SENT, ESTABLISHED, CLOSE; request, ESTABLISHED, accept, CLOSE */
	EXPECT_LE(10 * 7, i);
	/* That needs no trail to be known. */
	EXPECT_LE(10, resets);
	EXPECT_EQ(0, tt_info(rd->fd, &info));
	EXPECT_EQ(0, info.features & TCPTRAIL_FEAT_TRAIL);
	EXPECT_EQ(0, info.max_trails);
	EXPECT_EQ(0, info.trails);
	EXPECT_EQ(0, info.requests);
	EXPECT_EQ(0, info.no_trail);
	/* What would only tell a trail why is not even hooked. */
	EXPECT_EQ(0, info.hooks & (1ULL << TCPTRAIL_H_TW_SEGMENT |
				   1ULL << TCPTRAIL_H_REQ_DROP));
	tt_log_free(&log);
	tt_close(rd);
	EXPECT_EQ(0, tt_unload());
}

static bool is_power_of_two(unsigned int n)
{
	return n && !(n & (n - 1));
}

static void check_load(struct __test_metadata *_metadata, const char *params,
		       struct tcptrail_info *info)
{
	struct tt_log log = {};
	struct tt_reader *rd;

	ASSERT_EQ(0, tt_load(params)) {
		TH_LOG("%s", params);
	}
	rd = tt_open(O_NONBLOCK);
	ASSERT_NE(NULL, rd);
	EXPECT_EQ(5, tt_storm(AF_INET, 5));
	EXPECT_EQ(0, tt_log_drain(&log, rd));
	EXPECT_STREQ("", rd->wrong);
	/* Listener and both ends of each. */
	EXPECT_NE(NULL, tt_find(&log, TCPTRAIL_END, 0, 0));
	EXPECT_EQ(0, tt_info(rd->fd, info));
	EXPECT_EQ(0, info->missed);
	EXPECT_TRUE(is_power_of_two(info->slots));
	tt_log_free(&log);
	tt_close(rd);
	EXPECT_EQ(0, tt_unload());
}

TEST(clamped_parameters)
{
	uint64_t memory = sysconf(_SC_PHYS_PAGES) * sysconf(_SC_PAGESIZE);
	struct tcptrail_info info;

	ASSERT_EQ(0, tt_new_net());
	check_load(_metadata, "ring_records=0 max_trails=1", &info);
	EXPECT_EQ(64, info.slots);
	EXPECT_EQ(16, info.max_trails);
	check_load(_metadata, "ring_records=1 max_trails=17", &info);
	EXPECT_EQ(64, info.slots);
	EXPECT_EQ(17, info.max_trails);
	check_load(_metadata, "ring_records=65", &info);
	EXPECT_EQ(128, info.slots);
	check_load(_metadata, "ring_records=4294967295 max_trails=4294967295",
		   &info);
	EXPECT_LT(4096, info.slots);
	/* 1/32 of the memory for all rings; a little is not for us at all. */
	EXPECT_GE(memory / 32, (uint64_t)info.slots * 256 * info.cpus);
	EXPECT_EQ(1 << 22, info.max_trails);
}

TEST(refused_parameters)
{
	static const char * const params[] = {
		"ring_records=-1", "ring_records=x", "ring_records=4294967296",
		"max_trails=", "max_trails=1e6",
	};
	struct tcptrail_info info;
	size_t i;

	ASSERT_EQ(0, tt_new_net());
	for (i = 0; i < ARRAY_SIZE(params); i++) {
		int ret = tt_load(params[i]);

		EXPECT_TRUE(ret == -EINVAL || ret == -ERANGE) {
			TH_LOG("%s: %d", params[i], ret);
		}
		EXPECT_EQ(-1, tt_refcount());
		EXPECT_NE(0, access(TCPTRAIL_DEVICE, F_OK));
	}
	/* After all that it loads as ever. */
	check_load(_metadata, "", &info);
}

/* Without the one hook that matters it does not load; and leaves nothing. */
TEST(load_fails_cleanly)
{
	struct tcptrail_info info;
	char params[64];
	int ret;

	ASSERT_EQ(0, tt_new_net());
	snprintf(params, sizeof(params), "hooks_off=%u",
		 1U << TCPTRAIL_H_SET_STATE);
	ret = tt_load(params);
	EXPECT_GT(0, ret);
	EXPECT_EQ(-1, tt_refcount());
	EXPECT_NE(0, access(TCPTRAIL_DEVICE, F_OK));
	if (!ret)
		EXPECT_EQ(0, tt_unload());
	EXPECT_EQ(5, tt_storm(AF_INET, 5));
	check_load(_metadata, "", &info);
	TH_LOG("without it: %d", ret);
}

TT_HARNESS_MAIN
