// SPDX-License-Identifier: GPL-2.0
/*
 * Unloading: refused while somebody has the device open, clean under traffic,
 * and 200 times in a row without leaving anything behind.
 */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kselftest_harness.h"
#include "tt.h"

#define CPUS	2
#define READERS	2000
#define CYCLES	200
#define WARM_UP	10
/* A slow machine gets no further than it can in this time. */
#define ENOUGH_S 140

/* tt_is_emulated() says why what runs hooked functions may be on one CPU. */

/* A process that makes connections until it is killed. */
static pid_t start_traffic(int family, bool anywhere)
{
	pid_t pid = fork();
	int client, server, listener, i;

	if (pid)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (!anywhere)
		tt_pin(0);
	listener = tt_listen(family, 16);
	for (i = 0; ; i++) {
		if (tt_connect(listener, &client, &server))
			_exit(1);
		/* By RST, by FIN from either side, with unread data. */
		if (i % 4 == 0)
			write(server, "x", 1);
		if (i % 8 < 6)
			tt_reset(client);
		if (i % 8 == 6)
			close(client);
		close(server);
		if (i % 8 == 7)
			close(client);
		/* In bursts, to leave some time to others. */
		if (i % 32 == 31)
			usleep(10000);
	}
}

static void stop(pid_t pid)
{
	if (pid <= 0)
		return;
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

/* Unload it, although somebody may have it open for a moment. */
static int unload_soon(void)
{
	uint64_t end = tt_now_ns() + 10000000000ULL * tt_patience();
	int ret;

	while ((ret = tt_unload()) == -EAGAIN && tt_now_ns() < end)
		usleep(1000);
	return ret;
}

/* ---- busy ---- */

FIXTURE(busy)
{
	struct tt_reader *rd;
	pid_t traffic[CPUS];
};

FIXTURE_SETUP(busy)
{
	ASSERT_EQ(0, tt_new_net());
	ASSERT_EQ(0, tt_load("ring_records=64 max_trails=16"));
	self->traffic[0] = start_traffic(AF_INET, true);
	self->traffic[1] = start_traffic(AF_INET6, true);
	self->rd = tt_open(O_NONBLOCK);
	ASSERT_NE(NULL, self->rd);
}

FIXTURE_TEARDOWN(busy)
{
}

/* The kernel's word for EBUSY is EAGAIN here; rmmod says "in use". */
TEST_F(busy, open_reader)
{
	struct tcptrail_info before, after;
	int i, copy = dup(self->rd->fd);

	for (i = 0; i < 20; i++)
		EXPECT_EQ(-EAGAIN, tt_unload());
	EXPECT_EQ(1, tt_refcount());

	/* Recording goes on, and nothing was lost by trying. */
	ASSERT_EQ(0, tt_info(copy, &before));
	EXPECT_EQ(0, tt_drain(self->rd));
	EXPECT_STREQ("", self->rd->wrong);
	usleep(50000);
	EXPECT_EQ(0, tt_drain(self->rd));
	EXPECT_STREQ("", self->rd->wrong);
	ASSERT_EQ(0, tt_info(copy, &after));
	EXPECT_LT(before.written, after.written);
	EXPECT_EQ(tt_delivered(self->rd) + tt_lost(self->rd),
		  tt_span(self->rd));

	/* The last one to close counts, and then it goes at once. */
	tt_close(self->rd);
	EXPECT_EQ(-EAGAIN, tt_unload());
	for (i = 0; i < CPUS; i++)
		stop(self->traffic[i]);
	close(copy);
	EXPECT_EQ(0, tt_unload());
}

TEST_F(busy, sleeping_reader)
{
	struct tt_reader *rd;
	pid_t pid;
	int i;

	for (i = 0; i < CPUS; i++)
		stop(self->traffic[i]);
	/* With nobody left to wake it, one reader sleeps in read(). */
	pid = fork();
	if (!pid) {
		rd = tt_open(0);
		tt_close(self->rd);
		for (;;)
			tt_drain(rd);
	}
	tt_close(self->rd);
	ASSERT_TRUE(tt_wait_asleep(pid));
	EXPECT_EQ(-EAGAIN, tt_unload());
	stop(pid);
	EXPECT_EQ(0, tt_unload());
}

/* What a reader has is gone when it closes, wherever it was. */
TEST_F_TIMEOUT(busy, thousands_of_readers, 90)
{
	int i, listener = tt_listen(AF_INET, 1);
	struct tt_memory before, after;
	struct tt_reader *rd;

	for (i = 0; i < CPUS; i++)
		stop(self->traffic[i]);
	tt_measure(&before);
	for (i = 0; i < READERS; i++) {
		rd = tt_open(O_NONBLOCK);
		ASSERT_NE(NULL, rd);
		/* Not at all, or past the trails. */
		if (i % 2)
			ASSERT_EQ(0, tt_skip_to_sync(rd));
		tt_close(rd);
	}
	tt_measure(&after);
	TH_LOG("%d readers: slab %+ld KB, kmalloc %+ld objects", READERS,
	       after.slab_kb - before.slab_kb, after.objects - before.objects);
	/* KASAN keeps what was freed for a while; there kmemleak looks. */
	if (access("/sys/kernel/debug/kmemleak", F_OK)) {
		EXPECT_GT(READERS / 4, after.objects - before.objects);
		EXPECT_GT(READERS / 10, after.slab_kb - before.slab_kb);
	}
	close(listener);
	tt_close(self->rd);
	EXPECT_EQ(0, tt_unload());
}

/* ---- again and again ---- */


/* Opens, reads a bit and closes, whenever the module is there. */
static pid_t start_readers(void)
{
	pid_t pid = fork();
	struct tt_reader *rd;
	union tt_record rec;
	unsigned int i, opened = 0;

	if (pid)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (tt_is_emulated())
		tt_pin(1);
	for (;;) {
		rd = tt_open(O_NONBLOCK);
		if (!rd) {
			usleep(1000);
			continue;
		}
		for (i = 0; i < 100 * (opened % 5); i++)
			if (tt_next(rd, &rec) <= 0)
				break;
		if (rd->wrong[0]) {
			fprintf(stderr, "# %s\n", rd->wrong);
			_exit(1);
		}
		tt_close(rd);
		opened++;
		/* Leave a gap in which it can be unloaded. */
		usleep(opened % 20 * 1000);
	}
}

/* Load, let it work, open it a few times, unload. */
static void one_cycle(struct __test_metadata *_metadata, int number,
		      uint64_t *load_ns, uint64_t *unload_ns)
{
	/* Now and then hardly any room, so that more paths are taken. */
	static const char * const params[] = {
		"", "ring_records=64", "max_trails=16",
		"ring_records=64 max_trails=16",
	};
	struct tt_reader *rd;
	int i;

	*load_ns -= tt_now_ns();
	ASSERT_EQ(0, tt_load(params[number % ARRAY_SIZE(params)])) {
		TH_LOG("cycle %d", number);
	}
	*load_ns += tt_now_ns();
	for (i = 0; i < 4; i++) {
		rd = tt_open(O_NONBLOCK);
		ASSERT_NE(NULL, rd);
		if (i == 1)
			EXPECT_EQ(0, tt_skip_to_sync(rd));
		EXPECT_STREQ("", rd->wrong);
		if (i == 2)
			EXPECT_EQ(-EAGAIN, tt_unload());
		tt_close(rd);
	}
	*unload_ns -= tt_now_ns();
	ASSERT_EQ(0, unload_soon()) {
		TH_LOG("cycle %d", number);
	}
	*unload_ns += tt_now_ns();
}

/* How many there was time for, at least one more than WARM_UP, at most @n. */
static int many_cycles(struct __test_metadata *_metadata, int n,
		       struct tt_memory *m)
{
	uint64_t end_ns = tt_now_ns() + ENOUGH_S * 1000000000ULL;
	uint64_t load_ns = 0, unload_ns = 0;
	pid_t traffic[CPUS], readers;
	int i, status, done;

	readers = start_readers();
	traffic[0] = start_traffic(AF_INET, !tt_is_emulated());
	traffic[1] = start_traffic(AF_INET6, !tt_is_emulated());
	if (tt_is_emulated())
		tt_pin(0);
	setpriority(PRIO_PROCESS, 0, -20);
	for (done = 0; done < n && (done <= WARM_UP || tt_now_ns() < end_ns);
	     done++)
		one_cycle(_metadata, done, &load_ns, &unload_ns);
	TH_LOG("%d cycles: loading took %llu ms, unloading %llu ms", done,
	       (unsigned long long)load_ns / 1000000,
	       (unsigned long long)unload_ns / 1000000);
	EXPECT_EQ(0, waitpid(readers, &status, WNOHANG));
	stop(readers);
	for (i = 0; i < CPUS; i++) {
		/* Traffic never noticed. */
		EXPECT_EQ(0, waitpid(traffic[i], &status, WNOHANG));
		stop(traffic[i]);
	}
	tt_measure(m);
	return done;
}

FIXTURE(cycles)
{
	int log;
};

FIXTURE_SETUP(cycles)
{
	FILE *file;

	ASSERT_EQ(0, tt_new_net());
	/* Few enough of them that they do not disturb the measurement. */
	file = fopen("/proc/sys/net/ipv4/tcp_max_tw_buckets", "we");
	ASSERT_NE(NULL, file);
	fputs("500\n", file);
	fclose(file);
	self->log = open("/dev/kmsg", O_RDONLY | O_NONBLOCK);
	ASSERT_LE(0, self->log);
	ASSERT_LE(0, lseek(self->log, 0, SEEK_END));
}

/* The kernel must not have complained; "text" is its first complaint. */
static bool kernel_complained(int log, char *text, size_t size)
{
	static const char * const bad[] = {
		"WARNING:", "BUG:", "Oops", "Call Trace", "leak",
		"Objects remaining", "refcount_t", "stall", "tcptrail: no",
	};
	ssize_t n;
	size_t i;

	for (;;) {
		n = read(log, text, size - 1);
		if (n < 0 && errno == EPIPE)
			continue;
		if (n <= 0)
			return false;
		text[n] = 0;
		/* Of data races in the kernel selftests/vm/vm.sh takes care. */
		if (strstr(text, "KCSAN:"))
			continue;
		for (i = 0; i < ARRAY_SIZE(bad); i++)
			if (strstr(text, bad[i]))
				return true;
	}
}

FIXTURE_TEARDOWN(cycles)
{
	char text[2048];

	EXPECT_FALSE(kernel_complained(self->log, text, sizeof(text))) {
		TH_LOG("%s", text);
	}
	close(self->log);
}

/*
 * What one cycle could leave behind, at least: the rings 32 KB to 2 MB and the
 * table of trails up to 512 KB, of vmalloc; the code 64 KB; an open file 200
 * bytes, five times; a trail 240 bytes, in a cache of its own that the kernel
 * refuses to destroy while anything is in it. Times the cycles that is far more
 * than what the machine itself comes and goes with.
 */
TEST_F_TIMEOUT(cycles, leave_nothing, 1200)
{
	struct tt_memory before, after;
	int n;

	many_cycles(_metadata, WARM_UP, &before);
	n = many_cycles(_metadata, CYCLES, &after);
	TH_LOG("available %+ld KB, slab %+ld KB, percpu %+ld KB",
	       after.free_kb - before.free_kb, after.slab_kb - before.slab_kb,
	       after.percpu_kb - before.percpu_kb);
	TH_LOG("vmalloc %+ld KB in %+ld areas, kmalloc %+ld objects",
	       after.vmalloc_kb - before.vmalloc_kb,
	       after.areas - before.areas, after.objects - before.objects);
	EXPECT_GT(500 + n * 16, after.slab_kb - before.slab_kb);
	EXPECT_GT(10 + n / 10, after.areas - before.areas);
	EXPECT_GT(1000 + n * 16, after.vmalloc_kb - before.vmalloc_kb);
	EXPECT_GT(500 + n * 2, after.objects - before.objects);
	EXPECT_GT(500 + n, after.percpu_kb - before.percpu_kb);
	EXPECT_GT(8000 + n * 32, before.free_kb - after.free_kb);

	EXPECT_EQ(-1, tt_refcount());
	EXPECT_NE(0, access(TCPTRAIL_DEVICE, F_OK));
	EXPECT_FALSE(tt_exists_in("/proc/slabinfo", "trail "));
	EXPECT_FALSE(tt_exists_in("/proc/vmallocinfo", "[tcptrail]"));
	EXPECT_FALSE(tt_exists_in("/sys/kernel/tracing/enabled_functions",
			       "tcptrail"));
	EXPECT_FALSE(tt_exists_in("/sys/kernel/debug/kprobes/list", "tcptrail"));
	EXPECT_FALSE(tt_exists_in("/proc/kallsyms", "[tcptrail]"));
	EXPECT_LT(WARM_UP, n);
	/* A failure must not turn into a skip. */
	if (n < CYCLES && __test_passed(_metadata))
		SKIP(return, "slow machine: %d of %d cycles in %d s", n, CYCLES,
		     ENOUGH_S);
}

TT_HARNESS_MAIN
