// SPDX-License-Identifier: GPL-2.0
/* What the stream of /dev/tcptrail says, and in which order. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <string.h>
#include <unistd.h>

#include "kselftest_harness.h"
#include "tt.h"

FIXTURE(stream)
{
	struct tt_reader *rd;
	struct tt_log log;
	int listener;
};

FIXTURE_VARIANT(stream)
{
	int family;
};

FIXTURE_VARIANT_ADD(stream, ipv4)
{
	.family = AF_INET,
};

FIXTURE_VARIANT_ADD(stream, ipv6)
{
	.family = AF_INET6,
};

FIXTURE_SETUP(stream)
{
	ASSERT_EQ(0, tt_load(""));
	ASSERT_EQ(0, tt_new_net());
	self->listener = tt_listen(variant->family, 16);
	ASSERT_LE(0, self->listener);
}

FIXTURE_TEARDOWN(stream)
{
	if (self->rd)
		EXPECT_STREQ("", self->rd->wrong);
	tt_close(self->rd);
	tt_log_free(&self->log);
	close(self->listener);
	EXPECT_EQ(0, tt_unload());
}

static void start_reading(struct __test_metadata *_metadata,
			  FIXTURE_DATA(stream) *self)
{
	self->rd = tt_open(O_NONBLOCK);
	ASSERT_NE(NULL, self->rd);
}

/* History, TRAILs, one SYNC, live; nothing else, nothing twice. */
TEST_F(stream, order)
{
	uint64_t ended, open, late;
	const union tt_record *rec;
	int client, server, a, b;
	size_t i;

	ASSERT_EQ(0, tt_connect(self->listener, &a, &b));
	ended = tt_cookie(a);
	tt_reset(a);
	close(b);
	ASSERT_EQ(0, tt_connect(self->listener, &client, &server));
	open = tt_cookie(client);

	start_reading(_metadata, self);
	/* After the open(), before the walk: it has to be caught up with. */
	ASSERT_EQ(0, tt_connect(self->listener, &a, &b));
	late = tt_cookie(a);
	ASSERT_EQ(0, tt_log_drain(&self->log, self->rd));

	/* The reader itself has watched the order of the types. */
	EXPECT_EQ(1, self->rd->syncs);
	EXPECT_EQ(5, self->rd->trails);
	for (i = 0; self->log.rec[i].hdr.type != TCPTRAIL_TRAIL; i++) {
		rec = &self->log.rec[i];
		EXPECT_NE(late, rec->step.conn.cookie);
	}
	EXPECT_NE(NULL, tt_find(&self->log, TCPTRAIL_END, ended, 0));
	EXPECT_EQ(NULL, tt_find(&self->log, TCPTRAIL_TRAIL, ended, 0));
	EXPECT_NE(NULL, tt_find(&self->log, TCPTRAIL_TRAIL, open, 0));
	EXPECT_EQ(NULL, tt_find(&self->log, TCPTRAIL_TRAIL, open, 1));
	EXPECT_NE(NULL, tt_find(&self->log, TCPTRAIL_TRAIL, late, 0));
	/* Everything that was published before the SYNC lies before it. */
	rec = &self->log.rec[self->log.n - 1];
	EXPECT_EQ(TCPTRAIL_SYNC, rec->hdr.type);
	EXPECT_NE(NULL, tt_find(&self->log, TCPTRAIL_STEP, late, 1));
	EXPECT_EQ(tt_last(self->rd), tt_delivered(self->rd));

	/* From here on live, and no TRAIL any more. */
	tt_reset(a);
	close(b);
	ASSERT_EQ(0, tt_log_drain(&self->log, self->rd));
	EXPECT_NE(NULL, tt_find(&self->log, TCPTRAIL_END, late, 0));
	tt_reset(client);
	tt_reset(server);
	EXPECT_EQ(1, self->rd->syncs);
	EXPECT_EQ(5, self->rd->trails);
}

/* Who it is about, as the socket itself says it. */
static void check_conn(struct __test_metadata *_metadata,
		       const struct tcptrail_conn *conn, int fd, bool passive)
{
	struct sockaddr_in6 here = {}, there = {};
	socklen_t len = sizeof(here);
	unsigned char addr[16] = { [10] = 0xff, [11] = 0xff };

	ASSERT_EQ(0, getsockname(fd, (struct sockaddr *)&here, &len));
	len = sizeof(there);
	ASSERT_EQ(0, getpeername(fd, (struct sockaddr *)&there, &len));
	if (here.sin6_family == AF_INET6)
		memcpy(addr, &here.sin6_addr, 16);
	else
		memcpy(addr + 12, &((struct sockaddr_in *)&here)->sin_addr, 4);
	EXPECT_EQ(tt_cookie(fd), conn->cookie);
	EXPECT_EQ(0, memcmp(addr, conn->saddr, 16));
	EXPECT_EQ(0, memcmp(addr, conn->daddr, 16));
	EXPECT_EQ(ntohs(here.sin6_port), conn->sport);
	EXPECT_EQ(ntohs(there.sin6_port), conn->dport);
	EXPECT_EQ(here.sin6_family == AF_INET6,
		  !!(conn->flags & TCPTRAIL_F_IPV6));
	EXPECT_EQ(passive, !!(conn->flags & TCPTRAIL_F_PASSIVE));
	EXPECT_EQ(passive, !!(conn->flags & TCPTRAIL_F_ACCEPTED));
	EXPECT_EQ(0, conn->flags & (TCPTRAIL_F_LATE | TCPTRAIL_F_NO_TRAIL |
				    TCPTRAIL_F_UNSEEN));
}

static void check_steps(struct __test_metadata *_metadata,
			const struct tcptrail_trail *trail,
			const unsigned char (*steps)[2], unsigned int n)
{
	unsigned int i;

	EXPECT_EQ(n, trail->nsteps);
	for (i = 0; i < n && i < trail->nsteps; i++) {
		EXPECT_EQ(steps[i][0], TCPTRAIL_PACK_STATE(trail->steps[i]));
		EXPECT_EQ(steps[i][1], TCPTRAIL_PACK_CAUSE(trail->steps[i]));
	}
}

/* A TRAIL tells what the STEPs told, and both what happened. */
TEST_F(stream, trail_equals_steps)
{
	static const unsigned char client_steps[][2] = {
		{ TCPTRAIL_SYN_SENT, TCPTRAIL_C_CONNECT },
		{ TCPTRAIL_ESTABLISHED, TCPTRAIL_C_SYNACK_IN },
	};
	static const unsigned char server_steps[][2] = {
		{ TCPTRAIL_NEW_SYN_RECV, TCPTRAIL_C_SYN_IN },
		{ TCPTRAIL_ESTABLISHED, TCPTRAIL_C_ACK_IN },
		{ TCPTRAIL_ESTABLISHED, TCPTRAIL_C_ACCEPT },
	};
	const union tt_record *c, *s, *l;
	uint64_t before = tt_now_ns(), after;
	int client, server;

	ASSERT_EQ(0, tt_connect(self->listener, &client, &server));
	after = tt_now_ns();
	start_reading(_metadata, self);
	ASSERT_EQ(0, tt_log_drain(&self->log, self->rd));
	c = tt_find(&self->log, TCPTRAIL_TRAIL, tt_cookie(client), 0);
	s = tt_find(&self->log, TCPTRAIL_TRAIL, tt_cookie(server), 0);
	l = tt_find(&self->log, TCPTRAIL_TRAIL, tt_cookie(self->listener), 0);
	ASSERT_NE(NULL, c);
	ASSERT_NE(NULL, s);
	ASSERT_NE(NULL, l);
	EXPECT_STREQ("", tt_trail_differs(&self->log, &c->trail));
	EXPECT_STREQ("", tt_trail_differs(&self->log, &s->trail));
	EXPECT_STREQ("", tt_trail_differs(&self->log, &l->trail));

	check_conn(_metadata, &c->trail.conn, client, false);
	check_conn(_metadata, &s->trail.conn, server, true);
	check_steps(_metadata, &c->trail, client_steps, 2);
	check_steps(_metadata, &s->trail, server_steps, 3);
	EXPECT_EQ(TCPTRAIL_O_FULL, c->trail.objects);
	EXPECT_EQ(getpid(), c->trail.opener.tgid);
	EXPECT_EQ(getpid(), s->trail.opener.tgid);
	EXPECT_EQ(getpid(), l->trail.opener.tgid);
	EXPECT_EQ(0, c->trail.closer.tgid);
	EXPECT_EQ(c->trail.iss, s->trail.irs);
	EXPECT_EQ(c->trail.irs, s->trail.iss);
	EXPECT_LE(before, c->trail.conn.birth_ns);
	EXPECT_LE(c->trail.conn.birth_ns, s->trail.conn.birth_ns);
	EXPECT_LE(s->trail.conn.birth_ns, after);
	/* The request says to which listener it came. */
	s = tt_find_step(&self->log, tt_cookie(server), TCPTRAIL_NEW_SYN_RECV);
	ASSERT_NE(NULL, s);
	EXPECT_EQ(tt_cookie(self->listener), s->step.listener);
	tt_reset(client);
	close(server);
}

/* An END tells what the STEPs told. */
TEST_F(stream, end_equals_steps)
{
	static const unsigned char client_steps[][2] = {
		{ TCPTRAIL_SYN_SENT, TCPTRAIL_C_CONNECT },
		{ TCPTRAIL_ESTABLISHED, TCPTRAIL_C_SYNACK_IN },
		{ TCPTRAIL_CLOSE, TCPTRAIL_C_LINGER0 },
	};
	static const unsigned char server_steps[][2] = {
		{ TCPTRAIL_NEW_SYN_RECV, TCPTRAIL_C_SYN_IN },
		{ TCPTRAIL_ESTABLISHED, TCPTRAIL_C_ACK_IN },
		{ TCPTRAIL_ESTABLISHED, TCPTRAIL_C_ACCEPT },
		{ TCPTRAIL_CLOSE, TCPTRAIL_C_RST_IN },
	};
	const union tt_record *c, *s;
	uint64_t cookie[2];
	int client, server;

	start_reading(_metadata, self);
	ASSERT_EQ(0, tt_connect(self->listener, &client, &server));
	cookie[0] = tt_cookie(client);
	cookie[1] = tt_cookie(server);
	tt_reset(client);
	close(server);
	ASSERT_EQ(0, tt_log_drain(&self->log, self->rd));
	c = tt_find(&self->log, TCPTRAIL_END, cookie[0], 0);
	s = tt_find(&self->log, TCPTRAIL_END, cookie[1], 0);
	ASSERT_NE(NULL, c);
	ASSERT_NE(NULL, s);
	EXPECT_STREQ("", tt_trail_differs(&self->log, &c->trail));
	EXPECT_STREQ("", tt_trail_differs(&self->log, &s->trail));
	check_steps(_metadata, &c->trail, client_steps, 3);
	check_steps(_metadata, &s->trail, server_steps, 4);
	EXPECT_EQ(getpid(), c->trail.closer.tgid);
	EXPECT_EQ(0, s->trail.closer.tgid);
	EXPECT_EQ(ECONNRESET, s->trail.conn.err);
	/* One END each, and nothing of it after that but an EVENT. */
	EXPECT_EQ(NULL, tt_find(&self->log, TCPTRAIL_END, cookie[0], 1));
	EXPECT_EQ(NULL, tt_find(&self->log, TCPTRAIL_END, cookie[1], 1));
}

/* The same socket, connected again: same cookie, another birth. */
TEST_F(stream, second_connection)
{
	struct sockaddr unspec = { .sa_family = AF_UNSPEC };
	const union tt_record *first, *second;
	struct sockaddr_storage addr;
	socklen_t len = sizeof(addr);
	int client, server;
	uint64_t cookie;

	/* Both ends in one ring, so that they come in their order. */
	ASSERT_EQ(0, tt_pin(0));
	start_reading(_metadata, self);
	ASSERT_EQ(0, getsockname(self->listener, (struct sockaddr *)&addr,
				 &len));
	ASSERT_EQ(0, tt_connect(self->listener, &client, &server));
	cookie = tt_cookie(client);
	ASSERT_EQ(0, connect(client, &unspec, sizeof(unspec)));
	close(server);
	ASSERT_EQ(0, connect(client, (struct sockaddr *)&addr, len));
	server = accept(self->listener, NULL, NULL);
	tt_reset(client);
	close(server);
	ASSERT_EQ(0, tt_log_drain(&self->log, self->rd));
	first = tt_find(&self->log, TCPTRAIL_END, cookie, 0);
	second = tt_find(&self->log, TCPTRAIL_END, cookie, 1);
	ASSERT_NE(NULL, first);
	ASSERT_NE(NULL, second);
	EXPECT_LT(first->trail.conn.birth_ns, second->trail.conn.birth_ns);
	EXPECT_STREQ("", tt_trail_differs(&self->log, &first->trail));
	EXPECT_STREQ("", tt_trail_differs(&self->log, &second->trail));
}

TT_HARNESS_MAIN
