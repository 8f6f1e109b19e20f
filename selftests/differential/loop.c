// SPDX-License-Identifier: GPL-2.0
/* Timers (a binary heap) and descriptors of one process. */
#define _GNU_SOURCE
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

#include "loop.h"
#include "traffic.h"

struct timer {
	uint64_t at;
	void (*fn)(void *arg);
	void *arg;
	bool busy;
};

static struct timer *heap;
static size_t used, room, busy;
static int epfd = -1;
static volatile sig_atomic_t ending;

static void swap(size_t a, size_t b)
{
	struct timer t = heap[a];

	heap[a] = heap[b];
	heap[b] = t;
}

void loop_at(uint64_t at, void (*fn)(void *arg), void *arg, bool is_busy)
{
	size_t i = used++;

	if (used > room) {
		room = room * 2 ?: 1024;
		heap = realloc(heap, room * sizeof(*heap));
	}
	heap[i] = (struct timer){ at, fn, arg, is_busy };
	busy += is_busy;
	for (; i && heap[(i - 1) / 2].at > heap[i].at; i = (i - 1) / 2)
		swap(i, (i - 1) / 2);
}

static struct timer pop(void)
{
	struct timer t = heap[0];
	size_t i = 0, next;

	heap[0] = heap[--used];
	while ((next = 2 * i + 1) < used) {
		if (next + 1 < used && heap[next + 1].at < heap[next].at)
			next++;
		if (heap[i].at <= heap[next].at)
			break;
		swap(i, next);
		i = next;
	}
	busy -= t.busy;
	return t;
}

static int epoll_fd(void)
{
	if (epfd < 0)
		epfd = epoll_create1(EPOLL_CLOEXEC);
	return epfd;
}

void loop_watch(int fd, void (*fn)(int fd))
{
	struct epoll_event ev = { .events = EPOLLIN };

	/* Functions of this program lie below 2^47, descriptors fit beside. */
	ev.data.u64 = (uint64_t)(uintptr_t)fn | (uint64_t)fd << 48;
	epoll_ctl(epoll_fd(), EPOLL_CTL_ADD, fd, &ev);
}

void loop_unwatch(int fd)
{
	epoll_ctl(epoll_fd(), EPOLL_CTL_DEL, fd, NULL);
}

void loop_end(void)
{
	ending = 1;
}

void loop_forget(void)
{
	used = busy = 0;
	epfd = -1;
}

static void wait_until(uint64_t at)
{
	struct epoll_event ev[64];
	struct timespec ts = { 1, 0 };
	uint64_t t = now();
	void (*fn)(int fd);
	int i, n;

	if (at < t + SEC)
		ts = (struct timespec){ 0, at > t ? at - t : 0 };
	n = epoll_pwait2(epoll_fd(), ev, 64, &ts, NULL);
	for (i = 0; i < n; i++) {
		fn = (void *)(uintptr_t)(ev[i].data.u64 & 0xffffffffffffull);
		fn(ev[i].data.u64 >> 48);
	}
}

void loop_run(void)
{
	struct timer t;

	while (!ending || busy) {
		wait_until(used ? heap[0].at : UINT64_MAX - SEC);
		while (used && heap[0].at <= now()) {
			t = pop();
			t.fn(t.arg);
		}
	}
}
