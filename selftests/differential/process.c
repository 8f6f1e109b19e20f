// SPDX-License-Identifier: GPL-2.0
/* Processes: forked holders of one connection, takers of passed ones, ends. */
#define _GNU_SOURCE
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "loop.h"
#include "traffic.h"

struct call_log *call_log;
int taker = -1;

uint64_t now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_BOOTTIME, &ts);
	return ts.tv_sec * SEC + ts.tv_nsec;
}

struct call *call_new(enum op op)
{
	uint64_t n = __atomic_fetch_add(&call_log->used, 1, __ATOMIC_RELAXED);
	struct call *c = &call_log->call[n];

	if (n >= call_log->room) {
		fprintf(stderr, "traffic: the log of calls is full\n");
		kill(0, SIGKILL);
	}
	c->pid = getpid();
	c->conn = NO_CONN;
	c->t0 = now();
	c->op = op;
	return c;
}

/* Names it, and says so. */
void process_begin(int role)
{
	char comm[16];
	struct call *c = call_new(OP_BEGIN);

	c->arg = role;
	snprintf(comm, sizeof(comm), "diff-%c", role);
	prctl(PR_SET_NAME, comm);
	c->t1 = now();
}

void process_exit(void)
{
	call_new(OP_EXIT)->t0 = now();
	_exit(0);
}

/* ---- killing ---- */

static void kill_now(void *arg)
{
	pid_t pid = (intptr_t)arg;
	struct call *c = call_new(OP_KILL);

	c->arg = getpid();
	c->pid = pid;
	c->t0 = now();
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	c->t1 = now();
}

void process_kill(pid_t pid, uint64_t at)
{
	if (pid > 0)
		loop_at(at, kill_now, (void *)(intptr_t)pid, true);
}

/* ---- forking ---- */

static void close_all_but(int a, int b)
{
	int low = a < b ? a : b, high = a < b ? b : a;

	if (low < 0)
		low = high;
	close_range(3, low - 1, 0);
	if (high > low + 1)
		close_range(low + 1, high - 1, 0);
	close_range(high + 1, ~0u, 0);
}

/*
 * A child that has no descriptor but the connection (or none, if fd is -1). The
 * parent goes on only when the child has closed all others, so no last
 * reference to anything hides in a child.
 */
pid_t conn_fork(struct conn *c, int role)
{
	struct call *call = c->fd >= 0 ? conn_call(c, OP_FORK) : NULL;
	int sync[2];
	pid_t pid;
	char byte;

	if (pipe(sync) || (pid = fork()) < 0) {
		perror("traffic: fork");
		exit(1);
	}
	if (!pid) {
		close_all_but(c->fd, sync[1]);
		loop_forget();
		taker = -1;
		c->alone = true;
		process_begin(role);
		close(sync[1]);
		return 0;
	}
	close(sync[1]);
	while (read(sync[0], &byte, 1) < 0 && errno == EINTR)
		;
	close(sync[0]);
	if (call) {
		call->arg = call->pid;
		call->pid = pid;
		call->t1 = now();
	}
	return pid;
}

static void sleep_until(uint64_t at)
{
	struct timespec ts = { at / SEC, at % SEC };

	while (clock_nanosleep(CLOCK_BOOTTIME, TIMER_ABSTIME, &ts, NULL) == EINTR)
		;
}

/* The rest of the life of a process that has one connection. */
void conn_alone(struct conn *c)
{
	while (c->next) {
		sleep_until(c->next);
		conn_step(c);
	}
	process_exit();
}

/* ---- passing ---- */

void pass_receive(int fd, void (*got)(const struct conn *c))
{
	struct conn c;
	struct iovec iov = { &c, sizeof(c) };
	char control[CMSG_SPACE(sizeof(int))];
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = control, .msg_controllen = sizeof(control),
	};
	uint64_t t0 = now();
	ssize_t n = recvmsg(fd, &msg, MSG_DONTWAIT);
	struct call *call;

	if (n == sizeof(c) && CMSG_FIRSTHDR(&msg)) {
		memcpy(&c.fd, CMSG_DATA(CMSG_FIRSTHDR(&msg)), sizeof(int));
		call = conn_call(&c, OP_TAKE);
		call->t0 = t0;
		call->t1 = now();
		conn_script(&c);
		got(&c);
	} else if (!n) {
		loop_end();
		loop_unwatch(fd);
	}
}
