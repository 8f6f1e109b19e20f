// SPDX-License-Identifier: GPL-2.0
/*
 * /dev/tcptrail: read(), lseek() and ioctl(), and that whatever is done to one
 * open file disturbs neither another one nor the recording.
 */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "kselftest_harness.h"
#include "tt.h"

/* A second reader looks on, and must miss nothing. */
FIXTURE(device)
{
	struct tt_reader *rd;
	struct tt_reader *witness;
	int listener;
	int connections;
};

FIXTURE_SETUP(device)
{
	ASSERT_EQ(0, tt_load(""));
	ASSERT_EQ(0, tt_new_net());
	self->witness = tt_open(O_NONBLOCK);
	ASSERT_NE(NULL, self->witness);
	self->rd = tt_open(O_NONBLOCK);
	ASSERT_NE(NULL, self->rd);
	self->listener = tt_listen(AF_INET, 16);
	ASSERT_LE(0, self->listener);
}

static uint64_t make_connection(struct __test_metadata *_metadata,
				FIXTURE_DATA(device) *self)
{
	int client, server;
	uint64_t cookie;

	ASSERT_EQ(0, tt_connect(self->listener, &client, &server));
	cookie = tt_cookie(client);
	ASSERT_NE(0, cookie);
	tt_reset(client);
	close(server);
	self->connections++;
	return cookie;
}

static void check_witness(struct __test_metadata *_metadata,
			  FIXTURE_DATA(device) *self)
{
	struct tt_log log = {};
	int ends = 0, i;

	/* Whatever the test did: this is still recorded. */
	make_connection(_metadata, self);
	EXPECT_EQ(0, tt_log_drain(&log, self->witness));
	EXPECT_STREQ("", self->witness->wrong);
	EXPECT_EQ(0, tt_lost(self->witness));
	EXPECT_EQ(tt_last(self->witness), tt_delivered(self->witness));
	for (i = 0; tt_find(&log, TCPTRAIL_END, 0, i); i++) {
		const union tt_record *end = tt_find(&log, TCPTRAIL_END, 0, i);

		ends++;
		EXPECT_STREQ("", tt_trail_differs(&log, &end->trail));
	}
	/* Both ends of each. */
	EXPECT_EQ(2 * self->connections, ends);
	tt_log_free(&log);
}

FIXTURE_TEARDOWN(device)
{
	check_witness(_metadata, self);
	tt_close(self->rd);
	tt_close(self->witness);
	close(self->listener);
	EXPECT_EQ(0, tt_unload());
}

TEST_F(device, node)
{
	struct stat st;

	ASSERT_EQ(0, stat(TCPTRAIL_DEVICE, &st));
	EXPECT_EQ(S_IFCHR | 0600, st.st_mode);
	EXPECT_EQ(0, st.st_uid);
	/* Reading is all there is. */
	EXPECT_EQ(MAP_FAILED, mmap(NULL, 4096, PROT_READ, MAP_PRIVATE,
				   self->rd->fd, 0));
	EXPECT_EQ(-1, write(self->rd->fd, "x", 1));
	EXPECT_EQ(EBADF, errno);
}

TEST_F(device, short_read)
{
	static const size_t sizes[] = { 0, 1, 23, 24, 120, 248, 255 };
	char buf[TCPTRAIL_RECORD_MAX];
	struct tcptrail_info info;
	struct tt_log log = {};
	uint64_t cookie;
	size_t i;

	cookie = make_connection(_metadata, self);
	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		EXPECT_EQ(-1, read(self->rd->fd, buf, sizes[i]));
		EXPECT_EQ(EINVAL, errno);
	}
	/* Nothing moved: the whole history is still there. */
	ASSERT_EQ(0, tt_info(self->rd->fd, &info));
	EXPECT_EQ(0, info.delivered);
	self->rd->chunk = TCPTRAIL_RECORD_MAX;
	ASSERT_EQ(0, tt_log_drain(&log, self->rd));
	EXPECT_STREQ("", self->rd->wrong);
	EXPECT_NE(NULL, tt_find(&log, TCPTRAIL_END, cookie, 0));
	EXPECT_EQ(tt_last(self->rd), tt_delivered(self->rd));
	/* Also when there is nothing to read. */
	EXPECT_EQ(-1, read(self->rd->fd, buf, 255));
	EXPECT_EQ(EINVAL, errno);
	tt_log_free(&log);
}

/* The least buffer gets one record at a time. */
TEST_F(device, least_buffer)
{
	struct tt_log one = {}, many = {};
	struct tt_reader *small = tt_open(O_NONBLOCK);
	size_t i;

	ASSERT_NE(NULL, small);
	small->chunk = TCPTRAIL_RECORD_MAX;
	make_connection(_metadata, self);
	/* From the same place: what is history to one is that to the other. */
	ASSERT_EQ(0, lseek(small->fd, 0, SEEK_SET));
	ASSERT_EQ(0, lseek(self->rd->fd, 0, SEEK_SET));
	ASSERT_EQ(0, tt_log_drain(&one, small));
	ASSERT_EQ(0, tt_log_drain(&many, self->rd));
	EXPECT_LT(self->rd->reads, small->reads);
	ASSERT_EQ(many.n, one.n);
	for (i = 0; i < one.n; i++) {
		/* A TRAIL and a SYNC carry the time of their making. */
		if (one.rec[i].hdr.seq)
			EXPECT_EQ(0, memcmp(&one.rec[i], &many.rec[i],
					    sizeof(one.rec[i])));
	}
	tt_log_free(&one);
	tt_log_free(&many);
	tt_close(small);
}

TEST_F(device, bad_address)
{
	char *page = mmap(NULL, 8192, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int fd = self->rd->fd;
	char *volatile nowhere = NULL;

	ASSERT_NE(MAP_FAILED, page);
	ASSERT_EQ(0, mprotect(page + 4096, 4096, PROT_NONE));
	make_connection(_metadata, self);
	EXPECT_EQ(-1, read(fd, nowhere, 4096));
	EXPECT_EQ(EFAULT, errno);
	EXPECT_EQ(-1, read(fd, page + 4096, 4096));
	EXPECT_EQ(EFAULT, errno);
	/* What fits in front of it is given. */
	EXPECT_LE(24, read(fd, page + 4096 - 512, 4096));
	EXPECT_EQ(-1, ioctl(fd, TCPTRAIL_IOC_INFO, NULL));
	EXPECT_EQ(EFAULT, errno);
	EXPECT_EQ(-1, ioctl(fd, TCPTRAIL_IOC_INFO, page + 4096));
	EXPECT_EQ(EFAULT, errno);
	/* A struct whose end cannot be read. */
	memset(page, 0, 4096);
	*(uint32_t *)(page + 4096 - 16) = sizeof(struct tcptrail_info);
	EXPECT_EQ(-1, ioctl(fd, TCPTRAIL_IOC_INFO, page + 4096 - 16));
	EXPECT_EQ(EFAULT, errno);
	/* A struct that cannot be written. */
	memset(page, 0, 4096);
	*(uint32_t *)page = sizeof(struct tcptrail_info);
	ASSERT_EQ(0, mprotect(page, 4096, PROT_READ));
	EXPECT_EQ(-1, ioctl(fd, TCPTRAIL_IOC_INFO, page));
	EXPECT_EQ(EFAULT, errno);
	munmap(page, 8192);
}

TEST_F(device, lseek)
{
	struct tt_log log = {};
	int fd = self->rd->fd;
	uint64_t before, after;

	before = make_connection(_metadata, self);
	EXPECT_EQ(-1, lseek(fd, 1, SEEK_SET));
	EXPECT_EQ(EINVAL, errno);
	EXPECT_EQ(-1, lseek(fd, -1, SEEK_END));
	EXPECT_EQ(EINVAL, errno);
	EXPECT_EQ(-1, lseek(fd, 0, SEEK_CUR));
	EXPECT_EQ(EINVAL, errno);
	EXPECT_EQ(-1, lseek(fd, 0, SEEK_DATA));
	EXPECT_EQ(EINVAL, errno);

	/* To the end: live only, no trails, no SYNC. */
	EXPECT_EQ(0, lseek(fd, 0, SEEK_END));
	tt_restart(self->rd, TT_LIVE);
	EXPECT_EQ(0, tt_next(self->rd, &(union tt_record){}));
	after = make_connection(_metadata, self);
	ASSERT_EQ(0, tt_log_drain(&log, self->rd));
	EXPECT_EQ(NULL, tt_find(&log, 0, before, 0));
	EXPECT_NE(NULL, tt_find(&log, TCPTRAIL_END, after, 0));
	EXPECT_EQ(0, self->rd->trails);
	EXPECT_EQ(0, self->rd->syncs);
	EXPECT_STREQ("", self->rd->wrong);
	tt_log_free(&log);

	/* And back: everything again. */
	EXPECT_EQ(0, lseek(fd, 0, SEEK_SET));
	tt_restart(self->rd, TT_HISTORY);
	ASSERT_EQ(0, tt_log_drain(&log, self->rd));
	EXPECT_NE(NULL, tt_find(&log, TCPTRAIL_END, before, 0));
	EXPECT_NE(NULL, tt_find(&log, TCPTRAIL_END, after, 0));
	EXPECT_EQ(1, self->rd->syncs);
	EXPECT_EQ(1, self->rd->trails);
	EXPECT_STREQ("", self->rd->wrong);
	tt_log_free(&log);
}

TEST_F(device, resync)
{
	struct tcptrail_info before, after;
	struct tt_log log = {};
	uint64_t cookie;

	cookie = make_connection(_metadata, self);
	ASSERT_EQ(0, tt_drain(self->rd));
	EXPECT_EQ(1, self->rd->syncs);
	ASSERT_EQ(0, tt_info(self->rd->fd, &before));
	EXPECT_EQ(0, ioctl(self->rd->fd, TCPTRAIL_IOC_RESYNC));
	tt_restart(self->rd, TT_HISTORY);
	ASSERT_EQ(0, tt_log_drain(&log, self->rd));
	EXPECT_STREQ("", self->rd->wrong);
	EXPECT_EQ(1, self->rd->syncs);
	EXPECT_EQ(1, self->rd->trails);
	EXPECT_NE(NULL, tt_find(&log, TCPTRAIL_END, cookie, 0));
	EXPECT_EQ(tt_last(self->rd), tt_delivered(self->rd));
	ASSERT_EQ(0, tt_info(self->rd->fd, &after));
	EXPECT_EQ(before.delivered + tt_delivered(self->rd), after.delivered);
	tt_log_free(&log);
}

TEST_F(device, info)
{
	struct tcptrail_info info;
	struct timespec real, boot;
	struct utsname uts;

	make_connection(_metadata, self);
	ASSERT_EQ(0, tt_drain(self->rd));
	clock_gettime(CLOCK_REALTIME, &real);
	clock_gettime(CLOCK_BOOTTIME, &boot);
	ASSERT_EQ(0, tt_info(self->rd->fd, &info));
	uname(&uts);
	EXPECT_EQ(sizeof(info), info.size);
	EXPECT_EQ(TCPTRAIL_MAGIC, info.magic);
	EXPECT_EQ(TCPTRAIL_ABI, info.abi);
	EXPECT_EQ(sysconf(_SC_NPROCESSORS_ONLN), info.cpus);
	EXPECT_EQ(TCPTRAIL_FEAT_TRAIL, info.features & TCPTRAIL_FEAT_TRAIL);
	EXPECT_EQ(info.hooks, info.hooks & info.hooks_known);
	EXPECT_EQ((1ULL << TCPTRAIL_H_COUNT) - 1, info.hooks_known);
	EXPECT_EQ(4096, info.slots);
	EXPECT_EQ(sysconf(_SC_CLK_TCK), info.user_hz);
	EXPECT_LT(0, info.loaded_ns);
	EXPECT_LE(boot.tv_sec * 1000000000ULL + boot.tv_nsec, info.boot_ns);
	EXPECT_LE(real.tv_sec * 1000000000ULL + real.tv_nsec, info.real_ns);
	EXPECT_GE(tt_now_ns(), info.boot_ns);
	EXPECT_LT(info.loaded_ns, info.boot_ns);
	EXPECT_EQ(tt_last(self->rd), info.written);
	EXPECT_EQ(131072, info.max_trails);
	EXPECT_EQ(1, info.trails);
	EXPECT_EQ(0, info.requests);
	EXPECT_EQ(0, info.no_trail);
	EXPECT_EQ(0, info.missed);
	EXPECT_EQ(tt_delivered(self->rd), info.delivered);
	EXPECT_EQ(0, info.lost);
	EXPECT_EQ(0, info.reserved[0] | info.reserved[1] | info.reserved[2]);
	EXPECT_NE(0, info.version[0]);
	EXPECT_STREQ(uts.release, info.release);
}

static int info_with(int fd, char *buf, uint32_t size)
{
	*(uint32_t *)buf = size;
	return ioctl(fd, TCPTRAIL_IOC_INFO, buf) ? -errno : 0;
}

TEST_F(device, info_sizes)
{
	const uint32_t own = sizeof(struct tcptrail_info);
	char buf[8192] = {};
	struct tcptrail_info *info = (void *)buf;
	uint32_t size, at;

	for (size = 0; size < 16; size++)
		EXPECT_EQ(-EINVAL, info_with(self->rd->fd, buf, size));
	EXPECT_EQ(-EINVAL, info_with(self->rd->fd, buf, 0xffffffff));
	EXPECT_EQ(-EINVAL, info_with(self->rd->fd, buf, 4097));

	/* What the caller does not know is left out. */
	memset(buf, 0, sizeof(buf));
	ASSERT_EQ(0, info_with(self->rd->fd, buf, 16));
	EXPECT_EQ(own, info->size);
	EXPECT_EQ(TCPTRAIL_MAGIC, info->magic);
	EXPECT_LT(0, info->cpus);
	for (at = 16; at < sizeof(buf); at++)
		EXPECT_EQ(0, buf[at]);

	/* What the module does not know is zero. */
	memset(buf, 0, sizeof(buf));
	ASSERT_EQ(0, info_with(self->rd->fd, buf, own + 64));
	EXPECT_EQ(own, info->size);
	EXPECT_NE(0, info->release[0]);
	for (at = own; at < sizeof(buf); at++)
		EXPECT_EQ(0, buf[at]);

	/* Something that the module does not know and that is not zero. */
	for (at = 4; at < own + 64; at++) {
		memset(buf, 0, sizeof(buf));
		buf[at] = 1;
		EXPECT_EQ(-EINVAL, info_with(self->rd->fd, buf, own + 64));
		if (at >= own)
			EXPECT_EQ(0, info_with(self->rd->fd, buf, own));
	}
}

/* A struct that grows must not get another request number. */
TEST_F(device, info_number)
{
	EXPECT_EQ(sizeof(uint32_t), _IOC_SIZE(TCPTRAIL_IOC_INFO));
	EXPECT_EQ(_IOC_READ | _IOC_WRITE, _IOC_DIR(TCPTRAIL_IOC_INFO));
}

TEST_F(device, unknown_ioctl)
{
	static const unsigned long unknown[] = {
		0, 1, 0xffffffff, _IO(0xbe, 0), _IO(0xbe, 2), _IO(0xbf, 1),
		_IOW(0xbe, 1, int), _IOR(0xbe, 0, int), FIONREAD, TCGETS,
	};
	char buf[4096] = {};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(unknown); i++) {
		EXPECT_EQ(-1, ioctl(self->rd->fd, unknown[i], buf));
		EXPECT_EQ(ENOTTY, errno) {
			TH_LOG("request %#lx", unknown[i]);
		}
	}
}

/*
 * A 32-bit program's ioctl(): int $0x80 is its way into the kernel, and a
 * 64-bit program can take it, too; on x86 alone.
 */
#ifndef MAP_32BIT
#define MAP_32BIT 0
#endif

static int ioctl32(int fd, unsigned int cmd, void *arg)
{
	int ret = -ENOSYS;

#ifdef __x86_64__
	asm volatile("int $0x80" : "=a" (ret)
		     : "a" (54), "b" (fd), "c" (cmd), "d" (arg)
		     : "memory", "r8", "r9", "r10", "r11");
#endif
	return ret;
}

TEST_F(device, ioctl_compat)
{
	struct tcptrail_info *info;
	pid_t pid = fork();
	int status;

	if (!pid)
		_exit(ioctl32(-1, 0, NULL) != -EBADF);
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	if (status)
		SKIP(return, "this kernel runs no 32-bit programs");
	info = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
	ASSERT_NE(MAP_FAILED, info);
	info->size = sizeof(*info);
	EXPECT_EQ(0, ioctl32(self->rd->fd, TCPTRAIL_IOC_INFO, info));
	EXPECT_EQ(TCPTRAIL_MAGIC, info->magic);
	EXPECT_EQ(-EINVAL, ioctl32(self->rd->fd, TCPTRAIL_IOC_INFO, info));
	EXPECT_EQ(-EFAULT, ioctl32(self->rd->fd, TCPTRAIL_IOC_INFO, NULL));
	EXPECT_EQ(-ENOTTY, ioctl32(self->rd->fd, _IO(0xbe, 2), NULL));
	EXPECT_EQ(0, ioctl32(self->rd->fd, TCPTRAIL_IOC_RESYNC, NULL));
}

/* dup() and fork() share the cursor; another open() has its own. */
TEST_F(device, shared_cursor)
{
	int copy = dup(self->rd->fd), status;
	char buf[TCPTRAIL_RECORD_MAX];
	struct tt_log log = {};
	pid_t pid;

	/* All in one ring, so that the rest tells of what was read before. */
	ASSERT_EQ(0, tt_pin(0));
	make_connection(_metadata, self);
	ASSERT_EQ(0, lseek(copy, 0, SEEK_SET));
	pid = fork();
	if (!pid)
		_exit(read(self->rd->fd, buf, sizeof(buf)) <= 0);
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	ASSERT_EQ(0, status);
	ASSERT_LT(0, read(copy, buf, sizeof(buf)));
	ASSERT_EQ(0, tt_log_drain(&log, self->rd));
	/* Two reads of one record each, then the rest. */
	EXPECT_EQ(tt_last(self->rd), tt_delivered(self->rd) + 2);
	EXPECT_EQ(-1, read(copy, buf, sizeof(buf)));
	EXPECT_EQ(EAGAIN, errno);
	tt_log_free(&log);
	close(self->rd->fd);
	EXPECT_EQ(0, lseek(copy, 0, SEEK_SET));
	self->rd->fd = copy;
	tt_restart(self->rd, TT_HISTORY);
	EXPECT_EQ(0, tt_drain(self->rd));
	EXPECT_STREQ("", self->rd->wrong);
	EXPECT_EQ(tt_last(self->rd), tt_delivered(self->rd));
}

TT_HARNESS_MAIN
