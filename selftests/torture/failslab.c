// SPDX-License-Identifier: GPL-2.0
/*
 * Every allocation fails once: loading, opening, reading; and those of trails,
 * often. Whatever fails fails cleanly, and what could not be kept is counted.
 * Needs a kernel with CONFIG_FAULT_INJECTION, see selftests/vm/kconfig.
 */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "kselftest_harness.h"
#include "torture.h"

/* More allocations than any of the calls makes. */
#define SITES		20000
#define CONNECTIONS	1000
#define FAILSLAB	"/sys/kernel/debug/failslab/"
#define FAILPAGE	"/sys/kernel/debug/fail_page_alloc/"

/* Fail those that may wait as well, and do not dump the stack each time. */
static bool set_up_faults(void)
{
	/* For selftests/vm/vm.sh, which looks for complaints in the log. */
	return torture_write("/dev/kmsg", "failslab: allocations are refused from now on") &&
	       torture_write(FAILSLAB "ignore-gfp-wait", "N") &&
	       torture_write(FAILSLAB "verbose", "0") &&
	       torture_write(FAILPAGE "ignore-gfp-wait", "N") &&
	       torture_write(FAILPAGE "ignore-gfp-highmem", "N") &&
	       torture_write(FAILPAGE "min-order", "0") &&
	       torture_write(FAILPAGE "verbose", "0") &&
	       !access("/proc/self/fail-nth", W_OK);
}

/* Of what this process does next, the @nth allocation fails. */
static void fail_nth(unsigned int nth)
{
	char text[16];

	snprintf(text, sizeof(text), "%u", nth);
	torture_write("/proc/thread-self/fail-nth", text);
}

/* The next one to fail: each, or some of those there are. */
static unsigned int next_nth(unsigned int nth)
{
	return nth + 1 + torture_random(2 * (100 / torture_count(100)) - 1);
}

/* Has it failed? Turns it off. */
static bool has_failed(void)
{
	char text[16] = "";
	int fd = open("/proc/thread-self/fail-nth", O_RDWR);
	ssize_t n = read(fd, text, sizeof(text) - 1);

	(void)!write(fd, "0", 1);
	close(fd);
	return n > 0 && text[0] == '0';
}

#define MUST_HOLD(expression) do {			\
	const char *why_ = (expression);		\
							\
	EXPECT_EQ(NULL, why_) { TH_LOG("%s", why_); }	\
} while (0)

FIXTURE(failslab)
{
	int listener;
};

FIXTURE_SETUP(failslab)
{
	if (!set_up_faults())
		SKIP(return, "this kernel cannot make allocations fail");
	ASSERT_EQ(0, tt_new_net());
	self->listener = tt_listen(AF_INET, 16);
	ASSERT_LE(0, self->listener);
}

FIXTURE_TEARDOWN(failslab)
{
}

/* It loaded although something failed: that must show, and no more. */
static void check_loaded(struct __test_metadata *_metadata)
{
	struct tcptrail_info info;
	int fd = open(TCPTRAIL_DEVICE, O_RDONLY);

	ASSERT_LE(0, fd);
	EXPECT_EQ(5, tt_storm(AF_INET, 5));
	EXPECT_EQ(0, tt_info(fd, &info));
	EXPECT_EQ(0, info.trails);
	EXPECT_EQ(0, info.no_trail);
	EXPECT_TRUE(info.written || info.missed);
	MUST_HOLD(torture_sums());
	close(fd);
	EXPECT_EQ(0, torture_unload());
}

TEST_F_TIMEOUT(failslab, load, TORTURE_TIMEOUT)
{
	unsigned int nth, tried = 0, refused = 0, loaded = 0;
	bool failed = true;
	int ret;

	for (nth = 1; failed && nth < SITES; nth = next_nth(nth)) {
		tried++;
		fail_nth(nth);
		ret = tt_load("ring_records=64 max_trails=64");
		failed = has_failed();
		if (ret) {
			EXPECT_EQ(-ENOMEM, ret) {
				TH_LOG("allocation %u", nth);
			}
			refused++;
		} else {
			check_loaded(_metadata);
			loaded += failed;
		}
		MUST_HOLD(torture_gone());
		if (!__test_passed(_metadata)) {
			TH_LOG("allocation %u", nth);
			return;
		}
	}
	EXPECT_LT(50, nth);
	EXPECT_GT(SITES, nth);
	EXPECT_LT(torture_count(10), refused);
	TH_LOG("%u of %u allocations: %u refused to load, %u loaded without",
	       tried - 1, nth, refused, loaded);
}

TEST_F_TIMEOUT(failslab, open, TORTURE_TIMEOUT)
{
	unsigned int nth, refused = 0;
	bool failed = true;
	int fd;

	ASSERT_EQ(0, tt_load(""));
	for (nth = 1; failed && nth < SITES; nth++) {
		fail_nth(nth);
		fd = open(TCPTRAIL_DEVICE, O_RDONLY);
		failed = has_failed();
		if (fd < 0) {
			/* ENFILE: the kernel's own file. */
			EXPECT_EQ(ENOMEM, errno);
			refused++;
		} else {
			EXPECT_EQ(0, close(fd));
		}
		EXPECT_EQ(0, tt_refcount());
	}
	EXPECT_LT(0, refused);
	TH_LOG("%u allocations, %u refused", nth - 2, refused);
	EXPECT_EQ(0, torture_unload());
	MUST_HOLD(torture_gone());
}

/* A read() that fails has moved nothing: the stream is whole. */
TEST_F_TIMEOUT(failslab, read, TORTURE_TIMEOUT)
{
	unsigned int nth, refused = 0, sites = 0, i;
	int client[40], server[40];
	union tt_record rec;
	bool failed = true;
	int ret;

	/* Long chains, so that room for a copy is made more than once. */
	ASSERT_EQ(0, tt_load("max_trails=128"));
	for (i = 0; i < 40; i++)
		ASSERT_EQ(0, tt_connect(self->listener, &client[i], &server[i]));
	for (nth = 1; failed && nth < SITES; nth++) {
		struct tt_reader *rd = tt_open(O_NONBLOCK);
		struct tcptrail_info info;

		ASSERT_NE(NULL, rd);
		rd->chunk = 1024;
		fail_nth(nth);
		do {
			ret = tt_next(rd, &rec);
		} while (ret > 0);
		failed = has_failed();
		if (ret) {
			EXPECT_EQ(-ENOMEM, ret);
			refused++;
			EXPECT_EQ(0, tt_drain(rd));
		}
		sites += failed;
		EXPECT_STREQ("", rd->wrong);
		EXPECT_EQ(1, rd->syncs);
		ASSERT_EQ(0, tt_info(rd->fd, &info));
		/* All but the listener, which was there before. */
		EXPECT_EQ(80, info.trails);
		EXPECT_EQ(80, rd->trails);
		EXPECT_EQ(info.written, tt_delivered(rd));
		tt_close(rd);
	}
	EXPECT_LT(0, refused);
	TH_LOG("%u allocations, %u refused", sites, refused);
	for (i = 0; i < 40; i++) {
		tt_reset(client[i]);
		close(server[i]);
	}
	EXPECT_EQ(0, torture_unload());
	MUST_HOLD(torture_gone());
}

/* ---- trails ---- */

/* Allocations of trails, and no others, fail with this probability. */
static bool fail_trails(const char *percent)
{
	return torture_write("/sys/kernel/slab/tcptrail/failslab", "1") &&
	       torture_write(FAILSLAB "cache-filter", "Y") &&
	       torture_write(FAILSLAB "times", "-1") &&
	       torture_write(FAILSLAB "probability", percent);
}

static unsigned int count_ends(struct tt_reader *rd, unsigned int *late)
{
	union tt_record rec;
	unsigned int n = 0;

	*late = 0;
	while (tt_next(rd, &rec) > 0) {
		if (rec.hdr.type != TCPTRAIL_END)
			continue;
		n++;
		*late += !!(rec.trail.conn.flags & TCPTRAIL_F_LATE);
	}
	return n;
}

FIXTURE(trails)
{
	struct tt_reader *rd;
};

FIXTURE_VARIANT(trails)
{
	const char *percent;
};

FIXTURE_VARIANT_ADD(trails, always)
{
	.percent = "100",
};

FIXTURE_VARIANT_ADD(trails, half)
{
	.percent = "50",
};

FIXTURE_VARIANT_ADD(trails, seldom)
{
	.percent = "5",
};

FIXTURE_SETUP(trails)
{
	if (!set_up_faults())
		SKIP(return, "this kernel cannot make allocations fail");
	ASSERT_EQ(0, tt_load("ring_records=65536"));
	self->rd = tt_open(O_NONBLOCK);
	ASSERT_NE(NULL, self->rd);
	ASSERT_TRUE(fail_trails(variant->percent));
}

FIXTURE_TEARDOWN(trails)
{
}

/*
 * Windows that grow beyond what the CPUs keep spare. Each connection has its
 * trail or is counted, at both ends.
 */
TEST_F_TIMEOUT(trails, are_counted, TORTURE_TIMEOUT)
{
	unsigned int n = torture_count(CONNECTIONS), made, ends, late;
	struct tcptrail_info info;

	made = storm_some(n, 200);
	EXPECT_TRUE(torture_write(FAILSLAB "probability", "0"));
	EXPECT_TRUE(torture_write(FAILSLAB "cache-filter", "N"));
	EXPECT_EQ(n, made);
	/* Of this namespace, too, what is in TIME_WAIT. */
	ASSERT_EQ(0, tt_new_net());
	MUST_HOLD(torture_quiet());
	ends = count_ends(self->rd, &late);
	EXPECT_STREQ("", self->rd->wrong);
	ASSERT_EQ(0, tt_info(self->rd->fd, &info));
	EXPECT_EQ(0, tt_lost(self->rd));
	EXPECT_LT(0, info.no_trail);
	EXPECT_EQ(0, info.trails);
	EXPECT_EQ(0, info.requests);
	/* Two ends each, two listeners, and those that were refused. */
	EXPECT_LE(2 * made + 2, ends - late + info.no_trail);
	EXPECT_GE(2 * made + 2 + n / 4, ends - late + info.no_trail);
	TH_LOG("%u connections: %u trails (%u late), %llu without", made, ends,
	       late, (unsigned long long)info.no_trail);
	tt_close(self->rd);
	EXPECT_EQ(0, torture_unload());
	MUST_HOLD(torture_gone());
}

TT_HARNESS_MAIN
