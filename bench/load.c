// SPDX-License-Identifier: GPL-2.0
/*
 * Makes TCP connections on the loopback interface of a network namespace of
 * its own, and tells what one of them costs.
 *
 * usage: load [-n COUNT] [-r ROUNDS] [-o OPEN] [-R READERS] [-c | -s] LOAD
 *        load [-n COUNT] -w WORKERS | -l COMMAND
 *
 *   LOAD        rst   connect, accept, reset by the client (SO_LINGER 0)
 *               fin   connect, accept, close by both, to the end of TIME_WAIT
 *               syn   a SYN whose SYN+ACK nobody answers, to its timeout
 *   -n COUNT    connections per round (default 1000; syn: 400, at most 500)
 *   -r ROUNDS   rounds that count, after one that warms up (default 5)
 *   -o OPEN     sockets that are connected all the time (default 0)
 *   -R READERS  open files of /dev/tcptrail that nobody reads (default 0)
 *   -c          count the records of /dev/tcptrail instead: prints
 *               "TRANSITIONS ACCEPTS EVENTS ENDS" per connection
 *   -s          storm: one round of COUNT connections, nothing is printed
 *   -w WORKERS  so many processes make COUNT connections each, as fast as
 *               they can: prints wall time per connection in nanoseconds
 *   -l COMMAND  latency: from a transition (listen()) to the first line that
 *               COMMAND prints of it: median and 99th percentile in nanoseconds
 *
 * Prints the busy time per connection in nanoseconds: median, least, most of
 * the rounds. Busy is all time in which the CPU was not idle, until
 * everything that follows from the connections is over: timers of the kernel
 * and programs that still print. In a virtual machine whose clock counts
 * instructions (-icount) nanoseconds are instructions.
 */
#include <arpa/inet.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <linux/tcptrail.h>

#define PORT		5001
#define ROUNDS_MAX	101
#define NS_PER_MS	1000000ULL
#define TUN_ADDR	0x0a090001	/* 10.9.0.1/16 */

static unsigned int count;
static int listener;
static int tun = -1;

/* ---- busy time ---- */

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000000ULL + ts.tv_nsec;
}

/* All CPUs' idle time; /proc/stat has it, too, but in units of 10 ms. */
static uint64_t idle_ns(void)
{
	uint64_t sum = 0, ns;
	char line[256];
	FILE *f = fopen("/proc/timer_list", "r");

	if (!f)
		err(1, "/proc/timer_list");
	while (fgets(line, sizeof(line), f))
		if (sscanf(line, " .idle_sleeptime : %ju", &ns) == 1)
			sum += ns;
	fclose(f);
	return sum;
}

struct meter {
	uint64_t began;
	uint64_t idle;
	uint64_t busy;
};

static void meter_start(struct meter *m)
{
	m->idle = idle_ns();
	m->began = now_ns();
}

static uint64_t meter_stop(struct meter *m)
{
	uint64_t busy = now_ns() - m->began;

	busy -= idle_ns() - m->idle;
	m->busy += busy;
	return busy;
}

static void sleep_ms(unsigned int ms)
{
	struct timespec ts = { ms / 1000, ms % 1000 * NS_PER_MS };

	while (nanosleep(&ts, &ts) && errno == EINTR)
		;
}

/* Wait for @least ms, then until the machine does next to nothing. */
static void meter_settle(struct meter *m, unsigned int least)
{
	int i;

	meter_start(m);
	sleep_ms(least);
	meter_stop(m);
	for (i = 0; i < 100; i++) {
		meter_start(m);
		sleep_ms(100);
		if (meter_stop(m) < 1 * NS_PER_MS)
			break;
	}
}

/* ---- the machine around it ---- */

static void write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY);

	if (fd < 0 || write(fd, text, strlen(text)) < 0)
		err(1, "%s", path);
	close(fd);
}

static void interface_up(const char *name)
{
	struct ifreq ifr = { .ifr_flags = IFF_UP };
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	snprintf(ifr.ifr_name, IFNAMSIZ, "%s", name);
	if (ioctl(fd, SIOCSIFFLAGS, &ifr))
		err(1, "%s", name);
	close(fd);
}

static void enter_namespace(void)
{
	struct rlimit files = { 1000000, 1000000 };

	if (unshare(CLONE_NEWNET))
		err(1, "unshare");
	interface_up("lo");
	write_file("/proc/sys/net/ipv4/tcp_max_tw_buckets", "1000000");
	write_file("/proc/sys/net/ipv4/tcp_max_syn_backlog", "1000000");
	write_file("/proc/sys/net/ipv4/tcp_synack_retries", "1");
	write_file("/proc/sys/net/ipv4/tcp_syncookies", "0");
	write_file("/proc/sys/net/ipv4/tcp_tw_reuse", "0");
	write_file("/proc/sys/net/ipv4/ip_local_port_range", "10000 65000");
	write_file("/proc/sys/net/core/somaxconn", "100000");
	if (setrlimit(RLIMIT_NOFILE, &files))
		err(1, "setrlimit");
}

static void set_address(int fd, unsigned long request, uint32_t addr)
{
	struct ifreq ifr = { .ifr_name = "tun0" };
	struct sockaddr_in *in = (struct sockaddr_in *)&ifr.ifr_addr;

	in->sin_family = AF_INET;
	in->sin_addr.s_addr = htonl(addr);
	if (ioctl(fd, request, &ifr))
		err(1, "address of tun0");
}

/* An interface whose other end is this program. */
static void make_tun(void)
{
	struct ifreq ifr = { .ifr_name = "tun0",
			     .ifr_flags = IFF_TUN | IFF_NO_PI };
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	tun = open("/dev/net/tun", O_RDWR | O_NONBLOCK);
	if (tun < 0 || ioctl(tun, TUNSETIFF, &ifr))
		err(1, "tun");
	set_address(fd, SIOCSIFADDR, TUN_ADDR);
	set_address(fd, SIOCSIFNETMASK, 0xffff0000);
	close(fd);
	interface_up("tun0");
}

static void drain_tun(void)
{
	char packet[2048];

	while (tun >= 0 && read(tun, packet, sizeof(packet)) > 0)
		;
}

/* ---- connections ---- */

static struct sockaddr_in address(uint32_t addr)
{
	struct sockaddr_in in = { .sin_family = AF_INET,
				  .sin_port = htons(PORT),
				  .sin_addr.s_addr = htonl(addr) };

	return in;
}

static int make_listener(void)
{
	struct sockaddr_in any = address(INADDR_ANY);
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	if (fd < 0 || bind(fd, (struct sockaddr *)&any, sizeof(any)) ||
	    listen(fd, 100000))
		err(1, "listen");
	return fd;
}

static void connect_pair(uint32_t addr, int *client, int *server)
{
	struct sockaddr_in to = address(addr);

	*client = socket(AF_INET, SOCK_STREAM, 0);
	if (*client < 0 ||
	    connect(*client, (struct sockaddr *)&to, sizeof(to)))
		err(1, "connect");
	*server = accept(listener, NULL, NULL);
	if (*server < 0)
		err(1, "accept");
}

static void once_rst(unsigned int i)
{
	struct linger abort = { 1, 0 };
	int client, server;

	(void)i;
	connect_pair(INADDR_LOOPBACK, &client, &server);
	setsockopt(client, SOL_SOCKET, SO_LINGER, &abort, sizeof(abort));
	close(client);
	close(server);
}

static void once_fin(unsigned int i)
{
	int client, server;

	(void)i;
	connect_pair(INADDR_LOOPBACK, &client, &server);
	close(client);
	close(server);
}

static uint32_t sum16(const void *p, size_t len, uint32_t sum)
{
	const uint8_t *b = p;

	for (; len > 1; len -= 2, b += 2)
		sum += b[0] << 8 | b[1];
	return sum;
}

static uint16_t fold(uint32_t sum)
{
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return htons(~sum);
}

static void once_syn(unsigned int i)
{
	static uint32_t isn;
	struct {
		struct iphdr ip;
		struct tcphdr tcp;
	} syn = {
		.ip = { .version = 4, .ihl = 5, .ttl = 64,
			.protocol = IPPROTO_TCP,
			.tot_len = htons(sizeof(syn)),
			.saddr = htonl(TUN_ADDR + 1 + i % 60000),
			.daddr = htonl(TUN_ADDR) },
		.tcp = { .source = htons(2000 + i / 60000),
			 .dest = htons(PORT), .seq = htonl(isn += 100000),
			 .doff = 5, .syn = 1, .window = htons(65535) },
	};

	syn.ip.check = fold(sum16(&syn.ip, sizeof(syn.ip), 0));
	syn.tcp.check = fold(sum16(&syn.tcp, sizeof(syn.tcp),
				   sum16(&syn.ip.saddr, 8, IPPROTO_TCP +
					 sizeof(syn.tcp))));
	if (write(tun, &syn, sizeof(syn)) != sizeof(syn))
		err(1, "write to tun0");
	/* The SYN+ACK; its repetitions wait in the queue, which holds 500. */
	drain_tun();
}

static const struct load {
	const char *name;
	void (*once)(unsigned int i);
	unsigned int count;		/* per round, by default */
	unsigned int settle_ms;		/* how long its timers run */
} loads[] = {
	{ "rst", once_rst, 1000, 100 },
	{ "fin", once_fin, 1000, 70000 },
	{ "syn", once_syn, 400, 4000 },
};

/*
 * OPEN sockets are OPEN / 2 connections with both ends here, to addresses that
 * the load does not use. They end with a reset: 100,000 TIME_WAITs take long.
 */
static void open_connections(unsigned int n)
{
	struct linger abort = { 1, 0 };
	int client, server;
	unsigned int i;

	for (i = 0; i < n / 2; i++) {
		connect_pair(INADDR_LOOPBACK + i / 5000 + 1, &client, &server);
		setsockopt(client, SOL_SOCKET, SO_LINGER, &abort,
			   sizeof(abort));
	}
}

/* ---- rounds ---- */

static double one_round(const struct load *l)
{
	struct meter m = { 0 };
	unsigned int i;

	meter_start(&m);
	for (i = 0; i < count; i++)
		l->once(i);
	meter_stop(&m);
	meter_settle(&m, l->settle_ms);
	drain_tun();
	return (double)m.busy / count;
}

static int by_size(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static void measure(const struct load *l, unsigned int rounds)
{
	double cost[ROUNDS_MAX];
	unsigned int i;

	one_round(l);
	for (i = 0; i < rounds; i++)
		cost[i] = one_round(l);
	qsort(cost, rounds, sizeof(cost[0]), by_size);
	printf("%.1f %.1f %.1f\n", cost[rounds / 2], cost[0],
	       cost[rounds - 1]);
}

/* ---- records ---- */

static int open_device(void)
{
	int fd = open(TCPTRAIL_DEVICE, O_RDONLY | O_NONBLOCK);

	if (fd < 0 || lseek(fd, 0, SEEK_END))
		err(1, TCPTRAIL_DEVICE);
	return fd;
}

static void count_records(const struct load *l)
{
	static _Alignas(8) char buffer[1 << 20];
	double n[TCPTRAIL_SYNC + 1] = { 0 }, accepts = 0;
	int fd = open_device();
	ssize_t len, at;

	one_round(l);
	while ((len = read(fd, buffer, sizeof(buffer))) > 0) {
		for (at = 0; at < len;) {
			struct tcptrail_step *rec = (void *)(buffer + at);

			if (rec->hdr.type <= TCPTRAIL_SYNC)
				n[rec->hdr.type]++;
			if (rec->hdr.type == TCPTRAIL_STEP &&
			    rec->old_state == rec->new_state)
				accepts++;
			at += rec->hdr.size;
		}
	}
	if (n[TCPTRAIL_LOST])
		errx(1, "the ring is too small to count: use a smaller -n");
	printf("%.2f %.2f %.2f %.2f\n", (n[TCPTRAIL_STEP] - accepts) / count,
	       accepts / count, n[TCPTRAIL_EVENT] / count,
	       n[TCPTRAIL_END] / count);
}

/* ---- latency ---- */

static FILE *start(const char *command, pid_t *pid)
{
	int ends[2];

	if (pipe(ends))
		err(1, "pipe");
	*pid = fork();
	if (!*pid) {
		setpgid(0, 0);
		dup2(ends[1], 1);
		close(ends[0]);
		execl("/bin/sh", "sh", "-c", command, NULL);
		_exit(127);
	}
	close(ends[1]);
	fcntl(ends[0], F_SETFL, O_NONBLOCK);
	return fdopen(ends[0], "r");
}

/* Read what there is; how many bytes? */
static size_t swallow(int fd)
{
	char text[65536];
	size_t sum = 0;
	ssize_t n;

	while ((n = read(fd, text, sizeof(text))) > 0)
		sum += n;
	if (!n)
		errx(1, "the command has ended");
	return sum;
}

static void latency(const char *command)
{
	unsigned int n = count ? count : 500, i;
	double *ns = calloc(n, sizeof(*ns));
	pid_t pid;
	FILE *f = start(command, &pid);
	struct pollfd pfd = { .fd = fileno(f), .events = POLLIN };

	/* Until it is ready, and has told all of its past. */
	do {
		once_rst(0);
		sleep_ms(1000);
	} while (!swallow(pfd.fd));
	for (i = 0; i < n; i++) {
		struct sockaddr_in any = address(INADDR_ANY);
		int fd = socket(AF_INET, SOCK_STREAM, 0);
		uint64_t began;

		any.sin_port = 0;
		if (bind(fd, (struct sockaddr *)&any, sizeof(any)))
			err(1, "bind");
		sleep_ms(100);
		swallow(pfd.fd);
		began = now_ns();
		listen(fd, 1);
		if (poll(&pfd, 1, 10000) != 1)
			errx(1, "no line came");
		ns[i] = now_ns() - began;
		close(fd);
	}
	kill(-pid, SIGINT);
	qsort(ns, n, sizeof(ns[0]), by_size);
	printf("%.0f %.0f\n", ns[n / 2], ns[n * 99 / 100]);
}

/* ---- side by side ---- */

static void wall_time(unsigned int workers)
{
	unsigned int n = count ? count : 1000, i, w;
	uint64_t began = now_ns();

	for (w = 0; w < workers; w++) {
		if (fork())
			continue;
		enter_namespace();
		close(listener);
		listener = make_listener();
		for (i = 0; i < n; i++)
			once_rst(i);
		_exit(0);
	}
	while (wait(NULL) > 0)
		;
	printf("%.0f\n", (double)(now_ns() - began) / n / workers);
}

static const struct load *load_named(const char *name)
{
	unsigned int i;

	for (i = 0; name && i < sizeof(loads) / sizeof(loads[0]); i++)
		if (!strcmp(loads[i].name, name))
			return &loads[i];
	errx(2, "usage: see the top of load.c");
}

int main(int argc, char **argv)
{
	unsigned int rounds = 5, open = 0, readers = 0, i;
	int counting = 0, storm = 0, workers = 0, c;
	const char *command = NULL;
	const struct load *l;

	while ((c = getopt(argc, argv, "n:r:o:R:csw:l:")) != -1) {
		switch (c) {
		case 'n': count = atoi(optarg); break;
		case 'r': rounds = atoi(optarg); break;
		case 'o': open = atoi(optarg); break;
		case 'R': readers = atoi(optarg); break;
		case 'c': counting = 1; break;
		case 's': storm = 1; break;
		case 'w': workers = atoi(optarg); break;
		case 'l': command = optarg; break;
		default: load_named(NULL);
		}
	}
	if (command || workers) {
		enter_namespace();
		listener = make_listener();
		if (command)
			latency(command);
		else
			wall_time(workers);
		return 0;
	}
	l = load_named(argv[optind]);
	if (!count)
		count = l->count;
	if (!rounds || rounds > ROUNDS_MAX)
		errx(2, "-r must be 1 to %d",
		     ROUNDS_MAX);

	enter_namespace();
	listener = make_listener();
	if (l->once == once_syn)
		make_tun();
	open_connections(open);
	for (i = 0; i < readers; i++)
		open_device();

	if (counting)
		count_records(l);
	else if (storm)
		for (i = 0; i < count; i++)
			l->once(i);
	else
		measure(l, rounds);
	return 0;
}
