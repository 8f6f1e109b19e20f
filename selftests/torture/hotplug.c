// SPDX-License-Identifier: GPL-2.0
/* CPUs that go and come while connections storm and readers read. */
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "kselftest_harness.h"
#include "torture.h"

#define TIMES 200

FIXTURE(hotplug)
{
	struct torture *t;
	unsigned int cpus;
	bool off[TORTURE_CPUS];
};

FIXTURE_SETUP(hotplug)
{
	unsigned int i;

	self->cpus = torture_cpus();
	if (self->cpus < 2 ||
	    access("/sys/devices/system/cpu/cpu1/online", W_OK))
		SKIP(return, "no CPU here can be taken offline");
	self->t = torture_new();
	ASSERT_NE(NULL, self->t);
	ASSERT_EQ(0, tt_load("ring_records=256"));
	watcher_start(self->t, 0, WATCH_FAST, -1);
	watcher_start(self->t, 1, WATCH_SLOW, -1);
	watcher_start(self->t, 2, WATCH_ASLEEP, -1);
	for (i = 0; i < self->cpus; i++)
		storm_start(self->t, i, -1);
}

FIXTURE_TEARDOWN(hotplug)
{
}

static bool switch_cpu(FIXTURE_DATA(hotplug) *self, unsigned int cpu)
{
	char path[64];

	self->off[cpu] = !self->off[cpu];
	snprintf(path, sizeof(path), "/sys/devices/system/cpu/cpu%u/online", cpu);
	return torture_write(path, self->off[cpu] ? "0" : "1");
}

TEST_F_TIMEOUT(hotplug, rings_stay, TORTURE_TIMEOUT)
{
	unsigned int n = torture_count(TIMES), i;
	struct tcptrail_info before, after;
	const char *why;
	int fd = open(TCPTRAIL_DEVICE, O_RDONLY);

	ASSERT_LE(0, fd);
	ASSERT_EQ(0, tt_info(fd, &before));
	EXPECT_EQ(self->cpus, before.cpus);
	for (i = 0; i < n; i++) {
		/* CPU 0 stays. */
		ASSERT_TRUE(switch_cpu(self, 1 + torture_random(self->cpus - 1)));
		usleep(torture_random(20000));
		if (i % 50 == 0) {
			why = torture_sums();
			EXPECT_EQ(NULL, why) { TH_LOG("%s", why); }
		}
	}
	/* Everything on one CPU, and what the others wrote is there. */
	for (i = 1; i < self->cpus; i++)
		if (!self->off[i])
			ASSERT_TRUE(switch_cpu(self, i));
	why = torture_sums();
	EXPECT_EQ(NULL, why) { TH_LOG("%s", why); }
	for (i = 1; i < self->cpus; i++)
		ASSERT_TRUE(switch_cpu(self, i));

	ASSERT_TRUE(storm_pause(self->t));
	why = torture_compare();
	EXPECT_EQ(NULL, why) { TH_LOG("%s", why); }
	why = storm_stop(self->t);
	EXPECT_EQ(NULL, why) { TH_LOG("%s", why); }
	why = watcher_stop(self->t);
	EXPECT_EQ(NULL, why) { TH_LOG("%s", why); }
	TH_LOG("%u times, %u connections", n, storm_made(self->t));
	for (i = 0; i < 3; i++)
		TH_LOG("watcher %u got %llu and lost %llu", i,
		       (unsigned long long)self->t->watcher[i].records,
		       (unsigned long long)self->t->watcher[i].lost);
	why = torture_quiet();
	EXPECT_EQ(NULL, why) { TH_LOG("%s", why); }
	ASSERT_EQ(0, tt_info(fd, &after));
	EXPECT_EQ(before.cpus, after.cpus);
	EXPECT_EQ(0, after.missed);
	EXPECT_EQ(0, after.no_trail);
	close(fd);
	EXPECT_EQ(0, torture_unload());
	why = torture_gone();
	EXPECT_EQ(NULL, why) { TH_LOG("%s", why); }
}

TT_HARNESS_MAIN
