// SPDX-License-Identifier: GPL-2.0
/*
 * 1,000 network namespaces that are destroyed with sockets of every kind in
 * them: listeners, both ends of connections in all states, requests that wait,
 * connects that nobody answers, and minisockets.
 */
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kselftest_harness.h"
#include "torture.h"

#define NAMESPACES	1000
#define AT_ONCE		8

/* A connection in one of the states that last. */
static int leave_pair(int listener, unsigned int kind)
{
	int client, server;

	if (tt_connect(listener, &client, &server))
		return -1;
	switch (kind) {
	case 0:		/* ESTABLISHED, with data that nobody reads */
		return write(client, "x", 1) == 1 ? 0 : -1;
	case 1:		/* FIN_WAIT2 and CLOSE_WAIT */
		return shutdown(client, SHUT_WR);
	case 2:		/* the same, but closed: a minisocket */
		return close(client);
	case 3:		/* TIME_WAIT */
		close(client);
		return close(server);
	default:	/* one end orphaned with data under way */
		(void)!write(server, "x", 1);
		return close(server);
	}
}

/* Requests that stay requests until data comes. */
static int leave_request(int family)
{
	int listener = tt_listen(family, 4), seconds = 30, client;
	struct sockaddr_storage addr;
	socklen_t len = sizeof(addr);

	if (setsockopt(listener, IPPROTO_TCP, TCP_DEFER_ACCEPT, &seconds,
		       sizeof(seconds)) ||
	    getsockname(listener, (struct sockaddr *)&addr, &len))
		return -1;
	client = socket(family, SOCK_STREAM, 0);
	return connect(client, (struct sockaddr *)&addr, len);
}

/* SYN_SENT: the backlog of this listener is full. */
static int leave_connect(int family)
{
	int listener = tt_listen(family, 0), i, fd;
	struct sockaddr_storage addr;
	socklen_t len = sizeof(addr);

	if (getsockname(listener, (struct sockaddr *)&addr, &len))
		return -1;
	for (i = 0; i < 4; i++) {
		fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK, 0);
		(void)!connect(fd, (struct sockaddr *)&addr, len);
	}
	return 0;
}

/* 0 or what failed. */
static int fill_namespace(void)
{
	int family = torture_random(2) ? AF_INET6 : AF_INET, listener;
	unsigned int kind;

	if (tt_new_net())
		return 1;
	listener = tt_listen(family, 16);
	if (listener < 0)
		return 2;
	for (kind = 0; kind < 5; kind++)
		if (leave_pair(listener, kind))
			return 3;
	if (leave_request(family) || leave_connect(family))
		return 4;
	return 0;
}

static pid_t start_namespace(unsigned int nth, int ready)
{
	pid_t pid = fork();
	char ret;

	if (pid)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	torture_seed(1000 + nth);
	ret = fill_namespace();
	(void)!write(ready, &ret, 1);
	for (;;)
		pause();
}

FIXTURE(netns)
{
	int fd, ready[2];
	pid_t pid[AT_ONCE];
};

FIXTURE_SETUP(netns)
{
	ASSERT_EQ(0, tt_load("ring_records=256"));
	self->fd = open(TCPTRAIL_DEVICE, O_RDONLY);
	ASSERT_LE(0, self->fd);
	ASSERT_EQ(0, pipe(self->ready));
}

FIXTURE_TEARDOWN(netns)
{
}

/* A round: namespaces side by side, filled, compared, and torn down. */
static void one_round(struct __test_metadata *_metadata,
		      FIXTURE_DATA(netns) *self, unsigned int nth, bool compare)
{
	const char *why;
	unsigned int i;
	char ret;

	for (i = 0; i < AT_ONCE; i++)
		self->pid[i] = start_namespace(nth + i, self->ready[1]);
	for (i = 0; i < AT_ONCE; i++) {
		ASSERT_EQ(1, read(self->ready[0], &ret, 1));
		ASSERT_EQ(0, ret);
	}
	if (compare) {
		why = torture_compare();
		EXPECT_EQ(NULL, why) { TH_LOG("%s", why); }
	}
	for (i = 0; i < AT_ONCE; i++) {
		kill(self->pid[i], SIGKILL);
		waitpid(self->pid[i], NULL, 0);
	}
}

TEST_F_TIMEOUT(netns, take_their_sockets_along, TORTURE_TIMEOUT)
{
	unsigned int n = torture_count(NAMESPACES), i;
	struct tcptrail_info info;
	const char *why;

	for (i = 0; i < n; i += AT_ONCE)
		one_round(_metadata, self, i, i % (25 * AT_ONCE) == 0);
	why = torture_quiet();
	EXPECT_EQ(NULL, why) { TH_LOG("%s", why); }
	why = torture_sums();
	EXPECT_EQ(NULL, why) { TH_LOG("%s", why); }
	ASSERT_EQ(0, tt_info(self->fd, &info));
	EXPECT_EQ(0, info.no_trail);
	TH_LOG("%u namespaces, %llu records", i,
	       (unsigned long long)info.written);
	close(self->fd);
	EXPECT_EQ(0, torture_unload());
	why = torture_gone();
	EXPECT_EQ(NULL, why) { TH_LOG("%s", why); }
}

TT_HARNESS_MAIN
