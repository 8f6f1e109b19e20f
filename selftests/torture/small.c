// SPDX-License-Identifier: GPL-2.0
/* The smallest rings and a full table, while connections storm. */
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "kselftest_harness.h"
#include "torture.h"

#define CONNECTIONS 20000

FIXTURE(small)
{
	struct torture *t;
	int fd;
};

FIXTURE_VARIANT(small)
{
	const char *params;
	bool full;
};

FIXTURE_VARIANT_ADD(small, ring)
{
	.params = "ring_records=64",
};

FIXTURE_VARIANT_ADD(small, table)
{
	.params = "max_trails=16",
	.full = true,
};

FIXTURE_VARIANT_ADD(small, both)
{
	.params = "ring_records=64 max_trails=16",
	.full = true,
};

FIXTURE_SETUP(small)
{
	self->t = torture_new();
	ASSERT_NE(NULL, self->t);
	ASSERT_EQ(0, tt_load(variant->params));
	self->fd = open(TCPTRAIL_DEVICE, O_RDONLY);
	ASSERT_LE(0, self->fd);
}

FIXTURE_TEARDOWN(small)
{
}

TEST_F_TIMEOUT(small, sums_hold, TORTURE_TIMEOUT)
{
	unsigned int n = torture_count(CONNECTIONS) / 3, i;
	struct tcptrail_info info;
	const char *why;

	watcher_start(self->t, 0, WATCH_FAST, -1);
	watcher_start(self->t, 1, WATCH_SLOW, -1);
	watcher_start(self->t, 2, WATCH_ASLEEP, -1);
	watcher_start(self->t, 3, WATCH_AGAIN, -1);
	for (i = 0; i < torture_cpus(); i++)
		storm_start(self->t, i, -1);
	while (storm_made(self->t) < n) {
		usleep(50000);
		ASSERT_EQ(0, tt_info(self->fd, &info));
		EXPECT_GE(info.max_trails, info.trails);
		EXPECT_GE(info.max_trails / 4, info.requests);
	}
	ASSERT_TRUE(storm_pause(self->t));
	if (!variant->full) {
		why = torture_compare();
		EXPECT_EQ(NULL, why) { TH_LOG("%s", why); }
	}
	why = torture_sums();
	EXPECT_EQ(NULL, why) { TH_LOG("%s", why); }
	n = storm_made(self->t);
	why = storm_stop(self->t);
	EXPECT_EQ(NULL, why) { TH_LOG("%s", why); }
	why = torture_quiet();
	EXPECT_EQ(NULL, why) { TH_LOG("%s", why); }
	why = watcher_stop(self->t);
	EXPECT_EQ(NULL, why) { TH_LOG("%s", why); }

	ASSERT_EQ(0, tt_info(self->fd, &info));
	EXPECT_EQ(variant->full, info.no_trail > 0);
	TH_LOG("%u connections, %llu records, %llu without room for a trail", n,
	       (unsigned long long)info.written,
	       (unsigned long long)info.no_trail);
	TH_LOG("lost by watchers: %llu %llu %llu",
	       (unsigned long long)self->t->watcher[0].lost,
	       (unsigned long long)self->t->watcher[1].lost,
	       (unsigned long long)self->t->watcher[2].lost);
	close(self->fd);
	EXPECT_EQ(0, torture_unload());
	why = torture_gone();
	EXPECT_EQ(NULL, why) { TH_LOG("%s", why); }
}

TT_HARNESS_MAIN
