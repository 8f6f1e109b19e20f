// SPDX-License-Identifier: GPL-2.0
/*
 * Next to no free memory: hogs come and go, the kernel is made to keep a large
 * reserve so that allocations that may not wait fail. Connections storm all the
 * while.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kselftest_harness.h"
#include "torture.h"

#define TIMES	100
/* Left to everybody else. */
#define SPARE_KB 65536

FIXTURE(memory)
{
	struct torture *t;
	int fd;
};

FIXTURE_SETUP(memory)
{
	unsigned int i;

	self->t = torture_new();
	ASSERT_NE(NULL, self->t);
	ASSERT_EQ(0, tt_load(""));
	self->fd = open(TCPTRAIL_DEVICE, O_RDONLY);
	ASSERT_LE(0, self->fd);
	watcher_start(self->t, 0, WATCH_FAST, -1);
	watcher_start(self->t, 1, WATCH_AGAIN, -1);
	for (i = 0; i < torture_cpus(); i++)
		storm_start(self->t, i, -1);
}

FIXTURE_TEARDOWN(memory)
{
	const char *why;

	why = torture_sums();
	EXPECT_EQ(NULL, why) { TH_LOG("%s", why); }
	ASSERT_TRUE(storm_pause(self->t));
	why = torture_compare();
	EXPECT_EQ(NULL, why) { TH_LOG("%s", why); }
	why = storm_stop(self->t);
	EXPECT_EQ(NULL, why) { TH_LOG("%s", why); }
	why = watcher_stop(self->t);
	EXPECT_EQ(NULL, why) { TH_LOG("%s", why); }
	why = torture_quiet();
	EXPECT_EQ(NULL, why) { TH_LOG("%s", why); }
	close(self->fd);
	EXPECT_EQ(0, torture_unload());
	why = torture_gone();
	EXPECT_EQ(NULL, why) { TH_LOG("%s", why); }
}

static long read_kb(const char *path, const char *name)
{
	FILE *file = fopen(path, "re");
	char line[128];
	long kb = -1;

	while (file && fgets(line, sizeof(line), file))
		if (!strncmp(line, name, strlen(name)))
			kb = atol(line + strlen(name));
	if (file)
		fclose(file);
	return kb;
}

static long available_kb(void)
{
	return read_kb("/proc/meminfo", "MemAvailable:");
}

/* Takes what there is but for a rest, holds it for a moment, gives it back. */
static pid_t start_hog(unsigned int nth)
{
	pid_t pid = fork();
	size_t size, at;
	char *memory;

	if (pid)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	torture_seed(3000 + nth);
	torture_write("/proc/self/oom_score_adj", "1000");
	size = (available_kb() - SPARE_KB) * 1024L;
	memory = mmap(NULL, size, PROT_READ | PROT_WRITE,
		      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (memory == MAP_FAILED)
		_exit(1);
	for (at = 0; at < size && available_kb() > SPARE_KB; at += 1 << 20)
		memset(memory + at, 1, size - at < 1 << 20 ? size - at : 1 << 20);
	usleep(torture_random(50000));
	_exit(0);
}

/* A reserve so large that only who may wait or may dig into it gets memory. */
static void squeeze(bool on, long usual_kb)
{
	char text[32];

	snprintf(text, sizeof(text), "%ld", on ? usual_kb + SPARE_KB / 2 : usual_kb);
	torture_write("/proc/sys/vm/min_free_kbytes", text);
}

TEST_F_TIMEOUT(memory, scarce, TORTURE_TIMEOUT)
{
	long usual_kb = read_kb("/proc/sys/vm/min_free_kbytes", "");
	unsigned int n = torture_count(TIMES), i;
	struct tcptrail_info info;
	long least_kb = available_kb();

	for (i = 0; i < n; i++) {
		pid_t hog = start_hog(i);
		int status;

		if (i % 2)
			squeeze(true, usual_kb);
		while (waitpid(hog, &status, WNOHANG) == 0) {
			if (available_kb() < least_kb)
				least_kb = available_kb();
			usleep(2000);
		}
		squeeze(false, usual_kb);
		EXPECT_EQ(0, status);
	}
	ASSERT_EQ(0, tt_info(self->fd, &info));
	EXPECT_EQ(0, info.missed);
	TH_LOG("%u hogs, least available %ld KB, %u connections, %llu without room for a trail",
	       n, least_kb, storm_made(self->t),
	       (unsigned long long)info.no_trail);
}

TT_HARNESS_MAIN
