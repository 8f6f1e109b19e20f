// SPDX-License-Identifier: GPL-2.0
/* Waiting for /dev/tcptrail: poll(), epoll, blocking reads and signals. */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kselftest_harness.h"
#include "tt.h"

#define PATIENCE_MS (5000 * (int)tt_patience())
#define IN (POLLIN | POLLRDNORM)

FIXTURE(wait)
{
	struct tt_reader *rd;
	int listener;
};

FIXTURE_SETUP(wait)
{
	/* The smallest rings: losses are quickly made. */
	ASSERT_EQ(0, tt_load("ring_records=64"));
	ASSERT_EQ(0, tt_new_net());
	self->listener = tt_listen(AF_INET6, 16);
	ASSERT_LE(0, self->listener);
	self->rd = tt_open(O_NONBLOCK);
	ASSERT_NE(NULL, self->rd);
}

FIXTURE_TEARDOWN(wait)
{
	EXPECT_STREQ("", self->rd->wrong);
	tt_close(self->rd);
	close(self->listener);
	EXPECT_EQ(0, tt_unload());
}

static short poll_for(int fd, short events, int ms)
{
	struct pollfd pfd = { .fd = fd, .events = events };

	return poll(&pfd, 1, ms) < 0 ? -1 : pfd.revents;
}

static void one_connection(struct __test_metadata *_metadata, int listener)
{
	int client, server;

	ASSERT_EQ(0, tt_connect(listener, &client, &server));
	tt_reset(client);
	close(server);
}

TEST_F(wait, poll)
{
	int fd = self->rd->fd;

	/* History, trails and the SYNC are there to be read. */
	EXPECT_EQ(IN, poll_for(fd, IN | POLLPRI | POLLOUT, 0));
	ASSERT_EQ(0, tt_skip_to_sync(self->rd));
	EXPECT_EQ(0, tt_drain(self->rd));
	EXPECT_EQ(0, poll_for(fd, IN | POLLPRI | POLLOUT, 0));
	EXPECT_EQ(0, poll_for(fd, IN, 20));
	one_connection(_metadata, self->listener);
	EXPECT_EQ(IN, poll_for(fd, IN | POLLPRI, 0));
	EXPECT_EQ(0, tt_drain(self->rd));
	EXPECT_EQ(0, poll_for(fd, IN, 0));
}

TEST_F(wait, poll_without_records)
{
	struct tt_reader *rd;

	/* Empty rings and no trail: there is still the SYNC. */
	tt_close(self->rd);
	close(self->listener);
	ASSERT_EQ(0, tt_unload());
	ASSERT_EQ(0, tt_load("ring_records=64"));
	rd = tt_open(O_NONBLOCK);
	self->rd = rd;
	self->listener = -1;
	ASSERT_NE(NULL, rd);
	EXPECT_EQ(IN, poll_for(rd->fd, IN, 0));
	EXPECT_EQ(0, tt_skip_to_sync(rd));
	EXPECT_EQ(0, poll_for(rd->fd, IN, 0));
}

TEST_F(wait, priority_after_loss)
{
	int fd = self->rd->fd;

	ASSERT_EQ(0, tt_drain(self->rd));
	ASSERT_EQ(40, tt_storm(AF_INET, 40));
	EXPECT_EQ(IN | POLLPRI, poll_for(fd, IN | POLLPRI, 0));
	EXPECT_EQ(POLLPRI, poll_for(fd, POLLPRI, 0));
	ASSERT_EQ(0, tt_drain(self->rd));
	EXPECT_LT(0, tt_lost(self->rd));
	EXPECT_EQ(0, poll_for(fd, IN | POLLPRI, 0));
}

/* ---- woken by what happens meanwhile ---- */

struct sleeper {
	int fd;
	short events;
	pid_t tid;
	long result;
	int error;
	bool by_read;
};

static void *sleep_in_kernel(void *arg)
{
	struct sleeper *s = arg;
	char buf[TCPTRAIL_RECORD_MAX];

	__atomic_store_n(&s->tid, gettid(), __ATOMIC_RELEASE);
	if (s->by_read)
		s->result = read(s->fd, buf, sizeof(buf));
	else
		s->result = poll_for(s->fd, s->events, PATIENCE_MS);
	s->error = errno;
	return NULL;
}

static bool has_tid(void *arg)
{
	return __atomic_load_n(&((struct sleeper *)arg)->tid, __ATOMIC_ACQUIRE);
}

static pthread_t start(struct __test_metadata *_metadata, struct sleeper *s)
{
	pthread_t thread;

	ASSERT_EQ(0, pthread_create(&thread, NULL, sleep_in_kernel, s));
	ASSERT_TRUE(tt_wait_for(has_tid, s, PATIENCE_MS));
	ASSERT_TRUE(tt_wait_asleep(s->tid));
	return thread;
}

TEST_F(wait, poll_is_woken)
{
	struct sleeper s = { .fd = self->rd->fd, .events = IN };
	pthread_t thread;
	uint64_t began;

	ASSERT_EQ(0, tt_drain(self->rd));
	thread = start(_metadata, &s);
	began = tt_now_ns();
	one_connection(_metadata, self->listener);
	pthread_join(thread, NULL);
	EXPECT_EQ(IN, s.result);
	EXPECT_GT(PATIENCE_MS * 1000000ULL, tt_now_ns() - began);
}

/* Records are there all the time; what is waited for is a loss. */
TEST_F(wait, priority_alone)
{
	struct sleeper s = { .fd = self->rd->fd, .events = POLLPRI };
	pthread_t thread;

	ASSERT_EQ(0, tt_drain(self->rd));
	one_connection(_metadata, self->listener);
	EXPECT_EQ(0, poll_for(s.fd, POLLPRI, 0));
	thread = start(_metadata, &s);
	ASSERT_EQ(40, tt_storm(AF_INET, 40));
	pthread_join(thread, NULL);
	EXPECT_EQ(POLLPRI, s.result);
}

TEST_F(wait, edge_triggered)
{
	struct epoll_event event = { .events = EPOLLIN | EPOLLET };
	int epoll = epoll_create1(EPOLL_CLOEXEC), i;

	ASSERT_LE(0, epoll);
	ASSERT_EQ(0, epoll_ctl(epoll, EPOLL_CTL_ADD, self->rd->fd, &event));
	/* Each time read until there is nothing, then wait for more. */
	for (i = 0; i < 3; i++) {
		ASSERT_EQ(1, epoll_wait(epoll, &event, 1, PATIENCE_MS)) {
			TH_LOG("round %d", i);
		}
		ASSERT_EQ(0, tt_drain(self->rd));
		one_connection(_metadata, self->listener);
	}
	close(epoll);
}

TEST_F(wait, level_triggered)
{
	struct epoll_event event = { .events = EPOLLIN };
	int epoll = epoll_create1(EPOLL_CLOEXEC), i;

	ASSERT_LE(0, epoll);
	ASSERT_EQ(0, epoll_ctl(epoll, EPOLL_CTL_ADD, self->rd->fd, &event));
	for (i = 0; i < 3; i++) {
		ASSERT_EQ(1, epoll_wait(epoll, &event, 1, PATIENCE_MS));
		ASSERT_EQ(1, epoll_wait(epoll, &event, 1, 0));
		ASSERT_EQ(0, tt_drain(self->rd));
		ASSERT_EQ(0, epoll_wait(epoll, &event, 1, 0));
		one_connection(_metadata, self->listener);
	}
	close(epoll);
}

TEST_F(wait, nonblocking)
{
	char buf[TCPTRAIL_RECORD_MAX];
	int fd = self->rd->fd;

	ASSERT_EQ(0, tt_drain(self->rd));
	EXPECT_EQ(-1, read(fd, buf, sizeof(buf)));
	EXPECT_EQ(EAGAIN, errno);
	one_connection(_metadata, self->listener);
	EXPECT_LT(0, read(fd, buf, sizeof(buf)));
}

/* Several sleep, in read() and in poll(); one transition wakes them all. */
TEST_F(wait, read_is_woken)
{
	struct sleeper s[4] = {};
	pthread_t thread[4];
	struct tt_reader *rd;
	int i;

	for (i = 0; i < 4; i++) {
		rd = tt_open(O_NONBLOCK);
		ASSERT_NE(NULL, rd);
		ASSERT_EQ(0, tt_drain(rd));
		ASSERT_EQ(0, fcntl(rd->fd, F_SETFL, 0));
		s[i].fd = rd->fd;
		s[i].events = IN;
		s[i].by_read = i < 3;
		thread[i] = start(_metadata, &s[i]);
	}
	/* Nothing happens without a transition. */
	usleep(50000);
	for (i = 0; i < 4; i++)
		EXPECT_EQ(0, s[i].result);
	i = socket(AF_INET, SOCK_STREAM, 0);
	ASSERT_EQ(0, listen(i, 1));
	close(i);
	for (i = 0; i < 4; i++) {
		pthread_join(thread[i], NULL);
		EXPECT_LT(0, s[i].result);
		close(s[i].fd);
	}
}

/* Asleep again and again, from wherever the transition comes. */
TEST_F(wait, never_misses_a_wake)
{
	char buf[4 * TCPTRAIL_RECORD_MAX];
	int i, status, go[2];
	pid_t pid;

	ASSERT_EQ(0, tt_drain(self->rd));
	ASSERT_EQ(0, fcntl(self->rd->fd, F_SETFL, 0));
	ASSERT_EQ(0, pipe(go));
	pid = fork();
	if (!pid) {
		/* One listen() for each byte: exactly two records. */
		tt_pin(1);
		close(go[1]);
		while (read(go[0], buf, 1) == 1) {
			i = socket(AF_INET, SOCK_STREAM, 0);
			listen(i, 1);
			close(i);
		}
		_exit(0);
	}
	close(go[0]);
	tt_pin(0);
	alarm(25);
	for (i = 0; i < 500; i++) {
		union tt_record rec;
		int ends = 0;

		ASSERT_EQ(1, write(go[1], "", 1));
		while (!ends) {
			ASSERT_EQ(1, tt_next(self->rd, &rec));
			ends = rec.hdr.type == TCPTRAIL_END;
		}
	}
	alarm(0);
	close(go[1]);
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(0, status);
	EXPECT_EQ(0, tt_lost(self->rd));
}

/* ---- signals ---- */

static void on_signal(int number)
{
}

static void catch_signal(int flags)
{
	struct sigaction action = { .sa_handler = on_signal,
				    .sa_flags = flags };

	sigaction(SIGUSR1, &action, NULL);
}

TEST_F(wait, interrupted)
{
	struct sleeper s = { .fd = self->rd->fd, .by_read = true };
	pthread_t thread;

	ASSERT_EQ(0, tt_drain(self->rd));
	ASSERT_EQ(0, fcntl(s.fd, F_SETFL, 0));
	catch_signal(0);
	thread = start(_metadata, &s);
	pthread_kill(thread, SIGUSR1);
	pthread_join(thread, NULL);
	EXPECT_EQ(-1, s.result);
	EXPECT_EQ(EINTR, s.error);
}

TEST_F(wait, restarted)
{
	struct sleeper s = { .fd = self->rd->fd, .by_read = true };
	pthread_t thread;

	ASSERT_EQ(0, tt_drain(self->rd));
	ASSERT_EQ(0, fcntl(s.fd, F_SETFL, 0));
	catch_signal(SA_RESTART);
	thread = start(_metadata, &s);
	pthread_kill(thread, SIGUSR1);
	ASSERT_TRUE(tt_wait_asleep(s.tid));
	EXPECT_EQ(0, s.result);
	one_connection(_metadata, self->listener);
	pthread_join(thread, NULL);
	EXPECT_LT(0, s.result);
}

TEST_F(wait, killed)
{
	char buf[TCPTRAIL_RECORD_MAX];
	int status;
	pid_t pid;

	ASSERT_EQ(0, tt_drain(self->rd));
	ASSERT_EQ(0, fcntl(self->rd->fd, F_SETFL, 0));
	pid = fork();
	if (!pid)
		_exit(read(self->rd->fd, buf, sizeof(buf)) > 0);
	ASSERT_TRUE(tt_wait_asleep(pid));
	ASSERT_EQ(0, kill(pid, SIGKILL));
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_TRUE(WIFSIGNALED(status));
	/* The file is as it was, for the one who shares it. */
	ASSERT_EQ(0, fcntl(self->rd->fd, F_SETFL, O_NONBLOCK));
	one_connection(_metadata, self->listener);
	EXPECT_LT(0, read(self->rd->fd, buf, sizeof(buf)));
}

TT_HARNESS_MAIN
