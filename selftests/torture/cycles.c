// SPDX-License-Identifier: GPL-2.0
/*
 * Loading and unloading, 1,000 times, while connections storm on all CPUs and
 * readers open and close the device.
 */
#include <fcntl.h>
#include <stdio.h>

#include "kselftest_harness.h"
#include "torture.h"

#define CYCLES	1000
#define LOOK	50	/* cycles between two looks at what is left */

FIXTURE(cycles)
{
	struct torture *t;
	unsigned int done, opened;
};

FIXTURE_SETUP(cycles)
{
	unsigned int i;

	self->t = torture_new();
	ASSERT_NE(NULL, self->t);
	for (i = 0; i < torture_cpus(); i++)
		storm_start(self->t, i, i);
	watcher_start(self->t, 0, WATCH_AGAIN, -1);
	watcher_start(self->t, 1, WATCH_AGAIN, -1);
}

FIXTURE_TEARDOWN(cycles)
{
}

/* Now and then hardly any room, so that more paths are taken. */
static const char *some_params(void)
{
	static const char * const params[] = {
		"", "ring_records=64", "max_trails=16",
		"ring_records=64 max_trails=16", "ring_records=65536",
	};

	return params[torture_random(5)];
}

static void one_cycle(struct __test_metadata *_metadata,
		      FIXTURE_DATA(cycles) *self)
{
	struct tt_reader *rd;
	unsigned int i;

	ASSERT_EQ(0, tt_load(some_params())) {
		TH_LOG("cycle %u", self->done);
	}
	for (i = torture_random(3); i; i--) {
		rd = tt_open(O_NONBLOCK);
		ASSERT_NE(NULL, rd);
		if (torture_random(2))
			tt_skip_to_sync(rd);
		EXPECT_STREQ("", rd->wrong);
		EXPECT_EQ(-EAGAIN, tt_unload());
		tt_close(rd);
		self->opened++;
	}
	usleep(torture_random(20000));
	ASSERT_EQ(0, torture_unload()) {
		TH_LOG("cycle %u", self->done);
	}
	if (self->done % LOOK)
		return;
	ASSERT_EQ(NULL, torture_gone()) {
		TH_LOG("cycle %u: %s", self->done, torture_gone());
	}
	TH_LOG("cycle %u, %u connections", self->done, storm_made(self->t));
}

/* See device/unload.c for what one cycle could leave behind, at least. */
TEST_F_TIMEOUT(cycles, leave_nothing, TORTURE_TIMEOUT)
{
	unsigned int n = torture_count(CYCLES), before_made;
	struct tt_memory before, after;
	const char *why;

	/* What the first ones leave is the machine's own. */
	for (; self->done < 10; self->done++)
		one_cycle(_metadata, self);
	tt_measure(&before);
	before_made = storm_made(self->t);
	for (; self->done < 10 + n; self->done++)
		one_cycle(_metadata, self);
	tt_measure(&after);
	TH_LOG("%u cycles, %u connections meanwhile, opened %u times", n,
	       storm_made(self->t) - before_made,
	       self->opened + self->t->watcher[0].opened +
	       self->t->watcher[1].opened);
	TH_LOG("slab %+ld KB, vmalloc %+ld KB in %+ld areas, kmalloc %+ld objects",
	       after.slab_kb - before.slab_kb,
	       after.vmalloc_kb - before.vmalloc_kb,
	       after.areas - before.areas, after.objects - before.objects);
	EXPECT_LT(n, storm_made(self->t) - before_made);
	EXPECT_GT(1000 + n * 16, after.slab_kb - before.slab_kb);
	EXPECT_GT(20 + n / 10, after.areas - before.areas);
	EXPECT_GT(1000 + n * 16, after.vmalloc_kb - before.vmalloc_kb);
	EXPECT_GT(1000 + n * 2, after.objects - before.objects);

	why = storm_stop(self->t);
	EXPECT_EQ(NULL, why) { TH_LOG("%s", why); }
	why = watcher_stop(self->t);
	EXPECT_EQ(NULL, why) { TH_LOG("%s", why); }
	why = torture_gone();
	EXPECT_EQ(NULL, why) { TH_LOG("%s", why); }
}

TT_HARNESS_MAIN
