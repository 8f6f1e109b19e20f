// SPDX-License-Identifier: GPL-2.0
/*
 * Next to no free memory: hogs come and go, and the kernel is made to keep a large
 * reserve, so that it reclaims. Connections storm all the while. What
 * happens when there is no memory for a trail is up to failslab: storms get by with
 * the slabs that they have.
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
/* So long, of 2 ms each, a reserve that nobody may touch lasts. */
#define MOMENTS	1000

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

/* Takes what there is but for a rest, says so, and holds it until it is killed. */
static pid_t start_hog(int *full)
{
	int said[2];
	pid_t pid;
	size_t size, at;
	char *memory;

	if (pipe(said))
		return -1;
	pid = fork();
	if (pid) {
		close(said[1]);
		*full = said[0];
		return pid;
	}
	close(said[0]);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	torture_write("/proc/self/oom_score_adj", "1000");
	size = (available_kb() - SPARE_KB) * 1024L;
	memory = mmap(NULL, size, PROT_READ | PROT_WRITE,
		      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (memory == MAP_FAILED)
		_exit(1);
	for (at = 0; at < size && available_kb() > SPARE_KB; at += 1 << 20)
		memset(memory + at, 1, size - at < 1 << 20 ? size - at : 1 << 20);
	if (write(said[1], "", 1) != 1)
		_exit(1);
	for (;;)
		pause();
}

static bool was_killed(pid_t pid)
{
	siginfo_t info = {};

	return !waitid(P_PID, pid, &info, WEXITED | WNOWAIT) &&
	       info.si_code == CLD_KILLED;
}

static bool has_ended(pid_t pid)
{
	siginfo_t info = {};

	return waitid(P_PID, pid, &info, WEXITED | WNOHANG | WNOWAIT) || info.si_pid;
}

static void set_reserve(long kb)
{
	char text[32];

	snprintf(text, sizeof(text), "%ld", kb);
	torture_write("/proc/sys/vm/min_free_kbytes", text);
}

/* A quarter of all: more than what is free. */
static void squeeze(int fd, pid_t hog, long usual_kb)
{
	struct tcptrail_info before, now;
	unsigned int i;

	if (tt_info(fd, &before))
		return;
	set_reserve(read_kb("/proc/meminfo", "MemTotal:") / 4);
	for (i = 0; i < MOMENTS; i++) {
		usleep(2000);
		if (has_ended(hog) || tt_info(fd, &now) || now.no_trail > before.no_trail)
			break;
	}
	set_reserve(usual_kb);
}

TEST_F_TIMEOUT(memory, scarce, TORTURE_TIMEOUT)
{
	long usual_kb = read_kb("/proc/sys/vm/min_free_kbytes", "");
	unsigned int n = torture_count(TIMES), killed = 0, i;
	struct tcptrail_info info;
	long least_kb = available_kb();

	for (i = 0; i < n; i++) {
		int full;
		pid_t hog = start_hog(&full);
		char byte;

		ASSERT_LT(0, hog);
		/* Or the kernel killed it before. */
		if (read(full, &byte, 1) != 1)
			EXPECT_TRUE(was_killed(hog));
		close(full);
		if (available_kb() < least_kb)
			least_kb = available_kb();
		if (i % 2)
			squeeze(self->fd, hog, usual_kb);
		else
			usleep(torture_random(50000));
		killed += has_ended(hog);
		kill(hog, SIGKILL);
		waitpid(hog, NULL, 0);
	}
	ASSERT_EQ(0, tt_info(self->fd, &info));
	EXPECT_EQ(0, info.missed);
	EXPECT_GT(2 * SPARE_KB, least_kb);
	TH_LOG("%u hogs (%u killed by the kernel), least available %ld KB, %u connections, %llu without room for a trail",
	       n, killed, least_kb, storm_made(self->t),
	       (unsigned long long)info.no_trail);
}

TT_HARNESS_MAIN
