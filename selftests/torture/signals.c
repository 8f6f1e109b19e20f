// SPDX-License-Identifier: GPL-2.0
/*
 * Readers that are interrupted, killed, forked, and handed to others, while
 * connections storm. Whatever happens to a reader, the stream of its open file
 * goes on without a gap and without a repetition.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kselftest_harness.h"
#include "torture.h"

#define INTERRUPTIONS	2000
#define KILLED		500
#define SHARERS		4
#define RECORDS		20000	/* that sharers take */
#define SEQS		65536

FIXTURE(signals)
{
	struct torture *t;
};

FIXTURE_SETUP(signals)
{
	unsigned int i;

	self->t = torture_new();
	ASSERT_NE(NULL, self->t);
	ASSERT_EQ(0, tt_load("ring_records=16384"));
	for (i = 0; i < torture_cpus(); i++)
		storm_start(self->t, i, -1);
}

FIXTURE_TEARDOWN(signals)
{
	const char *why;

	why = storm_stop(self->t);
	EXPECT_EQ(NULL, why) { TH_LOG("%s", why); }
	why = torture_sums();
	EXPECT_EQ(NULL, why) { TH_LOG("%s", why); }
	why = torture_quiet();
	EXPECT_EQ(NULL, why) { TH_LOG("%s", why); }
	EXPECT_EQ(0, torture_unload());
	why = torture_gone();
	EXPECT_EQ(NULL, why) { TH_LOG("%s", why); }
}

/* ---- signals ---- */

static volatile sig_atomic_t caught;

static void catch(int signal)
{
	(void)signal;
	caught++;
}

static void alarm_in_us(unsigned int us)
{
	struct itimerval timer = { .it_value.tv_usec = us };

	setitimer(ITIMER_REAL, &timer, NULL);
}

/* Wait for records in one of three ways; what was said of it. */
static int wait_somehow(int fd, int epoll_fd)
{
	struct pollfd poll_fd = { .fd = fd, .events = POLLIN };
	struct epoll_event event;

	switch (torture_random(3)) {
	case 0:
		return poll(&poll_fd, 1, -1);
	case 1:
		return epoll_wait(epoll_fd, &event, 1, -1);
	}
	return 1;
}

TEST_F_TIMEOUT(signals, interrupt_reading, TORTURE_TIMEOUT)
{
	struct sigaction action = { .sa_handler = catch };
	unsigned int n = torture_count(INTERRUPTIONS), eintr = 0;
	struct epoll_event event = { .events = EPOLLIN };
	struct tt_reader *rd = tt_open(0);
	union tt_record rec;
	int epoll_fd = epoll_create1(0), ret;

	ASSERT_NE(NULL, rd);
	ASSERT_EQ(0, epoll_ctl(epoll_fd, EPOLL_CTL_ADD, rd->fd, &event));
	/* SIGALRM is the harness' own clock: not restarted from here on. */
	ASSERT_EQ(0, sigaction(SIGALRM, &action, NULL));
	while (caught < (int)n) {
		alarm_in_us(1 + torture_random(3000));
		if (rd->at == rd->have && wait_somehow(rd->fd, epoll_fd) < 0) {
			ASSERT_EQ(EINTR, errno);
			eintr++;
			continue;
		}
		ret = tt_next(rd, &rec);
		if (ret == -EINTR)
			eintr++;
		else
			ASSERT_EQ(1, ret);
	}
	alarm_in_us(0);
	EXPECT_STREQ("", rd->wrong);
	EXPECT_EQ(tt_span(rd), tt_delivered(rd) + tt_lost(rd));
	EXPECT_LT(0, eintr);
	TH_LOG("%d signals, %u calls ended early, %llu records", (int)caught,
	       eintr, (unsigned long long)tt_delivered(rd));
	close(epoll_fd);
	tt_close(rd);
}

/* ---- readers killed ---- */

static pid_t start_victim(unsigned int nth)
{
	pid_t pid = fork();
	struct tt_reader *rd;

	if (pid)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	torture_seed(2000 + nth);
	rd = tt_open(torture_random(2) ? O_NONBLOCK : 0);
	if (!rd)
		_exit(1);
	for (;;)
		tt_drain(rd);
}

static bool nobody_has_it(void *arg)
{
	(void)arg;
	return tt_refcount() == 0;
}

TEST_F_TIMEOUT(signals, kill_readers, TORTURE_TIMEOUT)
{
	unsigned int n = torture_count(KILLED), i, j;
	pid_t pid[SHARERS];

	for (i = 0; i < n; i += SHARERS) {
		for (j = 0; j < SHARERS; j++)
			pid[j] = start_victim(i + j);
		usleep(torture_random(20000));
		for (j = 0; j < SHARERS; j++) {
			kill(pid[j], SIGKILL);
			EXPECT_EQ(128 + SIGKILL, tt_exit_of(pid[j]));
		}
	}
	EXPECT_TRUE(tt_wait_for(nobody_has_it, NULL, 10000));
	TH_LOG("%u readers killed", i);
}

/* ---- one open file, several processes ---- */

/* In shared memory: how often each record was taken. */
struct taken {
	int stop;
	unsigned int records, wrong;
	unsigned char times[TT_CPUS][SEQS];
};

/* Single records, each in one read(): nothing is kept by a process. */
static void take(struct taken *taken, int fd)
{
	char buf[2 * TCPTRAIL_RECORD_MAX];
	const struct tcptrail_hdr *hdr;
	ssize_t n, at;

	n = read(fd, buf, TCPTRAIL_RECORD_MAX);
	if (n < 0) {
		if (errno != EAGAIN)
			__atomic_fetch_add(&taken->wrong, 1, __ATOMIC_RELAXED);
		else
			usleep(500);
		return;
	}
	for (at = 0; at < n; at += hdr->size) {
		hdr = (const void *)(buf + at);
		if (hdr->type > TCPTRAIL_END)
			continue;
		if (hdr->cpu >= TT_CPUS || hdr->seq >= SEQS)
			continue;
		__atomic_fetch_add(&taken->times[hdr->cpu][hdr->seq], 1,
				   __ATOMIC_RELAXED);
		__atomic_fetch_add(&taken->records, 1, __ATOMIC_RELAXED);
	}
}

static int send_fd(int to, int fd)
{
	char control[CMSG_SPACE(sizeof(int))] = {}, byte = 0;
	struct iovec iov = { .iov_base = &byte, .iov_len = 1 };
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = control, .msg_controllen = sizeof(control),
	};
	struct cmsghdr *cmsg = CMSG_FIRSTHDR(&msg);

	cmsg->cmsg_level = SOL_SOCKET;
	cmsg->cmsg_type = SCM_RIGHTS;
	cmsg->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(cmsg), &fd, sizeof(fd));
	return sendmsg(to, &msg, 0) == 1 ? 0 : -1;
}

static int receive_fd(int from)
{
	char control[CMSG_SPACE(sizeof(int))], byte;
	struct iovec iov = { .iov_base = &byte, .iov_len = 1 };
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = control, .msg_controllen = sizeof(control),
	};
	int fd;

	if (recvmsg(from, &msg, 0) != 1 || !CMSG_FIRSTHDR(&msg))
		return -1;
	memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&msg)), sizeof(fd));
	return fd;
}

/* By fork(), by fork() and dup(), or from a stranger through a socket. */
static pid_t start_sharer(struct taken *taken, int fd, unsigned int how)
{
	int pair[2];
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair))
		return -1;
	pid = fork();
	if (pid) {
		if (how == 2)
			send_fd(pair[0], fd);
		close(pair[0]);
		close(pair[1]);
		return pid;
	}
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (how == 1) {
		int copy = dup(fd);

		close(fd);
		fd = copy;
	} else if (how == 2) {
		close(fd);
		fd = receive_fd(pair[1]);
	}
	if (fd < 0)
		_exit(1);
	while (!__atomic_load_n(&taken->stop, __ATOMIC_ACQUIRE))
		take(taken, fd);
	_exit(0);
}

/* From the first to the last that was taken, each exactly once or lost. */
static void check_taken(struct __test_metadata *_metadata,
			const struct taken *taken,
			const struct tcptrail_info *info)
{
	unsigned int cpu, seq, first, last, twice = 0, missing = 0;

	for (cpu = 0; cpu < TT_CPUS; cpu++) {
		first = 0;
		last = 0;
		for (seq = 1; seq < SEQS; seq++) {
			if (!taken->times[cpu][seq])
				continue;
			if (!first)
				first = seq;
			last = seq;
			twice += taken->times[cpu][seq] > 1;
		}
		for (seq = first; seq && seq < last; seq++)
			missing += !taken->times[cpu][seq];
	}
	EXPECT_EQ(0, taken->wrong);
	EXPECT_EQ(0, twice);
	EXPECT_EQ(info->lost, missing);
	EXPECT_EQ(info->delivered, taken->records);
}

TEST_F_TIMEOUT(signals, share_one_file, TORTURE_TIMEOUT)
{
	unsigned int n = torture_count(RECORDS), i;
	struct tcptrail_info info;
	pid_t pid[SHARERS];
	struct taken *taken;
	int fd;

	taken = mmap(NULL, sizeof(*taken), PROT_READ | PROT_WRITE,
		     MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, taken);
	fd = open(TCPTRAIL_DEVICE, O_RDONLY | O_NONBLOCK);
	ASSERT_LE(0, fd);
	for (i = 0; i < SHARERS; i++)
		pid[i] = start_sharer(taken, fd, i % 3);
	while (__atomic_load_n(&taken->records, __ATOMIC_RELAXED) < n)
		take(taken, fd);
	__atomic_store_n(&taken->stop, 1, __ATOMIC_RELEASE);
	for (i = 0; i < SHARERS; i++)
		EXPECT_EQ(0, tt_exit_of(pid[i]));
	ASSERT_EQ(0, tt_info(fd, &info));
	check_taken(_metadata, taken, &info);
	EXPECT_EQ(1, tt_refcount());
	TH_LOG("%u records taken by %u processes", taken->records, SHARERS + 1);
	close(fd);
	EXPECT_EQ(0, tt_refcount());
}

TT_HARNESS_MAIN
