// SPDX-License-Identifier: GPL-2.0
/*
 * What anybody can make the module do: memory, and lines in the kernel log. A
 * flood of SYNs from addresses that do not exist, a pile of TIME_WAITs, a full
 * table; each against the bounds of Documentation/security.rst.
 *
 *   FLOOD_SYNS     default 3000
 *   FLOOD_CLOSED   connections that end in TIME_WAIT, default 3000
 */
#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/klog.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "kselftest_harness.h"
#include "tt.h"

#define PORT		8080
#define PATIENCE	1200	/* seconds, for 100,000 of each */
/* Of one trail at most, and of the table for every four of them. */
#define TRAIL_BYTES	256
#define BUCKET_BYTES	16
#define SLOT_BYTES	256
#define SPARE		32
/* May have been there before: CPUs keep some, those of newer kernels more. */
#define FREE_BYTES	(128 * 1024)

static unsigned long number(const char *name, unsigned long otherwise)
{
	const char *value = getenv(name);

	return value && *value ? strtoul(value, NULL, 0) : otherwise;
}

/* ---- what it costs ---- */

static long read_number(const char *path)
{
	FILE *f = fopen(path, "re");
	long n = -1;

	if (f && fscanf(f, "%ld", &n) != 1)
		n = -1;
	if (f)
		fclose(f);
	return n;
}

/*
 * Pages of the slab cache that trails come from. The kernel may use it for
 * other things of that size as well; what counts is how it grows.
 */
static long slab_bytes(void)
{
	long slabs = read_number("/sys/kernel/slab/tcptrail/slabs");
	long order = read_number("/sys/kernel/slab/tcptrail/order");

	return slabs < 0 || order < 0 ? -1 : slabs * (4096L << order);
}

/* vmalloc'd by the module, its code not counted. */
static long vmalloc_bytes(void)
{
	FILE *f = fopen("/proc/vmallocinfo", "re");
	long sum = 0, size;
	char line[512];

	while (f && fgets(line, sizeof(line), f))
		if (strstr(line, "[tcptrail]") &&
		    sscanf(line, "%*s %ld", &size) == 1)
			sum += size - 4096;	/* the page that guards it */
	if (f)
		fclose(f);
	return sum;
}

/* Lines of ours in the kernel log. */
static unsigned int log_lines(void)
{
	static char buf[1 << 20];
	int n = klogctl(3, buf, sizeof(buf) - 1);
	unsigned int lines = 0;

	buf[n > 0 ? n : 0] = 0;
	for (char *p = buf; (p = strstr(p, "tcptrail:")); p++)
		lines++;
	return lines;
}

FIXTURE(flood)
{
	struct tt_reader *rd;
	long slab;
	unsigned int lines;
};

FIXTURE_VARIANT(flood)
{
	const char *params;
	unsigned int max_trails;
};

FIXTURE_VARIANT_ADD(flood, as_it_comes)
{
	.params = "",
	.max_trails = 131072,
};

/* Less room than connections. */
FIXTURE_VARIANT_ADD(flood, full_table)
{
	.params = "ring_records=64 max_trails=1024",
	.max_trails = 1024,
};

static void set(const char *name, const char *value)
{
	char path[128];
	int fd;

	snprintf(path, sizeof(path), "/proc/sys/net/%s", name);
	fd = open(path, O_WRONLY);
	if (fd < 0 || write(fd, value, strlen(value)) < 0)
		fprintf(stderr, "# %s: %s\n", name, strerror(errno));
	close(fd);
}

FIXTURE_SETUP(flood)
{
	struct rlimit files = { 65536, 65536 };

	setrlimit(RLIMIT_NOFILE, &files);
	/* Thousands of timers run hooked functions when it is unloaded. */
	if (tt_is_emulated())
		tt_pin(0);
	ASSERT_EQ(0, tt_new_net());
	set("ipv4/tcp_max_tw_buckets", "400000");
	set("ipv4/tcp_max_syn_backlog", "1000000");
	set("ipv4/tcp_syncookies", "0");
	set("ipv4/tcp_synack_retries", "1");
	set("ipv4/ip_local_port_range", "1024 65000");
	set("core/somaxconn", "1000000");
	ASSERT_EQ(0, tt_load(variant->params));
	self->rd = tt_open(O_NONBLOCK);
	ASSERT_NE(NULL, self->rd);
	self->slab = slab_bytes();
	self->lines = log_lines();
}

/* Whatever happened, the bounds hold, and every connection is counted. */
static void check_bounds(struct __test_metadata *_metadata, const char *what,
			 struct tt_reader *rd, long slab_before, unsigned int lines,
			 unsigned int max_trails)
{
	struct tcptrail_info info;
	long slab, slab_most, fixed;

	ASSERT_EQ(0, tt_info(rd->fd, &info));
	slab = slab_bytes() - slab_before;
	/* A slab that is not full, for each CPU and node; spare ones. */
	slab_most = (max_trails + SPARE * info.cpus) * TRAIL_BYTES + info.cpus * 64 * 4096;
	fixed = vmalloc_bytes();
	TH_LOG("%s: %llu trails, %llu requests, %llu without; slab +%ld kB of %ld, vmalloc %ld kB, %u lines",
	       what, (unsigned long long)info.trails,
	       (unsigned long long)info.requests,
	       (unsigned long long)info.no_trail, slab / 1024,
	       slab_most / 1024, fixed / 1024, log_lines() - lines);
	EXPECT_LE(0, slab_before);
	EXPECT_EQ(max_trails, info.max_trails);
	EXPECT_GE(max_trails, info.trails);
	EXPECT_GE(max_trails / 4, info.requests);
	EXPECT_GE(slab_most, slab);
	/* Most of what is there is in it, so the measure measures. */
	EXPECT_LE((long)info.trails * TRAIL_BYTES * 3 / 4 - FREE_BYTES, slab);
	EXPECT_GE((long)info.slots * SLOT_BYTES * info.cpus +
		  max_trails / 4 * BUCKET_BYTES + 8192, fixed);
	EXPECT_LE((long)info.slots * SLOT_BYTES * info.cpus, fixed);
	EXPECT_EQ(lines, log_lines());
	EXPECT_EQ(0, info.missed);
}

FIXTURE_TEARDOWN(flood)
{
	EXPECT_STREQ("", self->rd->wrong);
	tt_close(self->rd);
	EXPECT_EQ(0, tt_unload());
}

/* ---- SYNs from nowhere ---- */

static int open_tun(void)
{
	int ret = system("modprobe -q tun");
	struct ifreq ifr = { .ifr_flags = IFF_TUN | IFF_NO_PI };
	int fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC | O_NONBLOCK), s;
	struct sockaddr_in *addr = (struct sockaddr_in *)&ifr.ifr_addr;

	strcpy(ifr.ifr_name, "tun0");
	if (ret || fd < 0 || ioctl(fd, TUNSETIFF, &ifr))
		return -1;
	s = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	addr->sin_family = AF_INET;
	addr->sin_addr.s_addr = htonl(0x0a000001);
	if (ioctl(s, SIOCSIFADDR, &ifr))
		return -1;
	/* So that answers have somewhere to go. */
	addr->sin_addr.s_addr = htonl(0xfe000000);
	if (ioctl(s, SIOCSIFNETMASK, &ifr))
		return -1;
	ifr.ifr_flags = IFF_UP;
	if (ioctl(s, SIOCSIFFLAGS, &ifr))
		return -1;
	close(s);
	return fd;
}

static uint16_t checksum(const void *data, size_t size, uint32_t sum)
{
	const uint8_t *byte = data;

	for (size_t i = 0; i + 1 < size; i += 2)
		sum += byte[i] << 8 | byte[i + 1];
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return htons(~sum);
}

static ssize_t send_syn(int tun, uint32_t from, uint16_t port)
{
	struct {
		struct iphdr ip;
		struct tcphdr tcp;
	} p = {
		.ip = { .version = 4, .ihl = 5, .tot_len = htons(sizeof(p)),
			.ttl = 64, .protocol = IPPROTO_TCP, .saddr = htonl(from),
			.daddr = htonl(0x0a000001) },
		.tcp = { .source = htons(port), .dest = htons(PORT),
			 .seq = htonl(from ^ port), .doff = 5, .syn = 1,
			 .window = htons(1000) },
	};
	uint32_t pseudo = (from >> 16) + (from & 0xffff) + 0x0a00 + 0x0001 +
			  IPPROTO_TCP + sizeof(p.tcp);

	p.ip.check = checksum(&p.ip, sizeof(p.ip), 0);
	p.tcp.check = checksum(&p.tcp, sizeof(p.tcp), pseudo);
	return write(tun, &p, sizeof(p));
}

static int listen_any(void)
{
	struct sockaddr_in addr = { .sin_family = AF_INET, .sin_port = htons(PORT) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (bind(fd, (struct sockaddr *)&addr, sizeof(addr)) || listen(fd, 1000000))
		return -1;
	return fd;
}

/* Reads all there is; how many connections, or requests, have ended. */
static unsigned long drain_ends(struct tt_reader *rd)
{
	union tt_record rec;
	unsigned long n = 0;

	while (tt_next(rd, &rec) > 0)
		n += rec.hdr.type == TCPTRAIL_END;
	return n;
}

TEST_F_TIMEOUT(flood, syns_from_nowhere, PATIENCE)
{
	unsigned long syns = number("FLOOD_SYNS", 3000), ended = 0, i;
	int listener, tun = open_tun();
	struct tcptrail_info info;
	char answer[256];

	ASSERT_LE(0, tun);
	listener = listen_any();
	ASSERT_LE(0, listener);
	for (i = 0; i < syns; i++) {
		ASSERT_LT(0, send_syn(tun, 0x0a010000 + i % 60000, 1024 + i / 60000));
		while (read(tun, answer, sizeof(answer)) > 0)
			;
		if (i % 16 == 0)
			ended += drain_ends(self->rd);
	}
	check_bounds(_metadata, "SYN flood", self->rd, self->slab, self->lines,
		     variant->max_trails);
	ASSERT_EQ(0, tt_info(self->rd->fd, &info));
	/* Those that were let in are trails, or counted, or were trails. */
	ended += drain_ends(self->rd);
	EXPECT_LE(syns / 2, info.requests + info.no_trail + ended);
	close(listener);
	close(tun);
}

/* ---- TIME_WAITs ---- */

/*
 * The client closes first and so keeps it; an address for each 20,000, so that
 * a free port is soon found.
 */
static int close_one(int listener, unsigned long i)
{
	struct sockaddr_in from = { .sin_family = AF_INET }, to;
	socklen_t len = sizeof(to);
	int on = 1, client, server;

	getsockname(listener, (struct sockaddr *)&to, &len);
	client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	from.sin_addr.s_addr = htonl(INADDR_LOOPBACK + 1 + i / 20000);
	setsockopt(client, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof(on));
	if (bind(client, (struct sockaddr *)&from, sizeof(from)) ||
	    connect(client, (struct sockaddr *)&to, sizeof(to)))
		return -1;
	server = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	close(client);
	close(server);
	return server < 0 ? -1 : 0;
}

static unsigned long time_waits(void)
{
	FILE *f = fopen("/proc/net/sockstat", "re");
	unsigned long n = 0;
	char line[256];

	while (f && fgets(line, sizeof(line), f))
		sscanf(line, "TCP: inuse %*u orphan %*u tw %lu", &n);
	if (f)
		fclose(f);
	return n;
}

TEST_F_TIMEOUT(flood, pile_of_time_waits, PATIENCE)
{
	unsigned long n = number("FLOOD_CLOSED", 3000), i, there;
	int listener = tt_listen(AF_INET, 64);
	struct tcptrail_info info;

	ASSERT_LE(0, listener);
	for (i = 0; i < n; i++) {
		ASSERT_EQ(0, close_one(listener, i)) {
			TH_LOG("connection %lu: %s", i, strerror(errno));
		}
		if (i % 32 == 0)
			ASSERT_EQ(0, tt_drain(self->rd));
	}
	there = time_waits();
	TH_LOG("%lu in TIME_WAIT of %lu", there, n);
	check_bounds(_metadata, "TIME_WAIT", self->rd, self->slab, self->lines,
		     variant->max_trails);
	ASSERT_EQ(0, tt_info(self->rd->fd, &info));
	/* Each that is there has a trail, or was counted. */
	EXPECT_LE(there, info.trails + info.no_trail);
	close(listener);
}

TEST_HARNESS_MAIN
